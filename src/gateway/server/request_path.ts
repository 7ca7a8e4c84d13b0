/**
 * What an HTTP client asks the gateway for, read from the path of its request.
 *
 * The path is taken as it was sent: it is never resolved, so that what passes here means the same
 * to a mirror. As at any server of files, several slashes are one, and a query changes nothing: it
 * is told to nobody. It knows nothing of mirrors or of what is here.
 */

import { limits } from "../../base/limits.ts";
import { nameProblem } from "../../base/names.ts";

/**
 * What a file is, by its name: a package or the signature of one comes from peers or a mirror; a
 * database, and its signature, only from a mirror and is kept; all else only passes through.
 */
export type FileKind = "package" | "signature" | "database" | "other";

/** The path of a request that may be answered. */
export interface RequestPath {
  readonly kind: FileKind;
  /** The last segment, decoded: the name of the file. */
  readonly name: string;
  /** From `/REPO/os/ARCH/NAME` or `/REPO/ARCH/NAME`, decoded; null for any other path. */
  readonly repository: string | null;
  readonly architecture: string | null;
  /** The whole path from its `/`, as it was sent, with one slash between its parts. */
  readonly path: string;
  /** Its parts, decoded: none is a dot segment or could be taken for more than one. */
  readonly segments: readonly string[];
}

/** Why a path is not served: one line for its client. */
interface BadPath {
  readonly problem: string;
}

const SIGNATURE = /.\.pkg\.tar(\.[a-z0-9]+)?\.sig$/i;
const PACKAGE = /.\.pkg\.tar(\.[a-z0-9]+)?$/i;
const DATABASE = /.\.(db|files)(\.tar(\.[a-z0-9]+)?)?(\.sig)?$/i;

/** What a server that decodes twice would take for a step to another directory, or for two parts. */
const ENCODED_TWICE = /^(\.|%2e){1,2}$|%2f|%5c/i;

/** What a file is by its name. */
export function kindOf(name: string): FileKind {
  if (SIGNATURE.test(name)) return "signature";
  if (PACKAGE.test(name)) return "package";
  return DATABASE.test(name) ? "database" : "other";
}

/** The path of a request's URL; "root" for `/`. */
export function readPath(url: string): RequestPath | BadPath | "root" {
  const sent = pathOf(url);
  if (sent.length > limits.urlBytesMax) {
    return { problem: `the path has ${sent.length} bytes, at most ${limits.urlBytesMax}` };
  }
  const path = sent.replace(/\?.*/s, "").replace(/\/{2,}/g, "/");
  if (path === "/") return "root";
  const segments: string[] = [];
  for (const encoded of path.slice(1).split("/")) {
    const segment = decoded(encoded);
    const problem = segment === undefined ? "it is not well encoded" : segmentProblem(segment);
    if (segment === undefined || problem !== undefined) {
      return { problem: `a part of the path cannot be served: ${problem}` };
    }
    segments.push(segment);
  }
  const name = segments.at(-1)!;
  return {
    kind: kindOf(name),
    name,
    ...repositoryOf(segments.slice(0, -1)),
    path,
    segments,
  };
}

/** What stands in a URL after its host. `URL` would resolve dot segments: they must be seen. */
function pathOf(url: string): string {
  const host = url.indexOf("://");
  const start = url.indexOf("/", host < 0 ? 0 : host + 3);
  if (start < 0) return "/";
  const fragment = url.indexOf("#", start);
  return fragment < 0 ? url.slice(start) : url.slice(start, fragment);
}

/** Why a part of a path cannot be served. Others may take `\` for a slash, or decode twice. */
function segmentProblem(segment: string): string | undefined {
  if (segment.includes("\\")) return "it contains a backslash";
  return nameProblem(segment) ?? (ENCODED_TWICE.test(segment) ? "it is encoded twice" : undefined);
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** A gateway may stand under a longer path: the end counts. */
function repositoryOf(
  directories: readonly string[],
): Pick<RequestPath, "repository" | "architecture"> {
  const architecture = directories.at(-1) ?? null;
  if (directories.length >= 3 && directories.at(-2) === "os") {
    return { repository: directories.at(-3) ?? null, architecture };
  }
  return directories.length === 2
    ? { repository: directories[0] ?? null, architecture }
    : { repository: null, architecture: null };
}
