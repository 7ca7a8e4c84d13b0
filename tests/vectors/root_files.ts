/** The files of the root vectors: made from a rule, so that they need not be kept. */

import vectors from "./roots.json" with { type: "json" };

/** One file, and the root that libtorrent gave for it; null where it defines none. */
export interface RootVector {
  readonly sizeBytes: number;
  readonly root: string | null;
}

/** The vectors as they are kept in `roots.json`, which `libtorrent_roots.py` computed. */
export const ROOT_VECTORS: readonly RootVector[] = vectors;

const MIB = 2 ** 20;

/**
 * Makes the file of a vector: byte `i` is `31 i + floor(i / 256)` in its low eight bits. Above
 * 16 MiB only the first MiB and what follows the last whole one is so; in between are zeros, as a
 * hole that takes no room.
 */
export function makeRootFile(path: string, sizeBytes: number): void {
  using file = Deno.createSync(path);
  if (sizeBytes <= 16 * MIB) {
    writeRule(file, 0, sizeBytes);
    return;
  }
  file.truncateSync(sizeBytes);
  writeRule(file, 0, MIB);
  const last = sizeBytes - sizeBytes % MIB;
  file.seekSync(last, Deno.SeekMode.Start);
  writeRule(file, last, sizeBytes - last);
}

function writeRule(file: Deno.FsFile, from: number, length: number): void {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = 31 * (from + i) + Math.floor((from + i) / 256);
  let done = 0;
  while (done < length) done += file.writeSync(bytes.subarray(done));
}
