/**
 * What the observer of one fetch is told and may read, while its bytes come to two places: to
 * the download of what peers give, and to the unverified download of what a mirror gives in order.
 *
 * It keeps what was told, so that the observer is told to start over when, and only when, something
 * that it may have used is not the file. Which bytes are right is decided in `fetch_policy.ts`.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { chunkCount, chunkLength, type ChunkRange } from "../../base/geometry.ts";
import type { FetchNotice, FetchObserver, FileReader } from "../../wire/fetching.ts";

/** Chunks of the file in one place. */
export interface ViewPart {
  has(range: ChunkRange): boolean;
  readonly reader: FileReader;
}

/** One fetch as its observer sees it. */
export class ReadableRanges {
  readonly #observer: FetchObserver;
  readonly #onFirstRelease: () => void;
  #sizeBytes: number | null = null;
  #reader: PartsReader | null = null;
  #gained = new Bitfield(0);
  #released = new Bitfield(0);
  /**
   * Chunks that came from the mirror, and those that were used while only peers' were there, as far
   * as nobody knows whether those of the other are the same.
   */
  #mirrorsOnly = new Bitfield(0);
  #peersOnly = new Bitfield(0);
  /** Chunks of the mirror's place that may be read: what else is there, fellows gave and nobody proved. */
  #mirrors = new Bitfield(0);

  /** @param onFirstRelease Called each time that released bytes are there where none were. */
  constructor(observer: FetchObserver, onFirstRelease: () => void) {
    this.#observer = observer;
    this.#onFirstRelease = onFirstRelease;
  }

  /** The size of the file that is shown; null before any is. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  /** Whether any chunk may be given away. */
  get isReleased(): boolean {
    return this.#released.count > 0;
  }

  /** Whether bytes were shown to an observer that can never give them back. */
  get isHandedOut(): boolean {
    return !this.#usesAll && this.isReleased;
  }

  event(event: FetchNotice): void {
    this.#observer.event(event);
  }

