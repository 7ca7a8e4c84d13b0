/**
 * Hashing on a second core, for processors without SHA instructions, where hashing alone would
 * take most of a transfer's time.
 *
 * Frames are taken only while few wait: the rest the caller hashes itself meanwhile, so that both
 * cores work. A processor that hashes fast enough by itself never starts the worker: the copy
 * would cost more than it gains.
 */

import { hash } from "node:crypto";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { HashOrder, HashResult } from "./chunk_hash_worker.ts";
import { leafDigits } from "./leaf_digits.ts";

const SLOT_BYTES = limits.requestChunksMax * CHUNK_BYTES;
/** One frame being hashed, one waiting: the worker is never idle, and nothing waits for long. */
const SLOTS = 2;
/** Files below this are done before a worker has started. */
const FILE_BYTES_MIN = 32 * 1024 * 1024;
/** Below this many bytes a second of one core, a second one helps. */
const FAST_BYTES_PER_SECOND = 900_000_000;

/** Told the leaves of a frame, 64 hexadecimal digits each; `data` is valid until it returns. */
export type HashDone = (digits: string, data: Uint8Array) => void;

/** A worker that hashes frames. */
export class ChunkHasher {
  #worker: Worker | null = null;
  #memory: Uint8Array = new Uint8Array();
  #free: number[] = [];
  readonly #waiting = new Map<number, { done: HashDone; length: number }>();
  #isNeeded: boolean | null = null;

  /** Starts the worker if a file of `sizeBytes` is worth it on this machine. */
  prepare(sizeBytes: number): void {
    if (this.#worker !== null || sizeBytes < FILE_BYTES_MIN) return;
    this.#isNeeded ??= navigator.hardwareConcurrency > 1 && hashRate() < FAST_BYTES_PER_SECOND;
    if (!this.#isNeeded) return;
    const memory = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
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
    worker.postMessage({ kind: "memory", memory } satisfies HashOrder);
    this.#worker = worker;
    this.#memory = new Uint8Array(memory);
    this.#free = Array.from({ length: SLOTS }, (_, slot) => slot);
  }

  /** Whether a frame would be taken now. */
  get hasRoom(): boolean {
    return this.#free.length > 0;
  }

  /** Takes the chunks of a frame, by copying them; there must be room. */
  take(data: Uint8Array, done: HashDone): void {
    const slot = this.#free.pop()!;
    const start = slot * SLOT_BYTES;
    this.#memory.set(data, start);
    this.#waiting.set(slot, { done, length: data.length });
    const end = start + data.length;
    this.#worker!.postMessage({ kind: "frame", slot, start, end } satisfies HashOrder);
  }

  /** Ends the worker; what waits is never told. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#free = [];
    this.#waiting.clear();
  }

  /** Does here what the worker did not get to. */
  #hashWaiting(): void {
    for (const [slot, { length }] of [...this.#waiting]) {
      const data = this.#memory.subarray(slot * SLOT_BYTES, slot * SLOT_BYTES + length);
      this.#done({ slot, digits: leafDigits(data) });
    }
  }

  #done({ slot, digits }: HashResult): void {
    const waiting = this.#waiting.get(slot);
    if (waiting === undefined) return;
    this.#waiting.delete(slot);
    const start = slot * SLOT_BYTES;
    try {
      waiting.done(digits, this.#memory.subarray(start, start + waiting.length));
    } finally {
      this.#free.push(slot);
    }
  }
}

/** Bytes a second that one core hashes, by a megabyte of them. */
function hashRate(): number {
  const bytes = new Uint8Array(CHUNK_BYTES);
  const rounds = 64;
  hash("sha256", bytes, "hex");
  const startMs = performance.now();
  for (let i = 0; i < rounds; i++) hash("sha256", bytes, "hex");
  return rounds * CHUNK_BYTES * 1000 / Math.max(performance.now() - startMs, 0.001);
}
