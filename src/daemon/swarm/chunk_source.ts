/** A source of chunks, a holder or a mirror, and the swarm as it sees it. Types only. */

import type { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { FrameClass } from "../../core/download/download.ts";
import type { Provider } from "./provider.ts";

/** One source of a swarm. */
export interface ChunkSource {
  /** By which the policy knows it. */
  readonly id: number;
  /** Who it is: of a mirror that is more than one server, that which gave last. */
  readonly provider: Provider;
  /** The chunks that it has. */
  readonly have: Bitfield | "all";
  readonly strikes: number;
  /** Asks for chunks. */
  request(range: ChunkRange): void;
  /** They are not needed any more. */
  cancel(range: ChunkRange): void;
  /** The policy takes it for lost. */
  drop(reason: "bad-data" | "silent"): void;
  /** The swarm is over, for this reason. */
  end(reason: string): void;
}

/** Takes what sources give. */
export interface ChunkSink {
  /** Whether chunks of this range were asked of this source. */
  classify(source: ChunkSource, range: ChunkRange): FrameClass;
  /** Leaves of `range` as hexadecimal, 64 digits a chunk, checked against the root before. */
  leafDigits(range: ChunkRange): string;
  /** Bytes of chunks came in. */
  arriving(source: ChunkSource, bytes: number): void;
  /** The chunks of `range`, valid until this returns; those in `wrong` (indices) are not right. */
  chunks(source: ChunkSource, range: ChunkRange, data: Uint8Array, wrong: readonly number[]): void;
  /** A range does not come any more, or came after it was cancelled. */
  passed(source: ChunkSource, range: ChunkRange): void;
}
