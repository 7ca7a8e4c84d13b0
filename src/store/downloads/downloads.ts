/** The unfinished files of a store: takes them up again, begins, completes and gives up. */

import { Bitfield } from "../../base/bitfield.ts";
import { messageOf, PeerFault, UsageError } from "../../base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { HASH_BYTES, parseRoot, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { checkName } from "../../base/names.ts";
import type { PartialRow } from "../catalogue/catalogue.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import { moveFile } from "../files/durable.ts";
import {
  fingerprintOf,
  isUnchanged,
  joinPath,
  splitPath,
  StoredFile,
} from "../files/stored_file.ts";
import { codeOf, environmentError, removeIfThere } from "../files/io.ts";
import { EMPTY_ROOT } from "../hashing/merkle.ts";
import { type DownloadEnds, type DownloadRequest, PartialDownload } from "./partial_download.ts";

/** Begins and ends downloads. */
export class Downloads implements DownloadEnds {
  readonly #context: StoreContext;
  /** All of them by root, those that wait included. */
  readonly #byRoot = new Map<Root, PartialDownload>();
  /** Those that are under way. */
  readonly #active = new Set<PartialDownload>();

  constructor(context: StoreContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#byRoot.size;
  }

  get(root: Root): PartialDownload | undefined {
    return this.#byRoot.get(root);
  }

  [Symbol.iterator](): MapIterator<PartialDownload> {
    return this.#byRoot.values();
  }

