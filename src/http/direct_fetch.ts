/**
 * A file straight from where its URL says that it is, without a node and without a store: goes on
 * from what is there of it, and checks the whole as the request says. Writes nothing: the reader of
 * the events does.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type Clock, systemClock } from "../base/clock.ts";
import { FetchFailure } from "../base/errors.ts";
import { CHUNK_BYTES, failureOutside } from "../base/geometry.ts";
import { UNKNOWN_ROOT } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { nextTurn } from "../base/clock.ts";
import type { FetchEvent, FetchRequest } from "../wire/fetching.ts";
import type { MessageOf } from "../wire/messages.ts";
import { MirrorError } from "./mirror_error.ts";
import { isWholeOnly, type Origin, originFailure } from "./origin.ts";
import { ResumableRead } from "./resumable_read.ts";
import { WholeCheck } from "./whole_check.ts";

interface DirectOptions {
  readonly origin: Origin;
  /** A file whose bytes may be the first ones of the wanted file; null: begins with nothing. */
  readonly partPath: string | null;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/**
 * Fetches a file from its origin; gives the events of the fetch, the last one "done". Its "data"
 * begins after the `bytesHad` of "found", and from nothing after "restarted".
 *
 * @throws {FetchFailure} with the reason, as the exit codes name them.
 */
export async function* fetchDirect(
  request: FetchRequest,
  options: DirectOptions,
): AsyncGenerator<FetchEvent> {
  const fetch = new DirectFetch(request, options);
  // From what is there; and when that proves to be wrong, once more from nothing.
  const problem = yield* fetch.run(fetch.bytesHere());
  if (problem === undefined) return;
  yield { kind: "restarted", reason: problem };
  options.origin.forget();
  const again = yield* fetch.run(0);
  if (again !== undefined) throw fetch.checkFailed(again);
}

class DirectFetch {
  readonly #request: FetchRequest;
  readonly #options: DirectOptions;
  readonly #clock: Clock;
  readonly #startMs: number;
  /** Set where only chunks are wanted: the byte behind the last of them. */
  readonly #end: { readonly end?: number };
  /** The next byte that is wanted. */
  #at = 0;
  /** Bytes of the file; null while the origin did not say. */
  #total: number | null = null;
  #bytesFetched = 0;
  #shownMs = -Infinity;

  constructor(request: FetchRequest, options: DirectOptions) {
    this.#request = request;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#startMs = this.#clock.nowMs();
    const { chunks } = request;
    this.#end = chunks === null ? {} : { end: (chunks.first + chunks.count) * CHUNK_BYTES };
  }

  /** How much of the file is here to go on from. */
  bytesHere(): number {
    const { partPath } = this.#options;
    if (partPath === null || this.#request.chunks !== null) return 0;
    return withFile(partPath, (fd) => fstatSync(fd).size);
  }

  /**
   * Fetches all behind the first `bytesHad`; gives what is wrong with those, if it is they that are
   * wrong. What is wrong of itself is thrown.
   */
  async *run(bytesHad: number): AsyncGenerator<FetchEvent, string | undefined> {
    const { origin, signal } = this.#options;
    const { chunks, name } = this.#request;
    const begin = chunks === null ? bytesHad : chunks.first * CHUNK_BYTES;
    const overlap = this.#lastBytesHere(bytesHad);
    this.#at = begin - overlap.length;
    using read = new ResumableRead(origin, {
      next: () => ({ offset: this.#at, ...this.#end }),
      opened: ({ sizeBytes }) => this.#checkSize(sizeBytes),
      retryMs: limits.originRetryMs,
      clock: this.#clock,
      signal,
    });
    try {
      return yield* this.#read(read, { overlap, bytesHad });
    } catch (error) {
      if (!(error instanceof MirrorError)) throw error;
      if (isWholeOnly(error) && Math.max(this.#at, bytesHad) > 0 && chunks === null) {
        return `${origin.label} gives it only from its first byte`;
      }
      throw originFailure(error, { name, label: origin.label });
    }
  }

  async *#read(
    read: ResumableRead,
    { overlap, bytesHad }: { readonly overlap: Uint8Array; readonly bytesHad: number },
  ): AsyncGenerator<FetchEvent, string | undefined> {
    const check = new WholeCheck(this.#request);
    await read.open();
    if (this.#total !== null && bytesHad > this.#total) {
      return `what is here of it has ${bytesHad} bytes, and the file ${this.#total}`;
    }
    if (overlap.length > 0) {
      const rest = await this.#readOverlap(read, overlap);
      if (rest === undefined) return "what is here of it is of another file";
      await this.#checkPart(check, bytesHad);
      yield this.#found(bytesHad);
      if (rest.length > 0) yield* this.#gained(check, rest);
    } else yield this.#found(0);
    for (let piece = await read.read(); piece !== null; piece = await read.read()) {
      yield* this.#gained(check, piece.bytes);
    }
    return yield* this.#finish(check, bytesHad);
  }

  checkFailed(problem: string): FetchFailure {
    return new FetchFailure(
      "checkFailed",
      `Cannot fetch ${this.#label}: what ${this.#options.origin.label} gave failed its check: ` +
        problem,
    );
  }

  get #label(): string {
    return this.#request.name || this.#request.root!;
  }

  /** Notes the size that the origin tells, which has to be the one that is wanted. */
  #checkSize(total: number | null): boolean {
    const { sizeBytes, chunks } = this.#request;
    if (total !== null && sizeBytes !== null && total !== sizeBytes) {
      throw this.checkFailed(`it has ${total} bytes, not ${sizeBytes}`);
    }
    if (total === null && chunks !== null) {
      throw new FetchFailure(
        "failed",
        `Cannot fetch chunks of ${this.#label}: ${this.#options.origin.label} does not say how ` +
          "long the file is",
      );
    }
    const outside = total === null || chunks === null ? undefined : failureOutside(chunks, total);
    if (outside !== undefined) throw outside;
    this.#total = total;
    return true;
  }

  /** The last bytes that are here already: they are asked for again, and have to be the same. */
  #lastBytesHere(bytesHad: number): Uint8Array {
    const block = new Uint8Array(Math.min(bytesHad, limits.resumeOverlapBytes));
    if (block.length === 0) return block;
    return withFile(this.#options.partPath!, (fd) => {
      return block.subarray(0, readSync(fd, block, 0, block.length, bytesHad - block.length));
    });
  }

