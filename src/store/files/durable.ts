/** Moves a finished file so that it appears whole, also after a power failure. */

import { closeSync, constants, fsyncSync, openSync } from "node:fs";
import { environmentError, removeIfThere } from "./io.ts";
import { joinPath, OWN_FILE_PREFIX, splitPath } from "./stored_file.ts";

/**
 * Moves `from` to `to`, over a file that is there.
 *
 * @param options `isDurable` makes the new name survive a power failure.
 * @throws {EnvironmentError} when the disk refuses; then `from` is still there.
 */
export async function moveFile(
  from: string,
  to: string,
  { isDurable }: { readonly isDurable: boolean },
): Promise<void> {
  const { directory } = splitPath(to);
  try {
    try {
      Deno.renameSync(from, to);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error;
      await copyOver(from, to, { isDurable });
    }
    // A name survives only when its directory is flushed.
    if (isDurable && Deno.build.os !== "windows") sync(directory || "/");
  } catch (error) {
    throw environmentError(error, `write ${to}`);
  }
}

async function copyOver(
  from: string,
  to: string,
  { isDurable }: { readonly isDurable: boolean },
): Promise<void> {
  const { directory, file } = splitPath(to);
  const copy = joinPath(directory, `${OWN_FILE_PREFIX}${file.slice(0, 100)}`);
  try {
    removeIfThere(copy);
    await Deno.copyFile(from, copy);
    if (isDurable) sync(copy);
    Deno.renameSync(copy, to);
  } finally {
    removeIfThere(copy);
  }
  removeIfThere(from);
}

function sync(path: string): void {
  // A directory, or a file that was just made; whatever took its place must not be waited for.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
