// Where a case keeps its files: one folder on the disk, one in memory, both gone afterwards. Also
// the making of files with content that no program can shorten.

import { randomFillSync } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { runProcess } from "./processes.ts";

/** On a file system of a disk, or on one that is memory and so the same each time. */
export type Place = "disk" | "memory";
export const PLACES: readonly Place[] = ["memory", "disk"];

const BLOCK_BYTES = 16 * 2 ** 20;
const CHUNK_BYTES = 16_384;

const open = new Set<Workspace>();

/** The folders of one case. */
export class Workspace implements AsyncDisposable {
  readonly #roots: Readonly<Record<Place, string>>;

  private constructor(roots: Readonly<Record<Place, string>>) {
    this.#roots = roots;
    open.add(this);
  }

  /** @param roots An existing folder with room of each kind. */
  static async open(roots: Readonly<Record<Place, string>>): Promise<Workspace> {
    const make = (dir: string) => Deno.makeTempDir({ dir, prefix: "pacsrv-bench-" });
    return new Workspace({ disk: await make(roots.disk), memory: await make(roots.memory) });
  }

  /** A folder of this name, made if it is not there. */
  async folder(place: Place, name: string): Promise<string> {
    const path = `${this.#roots[place]}/${name}`;
    await Deno.mkdir(path, { recursive: true });
    return path;
  }

  /** Removes a folder with all in it; nothing when it is not there. */
  async drop(place: Place, name: string): Promise<void> {
    await removeTree(`${this.#roots[place]}/${name}`);
    // What the kernel still had to write would be written during the next measurement.
    if (place === "disk") await settleDisk(this.#roots.disk);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.removeNow();
    await Promise.resolve();
  }

  /** Removes everything at once. */
  removeNow(): void {
    open.delete(this);
    for (const place of PLACES) {
      try {
        Deno.removeSync(this.#roots[place], { recursive: true });
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}

/** Removes the folders of all cases: for an end in the middle of one. */
export function removeAllWorkspaces(): void {
  for (const workspace of [...open]) workspace.removeNow();
}

/** Has the kernel write what it holds back for the file system of `path`. */
export async function settleDisk(path: string): Promise<void> {
  await runProcess("sync", ["--file-system", path], { limitMs: 300_000 });
}

/** Makes a file of random bytes in which no two chunks are the same; it stays in the page cache. */
export function makeFile(path: string, sizeBytes: number): void {
  const block = new Uint8Array(Math.min(BLOCK_BYTES, Math.max(sizeBytes, 1)));
  randomFillSync(block);
  const view = new DataView(block.buffer);
  const fd = openSync(path, "w");
  try {
    for (let done = 0; done < sizeBytes;) {
      for (let at = 0; at + 8 <= block.length; at += CHUNK_BYTES) {
        view.setFloat64(at, done + at);
      }
      const length = Math.min(block.length, sizeBytes - done);
      writeAll(fd, block.subarray(0, length), done);
      done += length;
    }
  } finally {
    closeSync(fd);
  }
}

/** Changes one byte in each chunk of a file, in place. */
export function spoilChunks(path: string): void {
  const fd = openSync(path, "r+");
  const byte = new Uint8Array(1);
  try {
    const { size } = Deno.statSync(path);
    for (let at = 0; at < size; at += CHUNK_BYTES) {
      readSync(fd, byte, 0, 1, at);
      byte[0]! ^= 0xff;
      writeAll(fd, byte, at);
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Holds a fetched file against its original.
 *
 * @throws {Error} when they differ.
 */
export async function checkSame(path: string, original: string): Promise<void> {
  await runProcess("cmp", [path, original], { limitMs: 300_000 });
}

async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
