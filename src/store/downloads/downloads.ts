/** The unfinished files of a store: takes them up again, begins, completes and gives up. */

import { Bitfield } from "../../base/bitfield.ts";
import { messageOf, PeerFault, UsageError } from "../../base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { HASH_BYTES, parseRoot, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { checkName } from "../../base/names.ts";
import type { PartialRow } from "../catalogue/catalogue.ts";
import { type DownloadFile, type DownloadHost, PartialDownload } from "./partial_download.ts";
import { fingerprintOf, isSameFile } from "../files/fingerprint.ts";
import { codeOf, environmentError, removeIfThere } from "../files/io.ts";
import { EMPTY_ROOT } from "../hashing/merkle.ts";
import { moveFile } from "../files/durable.ts";
import { joinPath, splitPath, StoredFile } from "../files/stored_file.ts";
import type { StoreContext } from "./store_context.ts";

/** What to download. */
export interface DownloadRequest {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * Write the data here, absolute, instead of into the data directory. Nothing of it is remembered
   * across a restart; what lies there already is taken up by {@linkcode Download.recheck}.
   */
  readonly path?: string;
}

/** Begins and ends downloads, and is what they need of the store. */
export class Downloads implements DownloadHost {
  readonly isDurable: boolean;
  readonly #context: StoreContext;
  readonly #active = new Set<PartialDownload>();

  constructor(context: StoreContext) {
    this.#context = context;
    this.isDurable = context.catalogue !== undefined;
  }

  get handles(): StoreContext["handles"] {
    return this.#context.handles;
  }

  get warn(): StoreContext["warn"] {
    return this.#context.warn;
  }

  /** Takes up what the catalogue remembers, as far as it is still on the disk. */
  restore(rows: readonly PartialRow[]): void {
    const stale = [...this.#context.index].filter((storedFile) =>
      storedFile.origin === "downloaded" && !isUnchanged(storedFile)
    );
    for (const { path } of stale) {
      this.#context.warn("A downloaded file is gone or changed", { path });
    }
    this.#context.withdrawStoredFiles(stale);
    for (const row of rows) {
      const file = this.#internal(row);
      const have = this.#bitsOnDisk(row, file.path);
      if (have === undefined) {
        this.#context.warn("Partial download lost its data", { name: row.name, root: row.root });
        this.#context.remember((catalogue) => catalogue.removePartial(row.root));
        continue;
      }
      if (have === "completed") continue;
      if (have.count === 0) {
        this.#context.remember((catalogue) => catalogue.removePartial(row.root));
        continue;
      }
      const leavesBytes = sizeOf(file.leafPath);
      const hasLeaves = row.hasLeaves && leavesBytes === chunkCount(row.sizeBytes) * HASH_BYTES;
      this.#context.downloads.set(row.root, new PartialDownload(file, this, { have, hasLeaves }));
    }
  }

  /**
   * Begins a download, or goes on with what is here of it.
   *
   * @throws {UsageError} when the file is here whole, is being downloaded, or has a bad name or size.
   * @throws {PeerFault} when the size cannot be that of the root, or what is here disproves it.
   * @throws {EnvironmentError} when the disk refuses.
   */
  begin({ root, name, sizeBytes, path }: DownloadRequest): PartialDownload {
    // It becomes part of a path, so a cast from somewhere else is not enough.
    parseRoot(root);
    checkName(name);
    checkLocalName(name);
    checkSize(root, sizeBytes);
    if (this.#context.index.first(root) !== undefined) {
      throw new UsageError(`Cannot download ${name}: it is here already, root ${root}`);
    }
    const waiting = this.#context.downloads.get(root);
    if (waiting !== undefined) {
      if (this.#active.has(waiting)) {
        throw new UsageError(`Cannot download ${name}: its download is under way, root ${root}`);
      }
      checkClaim(waiting, sizeBytes);
      if (path === undefined && waiting.chunks === chunkCount(sizeBytes)) {
        if (waiting.sizeBytes !== sizeBytes) waiting.claimSize(sizeBytes);
        this.#active.add(waiting);
        return waiting;
      }
      waiting.discard();
    }
    const file = path === undefined
      ? this.#internal({ root, name, sizeBytes })
      : { ...this.#internal({ root, name, sizeBytes }), path };
    this.#context.directory.newLeafPath(root);
    const unverifiedBytes = sizeOf(file.path) ?? 0;
    const download = new PartialDownload(file, this, { unverifiedBytes });
    this.#context.downloads.set(root, download);
    this.#active.add(download);
    return download;
  }

  /** Makes a file that is no longer whole a partial download, without the chunks in `bad`. */
  demote(storedFile: StoredFile, bad: readonly ChunkRange[]): PartialDownload {
    const file = this.#internal(storedFile);
    const have = Bitfield.full(chunkCount(storedFile.sizeBytes));
    for (const { first, count } of bad) {
      for (let index = first; index < first + count; index++) have.remove(index);
    }
    const { downloads, handles, index } = this.#context;
    handles.forget(storedFile.path);
    try {
      Deno.renameSync(storedFile.path, file.path);
    } catch (error) {
      throw environmentError(error, `move ${storedFile.path}`);
    }
    index.remove(storedFile);
    const download = new PartialDownload(file, this, { have, hasLeaves: true });
    downloads.set(storedFile.root, download);
    this.#context.remember((catalogue) =>
      catalogue.demoteToPartial(storedFile, rowOf(download, have.toBytes()))
    );
    this.#context.removeDownloaded(storedFile);
    const { root, name, path } = storedFile;
    this.#context.emit({ kind: "withdrawn", root, name, path });
    return download;
  }

