/** The unfinished files of a store: takes them up again, begins, completes and gives up. */

import { Bitfield } from "../../base/bitfield.ts";
import { EnvironmentError, messageOf, PeerFault, UsageError } from "../../base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { HASH_BYTES, parseRoot, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { checkName } from "../../base/names.ts";
import type { PartialRow } from "../catalogue/catalogue.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import { moveFile } from "../files/durable.ts";
import { checkRoom } from "../files/room.ts";
import {
  type Fingerprint,
  fingerprintOf,
  isSameState,
  isUnchanged,
  joinPath,
  splitPath,
  StoredFile,
} from "../files/stored_file.ts";
import { codeOf, environmentError, removeIfThere, removeUnlessFile } from "../files/io.ts";
import { EMPTY_ROOT } from "../hashing/merkle.ts";
import {
  type DownloadEnds,
  type DownloadRequest,
  type KnownOfDownload,
  PartialDownload,
} from "./partial_download.ts";

/** Begins and ends downloads. */
export class Downloads implements DownloadEnds {
  readonly #context: StoreContext;
  /** All of them by root, those that wait included. */
  readonly #byRoot = new Map<Root, PartialDownload>();
  /** Those that are under way, and the bytes of each that are here when all that is wanted is. */
  readonly #active = new Map<PartialDownload, number>();

  constructor(context: StoreContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#byRoot.size;
  }

  /** Those that are under way. */
  active(): Iterable<PartialDownload> {
    return this.#active.keys();
  }

  /** Bytes of the data directory that those are still to take up. */
  get comingBytes(): number {
    let bytes = 0;
    for (const [{ bytesHad, isInternal }, bytesWanted] of this.#active) {
      if (isInternal) bytes += Math.max(0, bytesWanted - bytesHad);
    }
    return bytes;
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
      const found = this.#onDisk(row);
      if (found === "completed") continue;
      if (found === undefined) {
        this.#context.warn("Partial download lost its data", { name: row.name, root: row.root });
      }
      if (found === undefined || found.have.count === 0) {
        this.#context.remember((catalogue) => catalogue.removePartial(row.root));
        continue;
      }
      const { root, name, sizeBytes } = row;
      const leavesBytes = sizeOf(this.#context.directory.leafPath(root));
      const hasLeaves = row.hasLeaves && leavesBytes === chunkCount(sizeBytes) * HASH_BYTES;
      // What was written when the process died, or was changed since, counts once it was checked.
      const known = isAsLeft(row, found)
        ? { have: found.have }
        : { unverifiedBytes: found.print!.sizeBytes, chunksDoubted: found.have.count };
      this.#keep({ root, name, sizeBytes }, { ...known, hasLeaves });
    }
  }

