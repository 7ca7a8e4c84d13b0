/**
 * The file that a fetch writes: a working file that becomes the output when all is well, and
 * vanishes when not. It verifies nothing; the node that delivers the bytes did.
 *
 * The working file lies beside the output, so that a rename makes it appear at once and whole.
 * It is not flushed to the disk first: what a crash of the machine takes can be fetched again,
 * and waiting for the disk would cost more than the fetch.
 */

import { closeSync, constants, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EnvironmentError, unreachable } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { orSystemError, systemError } from "../terminal/system_error.ts";
import { writeOut } from "../terminal/terminal.ts";
import { type FetchTarget, findTarget, nameFromNetwork } from "./fetch_target.ts";
import { makeWorkingFile, NAMELESS, removeLeftovers, type WorkingFile } from "./working_file.ts";

/**
 * What stays of a `.part` when a fetch fails: all of it; what was written from its beginning on
 * without a gap; or nothing, unless it was not written to at all.
 */
type Keep = "all" | "prefix" | "untouched";

/** The output of one fetch. */
export class FetchOutput {
  /** The working file, which is there from the start; for a `.part` the output itself. */
  readonly path: string;
  readonly #target: FetchTarget;
  /** Open only once bytes are written here: a node of its own writes the file by its path. */
  #fd: number | undefined;
  #state: "writing" | "committed" | "discarded" = "writing";
  #keep: Keep = "all";
  #isTouched = false;
  /** Bytes written without a gap, and by their offsets the ends of runs behind gaps. */
  #prefixBytes = 0;
  readonly #runs = new Map<number, number>();

  /** Shows other fetches that somebody works on it; null for a `.part`, or where it cannot be shown. */
  #lock: Disposable | null;

