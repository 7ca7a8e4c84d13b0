/** What a fetch tells while it goes on, whether a daemon does it or the command itself. */

import type { MessageOf } from "./messages.ts";

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
  | MessageOf<"progress">
  | MessageOf<"done">
  | DataEvent;
