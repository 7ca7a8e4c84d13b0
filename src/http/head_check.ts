/**
 * Are these the same bytes? Holds a part of a file that is here, as a rule its first bytes, to what a
 * mirror gives, where nothing else says which file is meant. It proves nothing of the rest.
 */

import { FetchFailure } from "../base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../base/geometry.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { nextTurn } from "../base/clock.ts";
import type { FetchEvent, FetchRequest, FileReader } from "../wire/fetching.ts";
import { MirrorError } from "./mirror_error.ts";
import { DiskFileBody, mirrorOrigin, type Origin } from "./origin.ts";
import type { RangeBody } from "./resumable_read.ts";

/** Bytes to compare, and how long the file is that they are of. */
type Comparable = Pick<RangeBody, "sizeBytes" | "read">;

/** The first thing in which theirs differ from ours. */
type Difference =
  | { readonly kind: "size" | "shorter" | "longer" }
  /** The place of the byte, counted from the first one that was compared. */
  | { readonly kind: "byte"; readonly at: number };

/** Compares bytes to the end of both; undefined when they are the same. */
export async function differenceOf(
  ours: Comparable,
  theirs: Comparable,
): Promise<Difference | undefined> {
  if (theirs.sizeBytes !== null && theirs.sizeBytes !== ours.sizeBytes) return { kind: "size" };
  let at = 0;
  let left: Uint8Array | null = new Uint8Array();
  let right: Uint8Array | null = left;
  for (;;) {
    if (left.length === 0) left = await ours.read();
    if (right.length === 0) right = await theirs.read();
    if (left === null || right === null) break;
    const count = Math.min(left.length, right.length);
    for (let i = 0; i < count; i++) if (left[i] !== right[i]) return { kind: "byte", at: at + i };
    at += count;
    left = left.subarray(count);
    right = right.subarray(count);
  }
  if (left === right) return undefined;
  return { kind: left === null ? "longer" : "shorter" };
}

/** Chunks of a file that is here, to be compared. Other work goes on between runs of them. */
export function chunksOf(reader: FileReader, { first, count }: ChunkRange): Comparable {
  const buffer = new Uint8Array(Math.min(count, limits.requestChunksMax) * CHUNK_BYTES);
  let next = first;
  return {
    sizeBytes: reader.sizeBytes,
    async read() {
      const left = Math.min(first + count - next, limits.requestChunksMax);
      if (left <= 0) return null;
      await nextTurn();
      const range = { first: next, count: left };
      next += left;
      return buffer.subarray(0, reader.readRun(range, buffer, 0));
    },
  };
}

/** What a fetch by name alone is held to. */
interface HeadCheckOptions {
  readonly request: FetchRequest;
  /** Where the file that is meant is; http or https. */
  readonly url: URL;
  /** The file that the fetch writes. */
  readonly path: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * The events of a fetch that knows its file by the name alone: what others gave may be anybody's
 * file of that name. Before it counts as done, its first bytes are held to those at the URL.
 *
 * @throws {FetchFailure} "checkFailed" when they differ; and what `events` throws.
 */
export async function* withHeadCheck(
  events: AsyncIterable<FetchEvent>,
  { request: { name, chunks }, url, path, log, signal }: HeadCheckOptions,
): AsyncGenerator<FetchEvent> {
  for await (const event of events) {
    if (event.kind === "done" && event.sources.length > 0) {
      using origin = mirrorOrigin(url, { log });
      const problem = await headProblem(path, origin, {
        offset: (chunks?.first ?? 0) * CHUNK_BYTES,
        sizeBytes: event.sizeBytes,
        signal,
      });
      if (problem !== undefined) {
        const message = `Cannot use the ${name} that other nodes gave: ${problem}`;
        throw new FetchFailure("checkFailed", message);
      }
    }
    yield event;
  }
}

/**
 * What differs between the file at `path` and the one at `origin`; undefined when nothing does, or
 * when the origin gives nothing to compare with.
 *
 * @param options.offset Where to look.
 * @param options.sizeBytes The size of the whole file.
 */
async function headProblem(
  path: string,
  origin: Origin,
  { offset, sizeBytes, signal }: {
    readonly offset: number;
    readonly sizeBytes: number;
    readonly signal: AbortSignal;
  },
): Promise<string | undefined> {
  const { label } = origin;
  const end = Math.min(offset + limits.hedgeHeadBytes, sizeBytes);
  try {
    using theirs = await origin.open(end < sizeBytes ? { offset, end } : { offset }, { signal });
    using here = new DiskFileBody(path, { offset, end }, signal);
    const ours = { sizeBytes, read: () => here.read() };
    const difference = await differenceOf(ours, theirs);
    if (difference === undefined) return undefined;
    switch (difference.kind) {
      case "size":
        return `it has ${sizeBytes} bytes, that of ${label} ${theirs.sizeBytes}`;
      case "byte":
        return `byte ${offset + difference.at} is not that of ${label}`;
      default:
        return `that of ${label} is ${difference.kind}`;
    }
  } catch (error) {
    if (!(error instanceof MirrorError)) throw error;
    // The origin's file ends before, so it is another one. One that gives no ranges tells nothing.
    return error.status === 416 ? `that of ${label} is shorter` : undefined;
  }
}
