/** Unpacks what a database is packed with, as it comes: gzip, zstd, or nothing. */

import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { limits } from "../base/limits.ts";

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];

/** What is told apart only to say so. */
const OTHERS: readonly { readonly name: string; readonly magic: readonly number[] }[] = [
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
  { name: "lz4", magic: [0x04, 0x22, 0x4d, 0x18] },
  { name: "lzip", magic: [0x4c, 0x5a, 0x49, 0x50] },
];

/**
 * The content of a packed file, from its pieces in order; the first has at least 8 bytes, unless the
 * file is shorter. Of zstd it takes one frame, as the program writes it. A zstd file that is cut off
 * is not told from a whole one: look for the end of what is in it.
 *
 * @throws {Error} in words for people, when it cannot be unpacked.
 */
export async function* unpacked(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.iterator]();
  const { value: first, done } = iterator.next();
  if (done) throw new Error("it is empty");
  const all = () => prepended(first, iterator);
  if (startsWith(first, GZIP)) {
    yield* through(all(), createGunzip({ chunkSize: limits.syncPieceBytes }));
  } else if (startsWith(first, ZSTD)) {
    yield* through(all(), createZstdDecompress({ chunkSize: limits.syncPieceBytes }));
  } else {
    const other = OTHERS.find(({ magic }) => startsWith(first, magic));
    if (other !== undefined) {
      throw new Error(`it is packed with ${other.name}; gzip, zstd and plain tar can be read`);
    }
    yield* all();
  }
}

async function* through(
  pieces: Iterable<Uint8Array>,
  unpacker: ReturnType<typeof createGunzip>,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces);
  // A pipe does not carry errors along.
  source.on("error", (error) => unpacker.destroy(error));
  try {
    for await (const piece of source.pipe(unpacker)) yield piece as Uint8Array;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`it cannot be unpacked: ${reason}`, { cause });
  } finally {
    source.destroy();
    unpacker.destroy();
  }
}

function* prepended(first: Uint8Array, rest: Iterator<Uint8Array>): Generator<Uint8Array> {
  yield first;
  for (let next = rest.next(); !next.done; next = rest.next()) yield next.value;
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}
