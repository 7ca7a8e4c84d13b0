// The gateway beside a mirror: how long a file takes through it, beside curl from the same mirror, when
// nobody else has the file, when fast peers have it, and when slow ones do.

import type { Bench } from "./bench.ts";
import { curlAndRemove, seconds } from "./curl.ts";
import { PacedMirror } from "./paced_mirror.ts";
import { makePackages, REPOSITORY_PATH } from "./packages.ts";
import { DaemonProcess } from "./product.ts";
import type { Row, Table } from "./report.ts";
import { SlowedProcess } from "./slowed_process.ts";
import { ratios } from "./statistics.ts";

const PLACE = "memory";
/** A gigabit line, less what its frames take. */
const LINE_BYTES_PER_SECOND = 110 * 10 ** 6;
/** A file for about a second and a half on that line, so that 5 % of it is more than noise. */
const LINE_FILE_BYTES = 160 * 2 ** 20;
const SLOW_PEERS = 2;

/** Who has the file besides the mirror: nobody, peers that are faster than it, or slower. */
type Others = "alone" | "fast" | "slow";

const OTHERS: Readonly<Record<Others, string>> = {
  alone: "no peers",
  fast: `${SLOW_PEERS} fast peers`,
  slow: `${SLOW_PEERS} slow peers`,
};

/** With a mirror behind a line of a gigabit: how long a file takes through the gateway, beside curl. */
export async function besideMirror(bench: Bench, those: readonly Others[]): Promise<Table> {
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
    const run = await curlAndRemove(`${root}/${REPOSITORY_PATH}/${name}`, { output: out, limitMs });
    return { ...run, mirrorBytes: mirror.bytesGiven - beforeBytes };
  };
  const through = async (daemon: DaemonProcess) => {
    const run = await get(daemon.gatewayUrl);
    await daemon.untilDownloaded(1, { limitMs });
    await daemon.forget(product, name);
    return run;
  };
  const runsOf = {
    alone: () => through(alone),
    fast: () => through(both),
    slow: async () => {
      await using slowed = new AsyncDisposableStack();
      for (const { pid } of holders) slowed.use(new SlowedProcess(pid));
      return await through(both);
    },
  };
  const runs = await bench.interleave({
    curl: () => get(mirror.url),
    ...Object.fromEntries(those.map((others) => [others, runsOf[others]])),
  }, "mirror");
  const curlS = seconds(runs.curl!);
  const rows = those.flatMap((key): Row[] => {
    const what = OTHERS[key];
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
