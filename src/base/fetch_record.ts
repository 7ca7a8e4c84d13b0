/**
 * What is remembered of one fetch that ended: who gave which bytes, what was decided and why. Only
 * its shape; it is written down by `src/daemon/fetch/fetch_recorder.ts` and kept by
 * `src/store/catalogue/fetch_history.ts`.
 */

import { isHash, type NodeId, type Root } from "./ids.ts";
import { FILE_TRUSTS, type FileTrust } from "./package_index.ts";

/** One fetch that ended. */
export interface FetchRecord {
  readonly name: string;
  /** Null when the fetch ended before it was known. */
  readonly root: Root | null;
  /** Roots under which something was offered that turned out not to be the file; some of them. */
  readonly rootsRejected: readonly Root[];
  readonly sizeBytes: number | null;
  /** When it ended, ISO 8601. */
  readonly endedAt: string;
  /** "done", or why not, in words. */
  readonly outcome: string;
  readonly trust: FileTrust;
  /** How long it took, in ms. */
  readonly elapsedMs: number;
  /** From the request to the first bytes that could be given away; null when there were none. */
  readonly firstByteMs: number | null;
  /** Bytes of the file that were here before. */
  readonly bytesLocal: number;
  /** Bytes of the file that peers gave first. */
  readonly bytesPeers: number;
  /** Bytes of the file that mirrors gave first. */
  readonly bytesMirror: number;
  /** All bytes that mirrors gave, also those that came twice or were of no use. */
  readonly bytesMirrors: number;
  /** Bytes that came besides, and turned out not to be of the file. */
  readonly bytesThrownAway: number;
  /** Bytes that peers gave, so that no mirror had to. */
  readonly bytesSaved: number;
  /** Who gave what, most bytes first. */
  readonly givers: readonly ProviderRecord[];
  /** What was decided, and why, in order. */
  readonly steps: readonly {
    /** Time since the request, in ms. */
    readonly atMs: number;
    /** What was decided. */
    readonly what: string;
  }[];
}

/** What one provider gave. */
export interface ProviderRecord {
  /** A node, a mirror, or this machine. */
  readonly kind: "peer" | "mirror" | "here";
  /** HOST:PORT of a peer, HOST of a mirror, "" for this machine. */
  readonly giver: string;
  readonly nodeId: NodeId | null;
  readonly bytes: number;
  /** Chunks that it was the first to give: ranges as "0-31,64". */
  readonly chunks: string;
  /** Bytes that it gave besides, of what turned out not to be the file. */
  readonly bytesThrownAway: number;
  readonly strikes: number;
}

/** How often mirrors gave what came: 1 where they gave all of it once; null when nothing came. */
export function copiesOf(
  { bytesMirrors, bytesUnique }: { readonly bytesMirrors: number; readonly bytesUnique: number },
): number | null {
  return bytesUnique === 0 ? null : bytesMirrors / bytesUnique;
}

/** Whether the fetch record is of a fetch of this name, or of this root, right or rejected. */
export function isRecordOf(
  { name, root, rootsRejected }: Pick<FetchRecord, "name" | "root" | "rootsRejected">,
  target: string,
): boolean {
  if (!isHash(target)) return name === target;
  const sought = target.toLowerCase();
  return root === sought || rootsRejected.some((one) => one === sought);
}

const COUNTS = [
  "elapsedMs",
  "bytesLocal",
  "bytesPeers",
  "bytesMirror",
  "bytesMirrors",
  "bytesThrownAway",
  "bytesSaved",
];

/** Whether `value`, read from a disk, has the shape of a fetch record. */
export function isFetchRecord(value: unknown): value is FetchRecord {
  if (!isRecord(value)) return false;
  const { root, rootsRejected, sizeBytes, firstByteMs, trust, givers, steps } = value;
  return ["name", "endedAt", "outcome"].every((key) => typeof value[key] === "string") &&
    COUNTS.every((key) => isCount(value[key])) &&
    Array.isArray(rootsRejected) && rootsRejected.every((one) => typeof one === "string") &&
    (root === null || typeof root === "string") &&
    (sizeBytes === null || isCount(sizeBytes)) &&
    (firstByteMs === null || isCount(firstByteMs)) &&
    FILE_TRUSTS.some((known) => known === trust) &&
    Array.isArray(givers) && givers.every(isProvider) &&
    Array.isArray(steps) && steps.every(isStep);
}

function isProvider(value: unknown): boolean {
  return isRecord(value) &&
    (value["kind"] === "peer" || value["kind"] === "mirror" || value["kind"] === "here") &&
    typeof value["giver"] === "string" && typeof value["chunks"] === "string" &&
    (value["nodeId"] === null || typeof value["nodeId"] === "string") &&
    isCount(value["bytes"]) && isCount(value["bytesThrownAway"]) && isCount(value["strikes"]);
}

function isStep(value: unknown): boolean {
  return isRecord(value) && isCount(value["atMs"]) && typeof value["what"] === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
