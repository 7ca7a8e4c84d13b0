/**
 * Reads one database of a repository from its first to its last byte. It holds up its thread, and
 * what it reads may be anything that a mirror sent: it runs in a worker (`database_worker.ts`).
 */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type DescribedPackage, parseDesc } from "./package_desc.ts";
import { type PackageColumns, tableColumns } from "./package_table.ts";
import { TarReader } from "./tar_reader.ts";

/** `PACKAGE/desc`, whether or not the archive was made of the directory itself. */
const DESC = /^(?:\.\/)?[^/]+\/desc$/;

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];

/** Ways of packing that are told apart only to say so. */
const OTHERS: readonly { readonly name: string; readonly magic: readonly number[] }[] = [
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
  { name: "lz4", magic: [0x04, 0x22, 0x4d, 0x18] },
  { name: "lzip", magic: [0x4c, 0x5a, 0x49, 0x50] },
];

/** What a database said. */
export interface DatabaseContents {
  readonly columns: PackageColumns;
  /** Of the file that was read: see {@linkcode stampOf}. */
  readonly stamp: string;
  /** When the file was last written, in ms since 1970. */
  readonly writtenMs: number;
}

/** A text that is another one when a file may have changed. */
export function stampOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

/**
 * Reads the database at `path`, of at most `packagesMax` packages.
 *
 * @throws {Error} in words for people, when it cannot be read or is not what it should be.
 */
export async function readDatabase(
  path: string,
  options: { readonly packagesMax: number },
): Promise<DatabaseContents> {
  // Opening a pipe would wait for its other end, but not so.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const before = fstatSync(fd);
    checkFile(before);
    const packages: DescribedPackage[] = [];
    let entries = 0;
    const reader = new TarReader({
      wants: (name, sizeBytes) => {
        if (!DESC.test(name)) return false;
        if (++entries > options.packagesMax) {
          throw new Error(`it has too many packages: ${options.packagesMax} more may be read`);
        }
        if (sizeBytes <= limits.syncDescBytesMax) return true;
        throw new Error(
          `a package's desc has ${sizeBytes} bytes, at most ${limits.syncDescBytesMax}`,
        );
      },
      content: (_name, bytes) => {
        const one = parseDesc(bytes);
        if (one !== undefined) packages.push(one);
      },
    });
    let unpackedBytes = 0;
    for await (const piece of unpacked(piecesOf(fd))) {
      unpackedBytes += piece.length;
      if (unpackedBytes > limits.syncUnpackedBytesMax) {
        throw new Error(`unpacked it has more than ${limits.syncUnpackedBytesMax} bytes`);
      }
      reader.push(piece);
    }
    // A file that grows while it is read looks cut off; that it changes is the better reason.
    const stamp = stampOf(fstatSync(fd));
    if (stamp !== stampOf(before)) throw new Error("it changed while it was read");
    reader.end();
    return { columns: tableColumns(packages), stamp, writtenMs: before.mtimeMs };
  } finally {
    closeSync(fd);
  }
}

function checkFile(stats: Stats): void {
  if (!stats.isFile()) throw new Error("it is not a regular file");
  if (stats.size > limits.databaseBytesMax) {
    throw new Error(`it has ${stats.size} bytes, at most ${limits.databaseBytesMax}`);
  }
}

function* piecesOf(fd: number): Generator<Uint8Array, void> {
  for (let position = 0;;) {
    const piece = new Uint8Array(limits.syncPieceBytes);
    const count = readSync(fd, piece, 0, piece.length, position);
    if (count === 0) return;
    position += count;
    if (position > limits.databaseBytesMax) throw new Error("it grows while it is read");
    yield piece.subarray(0, count);
  }
}

/**
 * The content of a packed file, from its pieces in order; the first has at least 8 bytes, unless the
 * file is shorter. Of zstd it takes one frame, as the program writes it. A zstd file that is cut off
 * is not told from a whole one: look for the end of what is in it.
 *
 * @throws {Error} in words for people, when it cannot be unpacked.
 */
async function* unpacked(pieces: Generator<Uint8Array, void>): AsyncGenerator<Uint8Array> {
  const { value: first, done } = pieces.next();
  if (done) throw new Error("it is empty");
  const all = () => prepended(first, pieces);
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
    throw new Error(`it cannot be unpacked: ${messageOf(cause)}`, { cause });
  } finally {
    source.destroy();
    unpacker.destroy();
  }
}

function* prepended(first: Uint8Array, rest: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield first;
  yield* rest;
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}
