/**
 * The file that a fetch works on until its output is whole: how it is called, and what becomes of
 * those that a fetch left which was killed.
 *
 * Who works on one holds a lock on it, which the system takes from a process that is gone. So a later
 * fetch of the same name tells what nobody works on. As a lock cannot be had in the moment in which a file
 * is made, one that was written to lately stays as well.
 */

import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { toHex, utf8 } from "../../base/bytes.ts";
import { systemClock } from "../../base/clock.ts";
import { unreachable } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import { orSystemError } from "../terminal/system_error.ts";
import type { FetchTarget } from "./fetch_target.ts";

/** What stands for the name of a file that is known by its root alone. */
export const NAMELESS = "fetch";

/** A working file. */
export interface WorkingFile {
  readonly path: string;
  /** Held as long as somebody works on it; null for what is the output itself, or where there is none. */
  readonly lock: Disposable | null;
}

/** How working files begin, and their random part. */
const PREFIX = /^\.pacsrv-[0-9a-f]{12}\./;

/**
 * `.pacsrv-RANDOM.NAME`, never longer than a name may be. A daemon does not share what begins so:
 * a file that is being written into a shared directory is offered once it has its own name.
 */
export function workingName(fileName: string): string {
  const prefix = `.pacsrv-${toHex(systemRandom.bytes(6))}.`;
  let kept = fileName;
  while (utf8(kept).length > limits.nameBytesMax - prefix.length) {
    kept = [...kept].slice(0, -1).join("");
  }
  return prefix + kept;
}

/** @throws {EnvironmentError} when it cannot be made. */
export function makeWorkingFile(target: FetchTarget): WorkingFile {
  switch (target.kind) {
    case "part":
      makeFile(target.path, { path: target.path, flags: constants.O_CREAT });
      return { path: target.path, lock: null };
    case "file": {
      const path = join(target.directory, workingName(target.fileName ?? NAMELESS));
      const wanted = target.called ?? join(target.directory, target.fileName ?? "");
      makeFile(wanted, { path, flags: constants.O_CREAT | constants.O_EXCL });
      return { path, lock: lockOf(path) };
    }
    case "stream":
      // In the system's place for such files; TMPDIR moves it to where there is room.
      return {
        path: orSystemError(
          "make a temporary file",
          () => Deno.makeTempFileSync({ prefix: "pacsrv-" }),
        ),
        lock: null,
      };
    default:
      return unreachable(target);
  }
}

/** Removes the working files of this name in a directory that nobody works on. Never throws. */
export function removeLeftovers(directory: string, fileName: string): void {
  const ending = workingName(fileName).replace(PREFIX, "");
  try {
    for (const { name, isFile } of Deno.readDirSync(directory)) {
      const isOne = isFile && PREFIX.test(name) && name.replace(PREFIX, "") === ending;
      if (isOne) removeLeftover(join(directory, name));
    }
  } catch {
    // Where nothing can be listed or removed, it stays: the fetch says what it cannot write itself.
  }
}

function removeLeftover(path: string): void {
  const { mtime } = Deno.lstatSync(path);
  const restMs = systemClock.unixMs() - (mtime?.getTime() ?? Infinity);
  if (!(restMs >= limits.workingFileRestMs)) return;
  using lock = lockOf(path);
  if (lock !== null) Deno.removeSync(path);
}

/** The lock on a file; null when another process holds it, or the system has none that lets others write. */
function lockOf(path: string): Disposable | null {
  if (Deno.build.os === "windows") return null;
  let file: Deno.FsFile | undefined;
  try {
    file = Deno.openSync(path, { read: true, write: true });
    if (file.tryLockSync(true)) return file;
  } catch {
    // Some file systems of other machines know no locks.
  }
  file?.close();
  return null;
}

/** Makes a file; a message names the one that was `wanted`. */
function makeFile(wanted: string, options: { path: string; flags: number }): void {
  const { path, flags } = options;
  orSystemError(`write ${wanted}`, () => {
    closeSync(openSync(path, constants.O_RDWR | flags, 0o666));
  });
}
