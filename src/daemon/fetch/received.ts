/**
 * Who gave which chunks of a file first, to one of the places where they come: values that a fetch
 * notes and its journal adds up. Bounded, whatever peers do; nothing is judged here.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Provider } from "../swarm/provider.ts";
import { mergedRanges } from "../../base/chunk_ranges.ts";

/** What one provider gave. */
export interface Gift {
  readonly provider: Provider;
  bytes: number;
  /** Runs in the order in which they came; null when there were too many to keep. */
  runs: { first: number; count: number }[] | null;
}

/** Providers that are kept apart. */
export const PROVIDERS_MAX = limits.doneSourcesMax;
/** All that is said of those that are too many to be named. */
export const OTHERS: Provider = { kind: "peer", label: "others", nodeId: null };
/** Runs of one provider before they are put in order and joined. */
const RUNS_MAX = 4_096;

/** By what the notes of one provider are found again. */
export function providerKey({ kind, nodeId, label }: Provider): string {
  return `${kind} ${nodeId ?? label}`;
}

/** What was given of one file; of a file of another size it begins anew. */
export class Gifts {
  readonly #gifts = new Map<string, Gift>();
  #sizeBytes: number | null = null;
  #given = new Bitfield(0);
  /** Those chunks that a mirror was the first to give. */
  #byMirror = new Bitfield(0);

  /** Of how many bytes the file is; null while nothing was given. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  /** Bytes that were given. */
  get bytes(): number {
    return this.#sizeBytes === null ? 0 : bytesOf(this.#given, this.#sizeBytes);
  }

  [Symbol.iterator](): IterableIterator<Gift> {
    return this.#gifts.values();
  }

  /** Bytes that providers of this kind were the first to give. */
  sum(kind: Provider["kind"]): number {
    let bytes = 0;
    for (const gift of this.#gifts.values()) if (gift.provider.kind === kind) bytes += gift.bytes;
    return bytes;
  }

  /** `provider` gave chunks; those that somebody gave before do not count. */
  gave(provider: Provider, range: ChunkRange, sizeBytes: number): void {
    if (this.#sizeBytes !== sizeBytes) this.#begin(sizeBytes);
    const given = this.#given;
    const end = Math.min(given.length, range.first + range.count);
    if (end <= range.first) return;
    const within = { first: range.first, count: end - range.first };
    const gift = this.#of(provider);
    for (const run of given.missingRuns(within)) {
      addRun(gift, run, sizeBytes);
      if (provider.kind === "mirror") this.#byMirror.addRange(run);
    }
    given.addRange(within);
  }

  /** All that mirrors were the first to give, here or there, each chunk once. */
  mirrorBytesWith(other: Gifts): number {
    return this.sum("mirror") + other.sum("mirror") - this.mirrorBytesIn(other);
  }

  /** Bytes of the same chunks that mirrors were the first to give in both. */
  mirrorBytesIn(other: Gifts): number {
    if (this.#sizeBytes === null || this.#sizeBytes !== other.#sizeBytes) return 0;
    let bytes = 0;
    for (const range of this.#byMirror.ranges()) {
      bytes += rangeBytes(this.#sizeBytes, range).length;
      for (const run of other.#byMirror.missingRuns(range)) {
        bytes -= rangeBytes(this.#sizeBytes, run).length;
      }
    }
    return bytes;
  }

  clear(): void {
    this.#gifts.clear();
    this.#sizeBytes = null;
    this.#given = this.#byMirror = new Bitfield(0);
  }

  clone(): Gifts {
    const copy = new Gifts();
    copy.#sizeBytes = this.#sizeBytes;
    copy.#given = this.#given.clone();
    copy.#byMirror = this.#byMirror.clone();
    for (const [key, { provider, bytes, runs }] of this.#gifts) {
      copy.#gifts.set(key, { provider, bytes, runs: runs?.map((run) => ({ ...run })) ?? null });
    }
    return copy;
  }

  #begin(sizeBytes: number): void {
    this.clear();
    const chunks = chunkCount(sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#given = new Bitfield(chunks);
    this.#byMirror = new Bitfield(chunks);
  }

  #of(provider: Provider): Gift {
    const key = providerKey(provider);
    const found = this.#gifts.get(key);
    if (found !== undefined) return found;
    if (this.#gifts.size >= PROVIDERS_MAX && provider !== OTHERS) return this.#of(OTHERS);
    const gift: Gift = { provider, bytes: 0, runs: [] };
    this.#gifts.set(key, gift);
    return gift;
  }
}

function bytesOf(chunks: Bitfield, sizeBytes: number): number {
  let bytes = 0;
  for (const range of chunks.ranges()) bytes += rangeBytes(sizeBytes, range).length;
  return bytes;
}

function addRun(gift: Gift, run: ChunkRange, sizeBytes: number): void {
  gift.bytes += rangeBytes(sizeBytes, run).length;
  const { runs } = gift;
  if (runs === null) return;
  const last = runs.at(-1);
  if (last !== undefined && last.first + last.count === run.first) last.count += run.count;
  else if (runs.push({ ...run }) >= RUNS_MAX) {
    const merged = mergedRanges(runs);
    gift.runs = merged.length > RUNS_MAX / 2 ? null : merged.map((one) => ({ ...one }));
  }
}
