/** What the parts of the store share: the directory, the open files, the catalogue, the index. */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";
import type { Root } from "../../base/ids.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { CheckedChunks } from "../files/checked_chunks.ts";
import { checkOpened } from "../files/confined.ts";
import type { DataDirectory } from "../files/data_directory.ts";
import { FileIndex } from "../files/file_index.ts";
import { FileUses } from "../files/file_uses.ts";
import { HandleCache } from "../files/handle_cache.ts";
import { codeOf, environmentError, removeIfThere } from "../files/io.ts";
import type { RoomNeed } from "../files/room.ts";
import {
  fingerprintOf,
  isSameContent,
  type OnWarning,
  type StoreChange,
  type StoredFile,
} from "../files/stored_file.ts";
import { LeafLayer } from "../hashing/leaf_layer.ts";
import { ProvenLayers } from "../hashing/proven_layers.ts";
import type { Catalogue, KeptRow } from "./catalogue.ts";
import { KeptFiles } from "./kept_files.ts";
import { WithheldFiles } from "./withheld_files.ts";

/** The state of one open store; its parts change it, nothing outside `src/store` sees it. */
export class StoreContext {
  readonly directory: DataDirectory;
  /** Missing in an ephemeral store. */
  readonly catalogue: Catalogue | undefined;
  readonly clock: Clock;
  readonly warn: OnWarning;
  readonly handles = new HandleCache(
    limits.openFilesMax,
    (fd, path) => this.#checkOpened(fd, path),
  );
  /** Leaf layers that were compared with their roots in this run. */
  readonly proven = new ProvenLayers();
  /** Which chunks of complete files were checked in this run, by path. */
  readonly checked = new BoundedMap<string, CheckedChunks>(limits.checkedFilesMax);
  readonly index = new FileIndex();
  /** Shared files that are not offered until it is clear what they are. */
  readonly withheld: WithheldFiles;
  /** When downloads were used last, and which are pinned. */
  readonly kept: KeptFiles;
  /** Who reads files, or gives them to somebody. */
  readonly uses: FileUses;
  /** Called before a download begins or grows; what it throws ends that. Set by `StoreKeeping`. */
  takeRoom: (need: RoomNeed) => void = () => {};
  /** Roots of which a part is here, so that their leaf layers stay; kept by `Downloads`. */
  readonly partials = new Set<Root>();
  /** The topmost shared path at or above a path; kept by `Shares`. */
  shareRootOf: (path: string) => string | undefined = () => undefined;
  readonly #listeners = new Set<(change: StoreChange) => void>();

  constructor(
    context: Pick<StoreContext, "directory" | "catalogue" | "clock" | "warn">,
    { keptFiles = [] }: { readonly keptFiles?: readonly KeptRow[] } = {},
  ) {
    this.directory = context.directory;
    this.catalogue = context.catalogue;
    this.clock = context.clock;
    this.warn = context.warn;
    this.withheld = new WithheldFiles(this.catalogue?.withheld() ?? [], {
      remember: (write) => this.remember(write),
      letGo: (root, sizeBytes) => this.collectLeaves(root, sizeBytes),
    });
    this.kept = new KeptFiles(keptFiles, { remember: (write) => this.remember(write) });
    this.uses = new FileUses((root) => {
      // Of what is shared in place nothing follows from it.
      const isOwn = this.partials.has(root) ||
        this.index.ofRoot(root).some((one) => this.isOwn(one));
      if (isOwn) this.kept.used(root, this.clock.unixMs());
    });
  }

