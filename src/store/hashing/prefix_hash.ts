/**
 * The SHA-256 of the beginning of a file, as far as it was written in order, and where it is asked
 * for, the leaves of that beginning: then nothing of the file need be read again when it is whole.
 */

import { createHash, type Hash } from "node:crypto";
import { CHUNK_BYTES, chunkCount } from "../../base/geometry.ts";
import { HASH_BYTES } from "../../base/ids.ts";
import { LeafStream } from "../../base/leaves.ts";
import { limits } from "../../base/limits.ts";

/** The hashes of the beginning of one file. */
export class PrefixHash {
  #whole: Hash = createHash("sha256");
  #bytes = 0;
  /** Null while no leaves are wanted. */
  #leaves: HeldLeaves | null = null;

  /** How many bytes it is of. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes bytes that follow those before; what is written over those starts it over. */
  written(offset: number, bytes: Uint8Array): void {
    if (offset < this.#bytes) return this.restart();
    if (offset > this.#bytes) return;
    this.#whole.update(bytes);
    this.#leaves?.update(bytes);
    this.#bytes += bytes.length;
  }

  /** SHA-256 in hexadecimal. */
  hex(): string {
    return this.#whole.copy().digest("hex");
  }

  /** Has the leaves of a file of `sizeBytes` computed as well. What was hashed before is hashed again. */
  wantLeaves(sizeBytes: number): void {
    if (this.#leaves?.sizeBytes === sizeBytes) return;
    this.#leaves = new HeldLeaves(sizeBytes);
    if (this.#bytes > 0) this.restart();
  }

  /** The leaves of the whole file, 32 bytes each; null where they were not wanted, or it is not whole. */
  leaves(): Uint8Array | null {
    return this.#leaves?.sizeBytes === this.#bytes ? this.#leaves.end() : null;
  }

  restart(): void {
    this.#whole = createHash("sha256");
    this.#leaves?.restart();
    this.#bytes = 0;
  }
}

/** The leaves of a file of known size, as its bytes pass by in order. */
class HeldLeaves {
  readonly sizeBytes: number;
  readonly #leaves: Uint8Array;
  readonly #stream = new LeafStream((leaf) => this.#add(leaf));
  /** Leaves that are known. */
  #count = 0;

  constructor(sizeBytes: number) {
    if (sizeBytes > limits.unsyncedLeavesMax * CHUNK_BYTES) {
      throw new RangeError(`Cannot hold the leaves of ${sizeBytes} bytes`);
    }
    this.sizeBytes = sizeBytes;
    this.#leaves = new Uint8Array(chunkCount(sizeBytes) * HASH_BYTES);
  }

  update(bytes: Uint8Array): void {
    this.#stream.update(bytes);
  }

  end(): Uint8Array {
    this.#stream.end();
    return this.#leaves;
  }

  restart(): void {
    this.#count = 0;
    this.#stream.restart();
  }

  #add(leaf: string): void {
    this.#leaves.subarray(this.#count * HASH_BYTES).setFromHex(leaf);
    this.#count++;
  }
}