  /** Gives up the download of `root` if it waits: the file came another way. */
  discardWaiting(root: Root): void {
    const waiting = this.#context.downloads.get(root);
    if (waiting === undefined || this.#active.has(waiting)) return;
    try {
      waiting.discard();
    } catch (error) {
      this.#context.warn(messageOf(error), { root, name: waiting.name });
    }
  }

  /** Stops all that are under way. */
  async suspendAll(): Promise<void> {
    for (const download of [...this.#active]) {
      try {
        await download.suspend();
      } catch (error) {
        this.#context.warn(messageOf(error), { name: download.name });
      }
    }
  }

  saveProgress(download: PartialDownload, have: Uint8Array): void {
    if (this.#isInternal(download)) this.#context.catalogue?.putPartial(rowOf(download, have));
  }

  gained({ root }: PartialDownload, range: ChunkRange): void {
    this.#context.emit({ kind: "gained", root, range });
  }

  lost({ root }: PartialDownload, range: ChunkRange): void {
    this.#context.emit({ kind: "lost", root, range });
  }

  async complete(download: PartialDownload, path: string | undefined): Promise<void> {
    const { root, name } = download;
    const isKept = path === undefined && this.#isInternal(download);
    if (isKept && this.#context.index.first(root) !== undefined) {
      // Meanwhile the same content is shared from elsewhere: not kept twice.
      removeIfThere(download.path);
      this.#forget(download);
      this.#context.remember((catalogue) => catalogue.removePartial(root));
      return;
    }
    const target = path ??
      (isKept ? joinPath(this.#context.directory.fileDirectory(root), name) : download.path);
    if (target !== download.path) {
      if (isKept) this.#context.directory.newFileDirectory(root);
      await moveFile(download.path, target, { isDurable: this.isDurable });
    }
    const storedFile = storedFileAt(target, download);
    this.#forget(download);
    this.#context.index.add(storedFile);
    this.#context.remember((catalogue) => {
      if (isKept) catalogue.completePartial(storedFile);
      else catalogue.removePartial(root);
    });
    this.#context.emit({ kind: "added", root, name });
  }

  suspended(download: PartialDownload): void {
    this.#active.delete(download);
    if (this.#isInternal(download)) return this.#dropEmpty(download);
    this.#forget(download);
    this.#context.handles.forget(download.path);
    this.#context.collectLeaves(download.root, download.sizeBytes);
  }

  discarded(download: PartialDownload): void {
    const { root, name, sizeBytes } = download;
    this.#forget(download);
    this.#context.remember((catalogue) => catalogue.removePartial(root));
    this.#context.collectLeaves(root, sizeBytes);
    this.#context.emit({ kind: "discarded", root, name });
  }

  /** Forgets a download that was put away without a chunk: there is nothing to go on with. */
  #dropEmpty(download: PartialDownload): void {
    if (this.#context.downloads.get(download.root) !== download) return;
    if (download.have.count > 0 || download.unverifiedBytes > 0) return;
    this.#context.handles.forget(download.path);
    try {
      removeIfThere(download.path);
    } catch (error) {
      this.#context.warn(messageOf(error), { root: download.root, name: download.name });
    }
    this.discarded(download);
  }

  #forget(download: PartialDownload): void {
    this.#active.delete(download);
    if (this.#context.downloads.get(download.root) === download) {
      this.#context.downloads.delete(download.root);
    }
  }

  #internal(file: Pick<DownloadFile, "root" | "name" | "sizeBytes">): DownloadFile {
    const { root, name, sizeBytes } = file;
    const { directory } = this.#context;
    const path = directory.partialPath(root);
    return { root, name, sizeBytes, path, leafPath: directory.leafPath(root) };
  }

  #isInternal(download: PartialDownload): boolean {
    return download.path === this.#context.directory.partialPath(download.root);
  }

  // A crash may have come between the renaming of a finished file and the note of it.
  #bitsOnDisk(row: PartialRow, path: string): Bitfield | "completed" | undefined {
    const chunks = chunkCount(row.sizeBytes);
    let have: Bitfield;
    try {
      have = Bitfield.fromBytes(chunks, row.have);
    } catch {
      return undefined;
    }
    const sizeBytes = sizeOf(path);
    if (sizeBytes === undefined) {
      if (!have.isFull) return have.count === 0 ? have : undefined;
      const target = joinPath(this.#context.directory.fileDirectory(row.root), row.name);
      if (sizeOf(target) !== row.sizeBytes) return undefined;
      const storedFile = storedFileAt(target, row);
      this.#context.index.add(storedFile);
      this.#context.remember((catalogue) => catalogue.completePartial(storedFile));
      return "completed";
    }
    for (let index = chunks - 1; index >= 0; index--) {
      const { offset, length } = rangeBytes(row.sizeBytes, { first: index, count: 1 });
      if (offset + length <= sizeBytes) break;
      have.remove(index);
    }
    return have;
  }
}

function rowOf(download: PartialDownload, have: Uint8Array): PartialRow {
  const { root, name, sizeBytes, hasLeaves } = download;
  return { root, name, sizeBytes, have, hasLeaves };
}

function storedFileAt(
  path: string,
  file: { readonly root: Root; readonly name: string },
): StoredFile {
  const where = { ...splitPath(path), name: file.name };
  return new StoredFile("downloaded", where, {
    root: file.root,
    ...fingerprintOf(Deno.statSync(path)),
  });
}

function isUnchanged(storedFile: StoredFile): boolean {
  try {
    return isSameFile(storedFile, Deno.statSync(storedFile.path));
  } catch {
    return false;
  }
}

// Sizes are claims of peers. The last chunk proves one. Any other is as long as every chunk is and
// proves that the leaves are such, so their number too. Without either, the newer claim is tried.
function checkClaim(waiting: PartialDownload, sizeBytes: number): void {
  if (waiting.sizeBytes === sizeBytes) return;
  const { name, chunks, have, hasLeaves } = waiting;
  if (have.has(chunks - 1)) {
    throw new PeerFault(
      "bad-data",
      `Cannot download ${name}: size ${sizeBytes}, but its last chunk, which is here, ` +
        `proves ${waiting.sizeBytes}`,
    );
  }
  const claimed = chunkCount(sizeBytes);
  if (hasLeaves && have.count > 0 && claimed !== chunks) {
    throw new PeerFault(
      "bad-data",
      `Cannot download ${name}: size ${sizeBytes} makes ${claimed} chunks, but its leaves, which ` +
        `are here, prove ${chunks}`,
    );
  }
}

function checkSize(root: Root, sizeBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > limits.fetchBytesMax) {
    throw new UsageError(
      `Cannot download ${root}: size ${sizeBytes} is not between 0 and ${limits.fetchBytesMax}`,
    );
  }
  if (sizeBytes === 0 && root !== EMPTY_ROOT) {
    throw new PeerFault("bad-data", `Cannot download ${root}: it is not the root of no bytes`);
  }
}

// On Windows more characters separate paths or name streams and devices.
function checkLocalName(name: string): void {
  if (Deno.build.os !== "windows") return;
  if (/[\\:*?"<>|]|[. ]$/.test(name) || /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name)) {
    throw new UsageError(`Cannot use name ${JSON.stringify(name)} on Windows`);
  }
}

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (codeOf(error) === "not-found") return undefined;
    throw environmentError(error, `read ${path}`);
  }
}
