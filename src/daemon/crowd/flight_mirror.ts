/**
 * What a flight reads from its own mirror: one run of chunks at a time, as the policy says, and with
 * it what the mirror turned out to give and how fast. Chunks are handed on as they come.
 */

import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { Logger } from "../../base/log.ts";
import type { CrowdEvent, Reads } from "../../core/crowd/crowd_events.ts";
import { MirrorError } from "../../http/mirror_error.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import { mirrorProvider, type Provider } from "../swarm/provider.ts";
import type { FlightFile } from "./flight_file.ts";
import { MirrorReading } from "./mirror_reading.ts";

/** What it works with, and tells. */
interface FlightMirrorOptions {
  readonly file: FlightFile;
  /** Null when there is none, or none is to be asked. */
  readonly mirror: MirrorFile | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whole chunks came, from `firstChunk` on, valid until this returns. */
  readonly took: (firstChunk: number, bytes: Uint8Array, provider: Provider) => void;
  /** Tells the policy. */
  readonly tell: (event: CrowdEvent) => void;
  /** A person who asks afterwards is told so. */
  readonly noted: (what: string) => void;
  /** The mirror gives no ranges, or nothing; or what came cannot be kept. */
  readonly failed: (error: Error) => void;
}

/** The mirror of one flight. */
export class FlightMirror {
  readonly #options: FlightMirrorOptions;
  #reading: MirrorReading | null = null;
  /** What it was found to give. */
  #gives: Exclude<Reads, "nothing"> = "ranges";
  /** Bytes that were read, and how long that took. */
  readonly #hasRead = { bytes: 0, ms: 0 };

  constructor(options: FlightMirrorOptions) {
    this.#options = options;
  }

  /** What can be read of it. */
  get reads(): Reads {
    return this.#options.mirror === null ? "nothing" : this.#gives;
  }

  /** Whether it gives any part of the file, as far as is known. */
  get givesRanges(): boolean {
    return this.#gives === "ranges";
  }

  /** Chunks that are being read, and did not come yet; null when none are. */
  get left(): ChunkRange | null {
    return this.#reading?.left ?? null;
  }

  /** How fast it gave what was read; 0 before that is known. */
  get bytesPerSecond(): number {
    const { bytes, ms } = this.#hasRead;
    return ms === 0 ? 0 : bytes / ms * 1_000;
  }

  /** Reads chunks in place of those that were read before; the policy hears when that ends. */
  read(range: ChunkRange): void {
    const { mirror, file: { sizeBytes }, clock } = this.#options;
    const reading = this.#reading = new MirrorReading(mirror!, {
      range,
      sizeBytes,
      takesWhole: this.#gives === "whole",
      take: (firstChunk, bytes, label) => this.#take(firstChunk, bytes, label),
    });
    const startMs = clock.nowMs();
    const ended = (error?: Error) => {
      this.#hasRead.ms += clock.nowMs() - startMs;
      this.#ended(reading, error);
    };
    reading.run().then(() => ended(), (error) => ended(error as Error));
  }

  /** Reads no further than to the beginning of this chunk. */
  cutTo(chunk: number): void {
    const reading = this.#reading;
    if (reading === null) return;
    const { first, count } = reading.left;
    if (chunk < first + count) {
      const from = Math.max(first, chunk);
      const left = chunksText({ first: from, count: first + count - from });
      this.#options.noted(`Leaves ${left} of the mirror to others`);
    }
    reading.cutTo(chunk);
  }

  stop(): void {
    this.#reading?.stop();
  }

  #take(firstChunk: number, bytes: Uint8Array, label: string): void {
    const { mirror, took } = this.#options;
    this.#hasRead.bytes += bytes.length;
    took(firstChunk, bytes, mirrorProvider(label, mirror!));
  }

  #ended(reading: MirrorReading, error?: Error): void {
    if (this.#reading !== reading) return;
    this.#reading = null;
    if (error !== undefined) this.#failed(error);
    this.#options.tell({ kind: "read-ended" });
  }

  #failed(error: Error): void {
    const { file: { name, sha256 }, log, tell, noted, failed } = this.#options;
    if (!(error instanceof MirrorError)) return failed(error);
    log.debug("cannot read for fellows", { name, error: messageOf(error) });
    const isChecked = sha256 !== null;
    if (error.code === "no-range" && this.#gives === "ranges" && isChecked) {
      this.#gives = "whole";
      noted("The mirror gives no ranges: it is read from the beginning");
      return tell({ kind: "reads", reads: "whole" });
    }
    tell({ kind: "reads", reads: "nothing" });
    failed(error);
  }
}

/** Chunks as people read them. */
export function chunksText({ first, count }: ChunkRange): string {
  return count === 1 ? `chunk ${first}` : `chunks ${first} to ${first + count - 1}`;
}
