/** The structures that several messages share, as fields and as types. */

import {
  type FlightId,
  HASH_BYTES,
  ID_BYTES,
  type NodeId,
  type QueryId,
  type Root,
  type SessionId,
} from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { nameProblem } from "../base/names.ts";
import {
  checkedText,
  flag,
  hex,
  nullable,
  oneOf,
  struct,
  text,
  u16,
  u32,
  u64,
  type ValueOf,
} from "./fields.ts";
import { hostProblem } from "./host.ts";

export const name = checkedText(text(limits.nameBytesMax), nameProblem);
export const type = text(limits.typeBytesMax);
export const root = hex<Root>(HASH_BYTES);
/** A file that has no root yet. */
export const flightId = hex<FlightId>(HASH_BYTES);
export const queryId = hex<QueryId>(ID_BYTES);
export const nodeId = hex<NodeId>(ID_BYTES);
/** What a client of a directory is known by there: secret between the two. */
export const sessionId = hex<SessionId>(ID_BYTES);
export const reason = text(limits.reasonBytesMax);
const host = checkedText(text(limits.hostBytesMax), hostProblem);
export const optionalHost = checkedText(
  text(limits.hostBytesMax),
  (value) => value === "" ? undefined : hostProblem(value),
);

export const range = struct({ first: u32, count: u32 });
export const address = struct({ host, port: u16 });

/** A file as its holder describes it; `chunksHave` says how many of its chunks are there. */
export const fileOffer = struct({ root, name, type, sizeBytes: u64, chunksHave: u32, whole: flag });

/** What a query asks for: a root, an exact name, or a glob over names for a listing. */
export const sought = struct({
  by: oneOf(["root", "name", "glob"]),
  /** Hexadecimal root, name or glob, by `by`. */
  value: text(limits.soughtBytesMax),
});

/** How busy a node is, and what it would take. */
export const load = struct({
  /** Requesters that it serves now. */
  uploads: u16,
  /** With how many it counts as fully loaded; at least 1. */
  uploadsMax: u16,
  /** What it has sent lately. */
  bytesPerSecond: u64,
  /** Room for files that others ask it to take; 0: it takes none. */
  acceptBytes: u64,
});

/** A file as a node lists it: what it offers of it, and the SHA-256 where it knows that. */
export const listedFile = struct({ file: fileOffer, sha256: nullable(hex(HASH_BYTES)) });

/** A file as a directory knows it from those that hold it. */
export const knownFile = struct({
  root,
  name,
  type,
  sizeBytes: u64,
  sha256: nullable(hex(HASH_BYTES)),
  /** Nodes that hold all of it, and those that hold a part. */
  whole: u32,
  part: u32,
});

/** A node that holds a file, or would take it, as a directory names it. */
export const holder = struct({
  root,
  sizeBytes: u64,
  nodeId,
  /** Where it can be dialled; empty and 0: it cannot. */
  host: optionalHost,
  port: u16,
  chunksHave: u32,
  /** 0 idle, 1,000 fully loaded. */
  loadPermille: u16,
});

/** A node that gets the same file from a mirror, as another one knows it. */
export const fellow = struct({
  nodeId,
  /** Where it can be dialled; empty and 0: it cannot. */
  host: optionalHost,
  port: u16,
});

export type FileOffer = ValueOf<typeof fileOffer>;
export type Sought = ValueOf<typeof sought>;
export type Load = ValueOf<typeof load>;
export type ListedFile = ValueOf<typeof listedFile>;
export type KnownFile = ValueOf<typeof knownFile>;
export type Holder = ValueOf<typeof holder>;
export type NamedFellow = ValueOf<typeof fellow>;
