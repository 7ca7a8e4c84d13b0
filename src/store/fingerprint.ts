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
  return info.isFile && info.size === print.sizeBytes && (info.ino ?? 0) === print.ino &&
    (info.mtime?.getTime() ?? 0) === print.mtimeMs;
}
