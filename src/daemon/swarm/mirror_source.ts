/**
 * A mirror as a source of a swarm: every request of the policy is one HTTP range. What comes is
 * checked against the leaves, as that of a holder, and given to the swarm a whole request at a time.
 *
 * It has no leaves to give, and is told nothing. When it fails for good, or gives what is not in
 * the file, it tells so once and does nothing more.
 */

import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import { MirrorError } from "../../http/mirror_error.ts";
import { type RangeBody, ResumableRead } from "../../http/resumable_read.ts";
import { Semaphore } from "../../http/semaphore.ts";
import type { ChunkCheck } from "./chunk_check.ts";
import { mirrorProvider, type Provider } from "./provider.ts";
import type { ChunkSink, ChunkSource } from "./swarm_events.ts";

const REQUEST_BYTES = limits.requestChunksMax * CHUNK_BYTES;

/**
 * One request under way: what is here of it, in order. Each chunk has one culprit: a mirror that
 * goes on for another begins at a chunk, when what the other gave was found to be right.
 */
class RangeWork {
  readonly check: ChunkCheck;
  readonly data: Uint8Array;
  readonly stop = new AbortController();
  #filledBytes = 0;
  /** How many of them were here when the answer that is read began. */
  #answerFrom = 0;
  /** Who gave what is there of the chunk that is not whole. */
  #provider: Provider | null = null;

  /** `data` has room for all of it. */
  constructor(check: ChunkCheck, data: Uint8Array) {
    this.check = check;
    this.data = data;
  }

  get provider(): Provider | null {
    return this.#provider;
  }

  get filledBytes(): number {
    return this.#filledBytes;
  }

  get isWhole(): boolean {
    return this.#filledBytes === this.check.lengthBytes;
  }

  /** Whether the answer that is read has given nothing. */
  get isAnswerEmpty(): boolean {
    return this.#filledBytes === this.#answerFrom;
  }

