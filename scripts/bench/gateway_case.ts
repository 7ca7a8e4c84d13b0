// The gateway as pacman sees it, with curl in pacman's place: how fast a big file comes through it
// from a peer, from the daemon's own store and from a mirror, beside curl from nginx and from that
// mirror.

import type { Bench, BenchCase } from "./bench.ts";
import { curl, type CurlRun } from "./curl.ts";
import { NginxServer } from "./nginx.ts";
import { PacedMirror } from "./paced_mirror.ts";
import { makePackages, REPOSITORY_PATH } from "./packages.ts";
import { DaemonProcess } from "./product.ts";
import type { Row, Table } from "./report.ts";
import { SlowedProcess } from "./slowed_process.ts";
import { ratios } from "./statistics.ts";
import { checkSame } from "./workspace.ts";

const PLACE = "memory";
/** A gigabit line, less what its frames take. */
const LINE_BYTES_PER_SECOND = 110 * 10 ** 6;
/** A file for about a second and a half on that line, so that 5 % of it is more than noise. */
const LINE_FILE_BYTES = 160 * 2 ** 20;
const SLOW_PEERS = 2;

export const gatewayCase: BenchCase = {
  name: "gateway",
  about: "the HTTP gateway from peers and mirrors, against curl from nginx and from the mirror",
  tools: ["python", "nginx", "curl"],
  async run(bench) {
    return [await wholeSpeed(bench), await besideMirror(bench)];
  },
};

/** Without a mirror and without databases: bytes of peers go out as soon as the name is settled. */
async function wholeSpeed(bench: Bench): Promise<Table> {
  await using cleanup = new AsyncDisposableStack();
  const workspace = cleanup.use(await bench.openWorkspace());
  const { product, sizeBytes, limitMs } = bench;
  const { mirrorRoot, all } = await makePackages(await workspace.folder(PLACE, "repository"), [
    sizeBytes,
  ]);
  const { name, path } = all[0]!;
  const work = await workspace.folder(PLACE, "work");
  const nginx = cleanup.use(await NginxServer.start(mirrorRoot, work));
  const start = async (dir: string, options: { shares?: string[]; args?: string[] }) =>
    cleanup.use(await DaemonProcess.start(product, { dataDir: `${work}/${dir}`, ...options }));
  const holder = await start("holder", { shares: [path] });
  await holder.untilShared(1, { limitMs });
  const peers = [holder.node];
  const gateway = ["--gateway", "127.0.0.1:0"];
  const asker = cleanup.use(
    await DaemonProcess.start(product, { dataDir: `${work}/asker`, peers, args: gateway }),
  );
  await asker.untilLinked(1);
  const mirrored = await start("mirrored", { args: [...gateway, "--mirror", nginx.url] });

  // The last byte is out before the file is in the store.
  const forget = async (daemon: DaemonProcess) => {
    await daemon.untilDownloaded(1, { limitMs });
    await daemon.forget(product, name);
  };
  const out = `${await workspace.folder(PLACE, "out")}/${name}`;
  const get = (root: string) => fetchAndRemove(`${root}/${REPOSITORY_PATH}/${name}`, out, limitMs);
  await curl(`${asker.gatewayUrl}/${REPOSITORY_PATH}/${name}`, { output: out, limitMs });
  await checkSame(out, path);
  await forget(asker);
  const runs = await bench.interleave({
    nginx: () => get(nginx.url),
    peer: async () => {
      const first = await get(asker.gatewayUrl);
      await asker.untilDownloaded(1, { limitMs });
      const again = await get(asker.gatewayUrl);
      await forget(asker);
      return { ...first, againS: again.totalS };
    },
    mirror: async () => {
      const run = await get(mirrored.gatewayUrl);
      await forget(mirrored);
      return run;
    },
  } as Record<string, () => Promise<CurlRun & { againS?: number }>>);
  const nginxS = seconds(runs.nginx!), peerS = seconds(runs.peer!), mirrorS = seconds(runs.mirror!);
  const againS = runs.peer!.map(({ againS }) => againS!);
  const least = { kind: "at-least", value: 0.6 } as const;
  return {
    title: `${sizeBytes} bytes over HTTP to curl, in memory (tmpfs)`,
    rows: [
      { what: "nginx to curl", unit: "s", values: nginxS },
      { what: "gateway to curl, from a peer", unit: "s", values: peerS },
      { what: "gateway to curl, again: the daemon has it now", unit: "s", values: againS },
      { what: "gateway to curl, from nginx as its mirror", unit: "s", values: mirrorS },
      {
        what: "times as fast as nginx: from a peer",
        unit: "x",
        values: ratios(nginxS, peerS),
        bar: least,
      },
      {
        what: "times as fast as nginx: again",
        unit: "x",
        values: ratios(nginxS, againS),
        bar: least,
      },
      {
        what: "times as fast as nginx: from nginx as its mirror",
        unit: "x",
        values: ratios(nginxS, mirrorS),
      },
    ],
    notes: [
      "No databases are read here: with them and without a mirror, nothing of a file goes out before " +
      "all of it is proved. nginx checks nothing; what comes from a peer is checked chunk by chunk, " +
      "and what comes through the gateway is written to the store as well.",
    ],
  };
}

