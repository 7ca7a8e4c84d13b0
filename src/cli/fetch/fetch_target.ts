/**
 * Where a fetched file goes, from `-o` and the file's name. A name that others chose is trusted
 * less than one that the person typed.
 */

import { basename, dirname, join } from "node:path";
import { EnvironmentError, FetchFailure, UsageError } from "../../base/errors.ts";
import { nameProblem } from "../../base/names.ts";
import { systemCode, systemError } from "../terminal/system_error.ts";

/** Where the bytes go in the end. */
export type FetchTarget =
  /** Written in place, resumed and left. */
  | { readonly kind: "part"; readonly path: string }
  /**
   * Written beside and renamed; `fileName` is null until the network tells the name. `called` is
   * what `-o` calls it, if that is another path than where the file lies.
   */
  | {
    readonly kind: "file";
    readonly directory: string;
    readonly fileName: string | null;
    readonly called?: string;
  }
  /** A pipe or device that takes bytes once all are verified; path null is stdout. */
  | { readonly kind: "stream"; readonly path: string | null };

/**
 * The target of `-o`, or of the name alone.
 *
 * @param name Empty when only a root is sought.
 * @throws {UsageError} when the target cannot be what is said.
 * @throws {EnvironmentError} when its directory is not there.
 */
export async function findTarget(
  name: string,
  output: string | undefined,
): Promise<FetchTarget> {
  const fileName = name === "" ? null : name;
  if (output === undefined) return await inDirectory(".", fileName);
  if (output === "-") return { kind: "stream", path: null };
  const info = await statOrNothing(output);
  if (info?.isDirectory) return await inDirectory(output, fileName);
  if (info !== undefined && !info.isFile) return { kind: "stream", path: output };
  if (/[/\\]$/.test(output) && (output.endsWith("/") || Deno.build.os === "windows")) {
    throw new EnvironmentError(
      "not-found",
      `Cannot write to ${output}: there is no such directory`,
    );
  }
  const directory = dirname(output);
  const directoryInfo = await statOrNothing(directory);
  if (!directoryInfo?.isDirectory) {
    throw new EnvironmentError(
      "not-found",
      `Cannot write ${output}: there is no directory ${directory}`,
    );
  }
  if (output.endsWith(".part")) return { kind: "part", path: output };
  if (!await isLink(output)) return { kind: "file", directory, fileName: basename(output) };
  // Through a link the file behind it is replaced, not the link.
  const path = info === undefined ? output : await Deno.realPath(output);
  return { kind: "file", directory: dirname(path), fileName: basename(path), called: output };
}

/**
 * The name under which to write a file whose name only the network told.
 *
 * @throws {FetchFailure} when it is not fit for a file here, or would replace or hide one.
 */
export async function nameFromNetwork(directory: string, name: string): Promise<string> {
  const hint = "Fetch just this file, with -o FILE.";
  const problem = fileNameProblem(name) ??
    (name.startsWith(".") ? "it begins with a dot" : undefined);
  if (problem !== undefined) {
    throw new FetchFailure(
      "failed",
      `Cannot use the name ${JSON.stringify(name)} that the network gives the file: ${problem}`,
      { hint },
    );
  }
  if (await statOrNothing(join(directory, name)) !== undefined) {
    throw new FetchFailure(
      "failed",
      `Cannot write ${join(directory, name)}: it exists, and the network chose its name`,
      { hint },
    );
  }
  return name;
}

/** Why a name cannot be a file's name on this system, or undefined when it can. */
export function fileNameProblem(
  name: string,
  os: typeof Deno.build.os = Deno.build.os,
): string | undefined {
  const problem = nameProblem(name);
  if (problem !== undefined || os !== "windows") return problem;
  if (/[<>:"\\|?*]/.test(name)) return "Windows allows no such character in a name";
  if (/[. ]$/.test(name)) return "Windows allows no such end of a name";
  if (/^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i.test(name)) return "it is a device on Windows";
  return undefined;
}

async function inDirectory(directory: string, fileName: string | null): Promise<FetchTarget> {
  if (fileName !== null) {
    const problem = fileNameProblem(fileName);
    const path = join(directory, fileName);
    if (problem !== undefined) throw new UsageError(`Cannot write ${path}: ${problem}`);
    const info = await statOrNothing(path);
    if (info?.isDirectory) {
      throw new UsageError(`Cannot write ${path}: it is a directory`, {
        hint: "Name the output file with -o FILE.",
      });
    }
  }
  return { kind: "file", directory, fileName };
}

async function isLink(path: string): Promise<boolean> {
  return (await Deno.lstat(path).catch(() => undefined))?.isSymlink === true;
}

async function statOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw systemError(error, `look at ${path}`);
  }
}
