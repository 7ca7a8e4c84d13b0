/**
 * Checks chunks on a second core, for processors without SHA instructions, where hashing alone
 * would take most of a transfer's time.
 *
 * Frames are taken only while few wait: the rest the caller hashes itself meanwhile, so that both
 * cores work. A processor that hashes fast enough by itself never starts the worker: the copy
 * would cost more than it gains.
 */

import type { Clock } from "../../base/clock.ts";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import { leafHex, wrongChunks } from "../../base/leaves.ts";
import { limits } from "../../base/limits.ts";
import type { HashOrder, HashResult } from "./chunk_hash_worker.ts";

const FRAME_BYTES = limits.requestChunksMax * CHUNK_BYTES;

/** Chunks to check: those from index `first`, with the leaves that they must have. */
export interface HashWork {
  readonly first: number;
  /** 64 hexadecimal digits each. */
  readonly leaves: string;
  /** Is told the indices of those that are wrong; `data` is valid until it returns. */
  readonly done: (wrong: readonly number[], data: Uint8Array) => void;
}

/** A worker that checks frames of chunks. */
export class ChunkHasher {
  readonly #clock: Clock;
  #worker: Worker | null = null;
  #memory: Uint8Array = new Uint8Array();
  #free: number[] = [];
  readonly #waiting = new Map<number, { readonly work: HashWork; readonly data: Uint8Array }>();
  #isNeeded: boolean | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts the worker if a file of `sizeBytes` is worth it on this machine. */
  prepare(sizeBytes: number): void {
    if (this.#worker !== null || sizeBytes < limits.hashedElsewhereBytesMin) return;
    this.#isNeeded ??= navigator.hardwareConcurrency > 1 &&
      hashRate(this.#clock) < limits.hashBytesPerSecondEnough;
    if (!this.#isNeeded) return;
    const worker = new Worker(new URL("./chunk_hash_worker.ts", import.meta.url), {
      type: "module",
    });
    worker.onmessage = ({ data }: MessageEvent<HashResult>) => this.#done(data);
    worker.onerror = (event) => {
      // Without it everything is hashed here, as on any fast machine.
      event.preventDefault();
      this.#isNeeded = false;
      this.#hashWaiting();
      this.close();
    };
    this.#worker = worker;
    const memoryBytes = limits.framesHashedElsewhereMax * FRAME_BYTES;
    this.#memory = new Uint8Array(new SharedArrayBuffer(memoryBytes));
    this.#free = Array.from({ length: limits.framesHashedElsewhereMax }, (_, slot) => slot);
  }

  /** Whether a frame would be taken now. */
  get hasRoom(): boolean {
    return this.#free.length > 0;
  }

  /** Takes the chunks of a frame, by copying them; there must be room. */
  take(data: Uint8Array, work: HashWork): void {
    const slot = this.#free.pop()!;
    const start = slot * FRAME_BYTES;
    const copy = this.#memory.subarray(start, start + data.length);
    copy.set(data);
    this.#waiting.set(slot, { work, data: copy });
    const { first, leaves } = work;
    this.#worker!.postMessage({ slot, data: copy, first, leaves } satisfies HashOrder);
  }

  /** Ends the worker; what waits is never told. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#free = [];
    this.#waiting.clear();
  }

  #hashWaiting(): void {
    for (const [slot, { work: { leaves, first }, data }] of [...this.#waiting]) {
      this.#done({ slot, wrong: wrongChunks(data, leaves, first) });
    }
  }

  #done({ slot, wrong }: HashResult): void {
    const waiting = this.#waiting.get(slot);
    if (waiting === undefined) return;
    this.#waiting.delete(slot);
    try {
      waiting.work.done(wrong, waiting.data);
    } finally {
      this.#free.push(slot);
    }
  }
}

/** Bytes a second that one core hashes, by a megabyte of them. */
function hashRate(clock: Clock): number {
  const bytes = new Uint8Array(CHUNK_BYTES);
  const rounds = 64;
  leafHex(bytes);
  const startMs = clock.nowMs();
  for (let i = 0; i < rounds; i++) leafHex(bytes);
  return rounds * CHUNK_BYTES * 1000 / Math.max(clock.nowMs() - startMs, 0.001);
}
