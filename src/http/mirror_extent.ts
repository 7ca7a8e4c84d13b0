/**
 * What an answer of a mirror holds of a file, against what was asked: read from its head alone, and
 * refused where that cannot be. Which mirror is asked, and its body, are not dealt with here.
 */

import { limits } from "../base/limits.ts";
import { MirrorError } from "./mirror_error.ts";
import {
  contentRange,
  type MirrorHead,
  type MirrorRange,
  retryAfter,
  unsatisfiedSize,
} from "./mirror_request.ts";

/** What an answer holds of the file. */
export interface Extent {
  /** Bytes that come before what is wanted. */
  readonly skipBytes: number;
  /** Where what is wanted ends; null when that is not known. */
  readonly end: number | null;
  /** Whether the answer goes on after that. */
  readonly goesOn: boolean;
  /** Bytes of the whole file, if the answer says. */
  readonly sizeBytes: number | null;
  readonly isEmpty: boolean;
}

/** What is known when an answer comes. */
interface Known {
  /** Label of the mirror that answered. */
  readonly mirror: string;
  /** Bytes of the file; null while nobody said it. */
  readonly sizeBytes: number | null;
  /** Throws unless the answer, of a file that long, is of the file that was begun with. */
  checkSame(sizeBytes: number | null): void;
}

/**
 * Which bytes of the file an answer holds.
 *
 * @throws {MirrorError} when it is none of this file, or none to what was asked.
 */
export function extentOf(head: MirrorHead, range: MirrorRange, known: Known): Extent {
  const { mirror } = known;
  const { offset } = range;
  const isPart = offset > 0 || range.end !== undefined;
  if (isPart && head.status === 416) return nothingFrom(offset, head, known);
  checkStatus(mirror, head, isPart ? [200, 206] : [200]);
  if (head.status === 206) {
    const content = contentRange(head);
    const isAsked = content?.offset === offset && content.end <= (range.end ?? Infinity);
    if (!isAsked) throw unusable(mirror, "it sent another part of the file than was asked for");
    const { end, sizeBytes } = content;
    checkSize(mirror, sizeBytes ?? end);
    known.checkSame(sizeBytes);
    return { skipBytes: 0, end, goesOn: false, sizeBytes, isEmpty: false };
  }
  const sizeBytes = head.contentBytes;
  checkSize(mirror, sizeBytes ?? 0);
  // Before anything else: whoever asks for a part of what has changed is given the whole.
  known.checkSame(sizeBytes);
  const fileEnd = sizeBytes ?? known.sizeBytes;
  if (fileEnd !== null && fileEnd < offset) throw tooShort(mirror, offset, fileEnd);
  if (offset > limits.mirrorSkipBytes) throw noRange(mirror, offset);
  const end = fileEnd === null ? range.end ?? null : Math.min(range.end ?? fileEnd, fileEnd);
  const goesOn = range.end !== undefined && end === range.end && fileEnd !== end;
  return { skipBytes: offset, end, goesOn, sizeBytes, isEmpty: head.response.body === null };
}

/**
 * Refuses an answer whose status is none of `good`.
 *
 * @throws {MirrorError} with that status.
 */
export function checkStatus(mirror: string, head: MirrorHead, good: readonly number[]): void {
  const { status } = head;
  if (good.includes(status)) return;
  if (status < 400) throw unusable(mirror, `it answered with status ${status}`);
  throw new MirrorError("refused", `Cannot get it from mirror ${mirror}: status ${status}`, {
    mirror,
    status: Math.min(status, 599),
    retryAfter: retryAfter(head),
  });
}

/** What it means that there is nothing from `offset` on. */
function nothingFrom(offset: number, head: MirrorHead, { mirror, checkSame }: Known): Extent {
  const sizeBytes = unsatisfiedSize(head);
  // There is something, or it does not say: from the first byte on it may give it.
  if (sizeBytes === null || sizeBytes > offset) throw noRange(mirror, offset);
  checkSame(sizeBytes);
  if (sizeBytes < offset) throw tooShort(mirror, offset, sizeBytes);
  return { skipBytes: 0, end: offset, goesOn: false, sizeBytes, isEmpty: true };
}

function checkSize(mirror: string, sizeBytes: number): void {
  if (sizeBytes <= limits.fetchBytesMax) return;
  throw unusable(mirror, `it has ${sizeBytes} bytes, at most ${limits.fetchBytesMax}`);
}

function tooShort(mirror: string, offset: number, sizeBytes: number): MirrorError {
  return new MirrorError(
    "changed",
    `Cannot go on at byte ${offset} of mirror ${mirror}: its file has ${sizeBytes} bytes`,
    { mirror, status: 416 },
  );
}

function noRange(mirror: string, offset: number): MirrorError {
  return new MirrorError(
    "no-range",
    `Cannot go on at byte ${offset} of mirror ${mirror}: it gives the whole file only`,
    { mirror },
  );
}

function unusable(mirror: string, why: string): MirrorError {
  return new MirrorError("unusable", `Cannot use mirror ${mirror}: ${why}`, { mirror });
}
