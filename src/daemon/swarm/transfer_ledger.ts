/**
 * Who gave how much of a file, who gave what is wrong, and what was thrown away. What stands here
 * stays when the provider is gone. Bounded, whatever peers do; decides nothing.
 */

import { Bitfield, mergedRanges } from "../../base/bitfield.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Done } from "../../wire/messages.ts";
import type { Provider } from "./provider.ts";

/** What one provider did for a file. */
export interface LedgerEntry {
  readonly provider: Provider;
  /** Bytes that it was the first to give. */
  bytes: number;
  /** Those chunks in the order in which they came; null when there were too many runs to keep. */
  runs: { first: number; count: number }[] | null;
  strikes: number;
  bytesThrownAway: number;
}

/** All providers that are too many to be named. */
const OTHERS: Provider = { kind: "peer", label: "others", nodeId: null };

/** By what the entry of one provider is found again. */
export function providerKey({ kind, nodeId, label }: Provider): string {
  return `${kind} ${nodeId ?? label}`;
}

/** What all providers did for one file; of a file of another size it begins again. */
export class TransferLedger {
  readonly #entries = new Map<string, LedgerEntry>();
  #sizeBytes: number | null = null;
  #given = new Bitfield(0);
  /** Those chunks that a mirror was the first to give. */
  #byMirror = new Bitfield(0);

  /** Of how many bytes the file is; null while nothing was received. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  [Symbol.iterator](): IterableIterator<LedgerEntry> {
    return this.#entries.values();
  }

  /** Bytes that providers of this kind, or of any, were the first to give. */
  sum(kind?: Provider["kind"]): number {
    let sum = 0;
    for (const { provider, bytes } of this) {
      if (kind === undefined || provider.kind === kind) sum += bytes;
    }
    return sum;
  }

  /** `provider` gave chunks; those that somebody gave before do not count. */
  received(provider: Provider, range: ChunkRange, sizeBytes: number): void {
    if (this.#sizeBytes !== sizeBytes) this.#begin(sizeBytes);
    const given = this.#given;
    const end = Math.min(given.length, range.first + range.count);
    if (end <= range.first) return;
    const within = { first: range.first, count: end - range.first };
    const entry = this.#of(provider);
    for (const run of given.missingRuns(within)) {
      addRun(entry, run, sizeBytes);
      if (provider.kind === "mirror") this.#byMirror.addRange(run);
    }
    given.addRange(within);
  }

  struck(provider: Provider, strikes: number): void {
    this.#of(provider).strikes += strikes;
  }

  threwAway(provider: Provider, bytes: number): void {
    this.#of(provider).bytesThrownAway += bytes;
  }

  /** Nodes that gave something, right or wrong; most bytes first. */
  peers(): Done["sources"] {
    return [...this].flatMap(({ provider: { nodeId, label }, bytes, strikes }) =>
      nodeId === null ? [] : [{ nodeId, peer: label, bytes, strikes }]
    ).sort((a, b) => b.bytes - a.bytes);
  }

  /** Bytes of the same chunks that mirrors were the first to give in both. */
  mirrorBytesIn(other: TransferLedger): number {
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

  /** Forgets what was received, or has what `kept` has instead; strikes and the like stay. */
  restart(kept = new TransferLedger()): void {
    for (const entry of this) {
      entry.bytes = 0;
      entry.runs = [];
    }
    this.#sizeBytes = kept.#sizeBytes;
    this.#given = kept.#given.clone();
    this.#byMirror = kept.#byMirror.clone();
    for (const { provider, bytes, runs } of kept) {
      const entry = this.#of(provider);
      entry.bytes += bytes;
      if (runs === null) entry.runs = null;
      else entry.runs?.push(...runs.map((run) => ({ ...run })));
    }
  }

  #begin(sizeBytes: number): void {
    this.restart();
    const chunks = chunkCount(sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#given = new Bitfield(chunks);
    this.#byMirror = new Bitfield(chunks);
  }

  #of(provider: Provider): LedgerEntry {
    const key = providerKey(provider);
    const found = this.#entries.get(key);
    if (found !== undefined) return found;
    const isFull = this.#entries.size >= limits.doneSourcesMax;
    if (isFull && provider !== OTHERS) return this.#of(OTHERS);
    const entry: LedgerEntry = { provider, bytes: 0, runs: [], strikes: 0, bytesThrownAway: 0 };
    this.#entries.set(key, entry);
    return entry;
  }
}

/** Who gave which bytes of what comes in order, as from mirrors. */
export class StreamLedger {
  /** Up to which byte each gave; an earlier fetch, as `HERE`, is first if at all. */
  readonly #runs: { readonly provider: Provider; end: number }[] = [];

  /** Those to blame if it is not the file: nobody, while an earlier fetch brought some of it. */
  get culprits(): string[] {
    if (this.#runs.some(({ provider }) => provider.kind !== "mirror")) return [];
    return [...new Set(this.#runs.map(({ provider }) => provider.label))];
  }

  /** `provider` gave what comes before byte `end`, from where the last one stopped. */
  received(provider: Provider, end: number): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && providerKey(last.provider) === providerKey(provider)) last.end = end;
    else this.#runs.push({ provider, end });
  }

  /** Whether this mirror gave any of it. */
  has(mirror: string): boolean {
    return this.#runs.some(({ provider }) =>
      provider.kind === "mirror" && provider.label === mirror
    );
  }

  /** The mirror that all of a chunk came from; null when there is no one such. */
  mirrorOf(index: number, sizeBytes: number): string | null {
    const run = this.#runs.find(({ end }) => end > index * CHUNK_BYTES);
    if (run === undefined || run.end < endOf(index, sizeBytes)) return null;
    return run.provider.kind === "mirror" ? run.provider.label : null;
  }

  /** Who completed a chunk, and the chunk behind the last that the same one completed next. */
  runOf(
    index: number,
    sizeBytes: number,
  ): { readonly provider: Provider; readonly endChunk: number } | undefined {
    const run = this.#runs.find(({ end }) => end >= endOf(index, sizeBytes));
    if (run === undefined) return undefined;
    const isToEnd = run.end >= sizeBytes;
    const endChunk = isToEnd ? chunkCount(sizeBytes) : Math.floor(run.end / CHUNK_BYTES);
    return { provider: run.provider, endChunk };
  }

  clear(): void {
    this.#runs.length = 0;
  }
}

/** The byte behind the last of chunk `index`. */
function endOf(index: number, sizeBytes: number): number {
  return Math.min((index + 1) * CHUNK_BYTES, sizeBytes);
}

function addRun(entry: LedgerEntry, run: ChunkRange, sizeBytes: number): void {
  entry.bytes += rangeBytes(sizeBytes, run).length;
  const { runs } = entry;
  if (runs === null) return;
  const last = runs.at(-1);
  if (last !== undefined && last.first + last.count === run.first) last.count += run.count;
  else if (runs.push({ ...run }) >= limits.providerRunsMax) {
    const merged = mergedRanges(runs);
    const isTooMany = merged.length > limits.providerRunsMax / 2;
    entry.runs = isTooMany ? null : merged.map((one) => ({ ...one }));
  }
}
