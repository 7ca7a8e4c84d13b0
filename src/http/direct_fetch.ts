/**
 * A file straight from where its URL says that it is, without a node and without a store: goes on
 * from what is there of it, asks again when the other side breaks off, and checks the whole as the
 * request says. Writes nothing: whoever reads the events does.
 */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { FetchFailure } from "../base/errors.ts";
import { CHUNK_BYTES } from "../base/geometry.ts";
import { UNKNOWN_ROOT } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { nextTurn } from "../base/clock.ts";
import type { FetchEvent } from "../wire/fetch_event.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import type { MessageOf } from "../wire/messages.ts";
import { WholeCheck } from "./whole_check.ts";

/** Bytes that are here already and are asked for again: they show whether it is the same file. */
const OVERLAP_BYTES = 4_096;
/** Bytes of a file that is here already, read at a time. */
const BLOCK_BYTES = 512 * 1024;
/** Between two tellings of progress. */
const PROGRESS_MS = 100;
/** Before a side that broke off is asked again; a little longer each time. */
const AGAIN_MS = 250;

/** Bytes on their way. */
export interface OriginBody extends Disposable {
  /** Bytes of the whole file; null when it is not said. */
  readonly sizeBytes: number | null;
  /** The next bytes, valid until the next call; null at the end. */
  read(): Promise<Uint8Array | null>;
}

/** Where a file is. Its errors are {@linkcode OriginError}s. */
export interface Origin {
  /** For people: HOST or HOST:PORT, or "file". */
  readonly label: string;
  /** Opens the file from byte `offset` to `end`, exclusive, or its own end. */
  open(
    range: { readonly offset: number; readonly end?: number },
    options: { readonly signal: AbortSignal },
  ): Promise<OriginBody>;
}

/** An origin did not give what was asked of it. */
export class OriginError extends Error {
  override readonly name = "OriginError";
  /**
   * "broke-off": worth asking again from where it was. "no-such-range": from its first byte it may
   * give it. "refused": it says no.
   */
  readonly kind: "broke-off" | "no-such-range" | "refused";
  /** How a fetch ends for which that is the end. */
  readonly failure: FetchFailure;

  constructor(kind: OriginError["kind"], failure: FetchFailure) {
    super(failure.message, { cause: failure });
    this.kind = kind;
    this.failure = failure;
  }
}

/** How a file is fetched from its origin. */
export interface DirectOptions {
  readonly origin: Origin;
  /** A file whose bytes may be the first ones of the wanted file; null: begins with nothing. */
  readonly partPath: string | null;
  readonly signal: AbortSignal;
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
  const again = yield* fetch.run(0);
  if (again !== undefined) throw fetch.checkFailed(again);
}

class DirectFetch {
  readonly #request: FetchRequest;
  readonly #options: DirectOptions;
  readonly #startMs = performance.now();
  readonly #end: number | undefined;
  #bytesFetched = 0;
  #shownMs = -Infinity;

  constructor(request: FetchRequest, options: DirectOptions) {
    this.#request = request;
    this.#options = options;
    const { chunks } = request;
    this.#end = chunks === null ? undefined : (chunks.first + chunks.count) * CHUNK_BYTES;
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
    const { sizeBytes, sha256, root, chunks } = this.#request;
    const begin = chunks === null ? bytesHad : chunks.first * CHUNK_BYTES;
    const check = new WholeCheck({ sizeBytes, sha256, root });
    let at = begin;
    let failures = 0;
    let isFound = false;
    for (;;) {
      const overlap = at === begin ? Math.min(bytesHad, OVERLAP_BYTES) : 0;
      try {
        using body = await this.#open(at - overlap);
        const total = this.#checkSize(body.sizeBytes);
        if (total !== null && bytesHad > total) {
          return `what is here of it has ${bytesHad} bytes, and the file ${total}`;
        }
        if (overlap > 0) {
          const rest = await this.#readOverlap(body, bytesHad - overlap, overlap);
          if (rest === undefined) return "what is here of it is of another file";
          if (!isFound) await this.#checkPart(check, bytesHad);
          if (!isFound) yield this.#found(total, bytesHad);
          isFound = true;
          if (rest.length > 0) {
            failures = 0;
            yield* this.#gained(check, at, rest, total);
            at += rest.length;
          }
        } else if (!isFound) {
          yield this.#found(total, 0);
          isFound = true;
        }
        for (;;) {
          const bytes = await body.read();
          if (bytes === null) break;
          failures = 0;
          yield* this.#gained(check, at, bytes, total);
          at += bytes.length;
        }
        return yield* this.#finish(check, { at, total, bytesHad });
      } catch (error) {
        if (!(error instanceof OriginError)) throw error;
        if (error.kind === "no-such-range" && at > 0 && chunks === null) {
          return `${this.#options.origin.label} gives it only from its first byte`;
        }
        if (error.kind !== "broke-off" || ++failures > limits.mirrorRetriesMax) {
          throw error.failure;
        }
        await pause(AGAIN_MS * failures, this.#options.signal);
      }
    }
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

  async #open(offset: number): Promise<OriginBody> {
    const { origin, signal } = this.#options;
    const end = this.#end === undefined ? {} : { end: this.#end };
    return await origin.open({ offset, ...end }, { signal });
  }

  /** The size that the origin tells, which has to be the one that is wanted. */
  #checkSize(total: number | null): number | null {
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
    return total;
  }