  /** `provider` is to give the rest; false when it has to begin earlier, or something is wrong. */
  begin(provider: Provider): boolean {
    if (this.#provider !== null && this.#provider.label !== provider.label) {
      // What is wrong of what is here is to be blamed on the one that gave it.
      this.check.advanceHere(this.data, this.#filledBytes);
      if (this.check.wrong.length > 0) return false;
      // What that one began of a chunk comes again.
      const restBytes = this.#filledBytes % CHUNK_BYTES;
      this.#filledBytes -= restBytes;
      this.#provider = null;
      if (restBytes > 0) return false;
    }
    this.#provider ??= provider;
    this.#answerFrom = this.#filledBytes;
    return true;
  }

  take(bytes: Uint8Array): void {
    this.data.set(bytes, this.#filledBytes);
    this.#filledBytes += bytes.length;
    this.check.advance(this.data, this.#filledBytes);
  }
}

/** One file at its mirrors, as a source of ranges. */
export class MirrorSource implements ChunkSource {
  readonly id: number;
  readonly have = "all";
  readonly #sink: ChunkSink;
  readonly #mirror: MirrorFile;
  readonly #works = new Set<RangeWork>();
  readonly #slots = new Semaphore(limits.mirrorRangesMax);
  readonly #buffers: Uint8Array[] = [];
  #provider: Provider;
  #hasLeft = false;

  constructor(sink: ChunkSink, mirror: MirrorFile, { id }: { readonly id: number }) {
    this.#sink = sink;
    this.#mirror = mirror;
    this.id = id;
    this.#provider = mirrorProvider(mirror.mirror ?? "", mirror);
  }

  get provider(): Provider {
    return this.#provider;
  }

  get pace(): ChunkSource["pace"] {
    return this.#mirror;
  }

  request(range: ChunkRange): void {
    if (this.#hasLeft) return;
    let check: ChunkCheck;
    try {
      check = this.#sink.checkOf(range);
    } catch {
      // The swarm has failed, and knows why.
      return;
    }
    const data = this.#buffers.pop() ?? new Uint8Array(REQUEST_BYTES);
    const work = new RangeWork(check, data);
    this.#works.add(work);
    this.#bring(work).catch((error) => this.#failed(work, error));
  }

  cancel({ first, count }: ChunkRange): void {
    for (const { check: { range }, stop } of this.#works) {
      if (first === range.first && count === range.count) stop.abort();
    }
  }

  drop(): void {
    this.#lose(null);
  }

  /** Ends all that is under way, and takes no more requests. */
  end(): void {
    this.#hasLeft = true;
    for (const { stop } of this.#works) stop.abort();
    this.#works.clear();
  }

  /** Brings what was asked for; resolves when it was given to the swarm, or to another core. */
  async #bring(work: RangeWork): Promise<void> {
    const { signal } = work.stop;
    const giveBack = await this.#slots.take({ signal });
    const { check: { range, lengthBytes } } = work;
    const { offset } = rangeBytes(this.#sink.file.sizeBytes, range);
    using read = new ResumableRead(this.#mirror, {
      next: () => ({ offset: offset + work.filledBytes, end: offset + lengthBytes }),
      opened: (body) => this.#begins(work, body),
      // The mirrors are left one by one when they break off too often.
      retriesMax: limits.mirrorsMax * limits.mirrorRetriesMax,
      signal,
    });
    try {
      while (!work.isWhole) {
        const piece = await read.read();
        signal.throwIfAborted();
        if (piece !== null) {
          this.#sink.arriving(this, piece.bytes.length);
          work.take(piece.bytes);
          if (this.#isWrong(work)) return;
        } else if (work.isAnswerEmpty) {
          // A mirror that says that it goes on, and gives nothing, would be asked for ever.
          this.#mirror.ban(work.provider!.label);
        }
      }
    } finally {
      giveBack();
    }
    if (this.#works.has(work)) this.#whole(work);
  }

  /** A mirror begins to give the rest; false when it has to begin earlier. */
  #begins(work: RangeWork, { mirror, sizeBytes }: RangeBody): boolean {
    const wanted = this.#sink.file.sizeBytes;
    if (sizeBytes !== null && sizeBytes !== wanted) {
      throw new MirrorError(
        "changed",
        `Cannot use mirror ${mirror}: its file has ${sizeBytes} bytes, not ${wanted}`,
        { mirror },
      );
    }
    if (work.begin(mirrorProvider(mirror, this.#mirror))) return true;
    this.#isWrong(work);
    return false;
  }

  #whole(work: RangeWork): void {
    work.check.finish(work.data.subarray(0, work.check.lengthBytes), (data) => {
      if (!this.#works.has(work) || this.#isWrong(work)) return;
      this.#works.delete(work);
      this.#provider = work.provider ?? this.#provider;
      this.#sink.chunks(this, work.check.range, data, []);
      this.#buffers.push(work.data);
    });
  }

  /** Whether a chunk turned out to be wrong; then it is over with this mirror. */
  #isWrong({ check: { wrong: [index] }, provider }: RangeWork): boolean {
    if (index === undefined) return false;
    this.#provider = provider ?? this.#provider;
    this.end();
    this.#sink.mirrorLost(this, { kind: "mirror-wrong", provider: this.#provider, index });
    return true;
  }

  #failed(work: RangeWork, error: unknown): void {
    if (!this.#works.delete(work)) return;
    this.#buffers.push(work.data);
    if (work.stop.signal.aborted) return this.#sink.passed(this, work.check.range);
    const { label } = this.#provider;
    this.#lose(
      error instanceof MirrorError ? error : new MirrorError(
        "unreachable",
        `Cannot ask mirror ${label}: it is left`,
        { mirror: label, cause: error },
      ),
    );
  }

  #lose(error: MirrorError | null): void {
    this.end();
    this.#sink.mirrorLost(this, { kind: "mirror-failed", provider: this.#provider, error });
  }
}
