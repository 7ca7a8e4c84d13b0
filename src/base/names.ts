/**
 * File names and globs. A name is a label: 1 to 255 bytes of UTF-8 without `/`, NUL or control
 * characters, and not `.` or `..`. It never becomes part of a path before it passed here.
 */

import { utf8 } from "./bytes.ts";
import { UsageError } from "./errors.ts";
import { limits } from "./limits.ts";

// C0, DEL, C1 and the line separators: none has a place in a name or on a terminal.
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

const SLASH = 0x2f;

/** A directory into which pacman 7 downloads, as mkdtemp(3) names it. */
const DOWNLOAD_DIRECTORY = /^download-[A-Za-z0-9]{6}$/;

/** Why `name` is not a file name, or undefined when it is one. */
export function nameProblem(name: string): string | undefined {
  if (isPlain(name)) return undefined;
  const bytes = utf8(name).length;
  if (bytes === 0) return "it is empty";
  if (bytes > limits.nameBytesMax) return `it has ${bytes} bytes, at most ${limits.nameBytesMax}`;
  if (name === "." || name === "..") return "it names a directory";
  if (name.includes("/")) return "it contains a slash";
  if (CONTROL.test(name)) return "it contains a control character";
  if (!name.isWellFormed()) return "it is not well-formed Unicode";
  return undefined;
}

/** Whether `name` is so ordinary that it need not be looked at any closer, as almost all are. */
function isPlain(name: string): boolean {
  // `.` and `..` are no names, so what begins with a dot is looked at.
  if (name.length === 0 || name.length > limits.nameBytesMax || name[0] === ".") return false;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === SLASH) return false;
  }
  return true;
}

/** Whether `name` may be a file's name. */
export function isName(name: string): boolean {
  return nameProblem(name) === undefined;
}

/**
 * `name` itself, once it is known to be good.
 *
 * @throws {UsageError} with the reason when it is not.
 */
export function checkName(name: string): string {
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw new UsageError(`Cannot use name ${JSON.stringify(name.slice(0, 80))}: ${problem}`);
  }
  return name;
}

/** The last extension of a name in lower case without its dot ("zst"), or "" for none. */
export function nameType(name: string): string {
  const dot = name.lastIndexOf(".");
  const type = dot > 0 ? name.slice(dot + 1).toLowerCase() : "";
  return utf8(type).length <= limits.typeBytesMax ? type : "";
}

/** Whether a name would be a glob with a choice in it. */
export function isPattern(name: string): boolean {
  return /[*?]/.test(name);
}

/** One piece of a glob: `*` any run, `?` any one, else one that is the same or passes the test. */
export type GlobPiece = string | ((character: string) => boolean);

/**
 * Whether a name matches a glob: `*` is any run of characters, `?` any one, the rest itself. Of two
 * texts the characters are UTF-16 units; who has richer pieces takes both apart before.
 *
 * A glob may come from a stranger, so this is the two-pointer match, which takes at most as many
 * steps as there are pieces times characters, not a regular expression that can be made to backtrack.
 */
export function matchesGlob(glob: ArrayLike<GlobPiece>, name: ArrayLike<string>): boolean {
  let g = 0, n = 0, star = -1, resume = 0;
  while (n < name.length) {
    const piece = glob[g], character = name[n]!;
    if (piece === "*") {
      star = g++;
      resume = n;
    } else if (
      piece === "?" || piece === character || typeof piece === "function" && piece(character)
    ) {
      g++;
      n++;
    } else if (star >= 0) {
      g = star + 1;
      n = ++resume;
    } else return false;
  }
  while (glob[g] === "*") g++;
  return g === glob.length;
}

/** Whether a directory is called as those into which pacman 7 downloads; others cannot look into them. */
export function isDownloadName(name: string): boolean {
  return DOWNLOAD_DIRECTORY.test(name);
}

/** Why a text is no name of a site, or undefined when it is one; "" stands for none. */
export function siteProblem(site: string): string | undefined {
  const bytes = utf8(site).length;
  if (bytes > limits.siteBytesMax) return `it has ${bytes} bytes, at most ${limits.siteBytesMax}`;
  // deno-lint-ignore no-control-regex
  const isClean = !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(site) && site.isWellFormed();
  return isClean ? undefined : "it contains a control character";
}
