/** What a swarm needs of anything that it asks for chunks: a holder, or a mirror. */

import type { ChunkRange } from "../../base/geometry.ts";
import type { Provider } from "./provider.ts";

/** One source of a swarm. */
export interface ChunkSource {
  /** By which the policy knows it. */
  readonly id: number;
  /** Who it is: of a mirror that is more than one server, that which gave last. */
  readonly provider: Provider;
  /** Checked file bytes that came from here first. */
  bytesGood: number;
  strikes: number;
  /** Asks for chunks. */
  request(range: ChunkRange): void;
  /** They are not needed any more. */
  cancel(range: ChunkRange): void;
}
