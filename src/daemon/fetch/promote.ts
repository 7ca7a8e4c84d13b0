/** Makes what a mirror (origin) gave a file of the store, if it has the root that is wanted. */

import type { Root } from "../../base/ids.ts";
import type { UnverifiedDownload } from "../../store/downloads/unverified_download.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";

/** It shall not become a file of the store. */
class NotWanted extends Error {
  override readonly name = "NotWanted";
}

/**
 * Promotes a whole download to a file. `mayPlace` hears its root and says whether it gets its place;
 * if not, it stays a download, and nothing comes back.
 *
 * @throws {EnvironmentError} when the disk refuses.
 * @throws the signal's reason when it is aborted.
 */
export async function promote(
  unverified: UnverifiedDownload,
  { mayPlace, signal }: {
    readonly mayPlace: (root: Root) => Promise<boolean>;
    readonly signal: AbortSignal;
  },
): Promise<FileDefinition | undefined> {
  try {
    return await unverified.promote({
      signal,
      placing: async (root) => {
        if (!await mayPlace(root)) throw new NotWanted(`Its root is ${root}`);
      },
    });
  } catch (error) {
    if (!(error instanceof NotWanted)) throw error;
    return undefined;
  }
}
