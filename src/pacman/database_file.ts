/**
 * Reads one database of a repository from its first to its last byte. It holds up its thread, and
 * what it reads may be anything that a mirror sent: it runs in a worker (`database_worker.ts`).
 */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { limits } from "../base/limits.ts";
import { type DescribedPackage, parseDesc } from "./package_desc.ts";
import { type PackageColumns, tableColumns } from "./package_table.ts";
import { TarReader } from "./tar_reader.ts";
import { unpacked } from "./unpack.ts";

/** `PACKAGE/desc`, whether or not the archive was made of the directory itself. */
const DESC = /^(?:\.\/)?[^/]+\/desc$/;

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

function* piecesOf(fd: number): Generator<Uint8Array> {
  for (let position = 0;;) {
    const piece = new Uint8Array(limits.syncPieceBytes);
    const count = readSync(fd, piece, 0, piece.length, position);
    if (count === 0) return;
    position += count;
    if (position > limits.databaseBytesMax) throw new Error("it grows while it is read");
    yield piece.subarray(0, count);
  }
}