  /** Shows chunks of a file of `sizeBytes` from these places; null takes a place away. */
  show(
    sizeBytes: number,
    parts: { readonly peers?: ViewPart | null; readonly mirror?: ViewPart | null },
  ): void {
    if (this.#sizeBytes !== sizeBytes) {
      const isOther = this.#reader !== null &&
        (this.#gained.count > 0 || this.#usesAll);
      if (isOther) this.#observer.event({ kind: "restarted", reason: "the file has another size" });
      this.#sizeBytes = sizeBytes;
      this.#reader = null;
      this.#mirrors = new Bitfield(chunkCount(sizeBytes));
      this.#forget();
    }
    const isNew = this.#reader === null;
    this.#reader ??= new PartsReader(sizeBytes);
    if (parts.peers !== undefined) this.#reader.peers = parts.peers;
    if (parts.mirror !== undefined) this.#reader.mirror = this.#toldOf(parts.mirror);
    if (isNew) this.#observer.readable(this.#reader);
  }

  /** Chunks can be read; `isMirrors` when they came to the mirror's place. */
  gained(range: ChunkRange, options: { readonly isMirrors?: boolean } = {}): void {
    if (options.isMirrors) {
      this.#mirrorsOnly.addRange(range);
      this.#mirrors.addRange(range);
    }
    if (this.#usesAll) this.#noteUse(range);
    this.#gained.addRange(range);
    this.#observer.gained(range);
  }

  /** Chunks may be released that a mirror gave. */
  release(range: ChunkRange): void {
    if (range.count === 0) return;
    if (this.#released.count === 0) this.#onFirstRelease();
    if (!this.#usesAll) this.#noteUse(range);
    this.#released.addRange(range);
    this.#observer.released?.(range);
  }

  /**
   * Chunks may be released whose content at peers is proved. One that was not released before is
   * read from them, whatever a mirror gave; one that only a mirror gave is not theirs.
   */
  releaseProved(range: ChunkRange): void {
    if (this.#usesAll || !hasAny(this.#mirrorsOnly, range)) return this.release(range);
    const { first, count } = range;
    for (let index = first; index < first + count; index++) {
      const chunk = { first: index, count: 1 };
      const isMirrors = this.#mirrorsOnly.has(index);
      if (isMirrors && !this.#released.has(index)) {
        if (!this.#reader?.peers?.has(chunk)) continue;
        this.#reader.ofPeers.add(index);
        this.#mirrorsOnly.remove(index);
      }
      this.release(chunk);
    }
  }

  /** All chunks that were gained, or those `before` one, may be released, as far as peers gave them. */
  releaseAll({ before = Infinity }: { readonly before?: number } = {}): void {
    for (const { first, count } of [...this.#gained.ranges()]) {
      const left = Math.min(count, before - first);
      if (left > 0) this.releaseProved({ first, count: left });
    }
  }

  /** What the mirror gave of these chunks is what the peers' leaves say. */
  confirmed(range: ChunkRange): void {
    this.#mirrorsOnly.removeRange(range);
    this.#peersOnly.removeRange(range);
  }

  /** What peers gave is not the file, or is not followed any more: only the mirror's is left. */
  dropPeers(reason: string): void {
    const left = this.#reader?.mirror ?? null;
    if (this.#reader !== null) this.#reader.peers = null;
    this.#drop(this.#peersOnly, left, reason);
    this.#mirrorsOnly = this.#gained.clone();
    this.#peersOnly = new Bitfield(this.#gained.length);
  }

  /** What the mirror gave is not the file: only the peers' is left. */
  dropMirror(reason: string): void {
    const left = this.#reader?.peers ?? null;
    if (this.#reader !== null) this.#reader.mirror = null;
    this.#mirrors = new Bitfield(this.#mirrors.length);
    this.#drop(this.#mirrorsOnly, left, reason);
    this.#peersOnly = this.#used.clone();
    this.#mirrorsOnly = new Bitfield(this.#gained.length);
  }

  /** Of two places one is left; those chunks are wrong that came from the other alone. */
  #drop(wrong: Bitfield, left: ViewPart | null, reason: string): void {
    const isUsed = [...this.#used.ranges()].some((range) => hasAny(wrong, range));
    for (const range of wrong.ranges()) this.#released.removeRange(range);
    if (isUsed) this.#restart(reason, left);
    else this.#keepOnly(left, reason);
  }

  /** Whether the observer uses all that it can read, not only what is released. */
  get #usesAll(): boolean {
    return this.#observer.released === undefined;
  }

  /** What somebody may have used. */
  get #used(): Bitfield {
    return this.#usesAll ? this.#gained : this.#released;
  }

  /** Chunks are used from now on: those that the mirror lacks are the peers'. */
  #noteUse(range: ChunkRange): void {
    const mirror = this.#reader?.mirror ?? null;
    for (const { first, count } of this.#used.missingRuns(range)) {
      for (let index = first; index < first + count; index++) {
        const isOfPeers = this.#reader?.ofPeers.has(index) ?? false;
        if (isOfPeers || !mirror?.has({ first: index, count: 1 })) this.#peersOnly.add(index);
      }
    }
  }

  #keepOnly(part: ViewPart | null, reason: string): void {
    const used = this.#used;
    const isKept = [...used.ranges()].every((range) => part?.has(range) ?? false);
    // Somebody who uses what is not released is told even when nothing came of it yet.
    const isTold = !isKept || used.count === 0 && this.#usesAll;
    if (isTold) this.#restart(reason, part);
    else {
      this.#gained = keptOf(this.#gained, part);
      this.#released = keptOf(this.#released, part);
    }
  }

  /** Has the observer start over with what is in `part`. */
  #restart(reason: string, part: ViewPart | null): void {
    const gained = keptOf(this.#gained, part), released = keptOf(this.#released, part);
    const parts = this.#reader;
    this.#observer.event({ kind: "restarted", reason });
    this.#forget();
    this.#reader = null;
    if (parts === null || part === null) return;
    this.show(parts.sizeBytes, { peers: parts.peers, mirror: parts.mirror });
    for (const range of gained.ranges()) this.gained(range);
    for (const range of released.ranges()) this.release(range);
  }

  /** The mirror's place, as far as it was told of. */
  #toldOf(mirror: ViewPart | null): ViewPart | null {
    if (mirror === null) return null;
    const told = this.#mirrors;
    return { has: (range) => told.hasRange(range) && mirror.has(range), reader: mirror.reader };
  }

  #forget(): void {
    const chunks = chunkCount(this.#sizeBytes ?? 0);
    this.#gained = new Bitfield(chunks);
    this.#released = new Bitfield(chunks);
    this.#mirrorsOnly = new Bitfield(chunks);
    this.#peersOnly = new Bitfield(chunks);
  }
}

/** Those chunks of `set` that are in `part`. */
function keptOf(set: Bitfield, part: ViewPart | null): Bitfield {
  const kept = new Bitfield(set.length);
  for (const { first, count } of set.ranges()) {
    for (let index = first; index < first + count; index++) {
      if (part?.has({ first: index, count: 1 })) kept.add(index);
    }
  }
  return kept;
}

function hasAny(set: Bitfield, range: ChunkRange): boolean {
  if (set.count === 0) return false;
  const missing = set.missingRuns(range).reduce((sum, { count }) => sum + count, 0);
  return missing < range.count;
}

/** Reads each chunk from where it is. */
class PartsReader implements FileReader {
  readonly sizeBytes: number;
  peers: ViewPart | null = null;
  mirror: ViewPart | null = null;
  /** Chunks that are read from the peers' place, though the mirror's may have them. */
  readonly ofPeers: Bitfield;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.ofPeers = new Bitfield(chunkCount(sizeBytes));
  }

  readRun(range: ChunkRange, target: Uint8Array, offset: number): number {
    // What a mirror gave may have been read before, and must read the same again.
    const isOfPeers = this.ofPeers.count > 0 && hasAny(this.ofPeers, range);
    const parts = isOfPeers ? [this.peers, this.mirror] : [this.mirror, this.peers];
    for (const part of isOfPeers && range.count > 1 ? [] : parts) {
      if (part?.has(range)) return part.reader.readRun(range, target, offset);
    }
    if (range.count <= 1) {
      // Says why it cannot be read.
      const part = this.peers ?? this.mirror;
      if (part === null) throw new RangeError("Cannot read chunks: the file is not here any more");
      return part.reader.readRun(range, target, offset);
    }
    let bytes = 0;
    for (let index = range.first; index < range.first + range.count; index++) {
      this.readRun({ first: index, count: 1 }, target, offset + bytes);
      bytes += chunkLength(this.sizeBytes, index);
    }
    return bytes;
  }
}