  /** Reads what is here already; gives what came behind it, or undefined if it is not the same. */
  async #readOverlap(
    body: OriginBody,
    offset: number,
    length: number,
  ): Promise<Uint8Array | undefined> {
    const here = withFile(this.#options.partPath!, (fd) => {
      const block = new Uint8Array(length);
      return block.subarray(0, readSync(fd, block, 0, length, offset));
    });
    for (let at = 0; at < here.length;) {
      const bytes = await body.read();
      if (bytes === null) return undefined;
      const count = Math.min(bytes.length, here.length - at);
      for (let i = 0; i < count; i++) if (bytes[i] !== here[at + i]) return undefined;
      at += count;
      if (at === here.length) return bytes.subarray(count);
    }
    return undefined;
  }

  /** Takes what is here already into the check of the whole. Other work goes on meanwhile. */
  async #checkPart(check: WholeCheck, bytes: number): Promise<void> {
    if (!check.looksAtBytes) return check.skip(bytes);
    const block = new Uint8Array(BLOCK_BYTES);
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

  *#gained(
    check: WholeCheck,
    offset: number,
    bytes: Uint8Array,
    total: number | null,
  ): Generator<FetchEvent> {
    check.update(bytes);
    this.#bytesFetched += bytes.length;
    yield { kind: "data", offset, bytes };
    const nowMs = performance.now();
    if (total === null || nowMs - this.#shownMs < PROGRESS_MS) return;
    this.#shownMs = nowMs;
    const seconds = (nowMs - this.#startMs) / 1000;
    yield {
      kind: "progress",
      bytesDone: offset + bytes.length,
      bytesTotal: total,
      bytesPerSecond: Math.round(this.#bytesFetched / Math.max(seconds, 0.001)),
      sources: 1,
    };
  }

  #found(total: number | null, bytesHad: number): MessageOf<"found"> {
    return {
      kind: "found",
      name: this.#request.name,
      root: this.#request.root ?? UNKNOWN_ROOT,
      // Where it is not said, it is not known before the end.
      sizeBytes: total ?? this.#request.sizeBytes ?? 0,
      sources: 1,
      bytesHad,
    };
  }

  /** The end of the bytes: the last event, or what is wrong with what was here before. */
  *#finish(
    check: WholeCheck,
    { at, total, bytesHad }: { at: number; total: number | null; bytesHad: number },
  ): Generator<FetchEvent, string | undefined> {
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
      sizeBytes: total ?? at,
      bytesLocal: bytesHad,
      sources: [],
      mirrors: this.#bytesFetched === 0 ? [] : mirrors,
      queriesSent: 0,
      offersReceived: 0,
      elapsedMs: Math.round(performance.now() - this.#startMs),
    };
    return undefined;
  }
}

/** Reads from a file that others write meanwhile, so it is not kept open. */
function withFile<T>(path: string, read: (fd: number) => T): T {
  const fd = openSync(path, "r");
  try {
    return read(fd);
  } finally {
    closeSync(fd);
  }
}

async function pause(timeMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  const timer = setTimeout(resolve, timeMs);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
