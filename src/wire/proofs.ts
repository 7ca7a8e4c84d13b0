/**
 * How one side proves that it knows a secret, without sending it: HMAC-SHA256 under the secret
 * over its role and the nonces of both sides, so that a proof holds for one connection and cannot
 * be sent back to its maker.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { fromHex } from "../base/bytes.ts";

/** Name of the token file; a client reads no other, whatever a daemon says. */
export const TOKEN_FILE = "client.token";
/** Bytes of the token; the file has them as hexadecimal. */
export const TOKEN_BYTES = 32;

/** Proves to be able to read the daemon's token, and to be the daemon that wrote it. */
export function clientMac(
  role: "client" | "daemon",
  token: Uint8Array,
  nonces: { readonly client: Uint8Array; readonly daemon: Uint8Array },
): Uint8Array {
  return createHmac("sha256", token).update(role).update(nonces.client).update(nonces.daemon)
    .digest();
}

/** Proves to know a query id: the holder that calls back, and the requester that it calls. */
export function callbackMac(
  role: "holder" | "requester",
  queryId: string,
  nonces: Uint8Array,
): Uint8Array {
  return createHmac("sha256", fromHex(queryId)).update(role).update(nonces).digest();
}

/** Proves to know the session of a client at a directory: the directory that dials, and the client. */
export function sessionMac(
  role: "directory" | "client",
  session: string,
  nonces: Uint8Array,
): Uint8Array {
  return createHmac("sha256", fromHex(session)).update(role).update(nonces).digest();
}

/** Whether two MACs are equal, in constant time. */
export function macEquals(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
