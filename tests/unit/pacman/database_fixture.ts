// Databases as a test wants them, whatever is wrong with them: tar archives made byte by byte.

import { gzipSync, zstdCompressSync } from "node:zlib";

const BLOCK = 512;

/** An entry of an archive. */
export interface TarEntry {
  readonly name: string;
  readonly data: Uint8Array | string;
  /** By default a file, "0". */
  readonly type?: string;
  /** The size that its header names, by default that of its data. */
  readonly sizeBytes?: number;
}

/** A package as a database describes it. */
export interface PackageEntry {
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Left out of the `desc` when it is. */
  readonly sha256?: string;
  /** Base64 of a signature. */
  readonly signature?: string;
}

/** The blocks of one entry. */
export function tarEntry({ name, data, type = "0", sizeBytes }: TarEntry): Uint8Array {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const entry = new Uint8Array(BLOCK + Math.ceil(bytes.length / BLOCK) * BLOCK);
  const text = (at: number, value: string) => entry.set(new TextEncoder().encode(value), at);
  text(0, name);
  text(100, "0000644\0");
  text(124, (sizeBytes ?? bytes.length).toString(8).padStart(11, "0"));
  text(136, "00000000000");
  text(148, " ".repeat(8));
  text(156, type);
  text(257, "ustar\x0000");
  const sum = entry.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  entry.set(bytes, BLOCK);
  return entry;
}

/** A whole archive, with its end. */
export function tar(entries: readonly TarEntry[]): Uint8Array {
  return joined([...entries.map(tarEntry), new Uint8Array(2 * BLOCK)]);
}

/** The `desc` of a package, with what real ones have before and after it. */
export function desc({ fileName, sizeBytes, sha256, signature }: PackageEntry): string {
  return [
    `%FILENAME%\n${fileName}\n`,
    "%NAME%\nsome-name\n",
    `%CSIZE%\n${sizeBytes}\n`,
    "%ISIZE%\n4711\n",
    ...(sha256 === undefined ? [] : [`%SHA256SUM%\n${sha256}\n`]),
    ...(signature === undefined ? [] : [`%PGPSIG%\n${signature}\n`]),
    "%DEPENDS%\nglibc\nother\n",
  ].join("\n");
}

/** A database of these packages, not packed. */
export function database(packages: readonly PackageEntry[]): Uint8Array {
  return tar(packages.flatMap((one, index) => [
    { name: `package-${index}-1-1/`, data: "", type: "5" },
    { name: `package-${index}-1-1/desc`, data: desc(one) },
  ]));
}

/** Packs bytes. */
export const PACKERS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  plain: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
};

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
