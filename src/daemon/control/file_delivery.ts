/**
 * One file on its way to a client: hears from the fetch which chunks are there, and hands them to
 * the connection when that can take them, each once.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { clippedText } from "../../base/bytes.ts";
import { type EnvironmentError, isNoLongerHere } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { sendBuffers } from "../../net/buffer_pool.ts";
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
  /** Why chunks that were ready could not be read; they may have come again since. */
  #lost: EnvironmentError | null = null;
  #drained: PromiseWithResolvers<void> | null = null;
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
      const reason = clippedText(event.reason, limits.reasonBytesMax);
      return this.#connection.send({ ...event, reason });
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
    for (let range = this.#nextReady(); range !== undefined; range = this.#nextReady()) {
      const { offset, length } = rangeBytes(this.#reader!.sizeBytes, range);
      this.#buffer ??= sendBuffers.take();
      try {
        this.#reader!.readRun(range, this.#buffer, DATA_HEADER_BYTES);
      } catch (error) {
        if (isNoLongerHere(error)) {
          // They may come again; what else is ready goes on.
          this.#lost = error;
          this.#told!.removeRange(range);
          continue;
        }
        this.#readError = error;
        this.#ready = [];
        break;
      }
      writeDataHeader(this.#buffer, offset, length);
      return this.#buffer.subarray(0, DATA_HEADER_BYTES + length);
    }
    this.release();
    if (this.#isEnding) this.#drained?.resolve();
    return null;
  }

  /**
   * Resolves when the last byte that is here is on its way, or the client has gone: DONE must not
   * overtake it. With why not all that is wanted could be read, or null; after another fetch of the
   * same root this can be called again.
   *
   * @throws {Error} when a byte could not be read for another reason than that it is here no more.
   */
  async finished(signal: AbortSignal): Promise<EnvironmentError | null> {
    if (this.#ready.length > 0 && !signal.aborted) {
      this.#isEnding = true;
      const drained = this.#drained = Promise.withResolvers<void>();
      const abort = () => drained.resolve();
      signal.addEventListener("abort", abort, { once: true });
      this.#connection.wake();
      await drained.promise;
      signal.removeEventListener("abort", abort);
      this.#isEnding = false;
    }
    if (this.#readError !== undefined) throw this.#readError;
    const lost = this.#isAllTold ? null : this.#lost;
    this.#lost = null;
    if (lost === null || signal.aborted) this.#reader = this.#told = null;
    return lost;
  }

  /** Gives the buffer back, once nothing is being sent. */
  release(): void {
    if (this.#buffer !== null) sendBuffers.give(this.#buffer);
    this.#buffer = null;
  }

  /** The next chunks to send, as many as one frame holds. */
  #nextReady(): ChunkRange | undefined {
    const ready = this.#ready[0];
    if (ready === undefined || this.#reader === null) return undefined;
    const count = Math.min(ready.count, limits.dataBytesMax / CHUNK_BYTES);
    if (count === ready.count) this.#ready.shift();
    else this.#ready[0] = { first: ready.first + count, count: ready.count - count };
    return { first: ready.first, count };
  }

  /** Whether all that the client wants was sent. */
  get #isAllTold(): boolean {
    const told = this.#told;
    if (!this.#options.isDelivered || told === null) return true;
    const wanted = this.#options.chunks ?? { first: 0, count: told.length };
    return told.hasRange(wanted);
  }

  #addReady({ first, count }: ChunkRange): void {
    this.#told!.addRange({ first, count });
    const last = this.#ready.at(-1);
    if (last !== undefined && last.first + last.count === first) {
      this.#ready[this.#ready.length - 1] = { first: last.first, count: last.count + count };
    } else this.#ready.push({ first, count });
  }
}
