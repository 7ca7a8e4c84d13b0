// Stands in for @std/fs where only npm can be reached: the calls that this project uses, written
// over Deno's own, with the signatures and results of @std/fs. It does not have the rest of it.

import { basename, fromFileUrl, join, normalize, resolve, SEPARATOR } from "./path.ts";

/** What must hold, besides being there, for `exists` to say `true`. */
export interface ExistsOptions {
  /** Readable by this process. */
  isReadable?: boolean;
  /** A directory; not together with `isFile`. */
  isDirectory?: boolean;
  /** A file; not together with `isDirectory`. */
  isFile?: boolean;
}

/** How `walk` walks. */
export interface WalkOptions {
  /** Levels below the root, which is level 0. Default: no bound. */
  maxDepth?: number;
  /** Whether to give files. Default: `true`. */
  includeFiles?: boolean;
  /** Whether to give directories, the root among them. Default: `true`. */
  includeDirs?: boolean;
  /** Whether to give symbolic links that are not followed. Default: `true`. */
  includeSymlinks?: boolean;
  /** Whether to go where symbolic links lead. Default: `false`. */
  followSymlinks?: boolean;
  /** Whether a followed link is given by the path that it leads to. Default: `true`. */
  canonicalize?: boolean;
  /** Only paths that end in one of these. */
  exts?: string[];
  /** Only paths that match one of these. */
  match?: RegExp[];
  /** No paths that match one of these, and nothing below them. */
  skip?: RegExp[];
}

/** One thing found by `walk`. */
export interface WalkEntry extends Deno.DirEntry {
  /** The root joined with the way down from it. */
  path: string;
}

/** How `move` moves. */
export interface MoveOptions {
  /** Whether what is at the destination is replaced. Default: `false`. */
  overwrite?: boolean;
}

/** Makes a directory with all above it, unless it is there; throws if something else is there. */
export async function ensureDir(dir: string | URL): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throwUnlessDirectory(await Deno.stat(dir));
  }
}

/** `ensureDir` that blocks. */
export function ensureDirSync(dir: string | URL): void {
  try {
    Deno.mkdirSync(dir, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throwUnlessDirectory(Deno.statSync(dir));
  }
}

/** Whether something is at the path, links followed, that meets the options. */
export async function exists(path: string | URL, options?: ExistsOptions): Promise<boolean> {
  try {
    return meets(await Deno.stat(path), options);
  } catch (error) {
    return existsAfter(error, options);
  }
}

/** `exists` that blocks. */
export function existsSync(path: string | URL, options?: ExistsOptions): boolean {
  try {
    return meets(Deno.statSync(path), options);
  } catch (error) {
    return existsAfter(error, options);
  }
}

/** Gives everything at and below a directory, depth first, in the order of the file system. */
export async function* walk(
  root: string | URL,
  options?: WalkOptions,
): AsyncIterableIterator<WalkEntry> {
  const {
    maxDepth = Infinity,
    includeFiles = true,
    includeDirs = true,
    includeSymlinks = true,
    followSymlinks = false,
    canonicalize = true,
    exts,
    match,
    skip,
  } = options ?? {};
  if (maxDepth < 0) return;
  const rootPath = toPath(root);
  const wanted = (path: string) =>
    !skip?.some((pattern) => path.search(pattern) >= 0) &&
    (!exts || exts.some((ext) => path.endsWith(ext.startsWith(".") ? ext : `.${ext}`))) &&
    (!match || match.some((pattern) => path.search(pattern) >= 0));
  if (includeDirs && wanted(rootPath)) yield await rootEntry(rootPath);
  if (maxDepth < 1 || skip?.some((pattern) => rootPath.search(pattern) >= 0)) return;
  for await (const entry of Deno.readDir(rootPath)) {
    let path = join(rootPath, entry.name);
    let isBelow = entry.isDirectory;
    if (entry.isSymlink) {
      if (!followSymlinks) {
        if (includeSymlinks && wanted(path)) yield { path, ...entry };
        continue;
      }
      const target = await Deno.realPath(path);
      isBelow = (await Deno.lstat(target)).isDirectory;
      if (canonicalize) path = target;
    }
    if (isBelow) {
      yield* walk(path, { ...options, maxDepth: maxDepth - 1 });
    } else if (includeFiles && wanted(path)) {
      yield { path, ...entry };
    }
  }
}

/**
 * Moves a file or directory by renaming it.
 *
 * @throws {Deno.errors.AlreadyExists} without `overwrite`, when something is at the destination.
 * @throws {Deno.errors.NotSupported} when the destination is, or lies in, the moved directory.
 */
export async function move(
  src: string | URL,
  dest: string | URL,
  options?: MoveOptions,
): Promise<void> {
  const { overwrite = false } = options ?? {};
  const from = resolve(toPath(src));
  const to = resolve(toPath(dest));
  const { isDirectory } = await Deno.stat(from);
  if (isDirectory && (to === from || to.startsWith(from + SEPARATOR))) {
    throw new Deno.errors.NotSupported(
      `Cannot move '${src}' to a subdirectory of itself, '${dest}'.`,
    );
  }
  if (overwrite) {
    if (from === to) return;
    try {
      await Deno.remove(to, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  } else if (await lstatOrNothing(to)) {
    throw new Deno.errors.AlreadyExists("dest already exists.");
  }
  await Deno.rename(from, to);
}

function toPath(path: string | URL): string {
  return path instanceof URL ? fromFileUrl(path) : path;
}

function throwUnlessDirectory(info: Deno.FileInfo): void {
  if (info.isDirectory) return;
  const kind = info.isFile ? "file" : info.isSymlink ? "symlink" : "undefined";
  throw new Error(`Failed to ensure directory exists: expected 'dir', got '${kind}'`);
}

function meets(info: Deno.FileInfo, options?: ExistsOptions): boolean {
  if (options?.isDirectory && options.isFile) {
    throw new TypeError("isDirectory and isFile must not be true together");
  }
  if (options?.isDirectory && !info.isDirectory) return false;
  if (options?.isFile && !info.isFile) return false;
  if (!options?.isReadable || info.mode === null) return true;
  if (Deno.uid() === info.uid) return (info.mode & 0o400) === 0o400;
  if (Deno.gid() === info.gid) return (info.mode & 0o040) === 0o040;
  return (info.mode & 0o004) === 0o004;
}

function existsAfter(error: unknown, options?: ExistsOptions): boolean {
  if (error instanceof Deno.errors.NotFound) return false;
  // The system, not Deno, forbids to look: it is there, but cannot be read.
  if (error instanceof Deno.errors.PermissionDenied) return !options?.isReadable;
  throw error;
}

async function rootEntry(path: string): Promise<WalkEntry> {
  const normal = normalize(path);
  const { isFile, isDirectory, isSymlink } = await Deno.stat(normal);
  return { path: normal, name: basename(normal), isFile, isDirectory, isSymlink };
}

async function lstatOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
