// Two sites with a thin line between them: a file crosses it once, when all want it one after another,
// and when all want it at once.

import { assert, assertEquals } from "@std/assert";
import { type DaemonProcess, startDaemon } from "../integration/support/daemon.ts";
import { randomFile, TempDir } from "../integration/support/files.ts";
import { NODE_PORT } from "../integration/support/hosts.ts";
import { type SiteHost, type SiteName, TwoSites } from "../integration/support/two_sites.ts";

const FILE_BYTES = 32_000_000;
const LINE = { bytesPerSecond: 20e6, delayMs: 10 };
const HOSTS = 4;
/** Copies of the file's bytes, those of packets and messages included. */
const IN_TURN_COPIES_MAX = 1.1;
/**
 * Eight commands that start on two cores do so a second apart, and what the first one asked for by then
 * may come twice: 1.05 to 1.15 copies. The simulator has 1.0 when they do begin at once, and 3.5 where
 * nobody knows who is near.
 */
const AT_ONCE_COPIES_MAX = 1.3;
/** On a machine that is too busy to keep up with the line, nobody can tell who is slow from who stalls. */
const BUSY_COPIES_MAX = 2.5;
const BUSY_MS = 8_000;
/** Whether what was measured is printed. */
const isTold = Deno.env.get("SITES_LOG") === "1";

const whyNot = await TwoSites.problem();
if (whyNot !== undefined) console.log(`Skipped is the test of two sites: ${whyNot}`);

/** A machine of a site, linked with another one. */
async function start(
  host: SiteHost,
  site: SiteName,
  { peers, shares = [] }: { readonly peers: readonly SiteHost[]; readonly shares?: string[] },
): Promise<DaemonProcess> {
  return await startDaemon({
    namespace: host.namespace,
    node: `0.0.0.0:${NODE_PORT}`,
    peers: peers.map(({ address }) => `${address}:${NODE_PORT}`),
    shares,
    linksMin: 3,
    logLevel: "info",
    args: ["--site", site],
  });
}

Deno.test({
  name: "a file crosses the line between two sites once, when all want it in turn, and at once",
  ignore: whyNot !== undefined,
  async fn() {
    await using sites = await TwoSites.make(LINE);
    await using dir = await TempDir.make();
    await using ends = new AsyncDisposableStack();
    const shared = await dir.folder("shared");
    for (const [i, name] of ["in-turn", "at-once"].entries()) {
      await randomFile(`${shared}/${name}`, FILE_BYTES, i + 1);
    }
    const add = async (site: SiteName) =>
      await Promise.all(Array.from({ length: HOSTS }, () => sites.add(site)));
    const seeder = await sites.add("a");
    const hosts = { a: await add("a"), b: await add("b") };
    const holder = ends.use(await start(seeder, "a", { peers: [], shares: [shared] }));
    const all: DaemonProcess[] = [];
    for (const site of ["a", "b"] as const) {
      const [first] = hosts[site];
      all.push(
        ...await Promise.all(
          hosts[site].map(async (host) => {
            const peers = host === first ? [seeder] : [seeder, first!];
            return ends.use(await start(host, site, { peers }));
          }),
        ),
      );
    }
    await holder.linked(2 * HOSTS);
    for (const name of ["in-turn", "at-once"]) await holder.holds(name);

    const fetch = async (daemon: DaemonProcess, name: string) => {
      const output = await dir.sub(daemon.id, name);
      await using fetching = daemon.fetch([name, "-o", output]);
      const { bytesLocal } = await fetching.done();
      assertEquals(bytesLocal, 0);
      await Deno.remove(output);
    };
    /** Copies that came to each site meanwhile. */
    const copies = async (fetching: () => Promise<unknown>) => {
      const before = { a: await sites.crossedBytes("a"), b: await sites.crossedBytes("b") };
      const beginMs = performance.now();
      await fetching();
      const tookMs = performance.now() - beginMs;
      const to = async (site: SiteName) =>
        (await sites.crossedBytes(site) - before[site]) / FILE_BYTES;
      return { a: await to("a"), b: await to("b"), tookMs };
    };
    const inTurn = await copies(async () => {
      for (const daemon of all) await fetch(daemon, "in-turn");
    });
    const atOnce = await copies(() => Promise.all(all.map((daemon) => fetch(daemon, "at-once"))));
    const told = JSON.stringify({ inTurn, atOnce });
    if (isTold) console.log(told);
    assert(inTurn.b > 0.9 && inTurn.b <= IN_TURN_COPIES_MAX, told);
    const atOnceMax = atOnce.tookMs < BUSY_MS ? AT_ONCE_COPIES_MAX : BUSY_COPIES_MAX;
    assert(atOnce.b > 0.9 && atOnce.b <= atOnceMax, told);
    for (const { a } of [inTurn, atOnce]) assert(a <= 0.15, told);

    // What the machines count themselves agrees.
    const far = await Promise.all(
      all.slice(HOSTS).map(async (daemon) => {
        const { site, counters } = await daemon.status();
        assertEquals([site, counters.bytesInBy.subnet], ["b", 0]);
        return counters.bytesInBy.far;
      }),
    );
    const farCopies = far.reduce((sum, bytes) => sum + bytes, 0) / FILE_BYTES;
    assert(
      farCopies > 1.9 && farCopies <= inTurn.b + atOnce.b + 0.1,
      `${farCopies} copies were counted`,
    );
  },
});
