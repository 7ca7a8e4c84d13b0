/**
 * Every message of both ports: its kind on the wire, its fields in order, and so its type.
 * `PROTOCOL.md` and `CLIENT_API.md` say what each one means and when it may be sent.
 *
 * CHUNKS and DATA carry file bytes and are handled in place, without this codec, by the data path;
 * only their headers are defined here.
 */

import { HASH_BYTES, ID_BYTES, type NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { DIRECTORY_MESSAGES } from "./directory_messages.ts";
import {
  bytes,
  type Field,
  fixedBytes,
  flag,
  hex,
  list,
  longText,
  nullable,
  oneOf,
  struct,
  text,
  u16,
  u32,
  u64,
  u8,
  type ValueOf,
} from "./fields.ts";
import {
  address,
  fileOffer,
  name,
  optionalHost,
  queryId,
  range,
  reason,
  root,
  sought,
} from "./structures.ts";

/** "PSRV": the first four bytes of the payload of every HELLO. */
export const NODE_MAGIC = 0x50535256;
/** "PSCL": the first four bytes of the payload of every CLIENT_HELLO. */
export const CLIENT_MAGIC = 0x5053434c;
/** The protocol that this program speaks, on both ports. */
export const PROTOCOL_VERSION = 1;

/** For what a connection to the node port is opened. */
export const PURPOSES = ["link", "callback", "transfer", "directory"] as const;
export type Purpose = (typeof PURPOSES)[number];

/** Why a node refuses a connection, as it may be told. */
const REFUSALS = [
  "wrong-version",
  "wrong-network",
  "self",
  "banned",
  "busy",
  "duplicate",
  "not-supported",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Why a holder rejects a request. */
const REJECTIONS = ["not-had", "withdrawn", "out-of-range", "busy"] as const;
export type Rejection = (typeof REJECTIONS)[number];

/** How the client port ends a fetch that failed; the command line's exit codes. */
const FAILURES = [
  "failed",
  "usage",
  "notFound",
  "checkFailed",
  "noDaemon",
  "timedOut",
] as const;

/** Kind bytes and fields of every message. A kind byte, once given, is never given again. */
export const MESSAGES = {
  // Handshake, node port
  "hello": {
    code: 0x01,
    fields: struct({
      magic: u32,
      version: u16,
      purpose: oneOf(PURPOSES),
      nodeId: hex<NodeId>(ID_BYTES),
      /** Where this node accepts connections; 0: it cannot be reached. */
      listenPort: u16,
      network: text(limits.networkBytesMax),
      nonce: fixedBytes(16),
      /** HMAC of the fields before it under the network key; zeros without a key. */
      tag: fixedBytes(HASH_BYTES),
    }),
  },
  "proof": { code: 0x02, fields: struct({ mac: fixedBytes(HASH_BYTES) }) },
  "refused": { code: 0x03, fields: struct({ refusal: oneOf(REFUSALS) }) },
  "accepted": { code: 0x04, fields: struct({}) },

  // Links
  "ping": { code: 0x10, fields: struct({ token: u32 }) },
  "pong": { code: 0x11, fields: struct({ token: u32 }) },
  "bye": { code: 0x12, fields: struct({ reason }) },
  "peers": {
    code: 0x13,
    fields: struct({ addresses: list(address, limits.peersPerMessageMax) }),
  },

  // Search
  "query": {
    code: 0x20,
    fields: struct({
      id: queryId,
      /** Links that it may still travel after this one. */
      ttl: u8,
      /** Links that it has travelled before this one; the origin sends 0. */
      hops: u8,
      sought,
      /** Where the requester listens for callbacks; empty and 0: it cannot be dialled. */
      callbackHost: optionalHost,
      callbackPort: u16,
    }),
  },
  "hit": {
    code: 0x21,
    fields: struct({
      id: queryId,
      /** Links travelled back before this one; the holder sends 0. */
      hops: u8,
      nodeId: hex<NodeId>(ID_BYTES),
      holderHost: optionalHost,
      holderPort: u16,
      offers: list(fileOffer, limits.hitOffersMax),
    }),
  },
  "callback": { code: 0x22, fields: struct({ mac: fixedBytes(HASH_BYTES) }) },
  "callback-ok": { code: 0x23, fields: struct({ mac: fixedBytes(HASH_BYTES) }) },
  "offer": {
    code: 0x24,
    fields: struct({
      file: fileOffer,
      /** The first page of the bitfield; empty when the holder has the file whole. */
      bitfield: bytes(limits.bitfieldPageBytesMax),
    }),
  },
  "offers-end": { code: 0x25, fields: struct({}) },
  "want": { code: 0x26, fields: struct({ root, searchOn: flag }) },
  "more": { code: 0x27, fields: struct({}) },
  "enough": { code: 0x28, fields: struct({}) },

  // Transfer
  "leaves-request": { code: 0x30, fields: range },
  "leaves": {
    code: 0x31,
    fields: struct({ first: u32, hashes: bytes(limits.leavesPerFrameMax * HASH_BYTES) }),
  },
  "request": { code: 0x32, fields: range },
  "have": { code: 0x34, fields: struct({ ranges: list(range, limits.haveRangesMax) }) },
  "bitfield": {
    code: 0x35,
    fields: struct({ firstByte: u32, bits: bytes(limits.bitfieldPageBytesMax) }),
  },
  "reject": { code: 0x36, fields: struct({ range, rejection: oneOf(REJECTIONS) }) },
  "cancel": { code: 0x37, fields: range },
  "bad-chunk": { code: 0x38, fields: range },

  // Client port
  "client-hello": {
    code: 0x40,
    fields: struct({ magic: u32, version: u16, nonce: fixedBytes(16) }),
  },
  "client-welcome": {
    code: 0x41,
    fields: struct({
      magic: u32,
      version: u16,
      nodeId: hex<NodeId>(ID_BYTES),
      nonce: fixedBytes(16),
      /** Path of the token file on the daemon's machine. */
      tokenPath: text(limits.pathBytesMax),
    }),
  },
  "client-auth": { code: 0x42, fields: struct({ mac: fixedBytes(HASH_BYTES) }) },
  "client-auth-ok": { code: 0x43, fields: struct({ mac: fixedBytes(HASH_BYTES) }) },
  "heartbeat": { code: 0x44, fields: struct({}) },
  "get": {
    code: 0x50,
    fields: struct({
      /** Exact name sought; empty when only a root is given. */
      name: text(limits.nameBytesMax),
      root: nullable(root),
      sha256: nullable(hex(HASH_BYTES)),
      sizeBytes: nullable(u64),
      /** Only these chunks; null for the whole file. */
      chunks: nullable(range),
      /** Whether the file's bytes are to follow as DATA. */
      deliver: flag,
      /** Time for the whole fetch; 0 for no bound. */
      timeoutMs: u32,
      /** Time to find anybody who has the file; 0 for the daemon's own bound. */
      searchMs: u32,
      /** Where else the same file is: http and https URLs, tried in this order. */
      mirrors: list(text(limits.urlBytesMax), limits.mirrorsMax),
    }),
  },
  "searching": { code: 0x51, fields: struct({ elapsedMs: u32, queries: u32 }) },
  "found": {
    code: 0x52,
    fields: struct({
      root,
      name,
      sizeBytes: u64,
      sources: u16,
      /** Bytes that were here before the fetch began. */
      bytesHad: u64,
    }),
  },
  /** The candidate that was followed is thrown away; DATA starts again from nothing. */
  "restarted": { code: 0x53, fields: struct({ reason }) },
  "progress": {
    code: 0x55,
    fields: struct({ bytesDone: u64, bytesTotal: u64, bytesPerSecond: u64, sources: u16 }),
  },
  "done": {
    code: 0x56,
    fields: struct({
      root,
      name,
      sizeBytes: u64,
      /** Bytes that were here before, or came from the daemon's own store. */
      bytesLocal: u64,
      sources: list(
        struct({ peer: text(80), nodeId: hex<NodeId>(ID_BYTES), bytes: u64, strikes: u16 }),
        limits.doneSourcesMax,
      ),
      /** Mirrors that gave bytes of it, as HOST or HOST:PORT. */
      mirrors: list(
        struct({ mirror: text(limits.mirrorLabelBytesMax), bytes: u64 }),
        limits.mirrorsMax,
      ),
      queriesSent: u32,
      offersReceived: u32,
      elapsedMs: u32,
    }),
  },
  "failed": {
    code: 0x57,
    fields: struct({ failure: oneOf(FAILURES), message: reason, hint: reason }),
  },
  "ask": {
    code: 0x58,
    fields: struct({
      verb: oneOf([
        "status",
        "list",
        "peers",
        "search",
        "share",
        "unshare",
        "verify",
        "info",
        "where",
        "push",
        "files",
        "explain",
      ]),
      /** The verb's arguments as JSON. */
      json: longText(limits.askBytesMax),
    }),
  },
  "answer": {
    code: 0x59,
    fields: struct({ json: longText(limits.answerBytesMax), last: flag }),
  },

  ...DIRECTORY_MESSAGES,
} as const satisfies Record<string, MessageDefinition>;

/** Kind byte of CHUNKS: u32 first chunk, then the bytes of one or more whole chunks. */
export const CHUNKS_CODE = 0x33;
/** Kind byte of DATA on the client port: u64 offset in the file, then bytes. */
export const DATA_CODE = 0x54;

interface MessageDefinition {
  readonly code: number;
  readonly fields: Field<never> | Field<unknown>;
}

/** The name of a message. */
export type MessageKind = keyof typeof MESSAGES;

/** One message by its kind; for several kinds, their union. */
export type MessageOf<K extends MessageKind> = K extends MessageKind
  ? { readonly kind: K } & ValueOf<(typeof MESSAGES)[K]["fields"]>
  : never;

/** Any message, discriminated by `kind`. */
export type Message = MessageOf<MessageKind>;

export type Query = MessageOf<"query">;
export type Hit = MessageOf<"hit">;
export type Done = MessageOf<"done">;
export type Verb = MessageOf<"ask">["verb"];

/** Verbs that change the daemon's state: only for clients that can read its token. */
export const CHANGING_VERBS: ReadonlySet<Verb> = new Set([
  "share",
  "unshare",
  "verify",
  "push",
]);
