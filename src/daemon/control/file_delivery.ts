/**
 * One file on its way to a client: hears from the fetch which chunks are there, and hands them to
 * the connection when that can take them, each once.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { giveSendBuffer, takeSendBuffer } from "../../net/buffer_pool.ts";
import type { BulkSource, Connection } from "../../net/connection.ts";
import { DATA_HEADER_BYTES, writeDataHeader } from "../../wire/codec.ts";
import type { FetchNotice, FetchObserver, FileReader } from "../../wire/fetching.ts";

/** What a client wants of the file that it fetches. */
interface DeliveryOptions {
  /** Whether it wants the bytes, and not only to hear how the fetch goes. */
  readonly isDelivered: boolean;
  /** The chunks that it wants; null: all. */
  readonly chunks: ChunkRange | null;
}

/** The delivery of one file over one connection. */
export class FileDelivery implements FetchObserver, BulkSource {
  readonly #connection: Connection;
  readonly #options: DeliveryOptions;
  #reader: FileReader | null = null;
  #ready: ChunkRange[] = [];
  /** Chunks that are ready or sent: each is told of more than once, and sent once. */
  #told: Bitfield | null = null;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #readError: unknown;
  readonly #drained = Promise.withResolvers<void>();
  #isEnding = false;

  constructor(connection: Connection, options: DeliveryOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  event(event: FetchNotice): void {
    if (event.kind === "restarted") {
      this.#ready = [];
      this.#reader = null;
      this.#told = null;
    }
    this.#connection.send(event);
  }

  readable(reader: FileReader): void {
    // The same content from another place: what is ready can be read there as well.
    this.#reader = reader;
    this.#told ??= new Bitfield(chunkCount(reader.sizeBytes));
  }

  gained(range: ChunkRange): void {
    if (!this.#options.isDelivered || this.#reader === null || this.#told === null) return;
    const wanted = this.#options.chunks ??
      { first: 0, count: chunkCount(this.#reader.sizeBytes) };
    const first = Math.max(range.first, wanted.first);
    const end = Math.min(range.first + range.count, wanted.first + wanted.count);
    if (first >= end) return;
    for (const run of this.#told.missingRuns({ first, count: end - first })) this.#addReady(run);
    this.#connection.wake();
  }

  nextFrame(): Uint8Array | null {
    const ready = this.#ready[0];
    if (ready === undefined || this.#reader === null) {
      this.release();
      if (this.#isEnding) this.#drained.resolve();
      return null;
    }
    const count = Math.min(ready.count, limits.dataBytesMax / CHUNK_BYTES);
    const range = { first: ready.first, count };
    if (count === ready.count) this.#ready.shift();
    else this.#ready[0] = { first: ready.first + count, count: ready.count - count };
    const { offset, length } = rangeBytes(this.#reader.sizeBytes, range);
    this.#buffer ??= takeSendBuffer();
    try {
      this.#reader.readRun(range, this.#buffer, DATA_HEADER_BYTES);
    } catch (error) {
      this.#readError = error;
      this.#ready = [];
      this.release();
      this.#drained.resolve();
      return null;
    }
    writeDataHeader(this.#buffer, offset, length);
    return this.#buffer.subarray(0, DATA_HEADER_BYTES + length);
  }

  /**
   * Resolves when the last byte is on its way, or the client has gone: DONE must not overtake it.
   *
   * @throws {Error} when a byte could not be read.
   */
  async finished(signal: AbortSignal): Promise<void> {
    if (this.#ready.length > 0 && !signal.aborted) {
      this.#isEnding = true;
      signal.addEventListener("abort", () => this.#drained.resolve(), { once: true });
      this.#connection.wake();
      await this.#drained.promise;
    }
    this.#reader = null;
    this.#told = null;
    if (this.#readError !== undefined) throw this.#readError;
  }

  /** Gives the buffer back, once nothing is being sent. */
  release(): void {
    if (this.#buffer !== null) giveSendBuffer(this.#buffer);
    this.#buffer = null;
  }

  #addReady({ first, count }: ChunkRange): void {
    this.#told!.addRange({ first, count });
    const last = this.#ready.at(-1);
    if (last !== undefined && last.first + last.count === first) {
      this.#ready[this.#ready.length - 1] = { first: last.first, count: last.count + count };
    } else this.#ready.push({ first, count });
  }
}
