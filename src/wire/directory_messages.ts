/**
 * The messages of purpose `directory`: what clients say to a directory and hear from it, and what
 * may be asked of any node. `PROTOCOL.md` says what each one means and when it may be sent.
 */

import { HASH_BYTES } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { fixedBytes, flag, list, nullable, oneOf, struct, text, u16, u32, u64 } from "./fields.ts";
import {
  address,
  fellow,
  flightId,
  holder,
  knownFile,
  listedFile,
  load,
  name,
  nodeId,
  reason,
  root,
  sessionId,
  sought,
} from "./structures.ts";

/** How a directory can reach a client. */
const REACHES = ["reachable", "checking", "unreachable"] as const;
export type Reach = (typeof REACHES)[number];

/** What a node says when it is asked to take a file. */
const UPLOAD_ANSWERS = ["accepted", "have", "no-room", "busy", "unwilling"] as const;
export type UploadAnswer = (typeof UPLOAD_ANSWERS)[number];

/**
 * How a node could dial another one that asked for it; with "busy" it did not try, and "failed" is
 * all else.
 */
export const DIAL_BACK_ANSWERS = [
  "reached",
  "busy",
  "refused",
  "no-answer",
  "no-route",
  "other-node",
  "failed",
] as const;
export type DialBackAnswer = (typeof DIAL_BACK_ANSWERS)[number];

/** Kind bytes and fields, as part of `MESSAGES`. */
export const DIRECTORY_MESSAGES = {
  // A client's batch
  "refresh": {
    code: 0x60,
    fields: struct({
      session: sessionId,
      /** Greater than in every batch of this session before. */
      sequence: u32,
      load,
      /** Whether the batch has all files: what it does not name is not offered any more. */
      whole: flag,
      /** How many files the client takes to be listed before this batch; 0 with `whole`. */
      filesListed: u32,
    }),
  },
  "advertise": {
    code: 0x61,
    fields: struct({ files: list(listedFile, limits.advertisedPerMessageMax) }),
  },
  "remove": {
    code: 0x62,
    fields: struct({ files: list(struct({ root, name }), limits.advertisedPerMessageMax) }),
  },
  "batch-end": { code: 0x63, fields: struct({}) },
  "leave": { code: 0x64, fields: struct({ session: sessionId, sequence: u32 }) },

  // A client's questions
  "metadata-query": { code: 0x65, fields: struct({ sought }) },
  "holders-query": { code: 0x66, fields: struct({ sought, max: u16 }) },
  "search-query": {
    code: 0x67,
    fields: struct({ glob: text(limits.soughtBytesMax), max: u16 }),
  },
  "takers-query": { code: 0x68, fields: struct({ root, sizeBytes: u64, max: u16 }) },
  "directory-query": { code: 0x69, fields: struct({}) },

  // A directory's answers
  "listed": {
    code: 0x6a,
    fields: struct({
      instance: nodeId,
      /** No: this session is new here, or its list differs; the whole list is wanted. */
      known: flag,
      reach: oneOf(REACHES),
      /** Files of this client that are listed now. */
      filesListed: u32,
      /** How often the client shall refresh. */
      refreshMs: u32,
    }),
  },
  "metadata": {
    code: 0x6b,
    fields: struct({
      instance: nodeId,
      files: list(knownFile, limits.knownPerMessageMax),
      last: flag,
    }),
  },
  "holders": {
    code: 0x6c,
    fields: struct({
      instance: nodeId,
      holders: list(holder, limits.knownPerMessageMax),
      last: flag,
    }),
  },
  "directory-status": {
    code: 0x6d,
    fields: struct({
      /** Its id, new at each start. */
      instance: nodeId,
      uptimeMs: u64,
      /** Nodes that report to it. */
      clients: u32,
      /** Clients that could be dialled. */
      clientsReachable: u32,
      /** Distinct roots. */
      roots: u32,
      /** Distinct names. */
      names: u32,
      /** Files of clients: one for each client that has it. */
      filesListed: u32,
      /** Questions that were answered. */
      queries: u64,
      /** Batches that were taken. */
      batches: u64,
      /** Batches and questions that were refused. */
      denied: u64,
      /** Upload requests that clients accepted. */
      uploadsAccepted: u64,
      /** Whole copies of a popular file that it aims for. */
      replicas: u16,
      /** How often a node reports, in ms. */
      refreshMs: u32,
    }),
  },
  "denied": {
    code: 0x6e,
    fields: struct({
      instance: nodeId,
      /** Name of the limit that stands against it. */
      limit: text(limits.limitNameBytesMax),
      bound: u64,
      /** The same for a person. */
      message: reason,
    }),
  },

  // What may be asked of a node
  "load-query": { code: 0x70, fields: struct({ mac: fixedBytes(HASH_BYTES) }) },
  "load-report": { code: 0x71, fields: struct({ mac: fixedBytes(HASH_BYTES), load }) },
  "files-query": { code: 0x72, fields: struct({}) },
  "files": {
    code: 0x73,
    fields: struct({ files: list(listedFile, limits.advertisedPerMessageMax), last: flag }),
  },
  "upload-request": {
    code: 0x74,
    fields: struct({
      file: listedFile,
      /** Whether the asker gives the file itself, over this connection. */
      serves: flag,
    }),
  },
  "upload-answer": { code: 0x75, fields: struct({ answer: oneOf(UPLOAD_ANSWERS) }) },

  // Files in flight, from version 2 on
  "flight-lease": {
    code: 0x76,
    fields: struct({
      flight: flightId,
      sizeBytes: u64,
      /** How long the sender counts as one that has it in flight; 0: it has not any more. */
      leaseMs: u32,
    }),
  },
  "flight-fellows": {
    code: 0x77,
    fields: struct({
      instance: nodeId,
      /** How many others have it in flight, named or not. */
      count: u32,
      /** Some of them, the best to dial first. */
      fellows: list(fellow, limits.fellowsPerMessageMax),
    }),
  },

  // Neighbours, from version 2 on
  "neighbours-query": { code: 0x78, fields: struct({ max: u16 }) },
  "neighbours": {
    code: 0x79,
    fields: struct({
      instance: nodeId,
      /** Where nodes accept links, at random. */
      addresses: list(address, limits.peersPerMessageMax),
    }),
  },

  // What may be asked of a node from version 2 on: whether it can connect to the asker
  "dial-back-query": { code: 0x7a, fields: struct({}) },
  "dial-back-report": { code: 0x7b, fields: struct({ answer: oneOf(DIAL_BACK_ANSWERS) }) },

  // A search that goes on where it stopped, from version 3 on
  "search-page-query": {
    code: 0x7c,
    fields: struct({
      glob: text(limits.soughtBytesMax),
      max: u16,
      /** 0, or `next` of the page before. */
      from: u32,
    }),
  },
  "search-page": {
    code: 0x7d,
    fields: struct({
      instance: nodeId,
      /** Where the next page begins; null: this was the last. */
      next: nullable(u32),
      /** Whether files of this page are left out because too many go by one name. */
      isCut: flag,
    }),
  },
} as const;
