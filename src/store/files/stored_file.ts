/**
 * One complete file on this machine that holds the content of one root, and what tells whether it is
 * still the same. And what the rest of the program is told about a file, a definition.
 */

import { chunkCount, type ChunkRange } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { nameType } from "../../base/names.ts";

/** How a complete file came here: by sharing it where it lies, or by downloading it. */
export type StoredFileOrigin = "shared" | "downloaded";

/**
 * One complete file. A class, so that a hundred thousand of them take little memory: the path is
 * kept as its directory, one string for all files in it, and its last part.
 */
export class StoredFile implements Fingerprint {
  readonly origin: StoredFileOrigin;
  readonly directory: string;
  /** The last part of the path. */
  readonly file: string;
  /** The name under which the file is offered; mostly the same as `file`. */
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly ino: number;
  /** 0 for a downloaded file: nobody but the store writes it, and moving it changes this time. */
  readonly ctimeMs: number;

  constructor(
    origin: StoredFileOrigin,
    where: { readonly directory: string; readonly file: string; readonly name?: string },
    content: Fingerprint & { readonly root: Root },
  ) {
    this.origin = origin;
    this.directory = where.directory;
    this.file = where.file;
    this.name = where.name ?? where.file;
    this.root = content.root;
    this.sizeBytes = content.sizeBytes;
    this.mtimeMs = content.mtimeMs;
    this.ino = content.ino;
    this.ctimeMs = origin === "shared" ? content.ctimeMs : 0;
  }

  get path(): string {
    return joinPath(this.directory, this.file);
  }

  definition(): FileDefinition {
    const { root, name, sizeBytes, origin, path } = this;
    const chunks = chunkCount(sizeBytes);
    const type = nameType(name);
    return { root, name, type, sizeBytes, chunks, chunksHave: chunks, origin, path };
  }
}

/** The path of `file` in `directory`. The directory "" is the root of the file system. */
export function joinPath(directory: string, file: string): string {
  return `${directory}/${file}`;
}

/** An absolute path as its directory and last part, which {@linkcode joinPath} puts together. */
export function splitPath(path: string): { readonly directory: string; readonly file: string } {
  const slash = Math.max(path.lastIndexOf("/"), IS_WINDOWS ? path.lastIndexOf("\\") : -1);
  return { directory: path.slice(0, slash), file: path.slice(slash + 1) };
}

/** Files of this program in directories of others begin so; they are never shared. */
export const OWN_FILE_PREFIX = ".pacsrv-";

const IS_WINDOWS = Deno.build.os === "windows";

/** What the store says about a file, or a part of one, that it has. */
export interface FileDefinition {
  readonly root: Root;
  readonly name: string;
  /** The extension of the name in lower case, or "". */
  readonly type: string;
  readonly sizeBytes: number;
  /** Chunks of the whole file. */
  readonly chunks: number;
  /** Chunks of it that are here. */
  readonly chunksHave: number;
  readonly origin: StoredFileOrigin | "partial";
  readonly path: string;
}

/** What happened in the store. */
export type StoreChange =
  /** A complete file is here that was not: shared, or downloaded to its end. */
  | { readonly kind: "added"; readonly root: Root; readonly name: string }
  /** The SHA-256 of a complete file is known that was not. */
  | { readonly kind: "checked"; readonly root: Root; readonly name: string }
  /** A complete file is no longer here; a copy elsewhere or a part of it may be. */
  | {
    readonly kind: "withdrawn";
    readonly root: Root;
    readonly name: string;
    readonly path: string;
  }
  /** Chunks of a partial file are new here. */
  | { readonly kind: "gained"; readonly root: Root; readonly range: ChunkRange }
  /** Chunks of a partial file turned out to be bad. */
  | { readonly kind: "lost"; readonly root: Root; readonly range: ChunkRange }
  /** A partial file was given up. */
  | { readonly kind: "discarded"; readonly root: Root; readonly name: string };

/** Tells a person of something that went wrong and was dealt with. */
export type OnWarning = (message: string, fields: Record<string, unknown>) => void;

/**
 * The state of a file at one moment, which tells cheaply whether a file is still the one that was
 * hashed: inode, size and times of last change at the same path. `verify.ts` looks at the bytes.
 *
 * The device is left out on purpose: some file systems (btrfs, overlays) get another number at
 * every mount, and each restart of the machine would hash everything again.
 */
export interface Fingerprint {
  readonly sizeBytes: number;
  /** Time of last modification in milliseconds since 1970; Deno gives no finer one. */
  readonly mtimeMs: number;
  /** Inode; 0 where the system has none. */
  readonly ino: number;
  /**
   * Time of the last change of content, name, owner or mode, in milliseconds since 1970 (ctime): only
   * the system sets it, so that it shows what was written in secret. Deno gives whole seconds of it.
   * 0 where it is not known.
   */
  readonly ctimeMs: number;
}

/** What the file at a path is like now. @throws what `Deno.statSync` does. */
export function fingerprintAt(path: string): Fingerprint {
  return fingerprintOf(Deno.statSync(path));
}

/** Whether two fingerprints are those of one file that nobody changed in between, even in secret. */
export function isSameState(a: Fingerprint, b: Fingerprint): boolean {
  return isSameContent(a, b) && a.ctimeMs !== 0 && a.ctimeMs === b.ctimeMs;
}

/** The fingerprint in a file's metadata. */
export function fingerprintOf(info: Deno.FileInfo): Fingerprint {
  return {
    sizeBytes: info.size,
    mtimeMs: info.mtime?.getTime() ?? 0,
    ino: info.ino ?? 0,
    ctimeMs: info.ctime?.getTime() ?? 0,
  };
}

/** Whether a file with this metadata is the one of `print`. */
export function isSameFile(print: Fingerprint, info: Deno.FileInfo): boolean {
  return info.isFile && isSamePrint(print, fingerprintOf(info));
}

/** Whether two fingerprints are those of one file that did not change in between. */
export function isSamePrint(a: Fingerprint, b: Fingerprint): boolean {
  return isSameContent(a, b) &&
    (a.ctimeMs === b.ctimeMs || a.ctimeMs === 0 || b.ctimeMs === 0);
}

/** Whether two fingerprints say that the content is the same, if nobody hides that it is not. */
export function isSameContent(a: Fingerprint, b: Fingerprint): boolean {
  return a.sizeBytes === b.sizeBytes && a.ino === b.ino && a.mtimeMs === b.mtimeMs;
}

/** Whether there still is, at its path, the file that was hashed. */
export function isUnchanged(file: Fingerprint & { readonly path: string }): boolean {
  try {
    return isSameFile(file, Deno.statSync(file.path));
  } catch {
    return false;
  }
}
