/** What the parts of a swarm that deal with its sources need of it. Types only. */

import type { ChunkRange } from "../../base/geometry.ts";
import type { DownloadEvent, FrameClass, SourceReport } from "../../core/download/download.ts";
import type { PartialDownload as StoreDownload } from "../../store/downloads/partial_download.ts";
import type { Contributions } from "./contributions.ts";
import type { SwarmFile, SwarmHost, SwarmObserver } from "./swarm_observer.ts";
import type { ChunkSource } from "./chunk_source.ts";

/** Chunks as they came, all of them right. */
export interface GoodChunks {
  readonly data: Uint8Array;
  /** The frame that they came in, where that holds more than them. */
  readonly frame?: ChunkRange;
}

/** The middle of a swarm: its file, its policy, those who hear of it. */
export interface SwarmCore {
  readonly file: SwarmFile;
  readonly download: StoreDownload;
  readonly host: SwarmHost;
  readonly contributions: Contributions;
  /** Whether chunks can be asked for: the leaves are here, and what was found is checked. */
  hasBegun(): boolean;
  isOver(): boolean;
  /** An id for a source; none is given twice. */
  newSourceId(): number;
  /** What the policy knows of the sources; none before it has begun. */
  states(): readonly SourceReport[];
  /** Tells the policy, and does what it says; nothing before it has begun, or when all is over. */
  step(event: DownloadEvent): void;
  /** Whether chunks of this range were asked of this source. */
  classify(source: ChunkSource, range: ChunkRange): FrameClass;
  /** Leaves of `range`, 64 hexadecimal digits each; a disk that refuses ends the swarm. */
  leafDigits(range: ChunkRange): string;
  /** Takes right chunks of a source. */
  good(source: ChunkSource, range: ChunkRange, chunks: GoodChunks): void;
  /** The leaves are here. */
  begin(): void;
  /** Ends everything because it cannot go on. */
  fail(error: Error): void;
  /** Tells all who hear of it. */
  tell(what: (observer: SwarmObserver) => void): void;
}
