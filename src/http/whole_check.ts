/**
 * Holds a whole file to the size, SHA-256 and root that it must have, while its bytes pass by in
 * order. For files that come straight from where they lie; nodes check each chunk alone.
 */

import { createHash, hash } from "node:crypto";
import { concatBytes, fromHex, toHex } from "../base/bytes.ts";
import { HASH_BYTES, type Root } from "../base/ids.ts";
import { LeafStream } from "../base/leaves.ts";

/** What a file must be; null where nobody says. */
export interface Expected {
  readonly sizeBytes: number | null;
  /** Lower-case hexadecimal. */
  readonly sha256: string | null;
  readonly root: Root | null;
}

/** The check of one file. */
export class WholeCheck {
  readonly #expected: Expected;
  readonly #sha256 = createHash("sha256");
  readonly #tree = new RootOfStream();
  #bytes = 0;

  constructor(expected: Expected) {
    this.#expected = expected;
  }

  /** Whether bytes have to be looked at, and not only counted. */
  get looksAtBytes(): boolean {
    return this.#expected.sha256 !== null || this.#expected.root !== null;
  }

  /** Takes the next bytes of the file. */
  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#expected.sha256 !== null) this.#sha256.update(bytes);
    if (this.#expected.root !== null) this.#tree.update(bytes);
  }

  /** Counts bytes that need not be looked at. */
  skip(bytes: number): void {
    this.#bytes += bytes;
  }

  /** What is wrong with the file, now that all of it passed; undefined when nothing is. Once. */
  problem(): string | undefined {
    const { sizeBytes, sha256, root } = this.#expected;
    if (sizeBytes !== null && this.#bytes !== sizeBytes) {
      return `it has ${this.#bytes} bytes, not ${sizeBytes}`;
    }
    if (sha256 !== null) {
      const digest = this.#sha256.digest("hex");
      if (digest !== sha256) return `its SHA-256 is ${digest}, not ${sha256}`;
    }
    if (root !== null) {
      const made = this.#tree.root();
      if (made !== root) return `its root is ${made}, not ${root}`;
    }
    return undefined;
  }
}

/** The root of a file (BEP 52) from its bytes in order, in memory for one hash a level. */
class RootOfStream {
  readonly #leaves = new LeafStream((leaf) => this.#add(fromHex(leaf)));
  /** By level, the left sibling that waits for its right one. */
  readonly #left: (Uint8Array | undefined)[] = [];
  #chunks = 0;

  update(bytes: Uint8Array): void {
    this.#leaves.update(bytes);
  }

  root(): string {
    this.#leaves.end();
    // A file of no bytes: SHA-256 of nothing, as the store has it.
    if (this.#chunks === 0) return hash("sha256", new Uint8Array(0), "hex");
    let node: Uint8Array | undefined;
    let zero: Uint8Array = new Uint8Array(HASH_BYTES);
    const height = Math.ceil(Math.log2(this.#chunks));
    for (let level = 0; level < height; level++) {
      const left = this.#left[level];
      if (left !== undefined) node = pair(left, node ?? zero);
      else if (node !== undefined) node = pair(node, zero);
      zero = pair(zero, zero);
    }
    return toHex(node ?? this.#left[height]!);
  }

  #add(leaf: Uint8Array): void {
    let node = leaf;
    this.#chunks++;
    let level = 0;
    for (; this.#left[level] !== undefined; level++) {
      node = pair(this.#left[level]!, node);
      this.#left[level] = undefined;
    }
    this.#left[level] = node;
  }
}

function pair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return digest(concatBytes([left, right]));
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
