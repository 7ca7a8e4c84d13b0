/** How much room there is on a disk, and whether it is enough for what is to be written there. */

import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import prettyBytes from "pretty-bytes";
import { EnvironmentError } from "../../base/errors.ts";

/** A download that begins or grows. */
export interface RoomNeed {
  readonly name: string;
  /** The download, where there is one already. */
  readonly download: unknown;
  /** Bytes that are to come beside what was told of before. */
  readonly bytes: number;
}

/** Bytes that may still be written to a directory; Infinity where that is not to be found out. */
export function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}

/**
 * Refuses to begin what cannot be finished.
 *
 * @param file.path Where it is written; what it takes of the disk already is room for it.
 * @param file.bytesMissing What is to be written, of the `sizeBytes` that it has in the end.
 * @throws {EnvironmentError} "no-space", with what is missing.
 */
export function checkRoom(
  file: {
    readonly name: string;
    readonly path: string;
    readonly sizeBytes: number;
    readonly bytesMissing: number;
  },
): void {
  const { name, path, sizeBytes, bytesMissing } = file;
  const needed = Math.min(bytesMissing, Math.max(0, sizeBytes - allocatedBytes(path)));
  const directory = dirname(path);
  const free = freeBytes(directory);
  if (needed <= free) return;
  throw new EnvironmentError(
    "no-space",
    `Cannot fetch ${name}: ${directory} has no space for it: ${prettyBytes(needed)} are ` +
      `needed, ${prettyBytes(free)} are free, ${prettyBytes(needed - free)} are missing`,
    {
      hint: "Free some space there. `pacsrv unshare` removes what was fetched before, " +
        "`pacsrv daemon --keep BYTES` has the daemon do so by itself.",
    },
  );
}

/** What a file takes of its disk; holes take nothing. */
function allocatedBytes(path: string): number {
  try {
    const { blocks, size } = statSync(path);
    // In blocks of 512 bytes, whatever the file system has; unknown on Windows.
    return blocks === undefined ? size : blocks * 512;
  } catch {
    // It is not there, or not to be looked at: who writes it says so.
    return 0;
  }
}
