/** Answers `unshare`: ends the sharing of a path, or of what goes by a name or a root. */

import { isAbsolute } from "@std/path";
import { UsageError } from "../../base/errors.ts";
import { isHash, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import { isFileThere } from "../../store/files/io.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { ShareReport } from "../../wire/reports.ts";
import { filesOf, noFile } from "./named_files.ts";

/**
 * Offers something no more, and says what holds now.
 *
 * @param options.isAll Whether a name may stand for several files.
 * @throws {FetchFailure} `notFound` when nothing is meant.
 * @throws {UsageError} when a name stands for several; then all is as it was.
 */
export function unshare(
  store: ChunkStore,
  target: string,
  { isAll }: { readonly isAll: boolean },
): ShareReport {
  if (isAbsolute(target) && store.shares.remove(target)) {
    return { path: target, result: unsharedText(store) };
  }
  const files = filesOf(store, target);
  if (files.length === 0 && isHash(target) && store.remove(target.toLowerCase() as Root)) {
    return { path: target, result: "removed from the data directory" };
  }
  if (files.length === 0) throw noFile(store, target);
  if (!isAll) refuseSeveral(files, target);
  for (const { origin, path } of files) if (origin === "shared") store.shares.remove(path);
  const roots = new Set(files.map(({ root }) => root));
  const own = [...store.keeping.copies()].filter(({ root }) => root !== null && roots.has(root));
  let removed = 0;
  for (const { root } of files) if (store.remove(root)) removed++;
  // A disk may not let go what is not offered any more.
  const held = own.find(({ path }) => isFileThere(path));
  if (held !== undefined) return { path: target, result: heldText(held) };
  return {
    path: target,
    result: removed > 0 ? "removed from the data directory" : unsharedText(store),
  };
}

/** What holds of data that is not offered any more, and that the disk does not let go. */
function heldText({ path }: { readonly path: string }): string {
  return `not offered any more until a restart: the disk does not let ${path} go, and the log says why`;
}

/** What holds now, and after a restart. */
function unsharedText(store: ChunkStore): string {
  const why = store.shares.unkeptWhy;
  if (why === undefined) return "not shared any more";
  return `not shared any more until a restart, and for good once that can be kept (${why})`;
}

/** Files of one name that differ: a person who thinks of one of them would lose the others. */
function refuseSeveral(files: readonly FileDefinition[], target: string): void {
  const byRoot = new Map(files.map((file) => [file.root, file]));
  if (byRoot.size < 2) return;
  // In an order of their own, not in that in which they happened to be hashed.
  const named = [...byRoot.values()]
    .sort((a, b) => a.sizeBytes - b.sizeBytes || (a.root < b.root ? -1 : 1))
    .slice(0, limits.choicesNamedMax);
  const more = byRoot.size - named.length;
  throw new UsageError(
    `Cannot unshare ${target}: ${byRoot.size} different files here go by this name`,
    {
      hint: [
        "Give the root of the one that is meant, or --all for all of them.",
        ...named.map(({ root, sizeBytes, origin }) => `${root}  ${sizeBytes} bytes, ${origin}`),
        ...(more > 0 ? [`and ${more} more; \`pacsrv list\` shows them`] : []),
      ].join("\n"),
    },
  );
}
