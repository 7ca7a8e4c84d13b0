/** What a person or program asks a node to fetch. */

import type { ChunkRange } from "../base/geometry.ts";
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
  /** Through whom the request came, as mirrors are told; no part of a client's message. */
  readonly via?: readonly string[];
}
