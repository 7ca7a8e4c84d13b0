/** Limits of connections and handshakes, each with its reason. */

import { KIB, MIB } from "./sizes.ts";

export const netLimits = {
  /** An idle link holds this much read buffer; it grows to what its next frame needs. */
  idleReadBytes: 4 * KIB,
  /** Read buffer of a transfer: all that may be in flight on it plus one frame. */
  transferReadBytes: 3 * MIB,
  /** Unsent control bytes of a connection; a peer that reads slower than this is dropped. */
  writeQueueBytesMax: 1 * MIB,
  /** A handshake is two small frames; who needs longer is not a node. */
  handshakeMs: 5_000,
  /** A TCP connect on a working network. */
  dialMs: 4_000,
  /** Connections that may be in the handshake at once, before anyone has proved anything. */
  handshakesMax: 256,
  /** All connections of the node port together, links and transfers. */
  connectionsMax: 2_048,
  /** Connections from one address, so that one host cannot take all places. */
  connectionsPerHostMax: 1_024,
  /** Clients of the client port at once: few, by design, but more than fetches may run. */
  clientsMax: 128,
} as const;
