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
import { DataFile } from "../files/data_file.ts";
import type { HandleCache } from "../files/handle_cache.ts";
import { environmentError, readAt } from "../files/io.ts";
import { MerkleBuilder } from "./merkle.ts";

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
  readonly #single: Uint8Array | undefined;

  constructor(file: LeafLayerFile, handles: HandleCache) {
    this.file = file;
    this.#handles = handles;
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
   * Computes the root of the whole layer again: false when it does not match. About 0.1 s for the
   * layer of a file of 2 GiB, in one go.
   */
  isSound(): boolean {
    const { chunks, root } = this.file;
    if (chunks <= 1) return true;
    const builder = new MerkleBuilder();
    for (let first = 0; first < chunks; first += limits.leavesPerFrameMax) {
      const count = Math.min(limits.leavesPerFrameMax, chunks - first);
      builder.addLeaves(scratch.subarray(0, this.read({ first, count }, scratch)));
    }
    return builder.root() === root;
  }

  #checkFresh(fd: number): void {
    const { chunks, root } = this.file;
    const sizeBytes = fstatSync(fd).size;
    if (sizeBytes !== chunks * HASH_BYTES) {
      throw this.#corrupt(`it has ${sizeBytes} bytes, not ${chunks * HASH_BYTES}`);
    }
    // Small layers are not flushed when they are written (100,000 of them would take minutes), so
    // after a power failure one may hold zeros; checking it costs less than 4 ms, once an opening.
    if (chunks > limits.unsyncedLeavesMax) return;
    const builder = new MerkleBuilder();
    const bytes = scratch.subarray(0, chunks * HASH_BYTES);
    readAt(fd, bytes, { offset: 0, length: bytes.length, position: 0 });
    builder.addLeaves(bytes);
    if (builder.root() !== root) throw this.#corrupt("it does not belong to the root");
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

  /** Throws away what was added and starts over; a layer that is whole stays. */
  discard(): void {
    if (this.#isWhole) return;
    this.#builder = new MerkleBuilder();
    this.#data.remove();
  }
}
