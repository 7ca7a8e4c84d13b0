// How long a daemon that sends and receives at full speed lets others wait: pings over a link that
// carries nothing else. A daemon that does nothing, on the same busy machine, is pinged beside it.

import { type BenchCase } from "./bench.ts";
import { Pinger, roundTripsIn, type Span } from "./pinger.ts";
import { DaemonProcess, fetchFile, type FetchRun } from "./product.ts";
import { median, percentile } from "./statistics.ts";
import { makeFile } from "./workspace.ts";

const TAKEN = "taken.bin";
const GIVEN = "given.bin";
const OUT = "out";
const PLACE = "memory";
/** A p99 of fewer is no more than a maximum. */
const PINGS_MIN = 100;
const CHUNK_BYTES = 16_384;

/** One round: the round trips of the pings sent while both transfers were under way. */
interface Load {
  readonly busyMs: readonly number[];
  readonly idleMs: readonly number[];
  readonly takenMbPerS: number;
  readonly givenMbPerS: number;
}

export const pingCase: BenchCase = {
  name: "ping",
  about: "ping p99 of a daemon that sends and receives at full speed",
  tools: ["python"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const { product, sizeBytes } = bench;
    const limitMs = 4 * bench.limitMs;
    const start = async (
      name: string,
      more: Partial<Parameters<typeof DaemonProcess.start>[1]> = {},
    ) => {
      const dataDir = await workspace.folder(PLACE, `data-${name}`);
      return cleanup.use(await DaemonProcess.start(product, { dataDir, ...more }));
    };
    const seed = await workspace.folder(PLACE, "seed");
    for (const name of [TAKEN, GIVEN]) makeFile(`${seed}/${name}`, sizeBytes);
    const holder = await start("holder", { shares: [`${seed}/${TAKEN}`] });
    const busy = await start("busy", { shares: [`${seed}/${GIVEN}`], peers: [holder.node] });
    const idle = await start("idle");
    for (const daemon of [holder, busy]) await daemon.untilShared(1, { limitMs });
    await busy.untilLinked(1);

    const round = async (): Promise<Load> => {
      await using pingers = new AsyncDisposableStack();
      const busyPinger = pingers.use(await Pinger.start(busy.node));
      const idlePinger = pingers.use(await Pinger.start(idle.node));
      const output = `${await workspace.folder(PLACE, OUT)}/${GIVEN}`;
      const [taken, given] = await Promise.all([
        // Into the store of the busy daemon, and no further.
        fetchFile(product, TAKEN, {
          from: { kind: "daemon", client: busy.client },
          chunks: `0-${Math.ceil(sizeBytes / CHUNK_BYTES) - 1}`,
          limitMs,
        }),
        fetchFile(product, GIVEN, {
          from: { kind: "alone", peers: [busy.node] },
          output,
          limitMs,
        }),
      ]);
      const span = overlap(taken, given);
      const [busyPings, idlePings] = [await busyPinger.stop(), await idlePinger.stop()];
      await workspace.drop(PLACE, OUT);
      await busy.forget(product, TAKEN);
      const rate = ({ transferS }: FetchRun) => sizeBytes / transferS / 1e6;
      return {
        busyMs: roundTripsIn(busyPings, span),
        idleMs: roundTripsIn(idlePings, span),
        takenMbPerS: rate(taken),
        givenMbPerS: rate(given),
      };
    };
    const loads = (await bench.interleave<Load>({ round }))["round"]!;
    const pooled = loads.flatMap(({ busyMs }) => busyMs);
    if (pooled.length < PINGS_MIN) {
      throw new Error(`Only ${pooled.length} pings fell into both transfers: take a bigger --size`);
    }
    const of = (key: "busyMs" | "idleMs", what: (values: readonly number[]) => number) =>
      loads.filter((load) => load[key].length > 0).map((load) => what(load[key]));
    const p99 = (values: readonly number[]) => percentile(values, 0.99);
    return [{
      title: "Ping of a daemon that sends and receives at full speed",
      rows: [
        {
          what: "p99, of the pings of a round",
          unit: "ms",
          values: of("busyMs", p99),
          bar: { kind: "below", value: 10 },
        },
        { what: "p50", unit: "ms", values: of("busyMs", median) },
        { what: "longest", unit: "ms", values: of("busyMs", (values) => Math.max(...values)) },
        { what: "p99 of all rounds together", unit: "ms", values: [p99(pooled)] },
        {
          what: "p99 of an idle daemon on the same busy machine",
          unit: "ms",
          values: of("idleMs", p99),
        },
        {
          what: "the daemon receives, meanwhile",
          unit: "MB/s",
          values: loads.map(({ takenMbPerS }) => takenMbPerS),
        },
        {
          what: "the daemon sends, meanwhile",
          unit: "MB/s",
          values: loads.map(({ givenMbPerS }) => givenMbPerS),
        },
      ],
      notes: [
        `${pooled.length} pings, one every 5 ms whether the one before is answered or not, while ` +
        "both transfers were under way.",
      ],
    }];
  },
};

/** The time in which both transfers were under way. */
function overlap(a: FetchRun, b: FetchRun): Span {
  return {
    fromMs: Math.max(a.foundEpochMs, b.foundEpochMs),
    toMs: Math.min(a.doneEpochMs, b.doneEpochMs),
  };
}
