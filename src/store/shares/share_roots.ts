/**
 * Which directories are to be watched for what is shared, and whether they are still the same
 * ones. It looks at these directories only; what is in them is for `share_scan.ts`.
 */

import { splitPath } from "../files/stored_file.ts";

/** The directories to watch, as they were at one time. */
export interface ShareRoots {
  /** Shared directories, to watch with all below. */
  readonly trees: readonly string[];
  /** Directories that shared files lie in, to watch without what is below. */
  readonly directories: readonly string[];
  /** What lay at each of these paths, and at shared paths where nothing was: "". */
  readonly identities: ReadonlyMap<string, string>;
}

/** Finds what there is of the shared paths. Not in one turn: a file system may be far away. */
export async function findRoots(shares: readonly string[]): Promise<ShareRoots> {
  const trees: string[] = [], directories = new Set<string>();
  const identities = new Map<string, string>();
  for (const share of shares) {
    const isDirectory = await isDirectoryAt(share);
    if (isDirectory === undefined) {
      identities.set(share, "");
      continue;
    }
    const root = isDirectory ? share : splitPath(share).directory || "/";
    if (isDirectory) trees.push(root);
    else directories.add(root);
    if (!identities.has(root)) identities.set(root, await identityOf(root));
  }
  return { trees, directories: [...directories], identities };
}

/** Whether something else lies at one of the paths now, nothing any more, or something at last. */
export async function haveRootsChanged({ identities }: ShareRoots): Promise<boolean> {
  for (const [path, before] of identities) {
    if (await identityOf(path) !== before) return true;
  }
  return false;
}

/** Whether at each path that both know they found the same thing. */
export function areSameRoots(a: ShareRoots, b: ShareRoots): boolean {
  for (const [path, identity] of a.identities) {
    if ((b.identities.get(path) ?? identity) !== identity) return false;
  }
  return true;
}

async function isDirectoryAt(path: string): Promise<boolean | undefined> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return undefined;
  }
}

// The path that a link leads to as well, for the files in it are watched by that. And the time of
// creation, for the number of a directory is given to the next one as soon as it is removed.
async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino, birthtime } = await Deno.stat(path);
    return [dev, ino, birthtime?.getTime(), await Deno.realPath(path)].join(" ");
  } catch {
    return "";
  }
}
