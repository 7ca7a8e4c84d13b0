// A file as HTTP sees it: its validators, what a conditional request and a Range mean for it.

/** What a mirror has at a path. */
export interface Entity {
  /** On the disk. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Strong, in its quotes. */
  readonly etag: string;
  /** As a header has it. */
  readonly lastModified: string;
}

/** Bytes of a file, the end exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The file at the path of a URL below `root`; null when there is none. */
export async function entityOf(root: string, urlPath: string): Promise<Entity | null> {
  const path = decodeURIComponent(urlPath);
  if (path.split("/").includes("..")) return null;
  try {
    const { isFile, size, mtime } = await Deno.stat(`${root}${path}`);
    if (!isFile) return null;
    const modified = mtime ?? new Date(0);
    return {
      path: `${root}${path}`,
      sizeBytes: size,
      etag: `"${size.toString(16)}-${modified.getTime().toString(16)}"`,
      lastModified: modified.toUTCString(),
    };
  } catch (error) {
    // A path that goes on behind a file is none either.
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

/** Whether the client has it already: If-None-Match counts before If-Modified-Since. */
export function isNotModified(entity: Entity, headers: ReadonlyMap<string, string>): boolean {
  const tags = headers.get("if-none-match");
  if (tags !== undefined) return tags === "*" || tagsOf(tags).includes(entity.etag);
  const since = Date.parse(headers.get("if-modified-since") ?? "");
  return Date.parse(entity.lastModified) <= since;
}

/** What a Range header asks of it; null for the whole: none, malformed, several, or If-Range is not met. */
export function rangeFor(
  entity: Entity,
  headers: ReadonlyMap<string, string>,
): ByteRange | "unsatisfiable" | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(headers.get("range") ?? "");
  if (match === null) return null;
  const condition = headers.get("if-range");
  if (condition !== undefined && condition !== entity.etag && condition !== entity.lastModified) {
    return null;
  }
  const { sizeBytes } = entity;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return null;
    const start = Math.max(0, sizeBytes - Number(last));
    return start < sizeBytes ? { start, end: sizeBytes } : "unsatisfiable";
  }
  const start = Number(first);
  const end = last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (last !== "" && Number(last) < start) return null;
  return start < sizeBytes ? { start, end } : "unsatisfiable";
}

function tagsOf(header: string): string[] {
  return header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
}