/** With a mirror behind a line of a gigabit: alone, and beside peers that are slower than it. */
async function besideMirror(bench: Bench): Promise<Table> {
  await using cleanup = new AsyncDisposableStack();
  const workspace = cleanup.use(await bench.openWorkspace());
  const { product, limitMs } = bench;
  const sizeBytes = Math.min(LINE_FILE_BYTES, bench.sizeBytes);
  const { mirrorRoot, syncFolder, all } = await makePackages(
    await workspace.folder(PLACE, "repository"),
    [sizeBytes],
  );
  const { name, path } = all[0]!;
  const work = await workspace.folder(PLACE, "work");
  const mirror = cleanup.use(
    new PacedMirror(mirrorRoot, { bytesPerSecond: LINE_BYTES_PER_SECOND }),
  );
  const holders: DaemonProcess[] = [];
  for (let i = 0; i < SLOW_PEERS; i++) {
    const holder = cleanup.use(
      await DaemonProcess.start(product, { dataDir: `${work}/holder${i}`, shares: [path] }),
    );
    await holder.untilShared(1, { limitMs });
    holders.push(holder);
  }
  const gateway = ["--gateway", "127.0.0.1:0", "--sync-db", syncFolder, "--mirror", mirror.url];
  const alone = cleanup.use(
    await DaemonProcess.start(product, { dataDir: `${work}/alone`, args: gateway }),
  );
  const both = cleanup.use(
    await DaemonProcess.start(product, {
      dataDir: `${work}/both`,
      peers: holders.map(({ node }) => node),
      args: gateway,
    }),
  );
  await both.untilLinked(SLOW_PEERS);
  for (const daemon of [alone, both]) await daemon.untilTrusting(1, { limitMs });

  const out = `${await workspace.folder(PLACE, "out")}/${name}`;
  const get = async (root: string) => {
    const beforeBytes = mirror.bytesGiven;
    const run = await fetchAndRemove(`${root}/${REPOSITORY_PATH}/${name}`, out, limitMs);
    return { ...run, mirrorBytes: mirror.bytesGiven - beforeBytes };
  };
  const through = async (daemon: DaemonProcess) => {
    const run = await get(daemon.gatewayUrl);
    await daemon.untilDownloaded(1, { limitMs });
    await daemon.forget(product, name);
    return run;
  };
  const runs = await bench.interleave({
    curl: () => get(mirror.url),
    alone: () => through(alone),
    fast: () => through(both),
    slow: async () => {
      await using _ = new AsyncDisposableStack();
      for (const { pid } of holders) _.use(new SlowedProcess(pid));
      return await through(both);
    },
  }, "mirror");
  const curlS = seconds(runs.curl!);
  const rows = ([["alone", "no peers"], ["fast", `${SLOW_PEERS} fast peers`], [
    "slow",
    `${SLOW_PEERS} slow peers`,
  ]] as const).flatMap(([key, what]): Row[] => {
    const found = runs[key]!;
    const lateMs = found.map(({ firstByteS }, i) =>
      1000 * (firstByteS - runs.curl![i]!.firstByteS)
    );
    return [
      { what: `gateway, ${what}`, unit: "s", values: seconds(found) },
      {
        what: `gateway, ${what}: times as long as curl from the mirror`,
        unit: "x",
        values: ratios(seconds(found), curlS),
        bar: { kind: "at-most", value: 1.05 },
      },
      {
        what: `gateway, ${what}: first byte later than curl's`,
        unit: "ms",
        values: lateMs,
        bar: { kind: "at-most", value: 50 },
      },
      {
        what: `gateway, ${what}: part of the file that the mirror gave`,
        unit: "x",
        values: found.map(({ mirrorBytes }) => mirrorBytes / sizeBytes),
        ...(key === "fast" && { bar: { kind: "below", value: 0.02 } }),
      },
    ];
  });
  return {
    title: `${sizeBytes} bytes with a mirror of ${LINE_BYTES_PER_SECOND / 10 ** 6} MB/s`,
    rows: [{ what: "curl from the mirror", unit: "s", values: curlS }, ...rows],
    notes: [
      "All connections to the mirror share its line. The daemon knows the SHA-256 from a database. " +
      "A slow peer is one that is stopped (SIGSTOP) most of the time.",
    ],
  };
}

async function fetchAndRemove(url: string, output: string, limitMs: number): Promise<CurlRun> {
  const run = await curl(url, { output, limitMs });
  await Deno.remove(output);
  return run;
}

function seconds(runs: readonly CurlRun[]): number[] {
  return runs.map(({ totalS }) => totalS);
}
