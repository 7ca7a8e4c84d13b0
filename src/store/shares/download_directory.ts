/** The directories into which pacman 7 downloads: they lie in its cache for as long as it runs, or for ever. */

import { isDownloadName } from "../../base/names.ts";

const OTHERS = 0o077;

/**
 * Whether a directory is one of those: what is in it is unfinished or unchecked, and nobody but its
 * owner can look into it. A person's own directory that is called so is none, but for root, to whom
 * pacman's may belong.
 */
export function isDownloadDirectory(
  name: string,
  { mode, uid }: Pick<Deno.FileInfo, "mode" | "uid">,
  ownUid: number | null,
): boolean {
  if (!isDownloadName(name) || mode === null || (mode & OTHERS) !== 0) return false;
  return ownUid === 0 || uid !== ownUid;
}
