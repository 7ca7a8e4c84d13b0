/** Limits of connections and handshakes, each with its reason. */

import { overlayLimits } from "./overlay.ts";
import { KIB, MIB } from "./sizes.ts";

/** All connections of the node port together, links and transfers. */
const CONNECTIONS_MAX = 2_048;
/** A handshake is two small frames; who needs longer is not a node. */
const HANDSHAKE_MS = 5_000;
/** A TCP connect on a working network. */
const DIAL_MS = 4_000;

export const netLimits = {
  /** An idle link holds this much read buffer; it grows to what its next frame needs. */
  idleReadBytes: 4 * KIB,
  /** Read buffer of a transfer: all that may be in flight on it plus one frame. */
  transferReadBytes: 3 * MIB,
  /** Unsent control bytes of a connection; a peer that reads slower than this is dropped. */
  writeQueueBytesMax: 1 * MIB,
  /** A write that the other side does not take for as long as a link may be silent ends all. */
  writeStallMs: overlayLimits.linkSilentMs,
  /** From here on a frame carries file data, and what is done with it takes time. */
  largeFrameBytes: 64 * KIB,
  /** File data that goes out in one turn of the event loop, of all uploads: about a millisecond. */
  bulkTurnBytes: 2 * MIB,
  /** How long a closing connection may take to write its last words. */
  lastWordsMs: 500,
  /** Idle send buffers that are kept; more connections than this hardly ever send at once. */
  sendBuffersKept: 8,
  /** The longest message of the Noise framework, its tag included. */
  noiseMessageBytesMax: 65_535,
  /** What a sealed record holds is filled up to a multiple of this: all names fit into one. */
  recordPadBytes: 512,
  /** Sealed records that are written at once, and that are read at once: a quarter of a megabyte. */
  recordsPerWrite: 4,
  recordsPerRead: 4,
  /** After a failed accept: keeps a lasting shortage of file descriptors from spinning. */
  acceptPauseMs: 50,
  /** Interfaces on which an address of a link is dialled, as one dial: a host of containers has hundreds. */
  linkZonesMax: 8,
  handshakeMs: HANDSHAKE_MS,
  dialMs: DIAL_MS,
  /** After so long a dial counts as failed though nobody said so: its driver reports before. */
  pendingDialMs: DIAL_MS + HANDSHAKE_MS + 1_000,
  /** Connections that may be in the handshake at once, before anyone has proved anything. */
  handshakesMax: 256,
  connectionsMax: CONNECTIONS_MAX,
  /** Connections from one address: half, so that one host cannot take all places. */
  connectionsPerHostMax: CONNECTIONS_MAX / 2,
  /** Clients of the client port at once: few, by design, but more than fetches may run. */
  clientsMax: 128,
  /** More of them, if they prove the token: whoever has no token cannot lock out who has. */
  clientsTrustedMax: 16,
  /** A client that asks for nothing so long goes when another needs its place: none does so by itself. */
  clientIdleMs: 5_000,
} as const;
