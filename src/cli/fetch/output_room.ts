/**
 * Whether the disk of the output has room for a file, before it comes. What a daemon fetches lies in
 * its data directory as well, which may be on the same disk.
 */

import { statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { EnvironmentError } from "../../base/errors.ts";
import { formatBytes } from "../terminal/text_format.ts";

/** What a fetch is about to write. */
interface OutputNeeds {
  /** The working file, which is there. */
  readonly path: string;
  /** Bytes that it has in the end. */
  readonly bytes: number;
  /** Where the same bytes are stored first, and how many of them are still to come; null: nowhere. */
  readonly store: { readonly directory: string; readonly bytesMissing: number } | null;
}

/**
 * Refuses a fetch whose output would not fit.
 *
 * @throws {EnvironmentError} "no-space", with what is missing, and where.
 */
export function checkOutputRoom({ path, bytes, store }: OutputNeeds): void {
  const directory = dirname(resolve(path));
  const { free, device, allocated } = lookAt(path, directory);
  const isShared = store !== null && device !== null && deviceOf(store.directory) === device;
  const own = Math.max(0, bytes - allocated);
  const needed = own + (isShared ? store.bytesMissing : 0);
  if (needed <= free) return;
  const both = isShared && store.bytesMissing > 0
    ? `, ${formatBytes(store.bytesMissing)} of that for the daemon, in ${store.directory} on the ` +
      "same disk"
    : "";
  throw new EnvironmentError(
    "no-space",
    `Cannot write to ${directory}: no space is left for the file: ${formatBytes(needed)} are ` +
      `needed${both}; ${formatBytes(free)} are free, ${formatBytes(needed - free)} are missing`,
    { hint: "Make room, or write elsewhere with -o." },
  );
}

/** What the disk has; where that is not to be found out, room for everything. */
function lookAt(path: string, directory: string) {
  try {
    const { bavail, bsize } = statfsSync(directory);
    const { blocks, size, dev } = statSync(path);
    return {
      free: bavail * bsize,
      device: dev,
      // Holes of a .part take nothing; Windows does not tell of them.
      allocated: blocks === undefined ? size : blocks * 512,
    };
  } catch {
    return { free: Infinity, device: null, allocated: 0 };
  }
}

function deviceOf(directory: string): number | undefined {
  try {
    return statSync(directory).dev;
  } catch {
    return undefined; // Not to be seen by this user, or on another machine.
  }
}
