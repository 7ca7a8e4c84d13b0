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
  fellow,
  fileOffer,
  flightId,
  name,
  nodeId,
  optionalHost,
  queryId,
  range,
  reason,
  root,
  sought,
  type,
} from "./structures.ts";

/** "PSRV": the first four bytes of the payload of every HELLO. */
export const NODE_MAGIC = 0x50535256;
/** "PSCL": the first four bytes of the payload of every CLIENT_HELLO. */
export const CLIENT_MAGIC = 0x5053434c;
/** The protocol of the client port that this program speaks. */
export const CLIENT_VERSION = 4;

/** The protocols of the node port that this program speaks; the initiator says which. */
export const NODE_VERSIONS = [1, 2, 3, 4, 5] as const;
export type NodeVersion = (typeof NODE_VERSIONS)[number];
/** What every node knows: for all that can be said in it. */
export const NODE_VERSION_OLDEST = 1 satisfies NodeVersion;
/** The first that knows files in flight. */
export const NODE_VERSION_FLIGHTS = 2 satisfies NodeVersion;
/** The first that tells long lists page by page, and how much of them is left. */
export const NODE_VERSION_PAGES = 3 satisfies NodeVersion;
/** The first whose links say when a query is through. */
export const NODE_VERSION_THROUGH = 4 satisfies NodeVersion;
/** The first whose handshake says at which site each side is. */
export const NODE_VERSION_SITES = 5 satisfies NodeVersion;
export const NODE_VERSION_NEWEST = 5 satisfies NodeVersion;

/** For what a connection to the node port is opened; `fellow` only from version 2 on. */
export const PURPOSES = ["link", "callback", "transfer", "directory", "fellow"] as const;
export type Purpose = (typeof PURPOSES)[number];

/** What a fellow reads of the file from its mirror: parts, all of it in order, or nothing. */
const READINGS = ["ranges", "whole", "nothing"] as const;

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

/**
 * What came of a query at a node and all to which that passed it on: nobody has anything, somebody is
 * about to have it, or somebody called back or sent a HIT. In this order, the last counts.
 */
export const QUERY_OUTCOMES = ["nothing", "coming", "answered"] as const;
export type QueryOutcome = (typeof QUERY_OUTCOMES)[number];

/** Why a holder rejects a request. */
const REJECTIONS = ["not-had", "withdrawn", "out-of-range", "busy"] as const;
export type Rejection = (typeof REJECTIONS)[number];

/**
 * Why a fetch takes one of several files of a name: it is here already, a package database has its
 * SHA-256, a directory names it and not the others, the mirror has it, more nodes offer it, or it was
 * found first.
 */
const CHOICE_REASONS = ["here", "sync-db", "listed", "mirror", "offers", "first"] as const;
export type ChoiceReason = (typeof CHOICE_REASONS)[number];

/** How the client port ends a fetch that failed; the command line's exit codes. */
const FAILURES = [
  "failed",
  "usage",
  "notFound",
  "checkFailed",
  "noDaemon",
  "timedOut",
] as const;

/** The reason of the BYE of a holder whose file is withdrawn. */
export const WITHDRAWN = "the file is not offered any more";

