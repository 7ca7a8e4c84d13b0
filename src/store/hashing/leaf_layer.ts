/**
 * The leaf layer of a file, 32 bytes a chunk, in a sidecar file: memory stays the same for any
 * size. A file of at most one chunk has no sidecar, for its only leaf is its root.
 *
 * Taking a layer from a peer and checking it is here too; computing one from a file's data is in
 * `hash_worker.ts`.
 */

import { fstatSync } from "node:fs";
import { fromHex } from "../../base/bytes.ts";
import { EnvironmentError, PeerFault } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { isRangeWithin } from "../../base/geometry.ts";
import { HASH_BYTES, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { nextTurn } from "../../base/clock.ts";
import { DataFile } from "../files/data_file.ts";
import type { HandleCache } from "../files/handle_cache.ts";
import { environmentError, readAt } from "../files/io.ts";
import { type Fingerprint, fingerprintAt } from "../files/stored_file.ts";
import { MerkleBuilder } from "./merkle.ts";
import type { ProvenLayers } from "./proven_layers.ts";

/** Where the layer of which file lies. */
interface LeafLayerFile {
  readonly root: Root;
  /** Chunks of the file, so leaves of the layer. */
  readonly chunks: number;
  /** The sidecar file; not touched for a file of at most one chunk. */
  readonly path: string;
}

/** Reads the leaves of one file. */
export class LeafLayer {
  readonly file: LeafLayerFile;
  readonly #handles: HandleCache;
  readonly #proven: ProvenLayers;
  readonly #single: Uint8Array | undefined;

  constructor(
    file: LeafLayerFile,
    { handles, proven }: { readonly handles: HandleCache; readonly proven: ProvenLayers },
  ) {
    this.file = file;
    this.#handles = handles;
    this.#proven = proven;
    if (file.chunks <= 1) this.#single = fromHex(file.root);
  }

  /**
   * Reads the leaves of `range` into `target` from `offset`, in one call to the system; returns
   * the bytes.
   *
   * @throws {EnvironmentError} "not-found" or "corrupt" when the sidecar is gone or not whole.
   */
  read(range: ChunkRange, target: Uint8Array, offset = 0): number {
    const { chunks, path } = this.file;
    if (!isRangeWithin(range, chunks)) {
      throw new RangeError(`Cannot read leaves: ${range.first}+${range.count} of ${chunks}`);
    }
    const length = range.count * HASH_BYTES;
    if (this.#single !== undefined) {
      target.set(this.#single, offset);
      return length;
    }
    const fd = this.#handles.open(path, { onOpen: (fresh) => this.#checkFresh(fresh) });
    const position = range.first * HASH_BYTES;
    if (readAt(fd, target, { offset, length, position }) < length) {
      this.#handles.forget(path);
      throw this.#corrupt("it is shorter than it was");
    }
    return length;
  }

  /**
   * The leaves of `range` as hexadecimal, 64 digits each, as `base/leaves.ts` holds chunks
   * against them. Costs one small read and one string.
   */
  hexOf(range: ChunkRange): string {
    if (range.count > limits.leavesPerFrameMax) {
      throw new RangeError(`Cannot read ${range.count} leaves at once`);
    }
    const length = this.read(range, scratch);
    return scratch.subarray(0, length).toHex();
  }

  /**
   * Whether the layer is whole and makes the root. Computed once a run, as long as the sidecar stays
   * as it is, and again when `again` is set; other work goes on in between.
   *
   * @throws {EnvironmentError} "in-use" when too many files are open.
   */
  async isSound({ again = false }: { readonly again?: boolean } = {}): Promise<boolean> {
    try {
      const before = this.#print();
      if (!again && this.#isProven(before)) return true;
      const parts = this.#computed();
      for (;;) {
        const { done, value } = parts.next();
        if (done) return this.#conclude(before, value);
        await nextTurn();
      }
    } catch (error) {
      if (error instanceof EnvironmentError && error.code !== "in-use") return false;
      throw error;
    }
  }

  /**
   * Like {@linkcode isSound}, at once, for who has found a chunk that does not fit its leaf. A big
   * layer, which would hold up all else, is computed only when its sidecar changed.
   */
  isSoundNow(): boolean {
    try {
      const before = this.#print();
      const isBig = this.file.chunks > limits.unsyncedLeavesMax;
      if (isBig && this.#isProven(before)) return true;
      const parts = this.#computed();
      for (;;) {
        const { done, value } = parts.next();
        if (done) return this.#conclude(before, value);
      }
    } catch (error) {
      if (error instanceof EnvironmentError && error.code !== "in-use") return false;
      throw error;
    }
  }

  /** Whether the layer was computed in this run, and its sidecar is as it was then. */
  get isProven(): boolean {
    try {
      return this.#isProven(this.#print());
    } catch {
      return false;
    }
  }

  /** The sidecar was just written from leaves that make the root. */
  written(): void {
    const now = this.#print();
    if (now !== null) this.#proven.add(this.file.path, now);
  }

  #isProven(now: Fingerprint | null): boolean {
    return now === null || this.#proven.has(this.file.path, now);
  }

  #conclude(before: Fingerprint | null, root: Root): boolean {
    if (before === null) return true;
    const { path } = this.file;
    const isSound = root === this.file.root;
    if (isSound) this.#proven.add(path, before);
    else {
      this.#proven.forget(path);
      this.#handles.forget(path);
    }
    return isSound;
  }

  /** Computes the root of all leaves, a frame of them a step: about 0.03 s a GiB of the file. */
  *#computed(): Generator<undefined, Root> {
    const { chunks, root, path } = this.file;
    if (chunks <= 1) return root;
    // What lies there now, not what was open.
    this.#handles.forget(path);
    const builder = new MerkleBuilder();
    for (let first = 0; first < chunks; first += limits.leavesPerFrameMax) {
      const count = Math.min(limits.leavesPerFrameMax, chunks - first);
      builder.addLeaves(scratch.subarray(0, this.read({ first, count }, scratch)));
      yield;
    }
    return builder.root();
  }

  /** What the sidecar is like; null where there is none to look at. */
  #print(): Fingerprint | null {
    if (this.file.chunks <= 1) return null;
    try {
      return fingerprintAt(this.file.path);
    } catch (error) {
      throw environmentError(error, `read leaf layer ${this.file.path}`);
    }
  }

  #checkFresh(fd: number): void {
    const { chunks } = this.file;
    const sizeBytes = fstatSync(fd).size;
    if (sizeBytes !== chunks * HASH_BYTES) {
      throw this.#corrupt(`it has ${sizeBytes} bytes, not ${chunks * HASH_BYTES}`);
    }
    // Small layers are not flushed when they are written (100,000 of them would take minutes), so
    // after a power failure one may hold zeros; checking it costs less than 4 ms, once an opening.
    if (chunks > limits.unsyncedLeavesMax) return;
    const before = this.#print();
    const builder = new MerkleBuilder();
    const bytes = scratch.subarray(0, chunks * HASH_BYTES);
    readAt(fd, bytes, { offset: 0, length: bytes.length, position: 0 });
    builder.addLeaves(bytes);
    if (!this.#conclude(before, builder.root())) {
      throw this.#corrupt("it does not belong to the root");
    }
  }

  #corrupt(why: string): EnvironmentError {
    return new EnvironmentError(
      "corrupt",
      `Cannot read leaf layer ${this.file.path}: ${why}`,
    );
  }
}

