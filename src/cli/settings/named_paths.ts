/**
 * What is not there, or is something else, of the paths that a service's configuration names. A service
 * makes its data directory with all that is above it, and starts without the others: so those are worth
 * a warning only. What it reads at its start, such as a key, is not looked at here: reading tells.
 */

import { dirname } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { type Arguments, configKeys } from "../arguments/arguments.ts";
import { about } from "../arguments/setting_faults.ts";

/** What the paths of a configuration say. */
interface NamedPaths {
  /** With these the service does not start. */
  readonly problems: readonly UsageError[];
  /** Whole sentences; with these it starts. */
  readonly warnings: readonly string[];
}

/** Looks at the paths of `args`. */
export function lookAtPaths(args: Arguments): NamedPaths {
  const problems: UsageError[] = [];
  const warnings: string[] = [];
  for (const { name, value } of configKeys(args.command)) {
    if (value !== "DIR" && value !== "FILE" && value !== "PATH") continue;
    for (const path of args.isSet(name) ? args.list(name) : []) {
      const what = `${args.origin(name, path)} ${JSON.stringify(path)}`;
      if (name === "data") {
        const above = nearest(path);
        if (!isKind(above, "DIR")) {
          const reason = `Cannot use ${what}: ${above} is not a directory`;
          problems.push(about({ key: name, text: path }, new UsageError(reason)));
        } else if (above !== path && above !== dirname(path)) {
          warnings.push(`${what}: ${dirname(path)} is not there, and is made with it`);
        }
      } else if (nearest(path) !== path) {
        warnings.push(`${what}: it is not there, and the ${args.command.name} starts without it`);
      } else if (!isKind(path, value)) {
        const other = value === "DIR" ? "it is not a directory" : "it is a directory";
        warnings.push(`${what}: ${other}, and the ${args.command.name} starts without it`);
      }
    }
  }
  return { problems, warnings };
}

/** The path itself, or the nearest above it, that is there, or is kept from being looked at. */
function nearest(path: string): string {
  for (let at = path;; at = dirname(at)) {
    if (statOf(at) !== "missing" || at === dirname(at)) return at;
  }
}

function isKind(path: string, kind: "DIR" | "FILE" | "PATH"): boolean {
  const stat = statOf(path);
  if (typeof stat === "string" || kind === "PATH") return true;
  return stat.isDirectory === (kind === "DIR");
}

/** "unseen": somebody else, the user of the service, may be able to look at it. */
function statOf(path: string): Deno.FileInfo | "missing" | "unseen" {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    return isMissing ? "missing" : "unseen";
  }
}
