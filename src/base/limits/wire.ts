/** Limits of frames and what they carry, each with its reason. */

import { KIB } from "./sizes.ts";

export const wireLimits = {
  /** Length and kind before each payload. */
  frameHeaderBytes: 5,
  /** Handshake frames come from strangers: nothing bigger is even waited for. */
  handshakeFrameBytesMax: 256,
  /** Chunks in one REQUEST and one CHUNKS frame: 512 KiB, the measured best on loopback. */
  requestChunksMax: 32,
  /** Bytes of bitfield in one frame: covers 4 GiB of file; more goes in further pages. */
  bitfieldPageBytesMax: 32 * KIB,
  /** Leaves in one LEAVES frame: 64 KiB, 32 MiB of file. */
  leavesPerFrameMax: 2048,
  /** Runs in one HAVE frame. */
  haveRangesMax: 1024,
  /** JSON in one ANSWER frame on the client port; longer lists go in several. */
  answerBytesMax: 256 * KIB,
  /** JSON in one ASK frame: a list of paths to share. */
  askBytesMax: 64 * KIB,
  /** File data in one DATA frame on the client port. */
  dataBytesMax: 512 * KIB,
  /** The name of a limit in a DENIED frame. */
  limitNameBytesMax: 64,
  /** Sources named in a DONE frame. */
  doneSourcesMax: 256,
} as const;
