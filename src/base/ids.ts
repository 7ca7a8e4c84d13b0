/**
 * The identifiers that travel between nodes, as lower-case hexadecimal strings: cheap to compare,
 * to use as a map key and to print. On the wire they are raw bytes.
 */

import { toHex } from "./bytes.ts";
import { UsageError } from "./errors.ts";
import type { Random } from "./random.ts";

declare const brand: unique symbol;

/** A file's identity: its BitTorrent v2 (BEP 52) pieces root, 32 bytes as 64 digits. */
export type Root = string & { readonly [brand]: "Root" };
/** A file in flight, which has no root yet: 32 bytes as 64 digits. */
export type FlightId = string & { readonly [brand]: "FlightId" };
/** A node's identity: 16 random bytes as 32 digits, made once for a data directory. */
export type NodeId = string & { readonly [brand]: "NodeId" };
/** One search: 16 random bytes as 32 digits. */
export type QueryId = string & { readonly [brand]: "QueryId" };
/** What a client is known by at one directory, 16 bytes as hexadecimal: only the two know it. */
export type SessionId = string & { readonly [brand]: "SessionId" };

/** Length of a root or a SHA-256, in bytes. */
export const HASH_BYTES = 32;
/** Length of a node id or a query id, in bytes. */
export const ID_BYTES = 16;

/** Stands for the root of a file that was delivered, but not kept: nobody computed it. */
export const UNKNOWN_ROOT = "0".repeat(2 * HASH_BYTES) as Root;

/** Whether `text` is a root or a SHA-256: exactly 64 hexadecimal digits. */
export function isHash(text: string): boolean {
  return /^[0-9a-fA-F]{64}$/.test(text);
}

/**
 * A root as a person writes it.
 *
 * @throws {UsageError} when it is not 64 hexadecimal digits.
 */
export function parseRoot(text: string): Root {
  return parseHash(text, "root") as Root;
}

/**
 * A SHA-256 as a person writes it, in lower case.
 *
 * @throws {UsageError} when it is not 64 hexadecimal digits.
 */
export function parseHash(text: string, what = "SHA-256"): string {
  if (!isHash(text)) {
    throw new UsageError(
      `Cannot read ${what}: ${JSON.stringify(text.slice(0, 80))} is not 64 hexadecimal digits`,
    );
  }
  return text.toLowerCase();
}

/** A new node id. */
export function newNodeId(random: Random): NodeId {
  return toHex(random.bytes(ID_BYTES)) as NodeId;
}

/** A new query id. */
export function newQueryId(random: Random): QueryId {
  return toHex(random.bytes(ID_BYTES)) as QueryId;
}

/** A new session id. */
export function newSessionId(random: Random): SessionId {
  return toHex(random.bytes(ID_BYTES)) as SessionId;
}
