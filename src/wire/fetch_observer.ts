/** How a fetch tells those who wait for it, and how they read what has come. No I/O here. */

import type { ChunkRange } from "../base/geometry.ts";
import type { MessageOf } from "./messages.ts";

/** Reads bytes of one file that are here, wherever they lie. */
export interface FileReader {
  readonly sizeBytes: number;
  /** Reads a run of chunks that are here into `target` from `offset`; returns how many bytes. */
  readRun(range: ChunkRange, target: Uint8Array, offset: number): number;
}

/** What a fetch tells besides its outcome. */
export type FetchNotice = MessageOf<"searching" | "found" | "restarted" | "progress">;

/** Who hears how a fetch goes. */
export interface FetchObserver {
  /** `restarted` says that everything read so far was not the file: what comes next is another. */
  event(event: FetchNotice): void;
  /**
   * Bytes of the file can be read from here from now on; an earlier reader is void. Without a
   * `restarted` before, it is the same content, and all that was gained before is there as well.
   */
  readable(reader: FileReader): void;
  /** Chunks that can be read. Each may be told more than once. */
  gained(range: ChunkRange): void;
  /**
   * Chunks that may be shown to somebody who can never take them back: they came from a mirror, or
   * the whole file is known to be the one that is meant. Told after they were gained; each may be
   * told more than once.
   */
  released?(range: ChunkRange): void;
}
