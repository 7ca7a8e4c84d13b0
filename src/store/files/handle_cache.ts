/**
 * Open files, at most so many at once: the least recently used one that nobody has pinned is closed
 * to make room. The caller checks in `onOpen` what a file must look like.
 */

import { closeSync } from "node:fs";
import { EnvironmentError } from "../../base/errors.ts";
import { environmentError, openToRead, openToWrite } from "./io.ts";

/** An open file. */
export interface Handle {
  readonly fd: number;
  readonly path: string;
}

interface CachedHandle extends Handle {
  readonly isWritable: boolean;
  pins: number;
}

/** How to open a file that is not open yet. */
interface OpenOptions {
  /** Open for reading and writing, and create it. */
  readonly write?: boolean;
  /** Called with a fresh descriptor; when it throws, the file is closed again. */
  readonly onOpen?: (fd: number) => void;
}

/** A bounded cache of file descriptors by path. */
export class HandleCache implements Disposable {
  readonly #filesMax: number;
  readonly #checkOpened: (fd: number, path: string) => void;
  // In the order of last use: the first is the oldest.
  readonly #handles = new Map<string, CachedHandle>();
  // Forgotten while pinned: out of the cache, but still open until the last pin goes.
  readonly #leaving = new Set<CachedHandle>();

  /** `checkOpened` is called with each file opened to be read; it is closed again if that throws. */
  constructor(filesMax: number, checkOpened: (fd: number, path: string) => void = () => {}) {
    this.#filesMax = filesMax;
    this.#checkOpened = checkOpened;
  }

  /** Files open now. */
  get size(): number {
    return this.#handles.size + this.#leaving.size;
  }

  /**
   * The descriptor of `path`, good until the next call of this cache; {@linkcode pin} it to keep
   * it longer.
   *
   * @throws {EnvironmentError} when it cannot be opened; "in-use" when so many files are pinned
   * that none can be closed for it.
   */
  open(path: string, options: OpenOptions = {}): number {
    return this.#use(path, options).fd;
  }

  /** Like {@linkcode open}, and keeps the file open until it is given to {@linkcode unpin}. */
  pin(path: string, options: OpenOptions = {}): Handle {
    const handle = this.#use(path, options);
    handle.pins++;
    return handle;
  }

  /** Takes back one {@linkcode pin}. */
  unpin(pinned: Handle): void {
    const handle = pinned as CachedHandle;
    if (handle.pins === 0) return;
    handle.pins--;
    if (handle.pins === 0 && this.#leaving.delete(handle)) closeSync(handle.fd);
  }

  isPinned(path: string): boolean {
    return (this.#handles.get(path)?.pins ?? 0) > 0;
  }

  /** Forgets `path`, so that it is opened again; closed now, or when its last pin goes. */
  forget(path: string): void {
    const handle = this.#handles.get(path);
    if (handle === undefined) return;
    this.#handles.delete(path);
    if (handle.pins > 0) this.#leaving.add(handle);
    else closeSync(handle.fd);
  }

  /** Closes everything, pinned or not. */
  close(): void {
    for (const handle of [...this.#handles.values(), ...this.#leaving]) closeSync(handle.fd);
    this.#handles.clear();
    this.#leaving.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #use(path: string, { write = false, onOpen }: OpenOptions): CachedHandle {
    const found = this.#handles.get(path);
    if (found !== undefined && (found.isWritable || !write)) {
      this.#handles.delete(path);
      this.#handles.set(path, found);
      return found;
    }
    this.forget(path);
    if (this.size >= this.#filesMax) this.#makeRoom(path);
    const fd = openFile(path, write);
    try {
      if (!write) this.#checkOpened(fd, path);
      onOpen?.(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    const handle: CachedHandle = { fd, path, isWritable: write, pins: 0 };
    this.#handles.set(path, handle);
    return handle;
  }

  #makeRoom(path: string): void {
    for (const [oldPath, handle] of this.#handles) {
      if (handle.pins === 0) return this.forget(oldPath);
    }
    throw new EnvironmentError(
      "in-use",
      `Cannot open ${path}: all of ${this.#filesMax} files that may be open are in use`,
    );
  }
}

function openFile(path: string, write: boolean): number {
  try {
    return write ? openToWrite(path) : openToRead(path);
  } catch (error) {
    throw environmentError(error, write ? `open ${path} for writing` : `open ${path}`);
  }
}
