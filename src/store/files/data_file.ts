/** A file that is written bit by bit, and read meanwhile; open as long as the cache keeps it so. */

import { fdatasync, fstatSync, ftruncateSync } from "node:fs";
import type { Handle, HandleCache } from "./handle_cache.ts";
import { environmentError, readAt, removeIfThere, writeAt } from "./io.ts";

/** One file; made when it is first used. All methods throw {@linkcode EnvironmentError}. */
export class DataFile {
  readonly path: string;
  readonly #handles: HandleCache;

  constructor(path: string, handles: HandleCache) {
    this.path = path;
    this.#handles = handles;
  }

  get sizeBytes(): number {
    return this.#use("read", (fd) => fstatSync(fd).size);
  }

  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): void {
    this.#use("write", (fd) => writeAt(fd, bytes, position));
  }

  /** See {@linkcode readAt}. */
  read(target: Uint8Array, at: Parameters<typeof readAt>[2]): number {
    return this.#use("read", (fd) => readAt(fd, target, at));
  }

  truncate(sizeBytes: number): void {
    this.#use("write", (fd) => ftruncateSync(fd, sizeBytes));
  }

  /** Flushes its data to the disk, off this thread. */
  async flush(): Promise<void> {
    const handle = this.pin();
    try {
      await new Promise<void>((resolve, reject) =>
        fdatasync(handle.fd, (error) => error ? reject(error) : resolve())
      );
    } catch (error) {
      throw environmentError(error, `write ${this.path} to the disk`);
    } finally {
      this.#handles.unpin(handle);
    }
  }

  /** Keeps it open until the handle is unpinned. */
  pin(): Handle {
    return this.#handles.pin(this.path, { write: true });
  }

  /** Closes it; the next use opens what lies at its path then. */
  close(): void {
    this.#handles.forget(this.path);
  }

  /** Closes and removes it. */
  remove(): void {
    this.close();
    removeIfThere(this.path);
  }

  #use<T>(verb: string, use: (fd: number) => T): T {
    try {
      return use(this.#handles.open(this.path, { write: true }));
    } catch (error) {
      throw environmentError(error, `${verb} ${this.path}`);
    }
  }
}
