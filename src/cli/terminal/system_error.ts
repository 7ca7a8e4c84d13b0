/** Errors for people: what the system refuses, with the file and the reason. */

import { type EnvironmentCode, EnvironmentError, messageOf } from "../../base/errors.ts";

const REASONS: Readonly<
  Record<string, { code: EnvironmentCode; reason: string; hint?: string }>
> = {
  ENOENT: { code: "not-found", reason: "there is no such file or directory" },
  ENOTDIR: { code: "not-found", reason: "a part of the path is not a directory" },
  EISDIR: { code: "other", reason: "it is a directory" },
  ENAMETOOLONG: { code: "other", reason: "the name is too long for this file system" },
  EACCES: { code: "no-permission", reason: "permission denied" },
  EPERM: { code: "no-permission", reason: "permission denied" },
  EROFS: { code: "read-only", reason: "the file system is read-only" },
  ENOSPC: {
    code: "no-space",
    reason: "no space is left on the device",
    hint: "Make room, or write elsewhere.",
  },
  EDQUOT: { code: "no-space", reason: "the disk quota is used up" },
  EFBIG: { code: "no-space", reason: "the file is too big for this file system" },
};

/**
 * `error`, thrown by the runtime, as an {@linkcode EnvironmentError}.
 *
 * @param action What could not be done, as "Cannot" goes on: "write /srv/x".
 */
export function systemError(error: unknown, action: string): Error {
  if (error instanceof EnvironmentError) return error;
  const code = systemCode(error);
  const known = code === undefined ? undefined : REASONS[code];
  return new EnvironmentError(
    known?.code ?? "other",
    `Cannot ${action}: ${known?.reason ?? messageOf(error)}`,
    { cause: error, hint: known?.hint },
  );
}

/** What `work` gives; throws what it throws as {@linkcode systemError} words it. */
export function orSystemError<T>(action: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw systemError(error, action);
  }
}

/** The system's name of an error ("ENOENT"), if it has one. */
export function systemCode(error: unknown): string | undefined {
  // What this process is not granted does not come from the system, so it has no code.
  if (error instanceof Deno.errors.NotCapable) return "EACCES";
  const hasCode = error instanceof Error && "code" in error && typeof error.code === "string";
  return hasCode ? String(error.code) : undefined;
}
