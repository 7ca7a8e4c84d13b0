/** A fetch as it is asked for, what it tells while it goes on, and how its bytes are read. No I/O. */

import type { ChunkRange } from "../base/geometry.ts";
import type { MessageOf } from "./messages.ts";
import type { Root } from "../base/ids.ts";

/** What is sought, by what it is trusted, and what is to be done with it. */
export interface FetchRequest {
  /** The exact name; empty when only a root is given. */
  readonly name: string;
  readonly root: Root | null;
  /** SHA-256 of the whole file, lower-case hexadecimal. */
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
  /** Only this part of the file; null for all of it. */
  readonly chunks: ChunkRange | null;
  /** Whether the bytes are to be sent to the client as they come. */
  readonly deliver: boolean;
  /** Time for the whole fetch; 0 for no bound. */
  readonly timeoutMs: number;
  /** Time to find anybody who has the file; 0 for the node's own bound. */
  readonly searchMs: number;
  /** Where else the same file is: http and https URLs, tried in this order; may be empty. */
  readonly mirrors: readonly string[];
  /** How long peers alone are asked before a mirror is; null for the node's own time. */
  readonly mirrorDelayMs: number | null;
  /** Whether nobody waits for it, so that the node's own time is a long one. */
  readonly background: boolean;
  /** Through whom the request came, as mirrors are told; no part of a client's message. */
  readonly via?: readonly string[];
}

/** Bytes of the file at `offset`; the view is valid until the next event is asked for. */
export interface DataEvent {
  readonly kind: "data";
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** One event of a fetch; "done" is the last. A fetch that fails throws instead. */
export type FetchEvent =
  | MessageOf<"searching">
  | MessageOf<"found">
  | MessageOf<"restarted">
  | MessageOf<"choice">
  | MessageOf<"progress">
  | MessageOf<"done">
  | DataEvent;

/** Reads bytes of one file that are here, wherever they lie. */
export interface FileReader {
  readonly sizeBytes: number;
  /** Reads a run of chunks that are here into `target` from `offset`; returns how many bytes. */
  readRun(range: ChunkRange, target: Uint8Array, offset: number): number;
  /** Has the file stay here until that is disposed of, though room is made meanwhile. */
  use?(): Disposable;
}

/** Files that somebody reads: they are not removed to make room until it is disposed of. */
export interface UsedFiles extends Disposable {
  /** Uses the file of a root as well. */
  add(root: Root): void;
  /** Uses as well what is not known by a root yet. */
  addPath(path: string): void;
}

/** What a fetch tells besides its outcome. */
export type FetchNotice = MessageOf<"searching" | "found" | "restarted" | "choice" | "progress">;

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
