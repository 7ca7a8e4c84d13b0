/**
 * What the `desc` of a package says that a file can be held against. See pacman's
 * `lib/libalpm/be_sync.c`; all else in it is passed over.
 */

import { createHash } from "node:crypto";
import { isHash } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { isName } from "../base/names.ts";

/** A file of a repository: a package, or the signature that comes with one. */
export interface DescribedFile {
  readonly sizeBytes: number;
  /** SHA-256 of the whole file. */
  readonly sha256: Uint8Array;
  /** The file itself: of a signature. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** One package. */
export interface DescribedPackage extends DescribedFile {
  readonly name: string;
  /** The detached signature, which the database holds whole. */
  readonly signature: DescribedFile | undefined;
}

const LINE_END = 0x0a;
const PERCENT = 0x25;

/**
 * The package of a `desc`; undefined when it names none that can be trusted: without SHA-256, with a
 * name that no file may have, with no proper size.
 */
export function parseDesc(bytes: Uint8Array): DescribedPackage | undefined {
  const values = firstValues(bytes, ["FILENAME", "CSIZE", "SHA256SUM", "PGPSIG"]);
  const name = values.get("FILENAME");
  const size = values.get("CSIZE");
  const sha256 = values.get("SHA256SUM")?.toLowerCase();
  if (name === undefined || !isName(name)) return undefined;
  if (sha256 === undefined || !isHash(sha256)) return undefined;
  if (size === undefined || !/^[0-9]{1,15}$/.test(size)) return undefined;
  const sizeBytes = Number(size);
  if (sizeBytes > limits.fetchBytesMax) return undefined;
  const signature = signatureOf(values.get("PGPSIG"));
  return { name, sizeBytes, sha256: Uint8Array.fromHex(sha256), signature };
}

/** The first line below each of these headings. */
function firstValues(bytes: Uint8Array, wanted: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const line = lineAt(bytes, at);
    at += line.length + 1;
    if (line[0] !== PERCENT) continue;
    const heading = new TextDecoder().decode(line);
    const key = wanted.find((one) => heading === `%${one}%`);
    if (key === undefined || values.has(key)) continue;
    values.set(key, new TextDecoder().decode(lineAt(bytes, at)));
  }
  return values;
}

function lineAt(bytes: Uint8Array, start: number): Uint8Array {
  const end = bytes.indexOf(LINE_END, start);
  return bytes.subarray(start, end < 0 ? bytes.length : end);
}

function signatureOf(base64: string | undefined): DescribedFile | undefined {
  if (base64 === undefined || base64.length > limits.signatureBytesMax * 4 / 3 + 4) {
    return undefined;
  }
  let signature: Uint8Array<ArrayBuffer>;
  try {
    signature = Uint8Array.fromBase64(base64);
  } catch {
    return undefined;
  }
  const sizeBytes = signature.length;
  if (sizeBytes === 0 || sizeBytes > limits.signatureBytesMax) return undefined;
  const sha256 = createHash("sha256").update(signature).digest();
  return { sizeBytes, sha256, bytes: signature };
}
