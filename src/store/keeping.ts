/**
 * What the data directory holds of downloads, for who decides what of it stays: how much that is, how
 * much is still to come, when each was used last, and its removal. What goes, and when, is decided in
 * `core/keeping`; what is shared in place is not touched here.
 */

import { statfsSync } from "node:fs";
import type { Root } from "../base/ids.ts";
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
   * way, stays. Gives those that are gone.
   */
  remove(copies: readonly KeptCopy[]): KeptCopy[] {
    const { index } = this.#context;
    const files: StoredFile[] = [];
    // Looked up once for all: of these there may be thousands.
    const waiting = new Map([...this.#unverified.waiting()].map((one) => [one.path, one]));
    const unclaimed = copies.some(({ path, isPartial }) => isPartial && !waiting.has(path))
      ? new Set(this.#leftovers().map(({ path }) => path))
      : new Set<string>();
    const gone = copies.filter((copy) => {
      const file = index.at(copy.path);
      if (file === undefined) return this.#removePart(copy, { waiting, unclaimed });
      if (!this.#context.isOwn(file) || !isSame(copy, this.#copyOf(file))) return false;
      files.push(file);
      return true;
    });
    // First in the catalogue: what a crash leaves of it is found at the next start.
    this.#context.withdrawStoredFiles(files);
    for (const file of files) this.#context.removeDownloaded(file);
    return gone;
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

  /** Removes data that is no whole file: of an unverified download, a partial one, or of nothing known. */
  #removePart(
    copy: KeptCopy,
    { waiting, unclaimed }: {
      readonly waiting: ReadonlyMap<string, UnverifiedDownload>;
      readonly unclaimed: ReadonlySet<string>;
    },
  ): boolean {
    const { root, path } = copy;
    if (root === null) {
      const unverified = waiting.get(path);
      if (unverified === undefined || !isSame(copy, this.#unknownOf(unverified))) return false;
      unverified.discard();
      return true;
    }
    const download = this.#downloads.get(root);
    if (download !== undefined) {
      const isSpared = download.path !== path || this.#downloads.isActive(download) ||
        !isSame(copy, this.#partOf(download));
      if (isSpared) return false;
      this.#downloads.discardWaiting(root);
      return this.#downloads.get(root) === undefined;
    }
    if (!unclaimed.has(path)) return false;
    this.#context.removeData(path);
    return true;
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
