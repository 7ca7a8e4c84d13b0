/** Who a byte of a file came from, for those who note it. Values only. */

import type { NodeId } from "../../base/ids.ts";

/** Somebody, or something, that gives chunks of a file. */
export interface Provider {
  /** A node, a server with the same file, or this machine itself. */
  readonly kind: "peer" | "mirror" | "here";
  /** HOST:PORT of a peer, HOST or HOST:PORT of a mirror, "" for this machine. */
  readonly label: string;
  /** Null for all but peers. */
  readonly nodeId: NodeId | null;
  /** Of a peer, its host as the connection with it reports it. */
  readonly host?: string;
  /**
   * Of a mirror, the file at its mirrors that it was asked by: fetches that share a swarm have one
   * each, and each believes its own only.
   */
  readonly file?: object;
}

/** What lay on this machine before. */
export const HERE: Provider = { kind: "here", label: "", nodeId: null };

/** The provider that the mirror of this label is, asked by `file`. */
export function mirrorProvider(label: string, file?: object): Provider {
  return { kind: "mirror", label, nodeId: null, ...(file === undefined ? {} : { file }) };
}
