/**
 * Keeps what is read of a share inside it: below a shared path no part of a path may be a link.
 * Otherwise who can write into the share could have files of others given away, by a link in the
 * place of a directory or file that was shared. The shared path itself may be a link, or have links
 * above it, for a person named it so.
 *
 * A path can become another between a look at it and its opening, so the open file is looked at. On
 * Linux, with all permissions of Deno, the system says where it lies. Else its device and inode are
 * compared with those at the path without links, several times over: there somebody who swaps a link
 * in and out with every single look, from the opening on, would not be noticed. Hard links cannot be
 * told from files of the share, nor can file systems that are mounted below it.
 */

import { fstatSync, lstatSync, statSync } from "node:fs";
import { EnvironmentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { environmentError } from "./io.ts";

/**
 * Checks that `path`, at or below the shared path `root`, leads to where it says, by names only.
 *
 * @throws {EnvironmentError} "not-found" when nothing is there, "other" when a link leads there.
 */
export function checkConfined(path: string, root: string): void {
  let real: string, expected: string;
  try {
    real = realPath(path);
    expected = realPath(root) + path.slice(root.length);
  } catch (error) {
    throw environmentError(error, `read ${path}`);
  }
  if (!isSamePath(real, expected)) throw escaped(path, root);
}

/**
 * Checks that the file that was opened by `path`, at or below the shared path `root`, lies there;
 * gives the path without links.
 *
 * @throws {EnvironmentError} "other" when a link leads there, "changed" when it is no longer what
 * lies there, "not-found" when nothing is.
 */
export function checkOpened(fd: number, path: string, root: string): string {
  try {
    const expected = realPath(root) + path.slice(root.length);
    const real = systemPath(fd);
    if (real === expected) return expected;
    const opened = fstatSync(fd);
    for (let i = 0; i < limits.linkLooks; i++) {
      checkConfined(path, root);
      if (real !== undefined || !isSameInode(opened, lstatSync(expected))) {
        throw new EnvironmentError("changed", `Cannot read ${path}: another file took its place`);
      }
    }
    return expected;
  } catch (error) {
    throw environmentError(error, `read ${path}`);
  }
}

/** Where an open file lies, as far as the system says; undefined where it does not. */
function systemPath(fd: number): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const at = `/proc/self/fd/${fd}`;
  try {
    // Without this file system, or with another in its place, nothing is there or something else.
    return isSameInode(fstatSync(fd), statSync(at)) ? Deno.readLinkSync(at) : undefined;
  } catch {
    return undefined;
  }
}

interface Inode {
  readonly dev: number;
  readonly ino: number;
}

function isSameInode(a: Inode, b: Inode): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

// The root of the file system is "" here.
function realPath(path: string): string {
  const real = Deno.realPathSync(path === "" ? "/" : path);
  return real === "/" ? "" : real;
}

// Windows knows a path by two slashes and in any case.
function isSamePath(a: string, b: string): boolean {
  if (Deno.build.os !== "windows") return a === b;
  return a.replaceAll("\\", "/").toLowerCase() === b.replaceAll("\\", "/").toLowerCase();
}

function escaped(path: string, root: string): EnvironmentError {
  return new EnvironmentError(
    "other",
    `Cannot read ${path}: below the shared path ${root === "" ? "/" : root} links are not followed`,
  );
}
