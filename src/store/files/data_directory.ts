/**
 * The layout of a data directory, and the lock that keeps a second daemon out of it.
 *
 *     lock                      held while a daemon runs
 *     catalogue.sqlite          what is remembered (catalogue.ts)
 *     files/<root>/<name>       downloaded files
 *     partial/<root>            data of unfinished downloads
 *     incoming/<number>         downloads whose root is not known yet; emptied at start
 *     leaves/<2 digits>/<root>  leaf layers of files of more than one chunk
 */

import { EnvironmentError } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { environmentError, isFileThere } from "./io.ts";
import { joinPath } from "./stored_file.ts";

/** A data directory that exists and can be written. */
export class DataDirectory implements Disposable {
  readonly path: string;
  readonly cataloguePath: string;
  readonly filesPath: string;
  readonly partialsPath: string;
  /** Where unverified downloads lie; see `unverified_download.ts`. */
  readonly incomingPath: string;
  readonly leavesPath: string;
  #lock: Deno.FsFile | undefined;
  readonly #leafDirectories = new Set<string>();

  private constructor(path: string, lock: Deno.FsFile | undefined) {
    this.path = path;
    this.cataloguePath = joinPath(path, "catalogue.sqlite");
    this.filesPath = joinPath(path, "files");
    this.partialsPath = joinPath(path, "partial");
    this.incomingPath = joinPath(path, "incoming");
    this.leavesPath = joinPath(path, "leaves");
    this.#lock = lock;
  }

  /**
   * Makes the directory where it is missing, and locks it if asked to.
   *
   * @throws {EnvironmentError} when it cannot be written, or another process has it ("in-use").
   */
  static open(path: string, { lock = true } = {}): DataDirectory {
    let directory: DataDirectory | undefined;
    try {
      // Only the owner reads it: it holds the token of the daemon.
      Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
      const real = Deno.realPathSync(path);
      directory = new DataDirectory(real, lock ? takeLock(real) : undefined);
      const { filesPath, partialsPath, incomingPath, leavesPath } = directory;
      for (const part of [filesPath, partialsPath, incomingPath, leavesPath]) {
        Deno.mkdirSync(part, { recursive: true });
      }
      // Only who holds the lock may: what lies there can be of a daemon that runs.
      directory.#empty(incomingPath);
      return directory;
    } catch (error) {
      directory?.close();
      throw environmentError(error, `use data directory ${path}`);
    }
  }

  /** Where the downloaded file of `root` lies under its name. */
  fileDirectory(root: Root): string {
    return joinPath(this.filesPath, root);
  }

  partialPath(root: Root): string {
    return joinPath(this.partialsPath, root);
  }

  /** Where the leaf layer of `root` lies. */
  leafPath(root: Root): string {
    return joinPath(joinPath(this.leavesPath, root.slice(0, 2)), root);
  }

  /** Makes the directory of {@linkcode leafPath}. */
  makeLeafDirectory(root: Root): void {
    const prefix = root.slice(0, 2);
    if (this.#leafDirectories.has(prefix)) return;
    this.#make(joinPath(this.leavesPath, prefix));
    this.#leafDirectories.add(prefix);
  }

  /** {@linkcode fileDirectory}, made. */
  newFileDirectory(root: Root): string {
    const path = this.fileDirectory(root);
    this.#make(path);
    return path;
  }

  /** Whether `path`, which must be absolute and without links, lies in this directory. */
  contains(path: string): boolean {
    return path === this.path || path.startsWith(this.path + "/") ||
      path.startsWith(this.path + "\\");
  }

  /** Gives up the lock. */
  close(): void {
    // The file stays: removing it would let two daemons lock two different files of one name.
    // Unlocked by hand, for a process being started this moment may hold the descriptor as well.
    this.#lock?.unlockSync();
    this.#lock?.close();
    this.#lock = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #empty(path: string): void {
    for (const { name } of Deno.readDirSync(path)) {
      Deno.removeSync(joinPath(path, name), { recursive: true });
    }
  }

  #make(path: string): void {
    try {
      Deno.mkdirSync(path, { recursive: true });
    } catch (error) {
      throw environmentError(error, `use data directory ${this.path}`);
    }
  }
}

// The system drops the lock when the process ends, however it ends.
function takeLock(path: string): Deno.FsFile {
  const lockPath = joinPath(path, "lock");
  let file: Deno.FsFile | undefined;
  try {
    isFileThere(lockPath);
    file = Deno.openSync(lockPath, { write: true, create: true, mode: 0o600 });
    if (file.tryLockSync(true)) return file;
  } catch (error) {
    file?.close();
    throw environmentError(error, `lock data directory ${path}`);
  }
  file.close();
  throw new EnvironmentError("in-use", `Cannot use data directory ${path}: a daemon has it open`, {
    hint: "Stop that daemon, or start this one with --data and another directory.",
  });
}
