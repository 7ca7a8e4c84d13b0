/**
 * What one simulated crowd is made of: a file, a line to the mirror that all share, when who arrives,
 * who does not see whom, and what goes wrong. All of it follows from a seed. No bytes go about: a chunk
 * is a number.
 */

import type { FlightId, NodeId } from "../../src/base/ids.ts";
import { type Random, randomBelow, seededRandom, shuffled } from "../../src/base/random.ts";
import { limits } from "../../src/base/limits.ts";

/** What a fellow lies about. */
export const LIES = [
  /** It announces everything, and gives nothing. */
  "has-all",
  /** It claims stripes, others all the time, and reads none. */
  "claims",
  /** It says that others are gone. */
  "others-gone",
  /** It names any fellow as the one that read what it has. */
  "origins",
  /** It gives wrong bytes, which is found out later. */
  "bytes",
] as const;
/** What it lies about that is found only by reading what fellows gave a second time. */
export const HIDDEN_LIES = [
  /** It says that it read some stripes, and gives one chunk of them wrong. */
  "one-chunk",
  /** The same to every other machine, and right to the others. */
  "one-chunk-to-some",
  /** It says that it read again, and found right, what others gave. */
  "false-proof",
] as const;
export type Lie = (typeof LIES)[number] | (typeof HIDDEN_LIES)[number];

/** One machine. Times are in ms from the start. */
export interface SimFellowPlan {
  readonly index: number;
  readonly nodeId: NodeId;
  readonly arrivesMs: number;
  readonly givesRanges: boolean;
  readonly lie: Lie | null;
  /** It is killed, and is there again after a while with nothing that it had. */
  readonly diesMs: number;
  readonly returnsMs: number;
}

/** What a crowd is like. */
export interface CrowdWorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly stripes: number;
  /** How long one machine alone takes. */
  readonly aloneMs: number;
  /** All arrive within this time. */
  readonly arrivalMs: number;
  /** The share of pairs that do not see each other. */
  readonly blindShare?: number;
  /** The share of machines that die; every other one comes back. */
  readonly dyingShare?: number;
  /** The share of machines that lie. */
  readonly lyingShare?: number;
  /** Only these lies, one for each machine that lies, in place of all of them. */
  readonly lies?: readonly Lie[];
  /** The machine that reads most is stopped for this time, when a third of the file is there. */
  readonly stopMs?: number;
  /** How many fellows a machine looks for; it takes three times as many. */
  readonly sought?: number;
  /** Whether a mirror gives parts of the file: all, none, or every other machine's. */
  readonly ranges?: "all" | "none" | "some";
}

/** All of it. */
export interface CrowdWorld extends Required<Omit<CrowdWorldOptions, "lies">> {
  readonly random: Random;
  readonly flight: FlightId;
  readonly chunks: number;
  readonly plans: readonly SimFellowPlan[];
  /** Whether two machines see each other. */
  readonly sees: (one: number, other: number) => boolean;
  readonly fellowsMax: number;
  /** How long a machine listens for others before it says that it reads. */
  readonly listensMs: number;
}

/** Arrivals "at once" are a little apart, as clocks and boots are. */
const AT_ONCE_MS = 30;

/** The world of a seed. */
export function crowdWorldOf(options: CrowdWorldOptions): CrowdWorld {
  const random = seededRandom(options.seed);
  const { nodes, stripes, aloneMs, arrivalMs } = options;
  const sought = options.sought ?? (nodes > 200 ? 4 : limits.fellowsSoughtMax);
  const { stripeChunks } = limits;
  const chunks = stripes * stripeChunks - randomBelow(random, stripeChunks / 2);
  const blind = blindPairs(random, nodes, options.blindShare ?? 0);
  return {
    random,
    seed: options.seed,
    nodes,
    stripes,
    aloneMs,
    arrivalMs,
    blindShare: options.blindShare ?? 0,
    dyingShare: options.dyingShare ?? 0,
    lyingShare: options.lyingShare ?? 0,
    stopMs: options.stopMs ?? 0,
    sought,
    ranges: options.ranges ?? "all",
    flight: hexOf(random, 32) as FlightId,
    chunks,
    plans: plansOf(random, options),
    sees: (one, other) => !blind.has(Math.min(one, other) * nodes + Math.max(one, other)),
    fellowsMax: 3 * sought,
    listensMs: 60,
  };
}

function plansOf(random: Random, options: CrowdWorldOptions): SimFellowPlan[] {
  const { nodes, arrivalMs, aloneMs, dyingShare = 0, lyingShare = 0 } = options;
  const indexes = shuffled(random, Array.from({ length: nodes }, (_, index) => index));
  const liarCount = options.lies?.length ?? sharePart(nodes, lyingShare);
  const liars = new Set(indexes.slice(0, liarCount));
  const dying = new Set(indexes.slice(liars.size, liars.size + sharePart(nodes, dyingShare)));
  let returning = 0;
  const lies = [...options.lies ?? []];
  return indexes.map((_, index) => {
    const arrivesMs = random.unit() * Math.max(arrivalMs, AT_ONCE_MS);
    const anyLie = LIES[randomBelow(random, LIES.length)]!;
    const lie = liars.has(index) ? lies.shift() ?? anyLie : null;
    const diesMs = dying.has(index) ? arrivesMs + random.unit() * aloneMs : Infinity;
    const comesBack = diesMs < Infinity && returning++ % 2 === 0;
    return {
      index,
      nodeId: hexOf(random, 16) as NodeId,
      arrivesMs,
      givesRanges: options.ranges === "some" ? index % 2 === 0 : options.ranges !== "none",
      lie,
      diesMs,
      returnsMs: comesBack ? diesMs + 500 + random.unit() * aloneMs / 2 : Infinity,
    };
  });
}

/** At least one, where there is to be any, but never all. */
function sharePart(nodes: number, share: number): number {
  return share === 0 ? 0 : Math.min(nodes - 1, Math.max(1, Math.round(nodes * share)));
}

function blindPairs(random: Random, nodes: number, share: number): Set<number> {
  const blind = new Set<number>();
  const count = Math.round(share * nodes * (nodes - 1) / 2);
  while (blind.size < count) {
    const one = randomBelow(random, nodes);
    const other = randomBelow(random, nodes);
    if (one < other) blind.add(one * nodes + other);
  }
  return blind;
}

function hexOf(random: Random, bytes: number): string {
  return [...random.bytes(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
