/** Where the daemon keeps its data when nobody says where. */

import { isAbsolute, join } from "node:path";
import { UsageError } from "../../base/errors.ts";

/** What the choice depends on. */
export interface Surroundings {
  readonly os: typeof Deno.build.os;
  /** User id; null where there is none. */
  readonly uid: number | null;
  readonly env: (name: string) => string | undefined;
}

/**
 * `/var/lib/pacsrv` for root, `%LOCALAPPDATA%\pacsrv` on Windows, else `$XDG_DATA_HOME/pacsrv`
 * with the default that the XDG Base Directory Specification gives.
 *
 * @throws {UsageError} when nothing tells where the user's data lie.
 */
export function defaultDataDir(surroundings: Surroundings): string {
  const { os, uid, env } = surroundings;
  const problem = () =>
    new UsageError("Cannot tell where the data directory is: no home directory is set", {
      hint: "Name one with --data DIR.",
    });
  if (os === "windows") {
    const local = env("LOCALAPPDATA");
    if (!local) throw problem();
    return `${local}\\pacsrv`;
  }
  if (uid === 0) return "/var/lib/pacsrv";
  const data = env("XDG_DATA_HOME");
  // The specification: a relative path is invalid and to be ignored.
  if (data && isAbsolute(data)) return join(data, "pacsrv");
  const home = env("HOME");
  if (!home) throw problem();
  return join(home, ".local", "share", "pacsrv");
}