  /** Takes up what the catalogue remembers, as far as it is still on the disk. */
  restore(rows: readonly PartialRow[]): void {
    const stale = [...this.#context.index]
      .filter((file) => file.origin === "downloaded" && !isUnchanged(file));
    for (const { path } of stale) {
      this.#context.warn("A downloaded file is gone or changed", { path });
    }
    this.#context.withdrawStoredFiles(stale);
    for (const row of rows) {
      const have = this.#bitsOnDisk(row);
      if (have === "completed") continue;
      if (have === undefined) {
        this.#context.warn("Partial download lost its data", { name: row.name, root: row.root });
      }
      if (have === undefined || have.count === 0) {
        this.#context.remember((catalogue) => catalogue.removePartial(row.root));
        continue;
      }
      const { root, name, sizeBytes } = row;
      const leavesBytes = sizeOf(this.#context.directory.leafPath(root));
      const hasLeaves = row.hasLeaves && leavesBytes === chunkCount(sizeBytes) * HASH_BYTES;
      this.#keep({ root, name, sizeBytes }, { have, hasLeaves });
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
    checkSize(name, sizeBytes);
    if (sizeBytes === 0 && root !== EMPTY_ROOT) {
      throw new PeerFault("bad-data", `Cannot download ${root}: it is not the root of no bytes`);
    }
    if (this.#context.index.first(root) !== undefined) {
      throw new UsageError(`Cannot download ${name}: it is here already, root ${root}`);
    }
    const waiting = this.#byRoot.get(root);
    if (waiting !== undefined) {
      if (this.#active.has(waiting)) {
        throw new UsageError(`Cannot download ${name}: its download is under way, root ${root}`);
      }
      checkSizeChange(waiting, sizeBytes);
      if (path === undefined && waiting.chunks === chunkCount(sizeBytes)) {
        if (waiting.sizeBytes !== sizeBytes) waiting.changeSize(sizeBytes);
        this.#active.add(waiting);
        return waiting;
      }
      waiting.discard();
    }
    const { directory } = this.#context;
    directory.makeLeafDirectory(root);
    const unverifiedBytes = sizeOf(path ?? directory.partialPath(root)) ?? 0;
    const download = this.#keep({ root, name, sizeBytes, path }, { unverifiedBytes });
    this.#active.add(download);
    return download;
  }

  /** Makes a file that is no longer whole a partial download, without the chunks in `bad`. */
  demote(file: StoredFile, bad: readonly ChunkRange[]): PartialDownload {
    const { root, name, sizeBytes, path } = file;
    const have = Bitfield.full(chunkCount(sizeBytes));
    for (const range of bad) have.removeRange(range);
    const { handles, directory, index } = this.#context;
    handles.forget(path);
    try {
      Deno.renameSync(path, directory.partialPath(root));
    } catch (error) {
      throw environmentError(error, `move ${path}`);
    }
    index.remove(file);
    const download = this.#keep({ root, name, sizeBytes }, { have, hasLeaves: true });
    this.#context.remember((catalogue) =>
      catalogue.demoteToPartial(file, download.row(have.toBytes()))
    );
    this.#context.removeDownloaded(file);
    this.#context.emit({ kind: "withdrawn", root, name, path });
    return download;
  }

  /** Gives up the download of `root` if it waits: the file came another way. */
  discardWaiting(root: Root): void {
    const waiting = this.#byRoot.get(root);
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

  async complete(download: PartialDownload): Promise<void> {
    const { root, name, isInternal } = download;
    const { directory, index, isDurable } = this.#context;
    let { path } = download;
    if (isInternal) {
      if (index.first(root) !== undefined) {
        // Meanwhile the same content is shared from elsewhere: not kept twice.
        removeIfThere(path);
        this.#forget(download);
        this.#context.remember((catalogue) => catalogue.removePartial(root));
        return;
      }
      path = joinPath(directory.newFileDirectory(root), name);
      await moveFile(download.path, path, { isDurable });
    }
    const file = storedFileAt(path, download);
    this.#forget(download);
    index.add(file);
    this.#context.remember((catalogue) => {
      if (isInternal) catalogue.completePartial(file);
      else catalogue.removePartial(root);
    });
    this.#context.emit({ kind: "added", root, name });
  }

  suspended(download: PartialDownload): void {
    this.#active.delete(download);
    if (download.isInternal) return this.#dropEmpty(download);
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
    if (this.#byRoot.get(download.root) !== download) return;
    if (download.have.count > 0 || download.unverifiedBytes > 0) return;
    this.#context.removeData(download.path);
    this.discarded(download);
  }

  #keep(
    request: DownloadRequest,
    known: {
      readonly have?: Bitfield;
      readonly hasLeaves?: boolean;
      readonly unverifiedBytes?: number;
    },
  ): PartialDownload {
    const download = new PartialDownload(request, this.#context, { ends: this, ...known });
    this.#byRoot.set(download.root, download);
    this.#context.partials.add(download.root);
    return download;
  }

  #forget(download: PartialDownload): void {
    this.#active.delete(download);
    if (this.#byRoot.get(download.root) !== download) return;
    this.#byRoot.delete(download.root);
    this.#context.partials.delete(download.root);
  }

  // A crash may have come between the renaming of a finished file and the note of it.
  #bitsOnDisk(row: PartialRow): Bitfield | "completed" | undefined {
    const chunks = chunkCount(row.sizeBytes);
    let have: Bitfield;
    try {
      have = Bitfield.fromBytes(chunks, row.have);
    } catch {
      return undefined;
    }
    const sizeBytes = sizeOf(this.#context.directory.partialPath(row.root));
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

// Peers say what the size is. The last chunk proves one. Any other is as long as every chunk is and
// proves that the leaves are such, so their number too. Without either, the newer size is tried.
function checkSizeChange(waiting: PartialDownload, sizeBytes: number): void {
  if (waiting.sizeBytes === sizeBytes) return;
  const { name, chunks, have, hasLeaves } = waiting;
  if (have.has(chunks - 1)) {
    throw new PeerFault(
      "bad-data",
      `Cannot download ${name}: size ${sizeBytes}, but its last chunk, which is here, ` +
        `proves ${waiting.sizeBytes}`,
    );
  }
  const chunksNow = chunkCount(sizeBytes);
  if (hasLeaves && have.count > 0 && chunksNow !== chunks) {
    throw new PeerFault(
      "bad-data",
      `Cannot download ${name}: size ${sizeBytes} makes ${chunksNow} chunks, but its leaves, which ` +
        `are here, prove ${chunks}`,
    );
  }
}

/** @throws {UsageError} when no file that is fetched can be of this size. */
export function checkSize(name: string, sizeBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes <= limits.fetchBytesMax) {
    return;
  }
  throw new UsageError(
    `Cannot download ${name}: size ${sizeBytes} is not between 0 and ${limits.fetchBytesMax}`,
  );
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
