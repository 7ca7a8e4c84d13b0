/** Makes what a mirror gave a file of the store, if it has the root that is wanted. */

import type { Root } from "../../base/ids.ts";
import type { UnverifiedDownload } from "../../store/downloads/unverified_download.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";

/** It has another root than was asked for. */
class OtherRoot extends Error {
  override readonly name = "OtherRoot";
  readonly root: Root;

  constructor(root: Root) {
    super(`Cannot adopt it: its root is ${root}`);
    this.root = root;
  }
}

/**
 * Adopts a whole unverified download. One of another root than `root`, where that is not null, stays an unverified download;
 * what its root is comes back instead of the file. `placing` is called before it becomes a file.
 *
 * @throws {EnvironmentError} when the disk refuses.
 * @throws the signal's reason when it is aborted.
 */
export async function adopt(
  unverified: UnverifiedDownload,
  { root, placing, signal }: {
    readonly root: Root | null;
    readonly placing: () => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly file: FileDefinition } | { readonly otherRoot: Root }> {
  try {
    const file = await unverified.promote({
      signal,
      placing: async (found) => {
        if (root !== null && found !== root) throw new OtherRoot(found);
        await placing();
      },
    });
    return { file };
  } catch (error) {
    if (!(error instanceof OtherRoot)) throw error;
    return { otherRoot: error.root };
  }
}
