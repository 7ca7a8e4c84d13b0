/** Whether nodes are believed what a name means, where nothing else tells. Types only. */

import type { Root } from "../../base/ids.ts";

/** What the gateway asks, and tells, of files that nothing may prove. */
export interface NodeBelief {
  /**
   * Whether nodes are to be asked for what a client wants of this name, and what is here may be given.
   *
   * @param options.isFromFirst Whether the client wants it from its first byte on, and has none of it.
   */
  mayGive(
    client: string,
    name: string,
    options: { readonly isFromFirst: boolean },
  ): boolean;
  /** A client has got all of a file, or the end of it. */
  given(file: { readonly client: string; readonly name: string; readonly root: Root }): void;
}