// Only ever used within one call.
const scratch = new Uint8Array(
  Math.max(limits.leavesPerFrameMax, limits.unsyncedLeavesMax) * HASH_BYTES,
);

/** Takes a layer from a peer, in order, and keeps it only when it belongs to the root. */
export class LeafLayerWriter {
  /** Reads the layer once it is whole. */
  readonly layer: LeafLayer;
  readonly #handles: HandleCache;
  readonly #data: DataFile;
  #builder = new MerkleBuilder();
  #isLastZero = false;
  #isWhole: boolean;
  #isSynced: boolean;

  /** `isWhole`: the layer is here already, and on the disk. */
  constructor(
    layer: LeafLayer,
    handles: HandleCache,
    { isWhole = false }: { readonly isWhole?: boolean } = {},
  ) {
    this.layer = layer;
    this.#handles = handles;
    this.#data = new DataFile(`${layer.file.path}.new`, handles);
    // The only leaf of a single chunk is the root.
    this.#isWhole = this.#isSynced = layer.file.chunks <= 1 || isWhole;
  }

  /** Whether the layer is here and belongs to the root. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** The index of the leaf that must come next. */
  get next(): number {
    return this.#isWhole ? this.layer.file.chunks : this.#builder.count;
  }

  /**
   * Adds the leaves from index `first`, 32 bytes each; they must follow those added before.
   *
   * @throws {PeerFault} when they do not, or reach past the end.
   * @throws {EnvironmentError} when they cannot be written.
   */
  add(first: number, hashes: Uint8Array): void {
    const { chunks } = this.layer.file;
    if (this.#isWhole) throw new PeerFault("unexpected", "Cannot take leaves: all are here");
    const count = hashes.length / HASH_BYTES;
    if (!Number.isInteger(count) || count === 0) {
      throw new PeerFault("malformed", `Cannot take leaves: ${hashes.length} bytes`);
    }
    if (first !== this.next) {
      throw new PeerFault("unexpected", `Cannot take leaves: from ${first}, not ${this.next}`);
    }
    if (first + count > chunks) {
      throw new PeerFault("oversized", `Cannot take leaves: ${first}+${count} of ${chunks}`);
    }
    this.#data.write(hashes, first * HASH_BYTES);
    this.#builder.addLeaves(hashes);
    this.#isLastZero = hashes.subarray(-HASH_BYTES).every((byte) => byte === 0);
  }

  /**
   * Compares the root of all leaves and puts the sidecar in its place. After a throw the next leaf
   * to come is the first again.
   *
   * @throws {PeerFault} "bad-data" when leaves are missing, belong to another root or are padding.
   */
  finish(): void {
    const { root, chunks, path } = this.layer.file;
    if (this.#isWhole) return;
    if (this.next !== chunks || this.#builder.root() !== root) {
      const count = this.next;
      this.discard();
      throw new PeerFault(
        "bad-data",
        count === chunks
          ? `Cannot use leaf layer: it does not belong to root ${root}`
          : `Cannot use leaf layer: ${count} of ${chunks} leaves`,
      );
    }
    // The tree is padded with zero leaves, so it takes any of them for part of the file: the number
    // of leaves is proved only by a last one that is none of these. No chunk has such a hash.
    if (this.#isLastZero) {
      this.discard();
      throw new PeerFault("bad-data", `Cannot use leaf layer: leaf ${chunks - 1} is padding`);
    }
    try {
      this.#data.truncate(chunks * HASH_BYTES);
      this.#data.close();
      this.#handles.forget(path);
      Deno.renameSync(this.#data.path, path);
      this.layer.written();
    } catch (error) {
      throw environmentError(error, `write leaf layer ${path}`);
    }
    this.#isWhole = true;
  }

  /** Flushes a layer that is whole to the disk, once. */
  async flush(): Promise<void> {
    if (!this.#isWhole || this.#isSynced) return;
    await new DataFile(this.layer.file.path, this.#handles).flush();
    this.#isSynced = true;
  }

  /** The layer turned out not to make the root: all leaves must come again. */
  lose(): void {
    if (this.layer.file.chunks <= 1) return;
    this.#isWhole = this.#isSynced = false;
    this.#builder = new MerkleBuilder();
    this.#handles.forget(this.layer.file.path);
  }

  /** Throws away what was added and starts over; a layer that is whole stays. */
  discard(): void {
    if (this.#isWhole) return;
    this.#builder = new MerkleBuilder();
    this.#data.remove();
  }
}
