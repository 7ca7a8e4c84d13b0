/** Answers `pin` and `unpin`: which downloads stay whatever room is needed. */

import type { ChunkStore } from "../../store/chunk_store.ts";
import type { PinReport } from "../../wire/reports.ts";
import { filesOf, noFile } from "./named_files.ts";

/**
 * Pins what goes by a name or a root, or ends that, and says what holds now.
 *
 * @throws {FetchFailure} `notFound` when nothing is meant.
 */
export function pin(
  store: ChunkStore,
  target: string,
  { isPinned }: { readonly isPinned: boolean },
): PinReport[] {
  const files = filesOf(store, target);
  if (files.length === 0) throw noFile(store, target);
  const byRoot = new Map(files.map((file) => [file.root, file]));
  return Array.from(byRoot.values(), ({ root, name }) => {
    const isDownload = files.some((file) => file.root === root && file.origin !== "shared");
    if (!isDownload) return { name, root, result: "shared in place: it is never removed" };
    store.keeping.setPinned(root, isPinned);
    return { name, root, result: isPinned ? "pinned" : "not pinned any more" };
  });
}
