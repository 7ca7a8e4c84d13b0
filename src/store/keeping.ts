/**
 * What the data directory holds of downloads, for who decides what of it stays: how much that is, how
 * much is still to come, when each was used last, and its removal. What goes, and when, is decided in
 * `core/keeping`; what is shared in place is not touched here.
 */

import { statfsSync } from "node:fs";
import type { EnvironmentError } from "../base/errors.ts";
import type { Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { StoreContext } from "./catalogue/store_context.ts";
import type { Downloads } from "./downloads/downloads.ts";
import type { PartialDownload } from "./downloads/partial_download.ts";
import type { UnverifiedDownload } from "./downloads/unverified_download.ts";
import type { UnverifiedDownloads } from "./downloads/unverified_downloads.ts";
import type { FileUse } from "./files/file_uses.ts";
import type { RoomNeed } from "./files/room.ts";
import type { StoredFile } from "./files/stored_file.ts";
import { leftovers } from "./recover.ts";

/** A download of the data directory that is not under way. */
export interface KeptCopy {
  /** The path of its data. */
  readonly path: string;
  /** Null while nobody knows it. */
  readonly root: Root | null;
  readonly name: string;
  /** Bytes that are here. */
  readonly bytes: number;
  /** When it was used last, in milliseconds since 1970. */
  readonly usedUnixMs: number;
  readonly isPinned: boolean;
  /** Whether somebody reads it, or is given it. */
  readonly isInUse: boolean;
  readonly isPartial: boolean;
}

/** What became of downloads that were to go; what was spared is in neither list. */
export interface RemoveResult {
  readonly gone: KeptCopy[];
  /** What the disk did not let go, and why. */
  readonly stuck: { readonly copy: KeptCopy; readonly reason: string }[];
  /** Whether it refused so often in a row that the others were not tried. */
  isGivenUp: boolean;
}

/** The disk of the data directory. */
interface DiskRoom {
  /** Bytes that may be written; Infinity where nobody knows. */
  readonly freeBytes: number;
  readonly diskBytes: number;
}

/** The downloads of one store, to be kept or not. */
export class StoreKeeping {
  readonly #context: StoreContext;
  readonly #downloads: Downloads;
  readonly #unverified: UnverifiedDownloads;
  /** Bytes of what a crash left, and nobody has gone on with, as of the last look. */
  #leftoverBytes = 0;
  /** How often in a row the disk did not let a download go. */
  #refusals = 0;

  constructor(context: StoreContext, downloads: Downloads, unverified: UnverifiedDownloads) {
    this.#context = context;
    this.#downloads = downloads;
    this.#unverified = unverified;
    context.listen((change) => {
      if (change.kind !== "withdrawn" && change.kind !== "discarded") return;
      if (!this.#isOwn(change.root)) context.kept.forget([change.root]);
    });
  }

  /** Has somebody make room, or throw, before a download begins or grows. */
  onNeed(takeRoom: (need: RoomNeed) => void): void {
    this.#context.takeRoom = takeRoom;
  }

  /** Begins a use of files: what it is told of is not removed until it is disposed of. */
  use(): FileUse {
    return this.#context.uses.begin();
  }

  /** How many downloads are pinned. */
  get pinnedCount(): number {
    return this.#context.kept.pinnedCount;
  }

  isPinned(root: Root): boolean {
    return this.#context.kept.isPinned(root);
  }

  /** Pins the downloads of a root, or ends that; false when there is none, or nothing changed. */
  setPinned(root: Root, isPinned: boolean): boolean {
    if (!this.#isOwn(root)) return false;
    return this.#context.kept.setPinned(root, isPinned, this.#context.clock.unixMs());
  }

  /** Bytes of all downloads that are here, what is under way and what a crash left included. */
  get bytes(): number {
    let bytes = this.#context.index.downloadedBytes + this.#unverified.bytes + this.#leftoverBytes;
    for (const download of this.#downloads) if (download.isInternal) bytes += download.bytesHad;
    return bytes;
  }

  /** Bytes that are still to come for what is under way. */
  get comingBytes(): number {
    return this.#downloads.comingBytes + this.#unverified.comingBytes;
  }

  /** Whether another download of a file of this name is under way. */
  isComing(name: string, { besides }: { readonly besides: unknown }): boolean {
    for (const one of [...this.#downloads.active(), ...this.#unverified.active()]) {
      if (one !== besides && one.name === name) return true;
    }
    return false;
  }

  /** The disk of the data directory now. */
  disk(): DiskRoom {
    try {
      const { bavail, blocks, bsize } = statfsSync(this.#context.directory.path);
      return { freeBytes: bavail * bsize, diskBytes: blocks * bsize };
    } catch {
      return { freeBytes: Infinity, diskBytes: Infinity };
    }
  }

  /** All downloads that are not under way, in no order. */
  *copies(): Generator<KeptCopy> {
    for (const file of this.#context.index.downloaded()) {
      if (this.#context.isOwn(file)) yield this.#copyOf(file);
    }
    for (const download of this.#downloads) {
      if (this.#downloads.isActive(download) || !download.isInternal) continue;
      yield this.#partOf(download);
    }
    for (const unverified of this.#unverified.waiting()) yield this.#unknownOf(unverified);
    yield* this.#leftovers();
  }

  /**
   * Removes downloads; one that was used since it was looked at, is in use or pinned by now, or is under
   * way, stays, and so does what the disk does not let go: it is offered as before.
   */
  remove(copies: readonly KeptCopy[]): RemoveResult {
    const { index } = this.#context;
    const result: RemoveResult = { gone: [], stuck: [], isGivenUp: false };
    const parts: KeptCopy[] = [];
    const files = new Map<KeptCopy, StoredFile>();
    for (const copy of copies) {
      const file = index.at(copy.path);
      if (file === undefined) parts.push(copy);
      else if (this.#context.isOwn(file) && isSame(copy, this.#copyOf(file))) files.set(copy, file);
    }
    this.#removeParts(parts, result);
    if (!result.isGivenUp) this.#removeFiles(files, result);
    return result;
  }

  #removeFiles(files: ReadonlyMap<KeptCopy, StoredFile>, result: RemoveResult): void {
    if (files.size === 0) return;
    // First in the catalogue: what a crash leaves of it is found at the next start.
    this.#context.remember((catalogue) => catalogue.removeStoredFiles([...files.values()]));
    const left = new Set(files.values()), gone: StoredFile[] = [];
    for (const [copy, file] of files) {
      if (result.isGivenUp) break;
      if (!this.#took(copy, this.#context.eraseDownloaded(file), result)) continue;
      left.delete(file);
      gone.push(file);
    }
    if (left.size > 0) this.#context.remember((catalogue) => catalogue.putStoredFiles([...left]));
    this.#context.withdrawStoredFiles(gone, { isForgotten: true });
  }

  #removeParts(parts: readonly KeptCopy[], result: RemoveResult): void {
    if (parts.length === 0) return;
    // Looked up once for all: of these there may be thousands.
    const waiting = new Map([...this.#unverified.waiting()].map((one) => [one.path, one]));
    const unclaimed = parts.some(({ path, isPartial }) => isPartial && !waiting.has(path))
      ? new Set(this.#leftovers().map(({ path }) => path))
      : new Set<string>();
    for (const copy of parts) {
      if (result.isGivenUp) return;
      const end = this.#endOfPart(copy, { waiting, unclaimed });
      if (end === undefined) continue;
      // Its data goes first: what is known of it is of use as long as that is here.
      if (this.#took(copy, this.#context.eraseData(copy.path), result)) end();
    }
  }

  /** Notes whether the disk let a copy go. */
  #took(copy: KeptCopy, refused: EnvironmentError | undefined, result: RemoveResult): boolean {
    if (refused === undefined) {
      this.#refusals = 0;
      result.gone.push(copy);
      return true;
    }
    result.stuck.push({ copy, reason: refused.message });
    result.isGivenUp = ++this.#refusals >= limits.removeRefusalsMax;
    return false;
  }

  /** Forgets the pins and uses of what is not here any more: once all that is here was taken up. */
  forgetGone(): void {
    this.#context.kept.forgetGone((root) => this.#isOwn(root));
    this.#leftovers();
  }

  /** Forgets how fetches went that ended so long ago. */
  forgetRecords(beforeUnixMs: number): void {
    const endedAt = new Date(beforeUnixMs).toISOString();
    this.#context.remember((catalogue) => catalogue.removeRecordsBefore(endedAt));
  }

  /**
   * How to forget data that is no whole file: of an unverified download, a partial one, or of nothing
   * known. Undefined when it has to stay.
   */
  #endOfPart(
    copy: KeptCopy,
    { waiting, unclaimed }: {
      readonly waiting: ReadonlyMap<string, UnverifiedDownload>;
      readonly unclaimed: ReadonlySet<string>;
    },
  ): (() => void) | undefined {
    const { root, path } = copy;
    if (root === null) {
      const unverified = waiting.get(path);
      if (unverified === undefined || !isSame(copy, this.#unknownOf(unverified))) return undefined;
      return () => unverified.discard();
    }
    const download = this.#downloads.get(root);
    if (download === undefined) return unclaimed.has(path) ? () => {} : undefined;
    const isSpared = download.path !== path || this.#downloads.isActive(download) ||
      !isSame(copy, this.#partOf(download));
    return isSpared ? undefined : () => this.#downloads.discardWaiting(root);
  }

  #isOwn(root: Root): boolean {
    const { index, partials } = this.#context;
    return partials.has(root) || index.ofRoot(root).some((file) => this.#context.isOwn(file));
  }

  #copyOf(file: StoredFile): KeptCopy {
    const { path, root, name, sizeBytes, mtimeMs } = file;
    const { handles, uses, kept } = this.#context;
    return {
      path,
      root,
      name,
      bytes: sizeBytes,
      usedUnixMs: kept.usedUnixMs(root) ?? mtimeMs,
      isPinned: kept.isPinned(root),
      isInUse: uses.has(root) || handles.isPinned(path),
      isPartial: false,
    };
  }

  #partOf({ path, root, name, bytesHad, unverifiedBytes }: PartialDownload): KeptCopy {
    const { handles, uses, kept } = this.#context;
    return {
      path,
      root,
      name,
      bytes: Math.max(bytesHad, unverifiedBytes),
      usedUnixMs: kept.usedUnixMs(root) ?? changedUnixMs(path),
      isPinned: kept.isPinned(root),
      isInUse: uses.has(root) || handles.isPinned(path),
      isPartial: true,
    };
  }

  #unknownOf({ path, name, bytesHad, usedUnixMs }: UnverifiedDownload): KeptCopy {
    const isInUse = this.#context.uses.has(path);
    const what = { path, root: null, name, bytes: bytesHad, usedUnixMs };
    return { ...what, isPinned: false, isInUse, isPartial: true };
  }

  #leftovers(): KeptCopy[] {
    const found = leftovers(this.#context);
    this.#leftoverBytes = found.reduce((sum, { bytes }) => sum + bytes, 0);
    return found.map(({ root, path, bytes }) => ({
      path,
      root,
      name: root,
      bytes,
      usedUnixMs: changedUnixMs(path),
      isPinned: false,
      isInUse: false,
      isPartial: true,
    }));
  }
}

/** Whether nobody has used, pinned or changed it meanwhile. */
function isSame(before: KeptCopy, now: KeptCopy): boolean {
  return before.usedUnixMs === now.usedUnixMs && before.root === now.root && !now.isPinned &&
    !now.isInUse;
}

function changedUnixMs(path: string): number {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch {
    return 0;
  }
}
