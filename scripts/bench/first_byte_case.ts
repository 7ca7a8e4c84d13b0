// How long pacman waits for the first byte of a package that its neighbours have, and for all of it,
// through the gateway of a daemon that has never seen it; with curl in pacman's place.

import type { Bench, BenchCase } from "./bench.ts";
import { curl, type CurlRun } from "./curl.ts";
import { NginxServer } from "./nginx.ts";
import { makePackages, type Package, type Packages, REPOSITORY_PATH } from "./packages.ts";
import { DaemonProcess } from "./product.ts";
import type { Row } from "./report.ts";
import { percentile } from "./statistics.ts";
import { checkSame } from "./workspace.ts";

const NEIGHBOURS = 10;
const PACKAGE_BYTES = 5 * 10 ** 6;
/** Of each contestant, each with a name of its own; and some before that are not counted. */
const SAMPLES = 50;
const WARM_UP = 3;
const FIRST_BYTE_MS = 60;
const PLACE = "memory";
const LIMIT_MS = 180_000;

export const firstByteCase: BenchCase = {
  name: "first-byte",
  about:
    `a package that ${NEIGHBOURS} neighbours have, through the gateway: the first byte, and all`,
  tools: ["nginx", "curl"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const samples = bench.options.rounds >= 5 ? SAMPLES : 5 * bench.options.rounds;
    const each = samples + WARM_UP;
    bench.note(`making ${2 * each} packages`);
    const packages = await makePackages(
      await workspace.folder(PLACE, "repository"),
      Array(2 * each).fill(PACKAGE_BYTES),
    );
    const work = await workspace.folder(PLACE, "work");
    const nginx = cleanup.use(await NginxServer.start(packages.mirrorRoot, work));
    const neighbours: DaemonProcess[] = [];
    for (let i = 0; i < NEIGHBOURS; i++) {
      bench.note(`starting neighbour ${i + 1} of ${NEIGHBOURS}`);
      const neighbour = cleanup.use(
        await DaemonProcess.start(bench.product, {
          dataDir: `${work}/neighbour${i}`,
          shares: [packages.folder],
          args: ["--min-connections", "0"],
        }),
      );
      await neighbour.untilShared(packages.all.length, { limitMs: LIMIT_MS });
      neighbours.push(neighbour);
    }
    const rows: Row[] = [];
    for (const [i, what] of ["no mirror", "a mirror behind"].entries()) {
      bench.note(what);
      const args = i === 0 ? [] : ["--mirror", nginx.url];
      await using daemon = await startAsker(bench, {
        dataDir: `${work}/asker${i}`,
        packages,
        neighbours,
        args,
      });
      const own = packages.all.slice(i * each, (i + 1) * each);
      const out = await workspace.folder(PLACE, "out");
      const runs = await fetchAll(daemon, own, out);
      rows.push(...rowsOf(what, runs.slice(WARM_UP)));
    }
    return [{
      title: `First byte of a package of ${PACKAGE_BYTES} bytes that ${NEIGHBOURS} neighbours have`,
      rows,
      notes: [
        "Every sample is another package, asked for once, with its SHA-256 from a database. Without " +
        "a mirror no byte goes out before all are there and proved; with one it gives the first.",
      ],
    }];
  },
};

async function startAsker(
  bench: Bench,
  { dataDir, packages, neighbours, args }: {
    readonly dataDir: string;
    readonly packages: Packages;
    readonly neighbours: readonly DaemonProcess[];
    readonly args: readonly string[];
  },
): Promise<DaemonProcess> {
  const daemon = await DaemonProcess.start(bench.product, {
    dataDir,
    peers: neighbours.map(({ node }) => node),
    args: ["--gateway", "127.0.0.1:0", "--sync-db", packages.syncFolder, ...args],
  });
  try {
    await daemon.untilLinked(neighbours.length);
    await daemon.untilTrusting(packages.all.length, { limitMs: LIMIT_MS });
    return daemon;
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}

/** Fetches the packages one after the other, and holds each against its original. */
async function fetchAll(
  daemon: DaemonProcess,
  packages: readonly Package[],
  out: string,
): Promise<CurlRun[]> {
  const runs: CurlRun[] = [];
  for (const { name, path } of packages) {
    const output = `${out}/${name}`;
    const url = `${daemon.gatewayUrl}/${REPOSITORY_PATH}/${name}`;
    runs.push(await curl(url, { output, limitMs: LIMIT_MS }));
    await checkSame(output, path);
    await Deno.remove(output);
  }
  return runs;
}

function rowsOf(what: string, runs: readonly CurlRun[]): Row[] {
  const firstMs = runs.map(({ firstByteS }) => 1000 * firstByteS);
  const wholeMs = runs.map(({ totalS }) => 1000 * totalS);
  return [
    {
      what: `${what}: first byte`,
      unit: "ms",
      values: firstMs,
      bar: { kind: "below", value: FIRST_BYTE_MS },
    },
    { what: `${what}: first byte, p95`, unit: "ms", values: [percentile(firstMs, 0.95)] },
    { what: `${what}: the whole package`, unit: "ms", values: wholeMs },
  ];
}
