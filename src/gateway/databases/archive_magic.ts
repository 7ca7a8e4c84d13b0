/**
 * Whether a file can be the database of a repository, by how it begins: an archive, packed or not.
 * It does not look at what is in it.
 */

/** So many bytes tell; a shorter file is judged by what it has. */
export const MAGIC_BYTES = 512;

const PACKED: readonly (readonly number[])[] = [
  [0x1f, 0x8b], // gzip
  [0x28, 0xb5, 0x2f, 0xfd], // zstd
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], // xz
  [0x42, 0x5a, 0x68], // bzip2
  [0x04, 0x22, 0x4d, 0x18], // lz4
];
/** Where a tar says that it is one, and how. */
const USTAR_AT = 257;
const USTAR = [0x75, 0x73, 0x74, 0x61, 0x72];

/** Whether a file that begins so is packed, or a tar; one without files is nothing but zeros. */
export function hasArchiveMagic(first: Uint8Array): boolean {
  if (PACKED.some((magic) => hasAt(first, 0, magic)) || hasAt(first, USTAR_AT, USTAR)) return true;
  return first.length >= MAGIC_BYTES && first.every((byte) => byte === 0);
}

function hasAt(bytes: Uint8Array, at: number, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[at + i] === byte);
}
