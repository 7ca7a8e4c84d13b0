/**
 * What this node can offer of what is sought: what is in its store, without the files that the
 * repositories' databases contradict, or that are not compared with them yet.
 */

import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { unreachable } from "../../base/errors.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { FileOffer, ListedFile, Sought } from "../../wire/structures.ts";
import type { NodeContext } from "./node_context.ts";

/** From what offers are made. */
export type OfferSource = Pick<NodeContext, "store" | "offerPolicy">;

/** How many files are offered when nobody says how many. */
const DEFAULT_MAX = { name: limits.offersMax, glob: limits.listingMax } as const;

/** What else is offered than what something is here of. */
interface OfferOptions {
  /** Whether also what is only beginning here: its leaves are known, and no chunk has come. */
  readonly evenBegun?: boolean;
}

/** Whether any part of a file that matches is here; looks no further than the first. */
export function holdsAny(
  source: OfferSource,
  sought: Sought,
  options: OfferOptions = {},
): boolean {
  for (const file of candidates(source.store, sought)) {
    if (isOffered(source, file, options)) return true;
  }
  return false;
}

/**
 * Files of the store that match, each root once, with at least one chunk here; at most `max`, by
 * default as many as a callback may offer.
 */
export function filesSought(
  source: OfferSource,
  sought: Sought,
  options: OfferOptions & { readonly max?: number } = {},
): FileDefinition[] {
  const max = sought.by === "root" ? 1 : options.max ?? DEFAULT_MAX[sought.by];
  const byRoot = new Map<string, FileDefinition>();
  for (const file of candidates(source.store, sought)) {
    // A list names a file once for each of its names; a transfer needs each root once.
    const key = sought.by === "glob" ? `${file.root}/${file.name}` : file.root;
    if (byRoot.has(key) || !isOffered(source, file, options)) continue;
    byRoot.set(key, file);
    if (byRoot.size === max) break;
  }
  return [...byRoot.values()];
}

/**
 * What is offered of what matches a glob, a file once for each of its names: one by one, while the
 * store may change.
 */
export function* eachListed(source: OfferSource, glob: string): Generator<FileDefinition> {
  const { store } = source;
  for (const file of store.eachMatching(glob)) {
    const isFirst = store.definitionNamed(file.root, file.name)?.path === file.path;
    if (isFirst && isOffered(source, file)) yield file;
  }
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
 * `limits.listingsPerClientMax`. It may be read step by step while the store changes.
 */
export function* listedFiles(source: OfferSource): Generator<ListedFile> {
  let left: number = limits.listingsPerClientMax;
  for (const file of source.store.distinctFiles()) {
    if (!isOffered(source, file)) continue;
    if (left-- === 0) return;
    yield listedFile(source.store, file);
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

/** The file of `root` if there is anything of it here to offer. */
export function fileOfRoot(
  source: OfferSource,
  root: Root,
  options: OfferOptions = {},
): FileDefinition | undefined {
  return filesSought(source, { by: "root", value: root }, options)[0];
}

/** A glob may match everything that is here, so its files come one by one, as they are taken. */
function candidates(store: ChunkStore, sought: Sought): Iterable<FileDefinition> {
  switch (sought.by) {
    case "root":
      return store.definitionsOfRoot(sought.value as Root);
    case "name":
      return store.definitionsByName(sought.value);
    case "glob":
      return store.eachMatching(sought.value);
    default:
      return unreachable(sought.by);
  }
}

/** Whether a file may be offered, and something of it is here; an empty file always is. */
export function isOffered(
  source: OfferSource,
  file: FileDefinition,
  { evenBegun = false }: OfferOptions = {},
): boolean {
  const hasAny = file.sizeBytes === 0 || file.chunksHave > 0 ||
    evenBegun && source.store.download(file.root)?.hasLeaves === true;
  return hasAny && source.offerPolicy.isOfferable(file);
}
