/** What the parts of the store share: the directory, the open files, the catalogue, the index. */

import type { Root } from "../../base/ids.ts";
import { messageOf } from "../../base/errors.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { DataDirectory } from "../files/data_directory.ts";
import type { PartialDownload } from "./partial_download.ts";
import { FileIndex } from "../files/file_index.ts";
import type { HandleCache } from "../files/handle_cache.ts";
import { removeIfThere } from "../files/io.ts";
import { LeafLayer } from "../hashing/leaf_layer.ts";
import type { OnWarning, StoreChange, StoredFile } from "../files/stored_file.ts";
import { chunkCount } from "../../base/geometry.ts";

/** The state of one open store; its parts change it, nothing outside `src/store` sees it. */
export class StoreContext {
  readonly directory: DataDirectory;
  readonly handles: HandleCache;
  /** Missing in an ephemeral store. */
  readonly catalogue: Catalogue | undefined;
  readonly index = new FileIndex();
  /** Unfinished files by root, those that wait included. */
  readonly downloads = new Map<Root, PartialDownload>();
  readonly warn: OnWarning;
  readonly #listeners = new Set<(change: StoreChange) => void>();

  constructor(context: {
    readonly directory: DataDirectory;
    readonly handles: HandleCache;
    readonly catalogue: Catalogue | undefined;
    readonly warn: OnWarning;
  }) {
    this.directory = context.directory;
    this.handles = context.handles;
    this.catalogue = context.catalogue;
    this.warn = context.warn;
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
  addStoredFiles(storedFiles: readonly StoredFile[]): void {
    for (const storedFile of storedFiles) this.index.add(storedFile);
    this.remember((catalogue) => catalogue.putStoredFiles(storedFiles));
    for (const { root, name } of storedFiles) this.emit({ kind: "added", root, name });
    for (const { root, origin } of storedFiles) if (origin === "shared") this.dropDuplicate(root);
  }

  /** Forgets complete files, and the leaf layers that nothing else needs, unless they are to stay. */
  withdrawStoredFiles(storedFiles: readonly StoredFile[], { keepLeaves = false } = {}): void {
    const known = storedFiles.filter((storedFile) => this.index.remove(storedFile));
    if (known.length === 0) return;
    for (const storedFile of known) this.handles.forget(storedFile.path);
    this.remember((catalogue) => catalogue.removeStoredFiles(known));
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
    const storedFiles = this.index.ofRoot(root);
    if (!storedFiles.some((storedFile) => storedFile.origin === "shared")) return;
    for (const storedFile of storedFiles) {
      if (storedFile.origin !== "downloaded" || !this.directory.contains(storedFile.path)) continue;
      if (this.handles.isPinned(storedFile.path)) continue;
      this.withdrawStoredFiles([storedFile]);
      this.removeDownloaded(storedFile);
    }
  }

  /** Removes the data of a downloaded file, and the directory made for it. */
  removeDownloaded(storedFile: StoredFile): void {
    try {
      removeIfThere(storedFile.path);
      Deno.removeSync(storedFile.directory);
    } catch (error) {
      // A directory that holds a second name of the same content stays.
      if (Deno.build.os !== "windows" && isNotEmpty(error)) return;
      this.warn(messageOf(error), { path: storedFile.path });
    }
  }

  /** The leaf layer of a file that is here, whole or in part. */
  leafLayer(root: Root, sizeBytes: number): LeafLayer {
    const storedFile = { root, chunks: chunkCount(sizeBytes), path: this.directory.leafPath(root) };
    return new LeafLayer(storedFile, this.handles);
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
