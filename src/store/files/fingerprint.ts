/**
 * What tells cheaply whether a file is still the one that was hashed: inode, size and time of last
 * change at the same path. It does not look at the bytes; `verify.ts` does.
 *
 * The device is left out on purpose: some file systems (btrfs, overlays) get another number at
 * every mount, and each restart of the machine would hash everything again.
 */

/** The state of a file at one moment. */
export interface Fingerprint {
  readonly sizeBytes: number;
  /** Time of last modification in milliseconds since 1970; Deno gives no finer one. */
  readonly mtimeMs: number;
  /** Inode; 0 where the system has none. */
  readonly ino: number;
}

/** The fingerprint in a file's metadata. */
export function fingerprintOf(info: Deno.FileInfo): Fingerprint {
  return { sizeBytes: info.size, mtimeMs: info.mtime?.getTime() ?? 0, ino: info.ino ?? 0 };
}

/** Whether a file with this metadata is the one of `print`. */
export function isSameFile(print: Fingerprint, info: Deno.FileInfo): boolean {
  return info.isFile && isSamePrint(print, fingerprintOf(info));
}

/** Whether two fingerprints are those of one file that did not change in between. */
export function isSamePrint(a: Fingerprint, b: Fingerprint): boolean {
  return a.sizeBytes === b.sizeBytes && a.ino === b.ino && a.mtimeMs === b.mtimeMs;
}

/** Whether there still is, at its path, the file that was hashed. */
export function isUnchanged(file: Fingerprint & { readonly path: string }): boolean {
  try {
    return isSameFile(file, Deno.statSync(file.path));
  } catch {
    return false;
  }
}