  /** Reads what is here already; gives what came behind it, or undefined if it is not the same. */
  async #readOverlap(read: ResumableRead, here: Uint8Array): Promise<Uint8Array | undefined> {
    for (let seen = 0;;) {
      const bytes = (await read.read())?.bytes;
      if (bytes === undefined) return undefined;
      const count = Math.min(bytes.length, here.length - seen);
      for (let i = 0; i < count; i++) if (bytes[i] !== here[seen + i]) return undefined;
      seen += count;
      this.#at += count;
      if (seen === here.length) return bytes.subarray(count);
    }
  }

  /** Takes what is here already into the check of the whole. Other work goes on meanwhile. */
  async #checkPart(check: WholeCheck, bytes: number): Promise<void> {
    if (!check.looksAtBytes) return check.skip(bytes);
    const block = new Uint8Array(limits.originReadBytes);
    for (let at = 0; at < bytes;) {
      const length = withFile(
        this.#options.partPath!,
        (fd) => readSync(fd, block, 0, Math.min(block.length, bytes - at), at),
      );
      if (length === 0) throw this.checkFailed("what was here of it got shorter meanwhile");
      check.update(block.subarray(0, length));
      at += length;
      await nextTurn();
      this.#options.signal.throwIfAborted();
    }
  }

  *#gained(check: WholeCheck, bytes: Uint8Array): Generator<FetchEvent> {
    check.update(bytes);
    this.#bytesFetched += bytes.length;
    yield { kind: "data", offset: this.#at, bytes };
    this.#at += bytes.length;
    const nowMs = this.#clock.nowMs();
    if (this.#total === null || nowMs - this.#shownMs < limits.originProgressMs) return;
    this.#shownMs = nowMs;
    const seconds = (nowMs - this.#startMs) / 1000;
    yield {
      kind: "progress",
      bytesDone: this.#at,
      bytesTotal: this.#total,
      bytesPerSecond: Math.round(this.#bytesFetched / Math.max(seconds, 0.001)),
      sources: 1,
    };
  }

  #found(bytesHad: number): MessageOf<"found"> {
    return {
      kind: "found",
      name: this.#request.name,
      root: this.#request.root ?? UNKNOWN_ROOT,
      // Where it is not said, it is not known before the end.
      sizeBytes: this.#total ?? this.#request.sizeBytes ?? 0,
      sources: 1,
      bytesHad,
    };
  }

  /** The end of the bytes: the last event, or what is wrong with what was here before. */
  *#finish(check: WholeCheck, bytesHad: number): Generator<FetchEvent, string | undefined> {
    const { name, root, chunks } = this.#request;
    const problem = chunks === null ? check.problem() : undefined;
    if (problem !== undefined) {
      if (bytesHad > 0) return problem;
      throw this.checkFailed(problem);
    }
    const mirrors = [{ mirror: this.#options.origin.label, bytes: this.#bytesFetched }];
    yield {
      kind: "done",
      name,
      root: root ?? UNKNOWN_ROOT,
      sizeBytes: this.#total ?? this.#at,
      bytesLocal: bytesHad,
      sources: [],
      mirrors: this.#bytesFetched === 0 ? [] : mirrors,
      queriesSent: 0,
      offersReceived: 0,
      elapsedMs: Math.round(this.#clock.nowMs() - this.#startMs),
    };
    return undefined;
  }
}

/** Reads from a file that others write meanwhile, so it is not kept open. */
function withFile<T>(path: string, read: (fd: number) => T): T {
  // By now a pipe may lie there, whose other end must not be waited for.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    return read(fd);
  } finally {
    closeSync(fd);
  }
}
