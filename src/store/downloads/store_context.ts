/** What the parts of the store share: the directory, the open files, the catalogue, the index. */

import type { Root } from "../../base/ids.ts";
import { messageOf } from "../../base/errors.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { DataDirectory } from "../files/data_directory.ts";
import type { Download } from "./partial_download.ts";
import { FileIndex } from "../files/file_index.ts";
import type { HandleCache } from "../files/handle_cache.ts";
import { removeIfThere } from "../files/io.ts";
import { LeafLayer } from "../hashing/leaf_layer.ts";
import type { OnWarning, Place, StoreChange } from "../files/stored_file.ts";
import { chunkCount } from "../../base/geometry.ts";

/** The state of one open store; its parts change it, nothing outside `src/store` sees it. */
export class StoreParts {
  readonly directory: DataDirectory;
  readonly handles: HandleCache;
  /** Missing in an ephemeral store. */
  readonly catalogue: Catalogue | undefined;
  readonly index = new FileIndex();
  /** Unfinished files by root, those that wait included. */
  readonly downloads = new Map<Root, Download>();
  readonly warn: OnWarning;
  readonly #listeners = new Set<(change: StoreChange) => void>();

  constructor(parts: {
    readonly directory: DataDirectory;
    readonly handles: HandleCache;
    readonly catalogue: Catalogue | undefined;
    readonly warn: OnWarning;
  }) {
    this.directory = parts.directory;
    this.handles = parts.handles;
    this.catalogue = parts.catalogue;
    this.warn = parts.warn;
  }

  listen(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** Writes to the catalogue; a failure is told and does not stop what is going on. */
  remember(write: (catalogue: Catalogue) => void): void {
    if (this.catalogue === undefined) return;
    try {
      write(this.catalogue);
    } catch (error) {
      this.warn(`${messageOf(error)}; after a restart this is done again`, {});
    }
  }

  /** Adds complete files that are new here. */
  addPlaces(places: readonly Place[]): void {
    for (const place of places) this.index.add(place);
    this.remember((catalogue) => catalogue.putPlaces(places));
    for (const { root, name } of places) this.emit({ kind: "added", root, name });
    for (const { root, origin } of places) if (origin === "shared") this.dropDuplicate(root);
  }

  /** Forgets complete files, and the leaf layers that nothing else needs, unless they are to stay. */
  withdrawPlaces(places: readonly Place[], { keepLeaves = false } = {}): void {
    const known = places.filter((place) => this.index.remove(place));
    if (known.length === 0) return;
    for (const place of known) this.handles.forget(place.path);
    this.remember((catalogue) => catalogue.removePlaces(known));
    for (const { root, name, path, sizeBytes } of known) {
      if (!keepLeaves) this.collectLeaves(root, sizeBytes);
      this.emit({ kind: "withdrawn", root, name, path });
    }
  }

  /**
   * Removes the downloaded copy of a file that is shared as well, unless it is being read; then
   * the next call does it.
   */
  dropDuplicate(root: Root): void {
    const places = this.index.ofRoot(root);
    if (!places.some((place) => place.origin === "shared")) return;
    for (const place of places) {
      if (place.origin !== "downloaded" || !this.directory.contains(place.path)) continue;
      if (this.handles.isPinned(place.path)) continue;
      this.withdrawPlaces([place]);
      this.removeDownloaded(place);
    }
  }

  /** Removes the data of a downloaded file, and the directory made for it. */
  removeDownloaded(place: Place): void {
    try {
      removeIfThere(place.path);
      Deno.removeSync(place.directory);
    } catch (error) {
      // A directory that holds a second name of the same content stays.
      if (Deno.build.os !== "windows" && isNotEmpty(error)) return;
      this.warn(messageOf(error), { path: place.path });
    }
  }

  /** The leaf layer of a file that is here, whole or in part. */
  leafLayer(root: Root, sizeBytes: number): LeafLayer {
    const place = { root, chunks: chunkCount(sizeBytes), path: this.directory.leafPath(root) };
    return new LeafLayer(place, this.handles);
  }

  /** Removes the leaf layer of a root that is no longer here at all. */
  collectLeaves(root: Root, sizeBytes: number): void {
    if (chunkCount(sizeBytes) <= 1) return;
    if (this.index.first(root) !== undefined || this.downloads.has(root)) return;
    const path = this.directory.leafPath(root);
    this.handles.forget(path);
    try {
      removeIfThere(path);
    } catch (error) {
      this.warn(messageOf(error), { path });
    }
  }
}

function isNotEmpty(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "ENOTEMPTY" || error.code === "EEXIST");
}