/** Another file of the name that is fetched. */
const otherFile = struct({
  /** Its root. */
  root,
  /** Its size. */
  sizeBytes: u64,
  /** Nodes that were heard to offer it, those at one address as one; 0: it is here. */
  nodes: u16,
  /** Whether a directory names it. */
  isListed: flag,
});

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
  /** From version 5 on: where the sender is, as a person named it; "": nobody did. */
  "site": { code: 0x05, fields: struct({ site: text(limits.siteBytesMax) }) },

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
  /** From version 2 on: a file that the holder is just getting, and that has no root yet. */
  "in-flight": {
    code: 0x29,
    fields: struct({
      flight: flightId,
      name,
      type,
      sizeBytes: u64,
      sha256: nullable(hex(HASH_BYTES)),
      chunksHave: u32,
    }),
  },
  /** From version 2 on: the connection is one of fellows from here. */
  "join": { code: 0x2a, fields: struct({ flight: flightId, searchOn: flag }) },
  /** From version 3 on, for a glob: so many OFFERs are left, which OFFERS-NEXT asks for. */
  "offers-more": { code: 0x2b, fields: struct({ left: u32 }) },
  "offers-next": { code: 0x2c, fields: struct({}) },
  /** From version 4 on, over links: a query is through with the sender and all behind it. */
  "query-done": { code: 0x2d, fields: struct({ id: queryId, outcome: oneOf(QUERY_OUTCOMES) }) },

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

  // Fellows, from version 2 on
  "stripes": {
    code: 0x39,
    fields: struct({
      /** The fellow that this is about: the sender, or one that it passes on. */
      nodeId,
      /** Of that fellow; greater than in every STRIPES of it before. */
      sequence: u32,
      reads: oneOf(READINGS),
      /** Whether it has all of the file. */
      isWhole: flag,
      /** Indexes of the stripes that it reads now and next. */
      claims: list(u32, limits.fellowClaimsMax),
    }),
  },
  "fellows": {
    code: 0x3a,
    fields: struct({ fellows: list(fellow, limits.fellowsPerMessageMax) }),
  },
  "gained": {
    code: 0x3b,
    fields: struct({
      /** The node that read them from a mirror; zeros: nobody knows. */
      origin: nodeId,
      ranges: list(range, limits.haveRangesMax),
    }),
  },

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
      /** How long peers alone are asked before a mirror is; null for the daemon's own time. */
      mirrorDelayMs: nullable(u32),
      /** Whether nobody waits for it, so that the daemon's own time is a long one. */
      background: flag,
    }),
  },
  "searching": {
    code: 0x51,
    fields: struct({
      /** Time since the request, in ms. */
      elapsedMs: u32,
      /** Queries that were flooded. */
      queries: u32,
      /** Nodes that are just getting it, so that it is waited for. */
      inFlightNodes: u16,
      /** How much the one has that has most, in thousandths. */
      inFlightPermille: u16,
    }),
  },
  "found": {
    code: 0x52,
    fields: struct({
      root,
      name,
      sizeBytes: u64,
      /** Nodes that offer it. */
      sources: u16,
      /** Bytes that were here before the fetch began. */
      bytesHad: u64,
    }),
  },
  /** The candidate that was followed is thrown away; DATA starts again from nothing. */
  "restarted": {
    code: 0x53,
    fields: struct({
      /** Why. */
      reason,
    }),
  },
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
      /** The nodes that gave bytes of it. */
      sources: list(
        struct({ peer: text(80), nodeId: hex<NodeId>(ID_BYTES), bytes: u64, strikes: u16 }),
        limits.doneSourcesMax,
      ),
      /** Mirrors that gave bytes of it, as HOST or HOST:PORT. */
      mirrors: list(
        struct({ mirror: text(limits.mirrorLabelBytesMax), bytes: u64 }),
        limits.mirrorsMax,
      ),
      /** Queries that were flooded. */
      queriesSent: u32,
      /** Offers that came. */
      offersReceived: u32,
      /** Time from the request to the end, in ms. */
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
        "reach",
        "log",
        "pin",
        "unpin",
        "clean",
      ]),
      /** The verb's arguments as JSON. */
      json: longText(limits.askBytesMax),
    }),
  },
  "answer": {
    code: 0x59,
    fields: struct({ json: longText(limits.answerBytesMax), last: flag }),
  },
  /** Several files go by the name that is fetched: which is taken, and which others there are. */
  "choice": {
    code: 0x5b,
    fields: struct({
      /** The file that is taken. */
      root,
      /** Its size. */
      sizeBytes: u64,
      /** Why it is taken. */
      why: oneOf(CHOICE_REASONS),
      /** Nodes that were heard to offer it, those at one address as one. */
      nodes: u16,
      /** The others, those that most nodes offer first. */
      others: list(otherFile, limits.choiceOthersMax),
      /** How many others there are besides. */
      more: u16,
    }),
  },
  /** The answer leaves something out. */
  "incomplete": {
    code: 0x5a,
    fields: struct({
      /** How many items; null when nobody knows. */
      more: nullable(u64),
      /** Why, and what a person can do about it. */
      why: reason,
      hint: reason,
    }),
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
export type Choice = MessageOf<"choice">;
export type Verb = MessageOf<"ask">["verb"];

/** Verbs that change the daemon's state: only for clients that can read its token. */
export const CHANGING_VERBS: ReadonlySet<Verb> = new Set([
  "share",
  "unshare",
  "pin",
  "unpin",
  "clean",
  "verify",
  "push",
  "log",
]);
