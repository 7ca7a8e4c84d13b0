/**
 * Positional reads and writes that are whole or an error, and system errors in this program's
 * words. Synchronous on purpose: on cached data a call costs less than an awaited one; the
 * measurements are in `scripts/bench/README.md`.
 */

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { type EnvironmentCode, EnvironmentError, messageOf } from "../../base/errors.ts";

/** Opening a pipe would wait for its other end, but not so. Windows has no such pipes. */
const NO_WAIT = constants.O_NONBLOCK ?? 0;

/**
 * Opens a regular file to be read; never waits.
 *
 * @throws {EnvironmentError} "other" when something else lies there, "changed" when something else
 * took its place meanwhile.
 * @throws what the system says.
 */
export function openToRead(path: string): number {
  // Before it is opened: a device may do something then.
  const before = statSync(path);
  checkRegular(before, path);
  return checkedFd(openSync(path, constants.O_RDONLY | NO_WAIT), (opened) => {
    if (before.ino === opened.ino && before.dev === opened.dev) return;
    throw new EnvironmentError("changed", `Cannot open ${path}: another took its place`);
  });
}

/**
 * Opens a regular file to be read and written, which is made when it is not there; never waits.
 *
 * @throws {EnvironmentError} "other" when something else lies there.
 * @throws what the system says.
 */
export function openToWrite(path: string): number {
  const before = statSync(path, { throwIfNoEntry: false });
  if (before !== undefined) checkRegular(before, path);
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | NO_WAIT, 0o666);
  return checkedFd(fd, (opened) => checkRegular(opened, path));
}

/**
 * Whether a regular file lies at a path; throws when something else does, for whoever opens it by
 * other means.
 *
 * @throws {EnvironmentError} "other".
 */
export function isFileThere(path: string): boolean {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info !== undefined) checkRegular(info, path);
  return info !== undefined;
}

function checkedFd(fd: number, check: (opened: Stats) => void): number {
  try {
    check(fstatSync(fd));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function checkRegular(info: Stats, path: string): void {
  if (info.isFile()) return;
  throw new EnvironmentError("other", `Cannot open ${path}: it is not a regular file`);
}

/** Reads `length` bytes at `position` into `target`; returns how many there were until the end. */
export function readAt(
  fd: number,
  target: Uint8Array,
  at: { readonly offset: number; readonly length: number; readonly position: number },
): number {
  checkPosition(at.position);
  let done = 0;
  while (done < at.length) {
    const read = readSync(fd, target, at.offset + done, at.length - done, at.position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** Writes all of `bytes` at `position`; a short write is continued. */
export function writeAt(fd: number, bytes: Uint8Array, position: number): void {
  checkPosition(position);
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

// A position that is not a safe whole number makes the system call use the file's cursor instead:
// wrong bytes without any error.
function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RangeError(`Cannot use file position: ${position} is not a whole number from 0`);
  }
}

const CODES: Readonly<Record<string, EnvironmentCode>> = {
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EFBIG: "no-space",
  EROFS: "read-only",
  EACCES: "no-permission",
  EPERM: "no-permission",
  ENOENT: "not-found",
  ENOTDIR: "not-found",
};

/** What a person can do about a failure, when that is the same wherever it happens. */
const HINTS: Readonly<Partial<Record<EnvironmentCode, string>>> = {
  "no-space": "Free some space, or use a directory on another disk.",
  "read-only": "Use a directory on a disk that can be written.",
  "no-permission": "Check the owner and mode of the path and of the directories above it.",
};

/**
 * A system error as an {@linkcode EnvironmentError}. One that is of this program already passes
 * through unchanged.
 *
 * @param action What failed, to stand after "Cannot": `write /var/lib/x`.
 */
export function environmentError(
  error: unknown,
  action: string,
  code = codeOf(error),
): EnvironmentError {
  if (error instanceof EnvironmentError) return error;
  const hint = HINTS[code];
  return new EnvironmentError(code, `Cannot ${action}: ${messageOf(error)}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

/** Which family of failure a system error belongs to. */
export function codeOf(error: unknown): EnvironmentCode {
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const known = CODES[error.code];
    if (known !== undefined) return known;
  }
  if (error instanceof Deno.errors.NotFound) return "not-found";
  if (error instanceof Deno.errors.PermissionDenied) return "no-permission";
  if (error instanceof Deno.errors.NotCapable) return "no-permission";
  return "other";
}

/** Makes room for a file where a pipe, a socket, a link or an empty directory lies. */
export function removeUnlessFile(path: string): void {
  let isStrange: boolean;
  try {
    isStrange = lstatSync(path, { throwIfNoEntry: false })?.isFile() === false;
  } catch (error) {
    throw environmentError(error, `write ${path}`);
  }
  if (isStrange) removeIfThere(path);
}

/** Removes a file; that it is gone already is no error. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (codeOf(error) !== "not-found") throw environmentError(error, `remove ${path}`);
  }
}