  /** Whether data is flushed to the disk: not for a store that nothing outlives. */
  get isDurable(): boolean {
    return this.catalogue !== undefined;
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
  addStoredFiles(files: readonly StoredFile[]): void {
    for (const file of files) this.index.add(file);
    this.remember((catalogue) => catalogue.putStoredFiles(files));
    for (const { root, name } of files) this.emit({ kind: "added", root, name });
    for (const { root, origin } of files) if (origin === "shared") this.dropDuplicate(root);
  }

  /**
   * Forgets complete files, and the leaf layers that nothing else needs, unless they are to stay.
   *
   * @param options `isForgotten`: the catalogue does not know them any more.
   */
  withdrawStoredFiles(
    files: readonly StoredFile[],
    { keepLeaves = false, isForgotten = false } = {},
  ): void {
    const known = files.filter((file) => this.index.remove(file));
    if (known.length === 0) return;
    for (const { path } of known) this.handles.forget(path);
    // What still seems to be what it was must turn out to be so.
    this.withheld.expect(
      known.filter((file) => file.origin === "shared" && this.#isUntouched(file)),
    );
    if (!isForgotten) this.remember((catalogue) => catalogue.removeStoredFiles(known));
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
    const files = this.index.ofRoot(root);
    if (!files.some(({ origin }) => origin === "shared")) return;
    for (const file of files) {
      if (!this.isOwn(file) || this.handles.isPinned(file.path)) continue;
      this.withdrawStoredFiles([file]);
      this.removeDownloaded(file);
    }
  }

  /** Whether a file was downloaded into the data directory, so that the store may remove it. */
  isOwn({ origin, path }: StoredFile): boolean {
    return origin === "downloaded" && this.directory.contains(path);
  }

  /** Removes the data of a downloaded file, and the directory made for it; a disk that refuses is told of. */
  removeDownloaded(file: StoredFile): void {
    const refused = this.eraseDownloaded(file);
    if (refused !== undefined) this.warn(refused.message, { path: file.path });
  }

  /** The same, for who tells of it: gives why the data is still here, if it is. */
  eraseDownloaded({ path, directory }: StoredFile): EnvironmentError | undefined {
    const refused = this.eraseData(path);
    if (refused !== undefined) return refused;
    try {
      Deno.removeSync(directory);
    } catch (error) {
      // A directory that holds a second name of the same content stays.
      const stays = Deno.build.os !== "windows" && isNotEmpty(error);
      if (!stays && codeOf(error) !== "not-found") this.warn(messageOf(error), { path: directory });
    }
    return undefined;
  }

  #isUntouched(file: StoredFile): boolean {
    if (this.shareRootOf(file.path) === undefined) return false;
    try {
      return isSameContent(file, fingerprintOf(Deno.statSync(file.path)));
    } catch {
      return false;
    }
  }

  // Whatever reads a shared file comes by here.
  #checkOpened(fd: number, path: string): void {
    if (this.directory.contains(path) || this.index.at(path)?.origin === "downloaded") return;
    const root = this.shareRootOf(path);
    if (root === undefined || this.directory.contains(checkOpened(fd, path, root))) {
      throw new EnvironmentError("not-found", `Cannot read ${path}: it is not shared`);
    }
  }

  /** The leaf layer of a file that is here, whole or in part. */
  leafLayer(root: Root, sizeBytes: number): LeafLayer {
    const layer = { root, chunks: chunkCount(sizeBytes), path: this.directory.leafPath(root) };
    return new LeafLayer(layer, this);
  }

  /** Removes the leaf layer of a root that is no longer here at all. */
  collectLeaves(root: Root, sizeBytes: number): void {
    if (chunkCount(sizeBytes) <= 1) return;
    if (this.index.first(root) !== undefined || this.partials.has(root)) return;
    if (this.withheld.needsLeaves(root)) return;
    this.removeData(this.directory.leafPath(root));
  }

  /** Closes and removes a file of the data directory; a disk that refuses is only told of. */
  removeData(path: string): void {
    const refused = this.eraseData(path);
    if (refused !== undefined) this.warn(refused.message, { path });
  }

  /** The same, for who tells of it: gives why the file is still here, if it is. */
  eraseData(path: string): EnvironmentError | undefined {
    this.handles.forget(path);
    try {
      removeIfThere(path);
      return undefined;
    } catch (error) {
      return environmentError(error, `remove ${path}`);
    }
  }
}

function isNotEmpty(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "ENOTEMPTY" || error.code === "EEXIST");
}