  /**
   * Looks through partial downloads that a crash, or somebody, left otherwise than they were put
   * away, as far as their leaves are here; for the background.
   */
  async sortOut(): Promise<void> {
    for (const download of [...this.#byRoot.values()]) {
      if (download.unverifiedBytes === 0 || !download.isInternal) continue;
      if (this.#active.has(download) || !await download.checkLeaves()) continue;
      try {
        await download.sortOut();
      } catch (error) {
        this.#context.warn(messageOf(error), { root: download.root, name: download.name });
      }
    }
  }

  /**
   * Begins a download, or goes on with what is here of it.
   *
   * @throws {UsageError} when the file is here whole, is being downloaded, or has a bad name or size.
   * @throws {PeerFault} when the size cannot be that of the root, or what is here disproves it.
   * @throws {EnvironmentError} when the disk refuses.
   */
  begin({ root, name, sizeBytes, path, wanted }: DownloadRequest): PartialDownload {
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
    if (waiting !== undefined) this.#checkGoesOn(waiting, { name, sizeBytes });
    const bytesMissing = path === undefined && wanted !== undefined
      ? this.#takeRoom({ root, name, sizeBytes }, { wanted, waiting })
      : 0;
    if (waiting !== undefined) {
      if (path === undefined && waiting.chunks === chunkCount(sizeBytes)) {
        if (waiting.sizeBytes !== sizeBytes) waiting.changeSize(sizeBytes);
        this.#active.set(waiting, waiting.bytesHad + bytesMissing);
        return waiting;
      }
      waiting.discard();
    }
    const { directory } = this.#context;
    directory.makeLeafDirectory(root);
    if (path === undefined) removeUnlessFile(directory.partialPath(root));
    const unverifiedBytes = sizeOf(path ?? directory.partialPath(root)) ?? 0;
    const download = this.#keep({ root, name, sizeBytes, path }, { unverifiedBytes });
    this.#active.set(download, bytesMissing);
    return download;
  }

  #checkGoesOn(
    waiting: PartialDownload,
    { name, sizeBytes }: Pick<DownloadRequest, "name" | "sizeBytes">,
  ): void {
    if (this.#active.has(waiting)) {
      const { root } = waiting;
      throw new UsageError(`Cannot download ${name}: its download is under way, root ${root}`);
    }
    checkSizeChange(waiting, sizeBytes);
  }

  /**
   * Has room made for the chunks that are wanted and not here, and looks whether the disk has it; gives
   * their bytes.
   */
  #takeRoom(
    { root, name, sizeBytes }: Pick<DownloadRequest, "root" | "name" | "sizeBytes">,
    { wanted, waiting }: {
      readonly wanted: ChunkRange;
      readonly waiting: PartialDownload | undefined;
    },
  ): number {
    if (wanted.count === 0) return 0;
    const isSame = waiting?.chunks === chunkCount(sizeBytes);
    const missing = isSame ? waiting.have.missingRuns(wanted) : [wanted];
    const bytesMissing = missing.reduce((sum, run) => sum + rangeBytes(sizeBytes, run).length, 0);
    if (bytesMissing > 0) {
      // What is gone on with must not go to make room for itself.
      using use = this.#context.uses.begin();
      use.add(root);
      this.#context.takeRoom({ name, download: waiting, bytes: bytesMissing });
    }
    checkRoom({ name, path: this.#context.directory.partialPath(root), sizeBytes, bytesMissing });
    return bytesMissing;
  }

  /**
   * Makes a file that is no longer whole a partial download, without the chunks in `bad`.
   *
   * @param options `isChecked`: all other chunks are known to be good.
   */
  demote(
    file: StoredFile,
    bad: readonly ChunkRange[],
    options: { readonly isChecked: boolean },
  ): PartialDownload {
    const have = Bitfield.full(chunkCount(file.sizeBytes));
    for (const range of bad) have.removeRange(range);
    const download = this.#toPartial(file, have, { have, hasLeaves: true });
    if (options.isChecked) download.rememberLeft();
    return download;
  }

  #toPartial(
    file: StoredFile,
    remembered: Bitfield,
    known: KnownOfDownload,
  ): PartialDownload {
    const { root, name, sizeBytes, path } = file;
    if (this.#byRoot.has(root)) {
      throw new EnvironmentError("in-use", `Cannot keep ${path}: another download of it is here`);
    }
    const { handles, directory, index } = this.#context;
    handles.forget(path);
    try {
      Deno.renameSync(path, directory.partialPath(root));
    } catch (error) {
      throw environmentError(error, `move ${path}`);
    }
    index.remove(file);
    const download = this.#keep({ root, name, sizeBytes }, known);
    this.#context.remember((catalogue) =>
      catalogue.demoteToPartial(file, download.row(remembered.toBytes()))
    );
    this.#context.removeDownloaded(file);
    this.#context.emit({ kind: "withdrawn", root, name, path });
    return download;
  }

  /**
   * Makes a file of which neither bytes nor leaves can be relied on a partial download that has
   * nothing before it was sorted out.
   */
  doubt(file: StoredFile): PartialDownload {
    const have = Bitfield.full(chunkCount(file.sizeBytes));
    return this.#toPartial(file, have, {
      unverifiedBytes: file.sizeBytes,
      chunksDoubted: have.count,
    });
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
    for (const download of [...this.#active.keys()]) {
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

  isActive(download: PartialDownload): boolean {
    return this.#active.has(download);
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
    known: KnownOfDownload,
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
  #onDisk(row: PartialRow): FoundPartial | "completed" | undefined {
    const chunks = chunkCount(row.sizeBytes);
    let have: Bitfield;
    try {
      have = Bitfield.fromBytes(chunks, row.have);
    } catch {
      return undefined;
    }
    const print = printOf(this.#context.directory.partialPath(row.root));
    if (print === undefined) {
      if (!have.isFull) return have.count === 0 ? { have, print: null } : undefined;
      const target = joinPath(this.#context.directory.fileDirectory(row.root), row.name);
      if (sizeOf(target) !== row.sizeBytes) return undefined;
      const storedFile = storedFileAt(target, row);
      this.#context.index.add(storedFile);
      this.#context.remember((catalogue) => catalogue.completePartial(storedFile));
      return "completed";
    }
    for (let index = chunks - 1; index >= 0; index--) {
      const { offset, length } = rangeBytes(row.sizeBytes, { first: index, count: 1 });
      if (offset + length <= print.sizeBytes) break;
      have.remove(index);
    }
    return { have, print };
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

/** What lies on the disk of a partial download. */
interface FoundPartial {
  readonly have: Bitfield;
  /** What its data is like; null for none. */
  readonly print: Fingerprint | null;
}

/** Whether the data is as it was put away. */
function isAsLeft({ left }: PartialRow, { print }: FoundPartial): boolean {
  return left !== null && print !== null && isSameState(left, print);
}

function sizeOf(path: string): number | undefined {
  return printOf(path)?.sizeBytes;
}

/** What the file at a path is like; undefined where there is none, whatever else there is. */
function printOf(path: string): Fingerprint | undefined {
  try {
    const info = Deno.statSync(path);
    return info.isFile ? fingerprintOf(info) : undefined;
  } catch (error) {
    if (codeOf(error) === "not-found") return undefined;
    throw environmentError(error, `read ${path}`);
  }
}
