// Crowds of the installed product, and what is told of them: copies, and the longest time.

import { parseAddress } from "../../src/cli/arguments/address.ts";
import {
  Crowd,
  type CrowdOptions,
  type CrowdReport,
  type CrowdStart,
} from "../../tests/integration/support/crowd.ts";
import type { Bench } from "./bench.ts";
import { addressText, DaemonProcess } from "./product.ts";
import type { Row } from "./report.ts";
import { ratios } from "./statistics.ts";

export const CROWD_PLACE = "memory";
/** Of the mirror that all machines share. */
export const LINE_BYTES_PER_SECOND = 10 * 10 ** 6;
const ROUNDS_MAX = 3;

/** What a rush came to. */
export interface Measure {
  /** Bytes that the mirror gave over those of the files. */
  readonly copies: number;
  /** Of the machine that waited longest, from its own request. */
  readonly slowestS: number;
  /** Of the machines' downloads, those with the right bytes: 1 for all. */
  readonly rightShare: number;
}

/** How many machines want what, and how they are linked. */
export type CrowdSetting = Omit<CrowdOptions<BenchDaemon>, "dir" | "start" | "bytesPerSecond">;

/** A daemon of the installed product. */
type BenchDaemon = Awaited<ReturnType<typeof startMachine>>;

/** Starts a crowd of the installed product, and ends it again. */
export async function inCrowd(
  bench: Bench,
  setting: CrowdSetting,
  use: (crowd: Crowd<BenchDaemon>) => Promise<void>,
): Promise<void> {
  await using workspace = await bench.openWorkspace();
  await using crowd = await Crowd.start({
    dir: await workspace.folder(CROWD_PLACE, "crowd"),
    bytesPerSecond: LINE_BYTES_PER_SECOND,
    start: (start) => startMachine(bench, start),
    ...setting,
  });
  await use(crowd);
}

async function startMachine(bench: Bench, { dataDir, peers, network, args }: CrowdStart) {
  const defaults = { host: "127.0.0.1", port: 0 };
  const daemon = await DaemonProcess.start(bench.product, {
    dataDir,
    network,
    args,
    peers: peers.map((peer) => parseAddress(peer, { what: "peer", defaults })),
  });
  return {
    pid: daemon.pid,
    id: daemon.id,
    node: addressText(daemon.node),
    client: addressText(daemon.client),
    gateway: new URL(daemon.gatewayUrl).host,
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** What a rush came to; what did not come, or was wrong, is told to the person who waits. */
export function measureOf(bench: Bench, { copies, slowestMs, outcomes }: CrowdReport): Measure {
  const wrong = outcomes.filter(({ isRight }) => !isRight);
  for (const outcome of wrong) bench.note(`not the right bytes: ${JSON.stringify(outcome)}`);
  return {
    copies,
    slowestS: slowestMs / 1_000,
    rightShare: 1 - wrong.length / outcomes.length,
  };
}

/** Copies, and time over that of one machine alone. */
export function rowsOf(
  what: string,
  measures: readonly Measure[],
  options: {
    readonly aloneS: readonly number[];
    /** Bars; without one, the row is for comparison. */
    readonly copiesMax?: number;
    readonly timeMax?: number;
  },
): Row[] {
  const { aloneS, copiesMax, timeMax } = options;
  const bar = (value: number | undefined): Pick<Row, "bar"> =>
    value === undefined ? {} : { bar: { kind: "at-most", value } };
  return [
    {
      what: `${what}: copies`,
      unit: "x",
      values: measures.map(({ copies }) => copies),
      ...bar(copiesMax),
    },
    {
      what: `${what}: times as long as one alone`,
      unit: "x",
      values: ratios(measures.map(({ slowestS }) => slowestS), aloneS),
      ...bar(timeMax),
    },
    // Said only where it is not so: copies and times are worth nothing then.
    ...(measures.every(({ rightShare }) => rightShare === 1) ? [] : [
      {
        what: `${what}: downloads with the right bytes`,
        unit: "x",
        values: measures.map(({ rightShare }) => rightShare),
        bar: { kind: "at-least", value: 1 },
      } as const,
    ]),
  ];
}

/** How many rounds are worth their time. */
export function roundsOf(bench: Bench): number {
  return Math.min(bench.options.rounds, ROUNDS_MAX);
}
