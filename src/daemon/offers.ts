/** What this node can offer of what is sought, from its store. */

import type { ChunkStore } from "../store/chunk_store.ts";
import type { FileDefinition } from "../store/place.ts";
import type { Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { unreachable } from "../base/errors.ts";
import type { MessageOf } from "../wire/messages.ts";
import type { FileOffer, ListedFile, Sought } from "../wire/structures.ts";

/** Whether any part of a file that matches is here; looks no further than the first. */
export function holdsAny(store: ChunkStore, sought: Sought): boolean {
  for (const file of candidates(store, sought)) if (hasAny(file)) return true;
  return false;
}

/**
 * Files of the store that match, each root once, with at least one chunk here; at most `max`, by
 * default as many as a callback may offer.
 */
export function filesSought(
  store: ChunkStore,
  sought: Sought,
  options: { readonly max?: number } = {},
): FileDefinition[] {
  const { max = sought.by === "glob" ? limits.listingMax : limits.offersMax } = options;
  const byRoot = new Map<string, FileDefinition>();
  for (const file of candidates(store, sought)) {
    // A listing names a file once for each of its names; a transfer needs each root once.
    const key = sought.by === "glob" ? `${file.root}/${file.name}` : file.root;
    if (byRoot.has(key) || !hasAny(file)) continue;
    byRoot.set(key, file);
    if (byRoot.size === max) break;
  }
  return [...byRoot.values()];
}

/** The offer of one file. */
export function fileOffer(file: FileDefinition): FileOffer {
  const { root, name, type, sizeBytes, chunksHave, chunks } = file;
  return { root, name, type, sizeBytes, chunksHave, whole: chunksHave === chunks };
}

/** A file as a list of what is here names it. */
export function listedFile(store: ChunkStore, file: FileDefinition): ListedFile {
  return { file: fileOffer(file), sha256: store.sha256(file.root) ?? null };
}

/**
 * All that is offered, each file once for each of its names, at most
 * `limits.listingsPerClientMax`. It may be taken bit by bit while the store changes.
 */
export function* listedFiles(store: ChunkStore): Generator<ListedFile> {
  let left: number = limits.listingsPerClientMax;
  for (const file of store.distinctFiles()) {
    if (!hasAny(file)) continue;
    if (left-- === 0) return;
    yield listedFile(store, file);
  }
}

/** The OFFER message of one file: with the first page of its bitfield, or none in a listing. */
export function offerMessage(
  store: ChunkStore,
  file: FileDefinition,
  options: { readonly listing: boolean },
): MessageOf<"offer"> {
  const offer = fileOffer(file);
  const bitfield = offer.whole || options.listing
    ? new Uint8Array()
    : store.availableChunks(file.root)?.page(0, limits.bitfieldPageBytesMax) ?? new Uint8Array();
  return { kind: "offer", file: offer, bitfield };
}

/** The file of `root` if there is anything of it here. */
export function fileOfRoot(store: ChunkStore, root: Root): FileDefinition | undefined {
  return filesSought(store, { by: "root", value: root })[0];
}

/** A glob may match everything that is here, so its files come one by one, as they are taken. */
function candidates(store: ChunkStore, sought: Sought): Iterable<FileDefinition> {
  switch (sought.by) {
    case "root": {
      const file = store.definition(sought.value as Root);
      return file === undefined ? [] : [file];
    }
    case "name":
      return store.definitionsByName(sought.value);
    case "glob":
      return store.eachMatching(sought.value);
    default:
      return unreachable(sought.by);
  }
}

/** Whether there is something of a file to offer; of an empty one there always is. */
export function hasAny(file: FileDefinition): boolean {
  return file.sizeBytes === 0 || file.chunksHave > 0;
}