  private constructor(target: FetchTarget, { path, lock }: WorkingFile) {
    this.#target = target;
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes the working file for a file sought by `name` (empty: by root) and `-o`.
   *
   * @throws {UsageError | EnvironmentError} when it cannot be written there.
   */
  static async open(
    name: string,
    output: string | undefined,
    options: { readonly isRange?: boolean } = {},
  ): Promise<FetchOutput> {
    const found = await findTarget(name, output);
    // A part of a file cannot be resumed: its chunks do not stand where the whole file has them.
    const target: FetchTarget = found.kind === "part" && options.isRange
      ? { kind: "file", directory: dirname(found.path), fileName: basename(found.path) }
      : found;
    if (target.kind === "file") removeLeftovers(target.directory, target.fileName ?? NAMELESS);
    return new FetchOutput(target, makeWorkingFile(target));
  }

  /** Whether bytes that lie in the working file already are to be checked and used. */
  get isResumed(): boolean {
    return this.#target.kind === "part";
  }

  /**
   * Looks at the file's name, for a fetch that knew only its root.
   *
   * @throws {FetchFailure} when the name cannot be used here.
   */
  async found(name: string): Promise<void> {
    const target = this.#target;
    if (target.kind !== "file" || target.fileName !== null) return;
    await nameFromNetwork(target.directory, name);
  }

  /**
   * Writes bytes at their place.
   *
   * @throws {EnvironmentError} when the system refuses.
   */
  write(offset: number, bytes: Uint8Array): void {
    orSystemError(`write ${this.path}`, () => {
      const fd = this.#writable();
      for (let done = 0; done < bytes.length;) {
        done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
      }
    });
    this.#noteWritten(offset, offset + bytes.length);
  }

  /** Forgets what was written: another file takes its place. */
  restart(): void {
    this.#truncate(0);
    this.#runs.clear();
    this.#prefixBytes = 0;
  }

  /** What stays of a `.part` if the fetch fails from now on. */
  keepOnFailure(keep: Keep): void {
    this.#keep = keep;
  }

  /** Notes that somebody else writes the working file. */
  touched(): void {
    this.#isTouched = true;
  }

  /** What is there is not the file that was wanted: nothing of it stays. */
  distrust(): void {
    this.#keep = "untouched";
    this.#isTouched = true;
  }

  /** How many of the bytes that came stay in the output when it is discarded; null: it goes. */
  keptBytes(bytesCome: number): number | null {
    const bytes = this.#target.kind === "part" ? this.#bytesToKeep() : 0;
    return bytes === 0 ? null : Math.min(bytesCome, bytes ?? bytesCome);
  }

  /**
   * Makes ready for somebody else to go on: what is not to stay is gone.
   *
   * @throws {EnvironmentError} when the system refuses.
   */
  retreat(): void {
    const bytes = this.#bytesToKeep();
    if (bytes === 0) this.restart();
    else if (bytes !== undefined) this.#truncate(bytes);
    this.#isTouched = false;
  }

  /**
   * Makes the file of `sizeBytes` appear where it was wanted; `name` is the network's.
   *
   * @param options.rangeOffset Set when the working file has its chunks where the whole file has
   * them, but only the `sizeBytes` from here are wanted.
   * @returns Its path, in the form in which `-o` names it; undefined for stdout.
   * @throws {EnvironmentError} when it cannot, or when bytes are missing.
   */
  async commit(
    name: string,
    sizeBytes: number,
    options: { readonly rangeOffset?: number } = {},
  ): Promise<string | undefined> {
    const target = this.#target;
    this.#checkWriting();
    if (options.rangeOffset !== undefined) this.#cutOut(options.rangeOffset, sizeBytes);
    let written = orSystemError(`finish ${this.path}`, () => Deno.statSync(this.path).size);
    if (target.kind === "part" && written > sizeBytes) {
      // What an older and longer part left behind.
      this.#truncate(sizeBytes);
      written = sizeBytes;
    }
    if (written !== sizeBytes) {
      throw new EnvironmentError(
        "changed",
        `Cannot finish ${this.path}: it has ${written} bytes, not ${sizeBytes}`,
      );
    }
    this.#close();
    switch (target.kind) {
      case "part":
        this.#state = "committed";
        return target.path;
      case "file":
        return await this.#rename(target, name);
      case "stream":
        await copyToStream(this.path, target.path);
        this.discard();
        return target.path ?? undefined;
      default:
        return unreachable(target);
    }
  }

  /**
   * Removes the working file, unless it is a `.part` or has become the output. Never throws.
   * To be called once more when nobody writes any longer: a node of its own, still at it, makes
   * the file anew.
   */
  discard(): void {
    if (this.#state === "committed") return;
    this.#state = "discarded";
    this.#close();
    if (this.#target.kind === "part") return this.#cutPart();
    try {
      Deno.removeSync(this.path);
    } catch {
      // It is gone; or it cannot be removed, and there is nothing left to try.
    }
    this.#unlock();
  }

  async #rename(
    { directory, fileName, called }: FetchTarget & { readonly kind: "file" },
    name: string,
  ): Promise<string> {
    // Checked again: another process may have made a file of that name meanwhile.
    const path = join(directory, fileName ?? await nameFromNetwork(directory, name));
    try {
      const existing = await Deno.stat(path).catch(() => undefined);
      if (existing?.mode != null && Deno.build.os !== "windows") {
        await Deno.chmod(this.path, existing.mode & 0o777);
      }
      await Deno.rename(this.path, path);
    } catch (error) {
      throw systemError(error, `write ${path}`);
    }
    this.#state = "committed";
    this.#unlock();
    return called ?? path;
  }

  /** Moves a range of the working file to its beginning and cuts off the rest. */
  #cutOut(offset: number, sizeBytes: number): void {
    orSystemError(`write ${this.path}`, () => {
      const fd = this.#writable();
      const buffer = new Uint8Array(limits.fetchCopyBytes);
      for (let done = 0; done < sizeBytes && offset > 0;) {
        const wanted = Math.min(buffer.length, sizeBytes - done);
        const length = readSync(fd, buffer, 0, wanted, offset + done);
        if (length === 0) break; // It is too short: the size that it will have says so.
        this.write(done, buffer.subarray(0, length));
        done += length;
      }
    });
    const end = Deno.statSync(this.path).size;
    this.#truncate(Math.min(sizeBytes, Math.max(0, end - offset)));
  }

  #noteWritten(offset: number, end: number): void {
    this.#isTouched = true;
    if (this.#target.kind !== "part") return;
    if (offset > this.#prefixBytes) {
      this.#runs.set(offset, Math.max(end, this.#runs.get(offset) ?? 0));
      return;
    }
    this.#prefixBytes = Math.max(this.#prefixBytes, end);
    for (let run; (run = this.#runs.get(this.#prefixBytes)) !== undefined;) {
      this.#runs.delete(this.#prefixBytes);
      this.#prefixBytes = run;
    }
  }

  /** How much of the working file may stay; undefined for all. */
  #bytesToKeep(): number | undefined {
    if (!this.#isTouched || this.#keep === "all") return undefined;
    return this.#keep === "prefix" ? this.#prefixBytes : 0;
  }

  /** Leaves of a `.part` what may stay. */
  #cutPart(): void {
    const bytes = this.#bytesToKeep();
    if (bytes === undefined) return;
    try {
      Deno.truncateSync(this.path, bytes);
    } catch {
      // It is gone, or cannot be written to any more.
    }
  }

  #truncate(sizeBytes: number): void {
    orSystemError(`shorten ${this.path}`, () => ftruncateSync(this.#writable(), sizeBytes));
  }

  #writable(): number {
    this.#checkWriting();
    return this.#fd ??= openSync(this.path, "r+");
  }

  #checkWriting(): void {
    if (this.#state === "writing") return;
    throw new EnvironmentError("other", `Cannot write ${this.path}: the fetch has ended`);
  }

  #unlock(): void {
    this.#lock?.[Symbol.dispose]();
    this.#lock = null;
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

async function copyToStream(from: string, to: string | null): Promise<void> {
  // By now a pipe may lie there, whose other end must not be waited for.
  const fd = openSync(from, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    using file = to === null ? undefined : await openStream(to);
    const buffer = new Uint8Array(limits.fetchCopyBytes);
    for (let offset = 0;;) {
      const length = readSync(fd, buffer, 0, buffer.length, offset);
      if (length === 0) return;
      offset += length;
      const bytes = buffer.subarray(0, length);
      if (file === undefined) await writeOut(bytes);
      else for (let done = 0; done < length;) done += await file.write(bytes.subarray(done));
    }
  } finally {
    closeSync(fd);
  }
}

/** Opened in the background: a pipe may have to wait for its reader. */
async function openStream(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { write: true });
  } catch (error) {
    throw systemError(error, `write ${path}`);
  }
}
