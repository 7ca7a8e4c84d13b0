/**
 * The messages of purpose `directory`: what clients say to a directory and hear from it, and what
 * may be asked of any node. `PROTOCOL.md` says what each one means and when it may be sent.
 */

import { HASH_BYTES } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { fixedBytes, flag, list, oneOf, struct, text, u16, u32, u64 } from "./fields.ts";
import {
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
      instance: nodeId,
      uptimeMs: u64,
      clients: u32,
      /** Clients that could be dialled. */
      clientsReachable: u32,
      /** Distinct roots and names, and files of clients (one for each client that has it). */
      roots: u32,
      names: u32,
      filesListed: u32,
      queries: u64,
      /** Batches taken, and those and questions refused. */
      batches: u64,
      denied: u64,
      /** Upload requests that clients accepted. */
      uploadsAccepted: u64,
      replicas: u16,
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
} as const;
