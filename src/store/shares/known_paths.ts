/**
 * Looks whether shared files still are what they were, and lie where they did. To watch directories
 * is not enough for that: they do not tell that a file in them was written to.
 */

import { nextTurn } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import { checkConfined } from "../files/confined.ts";
import { isSameFile, type StoredFile } from "../files/stored_file.ts";

/**
 * Paths of shared files and of directories with shared files at which something else lies by now, or
 * nothing; not more than `limits.changedPathsMax`. Other work goes on meanwhile.
 */
export async function findReplaced(
  context: StoreContext,
  options: { readonly signal: AbortSignal },
): Promise<Set<string>> {
  const { clock, index } = context;
  const replaced = new Set<string>();
  let sliceStartMs = clock.nowMs();
  for (const directory of [...index.directories()]) {
    let isFirst = true;
    for (const file of [...index.inDirectory(directory)?.values() ?? []]) {
      if (file.origin !== "shared") continue;
      if (isFirst && !isInPlace(context, directory)) {
        replaced.add(directory);
        break;
      }
      isFirst = false;
      if (!isSame(context, file)) replaced.add(file.path);
      if (replaced.size >= limits.changedPathsMax) return replaced;
      if (clock.nowMs() - sliceStartMs < limits.scanSliceMs) continue;
      await nextTurn();
      if (options.signal.aborted) return new Set();
      sliceStartMs = clock.nowMs();
    }
  }
  return replaced;
}

/** Whether no link leads to a directory; one in which a single file is shared may be anywhere. */
function isInPlace(context: StoreContext, directory: string): boolean {
  const root = context.shareRootOf(directory);
  if (root === undefined) return true;
  try {
    checkConfined(directory, root);
    return true;
  } catch {
    return false;
  }
}

function isSame(context: StoreContext, file: StoredFile): boolean {
  const { path } = file;
  try {
    const isShare = context.shareRootOf(path) === path;
    return isSameFile(file, isShare ? Deno.statSync(path) : Deno.lstatSync(path));
  } catch {
    return false;
  }
}
