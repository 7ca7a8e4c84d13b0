/** What tests of the store share: temporary directories, files with content, leaves and roots. */

import { createHash } from "node:crypto";
import type { Clock } from "../../../src/base/clock.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  type ChunkRange,
} from "../../../src/base/geometry.ts";
import type { Root } from "../../../src/base/ids.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { ChunkStore } from "../../../src/store/chunk_store.ts";
import type { PartialDownload } from "../../../src/store/downloads/partial_download.ts";
import type { StoreChange } from "../../../src/store/files/stored_file.ts";

/** A directory that goes when the test ends. */
export class TempDir implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "pacsrv-store-" });

  /** The path of a file in it. */
  join(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Writes a file into it, with a time of last change that is long past. */
  write(name: string, bytes: Uint8Array): string {
    const path = this.join(name);
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** `length` bytes that differ from chunk to chunk; the same for the same seed. */
export function content(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const pattern = seededRandom(seed).bytes(Math.min(length, 4096));
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 4096) bytes.set(pattern.subarray(0, length - i), i);
  for (let i = 0; i < length; i += CHUNK_BYTES) bytes[i] = (i / CHUNK_BYTES + seed) % 251;
  return bytes;
}

function sha256(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** The leaves of `bytes`, end to end. */
export function leavesOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const leaves = new Uint8Array(chunkCount(bytes.length) * 32);
  for (let i = 0; i * CHUNK_BYTES < bytes.length; i++) {
    leaves.set(sha256(bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)), i * 32);
  }
  return leaves;
}

/** The root of leaves as BEP 52 words it: pad with zero hashes to a power of two, then pairwise. */
export function naiveRoot(leaves: Uint8Array): Root {
  if (leaves.length === 0) return sha256().toHex() as Root;
  let level: Uint8Array[] = [];
  for (let i = 0; i < leaves.length; i += 32) level.push(leaves.subarray(i, i + 32));
  while (!Number.isInteger(Math.log2(level.length))) level.push(new Uint8Array(32));
  while (level.length > 1) {
    level = Array.from(
      { length: level.length / 2 },
      (_, i) => sha256(level[2 * i]!, level[2 * i + 1]!),
    );
  }
  return level[0]!.toHex() as Root;
}

export function rootOf(bytes: Uint8Array): Root {
  return naiveRoot(leavesOf(bytes));
}

/** A warning that the store gave. */
export interface Warning {
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** Opens a store and keeps its warnings. */
export async function openStore(
  dataDir: string,
  options: { readonly ephemeral?: boolean; readonly clock?: Clock } = {},
): Promise<{ readonly store: ChunkStore; readonly warnings: Warning[] }> {
  const warnings: Warning[] = [];
  const onWarning = (message: string, fields: Record<string, unknown>) => {
    warnings.push({ message, fields });
  };
  return { store: await ChunkStore.open({ dataDir, ...options, onWarning }), warnings };
}

/** Gives a download its leaves. */
export function giveLeaves(download: PartialDownload, bytes: Uint8Array): void {
  if (download.hasLeaves) return;
  download.addLeaves(0, leavesOf(bytes));
  download.finishLeaves();
}

/** Gives a download chunks of `bytes`. */
export function giveChunks(download: PartialDownload, bytes: Uint8Array, range: ChunkRange): void {
  const start = range.first * CHUNK_BYTES;
  download.writeRun(range.first, bytes.subarray(start, start + range.count * CHUNK_BYTES));
}

/** Downloads `bytes` into the store, whole. */
export async function addDownloaded(store: ChunkStore, name: string, bytes: Uint8Array) {
  const root = rootOf(bytes);
  const download = store.beginDownload({ root, name, sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  if (bytes.length > 0) giveChunks(download, bytes, { first: 0, count: chunkCount(bytes.length) });
  await download.finish();
  return root;
}

/** Reads a whole file out of the store, in runs of `runChunks`. */
export function readAll(store: ChunkStore, root: Root, runChunks = 32): Uint8Array {
  const { sizeBytes, chunks } = store.definition(root)!;
  const bytes = new Uint8Array(sizeBytes);
  for (let first = 0; first < chunks; first += runChunks) {
    const range = { first, count: Math.min(runChunks, chunks - first) };
    store.readRun(root, range, bytes, first * CHUNK_BYTES);
  }
  return bytes;
}

/** Bytes of the last chunk of `bytes`. */
export function lastChunkBytes(bytes: Uint8Array): number {
  return chunkLength(bytes.length, chunkCount(bytes.length) - 1);
}

/** The longest that a change may take to be seen, on a machine that is busy with other things. */
const CHANGE_MS = 30_000;

/** Resolves at the next change that fits; rejects when none comes in time. */
export async function change(
  store: ChunkStore,
  fits: (change: StoreChange) => boolean,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = store.onChange((change) => fits(change) && resolve());
  const late = () => reject(new Error(`No such change came within ${CHANGE_MS} ms`));
  const timer = setTimeout(late, CHANGE_MS);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    end();
  }
}
