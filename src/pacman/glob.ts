/**
 * Paths that a pattern stands for, as glob(3) finds them for pacman's `Include`: `*`, `?`, classes
 * as `[a-z]`, `[!x]` and `[[:digit:]]`, and `\` before what is to be itself. Braces and `~` are no
 * part of it. How many directories are looked at is for the caller to bound.
 */

import { join } from "node:path";
import { type GlobPiece, matchesGlob } from "../base/names.ts";

/** How much a search for paths may still do; it takes away what it did. */
export interface GlobBudget {
  /** Directories and files that are looked at. */
  looks: number;
  /** Paths that it finds, on the way too. */
  readonly pathsMax: number;
}

/** What a pattern stands for. */
interface GlobMatches {
  /** In order. */
  readonly paths: readonly string[];
  /** Whether the budget ended it, so that there may be more. */
  readonly isCut: boolean;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[\p{L}\p{N}]/u,
  alpha: /\p{L}/u,
  blank: /[ \t]/,
  cntrl: /\p{Cc}/u,
  digit: /[0-9]/,
  graph: /[^\p{Z}\p{C}]/u,
  lower: /\p{Ll}/u,
  print: /[^\p{C}]/u,
  punct: /[\p{P}\p{S}]/u,
  space: /\s/,
  upper: /\p{Lu}/u,
  xdigit: /[0-9A-Fa-f]/,
};

/**
 * The paths that are there and match an absolute `pattern`; one without wildcards stands for itself,
 * if it is there.
 *
 * @throws {Error} in the system's words, when a directory that may have some cannot be read.
 */
export async function expandGlob(pattern: string, budget: GlobBudget): Promise<GlobMatches> {
  let paths: string[] = ["/"];
  let isCut = false;
  for (const step of steps(pattern)) {
    const next: string[] = [];
    for (const path of paths) {
      if (budget.looks <= 0 || next.length >= budget.pathsMax) {
        isCut = true;
        break;
      }
      budget.looks--;
      const room = budget.pathsMax - next.length;
      const found = await inDirectory(path, step, room + 1);
      if (found.length > room) isCut = true;
      for (const one of found.slice(0, room)) next.push(one);
    }
    paths = next;
  }
  return { paths, isCut };
}

/** Whether a name is what a pattern without slashes means. */
export function matchesPattern(pattern: string, name: string): boolean {
  return matchesGlob(piecesOf(pattern), [...name]);
}

/** Parts of a path, each with wildcards, or several in a row without. */
function steps(pattern: string): string[] {
  const all: string[] = [];
  let isPlainBefore = false;
  for (const part of pattern.split("/").filter((one) => one !== "")) {
    const isPlain = !isWild(part);
    if (isPlain && isPlainBefore) all[all.length - 1] += `/${part}`;
    else all.push(part);
    isPlainBefore = isPlain;
  }
  return all;
}

function isWild(part: string): boolean {
  return /[*?[]/.test(part);
}

/** At most `max` of the paths in a directory that a step stands for. */
async function inDirectory(directory: string, step: string, max: number): Promise<string[]> {
  if (!isWild(step)) {
    const path = join(directory, step.replace(/\\(.)/gs, "$1"));
    return await Deno.lstat(path).then(() => [path], (error) => {
      if (isNothing(error)) return [];
      throw error;
    });
  }
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(directory)) {
      const isHidden = name.startsWith(".") && !/^\\?\./.test(step);
      if (isHidden || !matchesPattern(step, name)) continue;
      names.push(name);
      if (names.length >= max) break;
    }
  } catch (error) {
    if (isNothing(error)) return [];
    throw error;
  }
  return names.sort().map((name) => join(directory, name));
}

function isNothing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

function piecesOf(pattern: string): GlobPiece[] {
  const pieces: GlobPiece[] = [];
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    const list = character === "[" ? classAt(characters, at) : undefined;
    if (list !== undefined) {
      pieces.push(list.matches);
      at = list.end;
    } else if (character === "\\" && at + 1 < characters.length) {
      const literal = characters[++at];
      pieces.push((one) => one === literal);
    } else pieces.push(character);
  }
  return pieces;
}

/** The class that begins with the bracket at `start`; undefined when it does not end. */
function classAt(
  characters: readonly string[],
  start: number,
): { readonly matches: (character: string) => boolean; readonly end: number } | undefined {
  let at = start + 1;
  const isNegated = characters[at] === "!" || characters[at] === "^";
  if (isNegated) at++;
  const tests: ((character: string) => boolean)[] = [];
  for (let isFirst = true;; isFirst = false) {
    let from = characters[at++];
    if (from === undefined) return undefined;
    // A bracket that comes first is one of the class.
    if (from === "]" && !isFirst) break;
    if (from === "[" && characters[at] === ":") {
      const close = characters.indexOf(":", at + 1);
      const named = CLASSES[characters.slice(at + 1, Math.max(at + 1, close)).join("")];
      if (named !== undefined && characters[close + 1] === "]") {
        tests.push((character) => named.test(character));
        at = close + 2;
        continue;
      }
    }
    if (from === "\\") from = characters[at++];
    if (from === undefined) return undefined;
    const first = from;
    let last = first;
    if (characters[at] === "-" && characters[at + 1] !== undefined && characters[at + 1] !== "]") {
      at++;
      if (characters[at] === "\\") at++;
      last = characters[at++] ?? first;
    }
    tests.push((character) => compare(first, character) <= 0 && compare(character, last) <= 0);
  }
  const matches = (character: string) => tests.some((test) => test(character)) !== isNegated;
  return { matches, end: at - 1 };
}

/** By code point, as in the C locale. */
function compare(a: string, b: string): number {
  return a.codePointAt(0)! - b.codePointAt(0)!;
}
