/** The leaves of chunks as text, as the data path compares them. */

import { hash } from "node:crypto";
import { CHUNK_BYTES } from "../../base/geometry.ts";

/** The leaves of consecutive chunks, the last one perhaps shorter: 64 hexadecimal digits each. */
export function leafDigits(data: Uint8Array): string {
  let digits = "";
  for (let at = 0; at < data.length; at += CHUNK_BYTES) {
    digits += hash("sha256", data.subarray(at, Math.min(at + CHUNK_BYTES, data.length)), "hex");
  }
  return digits;
}
