/**
 * A mirror as a source of a swarm: every request of the policy is one HTTP range. What comes is
 * hashed against the leaves, as that of a holder, and given to the swarm a whole request at a time.
 *
 * It has no leaves to give, and is told nothing. When it fails for good, or gives what is not in
 * the file, it tells so once and does nothing more.
 */

import { hash } from "node:crypto";
import { CHUNK_BYTES, chunkLength, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import { MirrorError } from "../../http/mirror_error.ts";
import { type RangeBody, ResumableRead } from "../../http/resumable_read.ts";
import { Semaphore } from "../../http/semaphore.ts";
import type { ChunkHasher } from "./chunk_hasher.ts";
import { mirrorProvider, type Provider } from "./provider.ts";
import { HASH_DIGITS } from "./swarm_runs.ts";
import type { ChunkSource } from "./chunk_source.ts";

/** Chunks of a request that is worth a copy to another core. */
const ELSEWHERE_CHUNKS_MIN = 8;
const REQUEST_BYTES = limits.requestChunksMax * CHUNK_BYTES;

/** What a mirror tells the swarm. */
export interface MirrorSourceObserver {
  /** Leaves of `range` as hexadecimal, 64 digits a chunk, checked against the root before. */
  leafDigits(range: ChunkRange): string;
  arriving(source: MirrorSource, bytes: number): void;
  /** All chunks of a request, right ones; `data` is valid until this returns. */
  mirrored(source: MirrorSource, range: ChunkRange, data: Uint8Array): void;
  /** A request that was cancelled has ended. */
  passed(source: MirrorSource, range: ChunkRange): void;
  /** A chunk of it is not in the file. */
  mirrorWrong(source: MirrorSource, index: number): void;
  /** None of the mirrors gives any more. */
  mirrorFailed(source: MirrorSource, error: MirrorError): void;
}

/** A request under way. */
interface Work {
  readonly range: ChunkRange;
  readonly stop: AbortController;
  readonly data: Uint8Array;
  /** Leaves of the range. */
  readonly digits: string;
  /** Whether another core shall hash it, once it is whole. */
  isElsewhere: boolean;
  filledBytes: number;
  /** How many of them were here when the answer that is read began. */
  answerFrom: number;
  /** Chunks that were hashed and are right. */
  checked: number;
  /** Who gave what is there of the chunk that is not whole. */
  provider: Provider | null;
}

/** One file at its mirrors, as a source of ranges. */
export class MirrorSource implements ChunkSource {
  readonly id: number;
  bytesGood = 0;
  strikes = 0;
  readonly #observer: MirrorSourceObserver;
  readonly #mirror: MirrorFile;
  readonly #sizeBytes: number;
  readonly #hasher: Pick<ChunkHasher, "hasRoom" | "take">;
  readonly #works = new Set<Work>();
  readonly #places = new Semaphore(limits.mirrorRangesMax);
  readonly #buffers: Uint8Array[] = [];
  readonly #providers = new Map<string, Provider>();
  #provider: Provider;
  #hasLeft = false;

  constructor(
    observer: MirrorSourceObserver,
    mirror: MirrorFile,
    options: {
      readonly id: number;
      readonly sizeBytes: number;
      readonly hasher: Pick<ChunkHasher, "hasRoom" | "take">;
    },
  ) {
    this.#observer = observer;
    this.#mirror = mirror;
    this.#hasher = options.hasher;
    this.#sizeBytes = options.sizeBytes;
    this.id = options.id;
    this.#provider = this.#providerOf(mirror.mirror ?? "");
  }

  get provider(): Provider {
    return this.#provider;
  }

  request(range: ChunkRange): void {
    if (this.#hasLeft) return;
    let digits: string;
    try {
      digits = this.#observer.leafDigits(range);
    } catch {
      // The swarm has failed, and knows why.
      return;
    }
    const work: Work = {
      range,
      stop: new AbortController(),
      data: this.#buffers.pop() ?? new Uint8Array(REQUEST_BYTES),
      digits,
      isElsewhere: range.count >= ELSEWHERE_CHUNKS_MIN && this.#hasher.hasRoom,
      filledBytes: 0,
      answerFrom: 0,
      checked: 0,
      provider: null,
    };
    this.#works.add(work);
    this.#bring(work).catch((error) => this.#failed(work, error));
  }

  cancel(range: ChunkRange): void {
    for (const { range: { first, count }, stop } of this.#works) {
      if (first === range.first && count === range.count) stop.abort();
    }
  }

  /** Ends all that is under way, and takes no more requests. */
  leave(): void {
    this.#hasLeft = true;
    for (const { stop } of this.#works) stop.abort();
    this.#works.clear();
  }

  /** Brings what was asked for; resolves when it was given to the swarm, or to another core. */
  async #bring(work: Work): Promise<void> {
    const { signal } = work.stop;
    const giveBack = await this.#places.take({ signal });
    const { offset, length } = rangeBytes(this.#sizeBytes, work.range);
    using read = new ResumableRead(this.#mirror, {
      next: () => ({ offset: offset + work.filledBytes, end: offset + length }),
      opened: (body) => this.#begins(work, body),
      // The mirrors are left one by one when they break off too often.
      retriesMax: limits.mirrorsMax * limits.mirrorRetriesMax,
      signal,
    });
    try {
      while (work.filledBytes < length) {
        const piece = await read.read();
        signal.throwIfAborted();
        if (piece !== null) {
          work.data.set(piece.bytes, work.filledBytes);
          work.filledBytes += piece.bytes.length;
          this.#observer.arriving(this, piece.bytes.length);
          if (!this.#check(work)) return;
        } else if (work.filledBytes === work.answerFrom) {
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
  #begins(work: Work, { mirror, sizeBytes }: RangeBody): boolean {
    if (sizeBytes !== null && sizeBytes !== this.#sizeBytes) {
      throw new MirrorError(
        "changed",
        `Cannot use mirror ${mirror}: its file has ${sizeBytes} bytes, not ${this.#sizeBytes}`,
        { mirror },
      );
    }
    const provider = this.#providerOf(mirror);
    const isOther = work.provider !== null && work.provider !== provider;
    if (isOther && work.isElsewhere) {
      // What is wrong of what is here is the doing of the one that gave it.
      work.isElsewhere = false;
      if (!this.#check(work)) return false;
    }
    // Each chunk has one culprit: what another one began of it comes again.
    const restBytes = work.filledBytes % CHUNK_BYTES;
    if (isOther && restBytes > 0) {
      work.filledBytes -= restBytes;
      work.provider = null;
      return false;
    }
    work.provider = provider;
    work.answerFrom = work.filledBytes;
    return true;
  }

  /** Hashes the chunks that are whole and not yet checked; false when one is wrong. */
  #check(work: Work): boolean {
    if (work.isElsewhere) return true;
    const { range, data } = work;
    while (work.checked < range.count) {
      const at = work.checked * CHUNK_BYTES;
      const end = at + chunkLength(this.#sizeBytes, range.first + work.checked);
      if (end > work.filledBytes) return true;
      const digits = hash("sha256", data.subarray(at, end), "hex");
      if (!work.digits.startsWith(digits, work.checked * HASH_DIGITS)) {
        this.#wrong(work);
        return false;
      }
      work.checked++;
    }
    return true;
  }

  /** All bytes of a request are here. */
  #whole(work: Work): void {
    const { length } = rangeBytes(this.#sizeBytes, work.range);
    const data = work.data.subarray(0, length);
    if (work.isElsewhere && !this.#hasher.hasRoom) {
      work.isElsewhere = false;
      if (!this.#check(work)) return;
    }
    if (!work.isElsewhere) return this.#give(work, data);
    this.#hasher.take(data, (digits, copy) => {
      if (!this.#works.has(work)) return;
      while (work.checked < work.range.count) {
        const at = work.checked * HASH_DIGITS;
        if (!work.digits.startsWith(digits.slice(at, at + HASH_DIGITS), at)) {
          return this.#wrong(work);
        }
        work.checked++;
      }
      this.#give(work, copy);
    });
  }

  #give(work: Work, data: Uint8Array): void {
    this.#works.delete(work);
    this.#provider = work.provider ?? this.#provider;
    this.#observer.mirrored(this, work.range, data);
    this.#buffers.push(work.data);
  }

  #wrong(work: Work): void {
    this.#provider = work.provider ?? this.#provider;
    this.strikes++;
    const index = work.range.first + work.checked;
    this.leave();
    this.#observer.mirrorWrong(this, index);
  }

  /** A request ended without its chunks. */
  #failed(work: Work, error: unknown): void {
    if (!this.#works.delete(work)) return;
    this.#buffers.push(work.data);
    if (work.stop.signal.aborted) return this.#observer.passed(this, work.range);
    this.leave();
    const { label } = this.#provider;
    const failure = error instanceof MirrorError ? error : new MirrorError(
      "unreachable",
      `Cannot ask mirror ${label}: it is left`,
      { mirror: label, cause: error },
    );
    this.#observer.mirrorFailed(this, failure);
  }

  #providerOf(label: string): Provider {
    let provider = this.#providers.get(label);
    if (provider === undefined) {
      provider = mirrorProvider(label, this.#mirror);
      this.#providers.set(label, provider);
    }
    return provider;
  }
}
