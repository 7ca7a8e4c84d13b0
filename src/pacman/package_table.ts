/**
 * The files of one repository by name: a few arrays, sorted by name, that cost some 130 bytes a
 * package, and its signature if the database has that, and go from one thread to another as they are.
 */

import { HASH_BYTES } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { DescribedFile, DescribedPackage } from "./package_desc.ts";

const SIGNATURE = ".sig";

/** The columns of a table. Row i is one package; rows are sorted by the bytes of their names. */
export interface PackageColumns {
  /** All names in UTF-8, one after the other. */
  readonly names: Uint8Array<ArrayBuffer>;
  /** Where each name ends in `names`. */
  readonly nameEnds: Uint32Array<ArrayBuffer>;
  readonly sizes: Float64Array<ArrayBuffer>;
  readonly sha256s: Uint8Array<ArrayBuffer>;
  /** Bytes of each package's detached signature; 0 for none. */
  readonly signatureSizes: Uint16Array<ArrayBuffer>;
  readonly signatureSha256s: Uint8Array<ArrayBuffer>;
  /** The signatures themselves, one after the other, as many as are kept. */
  readonly signatures: Uint8Array<ArrayBuffer>;
  /** Where each of them ends there; that of a package without one, or where it is not kept, is empty. */
  readonly signatureEnds: Uint32Array<ArrayBuffer>;
}

/** The memory of a table, for giving it away. */
export function buffersOf(columns: PackageColumns): ArrayBuffer[] {
  return Object.values(columns).map(({ buffer }: { buffer: ArrayBuffer }) => buffer);
}

/** Makes a table; of packages with one name the last counts. */
export function tableColumns(packages: readonly DescribedPackage[]): PackageColumns {
  const byName = new Map(packages.map((one) => [one.name, one]));
  const encoder = new TextEncoder();
  const rows = Array.from(byName, ([name, one]) => ({ bytes: encoder.encode(name), one }));
  rows.sort((a, b) => compareBytes(a.bytes, b.bytes));
  const columns: PackageColumns = {
    names: new Uint8Array(rows.reduce((sum, { bytes }) => sum + bytes.length, 0)),
    nameEnds: new Uint32Array(rows.length),
    sizes: new Float64Array(rows.length),
    sha256s: new Uint8Array(rows.length * HASH_BYTES),
    signatureSizes: new Uint16Array(rows.length),
    signatureSha256s: new Uint8Array(rows.length * HASH_BYTES),
    ...signatureColumns(rows.map(({ one }) => one.signature?.bytes)),
  };
  let end = 0;
  for (const [row, { bytes, one }] of rows.entries()) {
    columns.names.set(bytes, end);
    end += bytes.length;
    columns.nameEnds[row] = end;
    columns.sizes[row] = one.sizeBytes;
    columns.sha256s.set(one.sha256, row * HASH_BYTES);
    if (one.signature === undefined) continue;
    columns.signatureSizes[row] = one.signature.sizeBytes;
    columns.signatureSha256s.set(one.signature.sha256, row * HASH_BYTES);
  }
  return columns;
}

/** The signatures of all rows, as far as there is room for them. */
function signatureColumns(
  signatures: readonly (Uint8Array | undefined)[],
): Pick<PackageColumns, "signatures" | "signatureEnds"> {
  let size = 0;
  const kept = signatures.map((one) => {
    if (one === undefined || size + one.length > limits.syncSignaturesBytesMax) return undefined;
    size += one.length;
    return one;
  });
  const columns = {
    signatures: new Uint8Array(size),
    signatureEnds: new Uint32Array(signatures.length),
  };
  let end = 0;
  for (const [row, one] of kept.entries()) {
    if (one !== undefined) columns.signatures.set(one, end);
    columns.signatureEnds[row] = end += one?.length ?? 0;
  }
  return columns;
}

/** The files of one repository. */
export class PackageTable {
  readonly #columns: PackageColumns;

  constructor(columns: PackageColumns) {
    this.#columns = columns;
  }

  /** How many packages there are; signatures do not count. */
  get size(): number {
    return this.#columns.sizes.length;
  }

  /** The package of that name, or the signature of the package that is called so but for `.sig`. */
  find(name: string): DescribedFile | undefined {
    const { sizes, sha256s, signatureSizes, signatureSha256s } = this.#columns;
    const row = this.#rowOf(name);
    if (row !== undefined) return fileOf(sizes, sha256s, row);
    if (!name.endsWith(SIGNATURE)) return undefined;
    const signed = this.#rowOf(name.slice(0, -SIGNATURE.length));
    if (signed === undefined || signatureSizes[signed] === 0) return undefined;
    const file = fileOf(signatureSizes, signatureSha256s, signed);
    const bytes = this.#signature(signed);
    return bytes.length === 0 ? file : { ...file, bytes };
  }

  /** The names of files that begin so, from the first one on. */
  *namesFrom(prefix: string): Generator<string> {
    const key = new TextEncoder().encode(prefix);
    for (let row = this.#firstRowFrom(key); row < this.size; row++) {
      const name = this.#nameOf(row);
      if (compareBytes(name.subarray(0, key.length), key) !== 0) return;
      yield new TextDecoder().decode(name);
    }
  }

  #signature(row: number): Uint8Array<ArrayBuffer> {
    const { signatures, signatureEnds } = this.#columns;
    return signatures.slice(row === 0 ? 0 : signatureEnds[row - 1]!, signatureEnds[row]!);
  }

  #rowOf(name: string): number | undefined {
    // No name in here is longer; who asks may have any.
    if (name.length > limits.nameBytesMax) return undefined;
    const { nameEnds } = this.#columns;
    const { read, written } = new TextEncoder().encodeInto(name, sought);
    if (read < name.length) return undefined;
    const key = sought.subarray(0, written);
    const row = this.#firstRowFrom(key);
    return row < nameEnds.length && compareBytes(this.#nameOf(row), key) === 0 ? row : undefined;
  }

  #nameOf(row: number): Uint8Array {
    const { names, nameEnds } = this.#columns;
    return names.subarray(row === 0 ? 0 : nameEnds[row - 1]!, nameEnds[row]!);
  }

  /** The first row whose name is not before this one. */
  #firstRowFrom(key: Uint8Array): number {
    let low = 0, high = this.#columns.nameEnds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.#nameOf(middle), key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const sought = new Uint8Array(limits.nameBytesMax);

function fileOf(
  sizes: Float64Array | Uint16Array,
  sha256s: Uint8Array,
  row: number,
): DescribedFile {
  return {
    sizeBytes: sizes[row]!,
    sha256: sha256s.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES),
  };
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = a[i]! - b[i]!;
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
