/**
 * Where the chunks of a file in flight lie, and who gave each: the place that a fetch has for what its
 * mirrors give, and once the file is complete, the store. No chunk is checked here: nobody knows the
 * leaves.
 */

import { Bitfield, mergedRanges } from "../../base/bitfield.ts";
import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FileReader } from "../../wire/fetching.ts";
import { ReplacedChunks } from "./replaced_chunks.ts";
import { HERE, type Provider } from "../swarm/provider.ts";
import { providerKey } from "../swarm/transfer_ledger.ts";

/** Where a fetch keeps the bytes of a file that cannot be checked before all are there. */
export interface FlightPlace {
  /** @throws {EnvironmentError} when the disk refuses. */
  write(offset: number, bytes: Uint8Array): void;
  reader(sizeBytes: number): FileReader;
}

/** Who gave a chunk. */
export interface Giver {
  readonly provider: Provider;
  /** Of a node: whether it said that it read the chunk itself, so that it answers for it. */
  readonly isReader: boolean;
}

/** Chunks that one giver gave. */
export interface Gift {
  readonly giver: Giver;
  /** In order. */
  readonly ranges: readonly ChunkRange[];
}

/** How many of the chunks that are here came from whom. */
interface GivenCounts {
  readonly mirrors: number;
  readonly nodes: ReadonlyMap<NodeId, number>;
}

/** Nodes that are too many to be told from each other. */
const OTHERS: Giver = {
  provider: { kind: "peer", label: "others", nodeId: null },
  isReader: false,
};

/** The chunks of one file in flight. */
export class FlightStorage {
  readonly have: Bitfield;
  /** Chunks that are taken again. */
  readonly replaced = new ReplacedChunks<Giver>();
  /** There is nothing to look through: what lies there is counted at the start. */
  readonly unverifiedBytes = 0;
  readonly #sizeBytes: number;
  readonly #place: FlightPlace;
  #reader: FileReader | null;
  /** Those who gave chunks, the place of each in that list, and by chunk that of who gave it. */
  readonly #givers: Giver[] = [{ provider: HERE, isReader: false }, OTHERS];
  readonly #placeOf = new Map<string, number>();
  readonly #giverOf: Uint16Array;

  constructor(sizeBytes: number, place: FlightPlace) {
    const chunks = chunkCount(sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#place = place;
    this.#reader = place.reader(sizeBytes);
    this.#giverOf = new Uint16Array(chunks);
    this.have = new Bitfield(chunks);
  }

  /** Who gave a chunk that is here. */
  giverOf(chunk: number): Giver {
    return this.#givers[this.#giverOf[chunk]!]!;
  }

  /** Chunks that other nodes gave. */
  ofPeers(): Gift[] {
    const gifts = new Map<Giver, ChunkRange[]>();
    for (const [giver, range] of this.#runs()) {
      if (giver.provider.kind !== "peer") continue;
      const ranges = gifts.get(giver);
      if (ranges === undefined) gifts.set(giver, [range]);
      else ranges.push(range);
    }
    return [...gifts].map(([giver, ranges]) => ({ giver, ranges }));
  }

  /** Whether another node gave a chunk that is here. */
  isForeign(chunk: number): boolean {
    return this.have.has(chunk) && this.giverOf(chunk).provider.kind === "peer";
  }

  /** The chunks of a range that are here, as runs. */
  hadIn(range: ChunkRange): ChunkRange[] {
    return runsOf(range, (chunk) => this.have.has(chunk));
  }

  /** Those of them that other nodes gave. */
  foreignIn(range: ChunkRange): ChunkRange[] {
    return runsOf(range, (chunk) => this.isForeign(chunk));
  }

  /** Whether another node gave any of what is here. */
  get hasForeign(): boolean {
    return this.#runs().some(([{ provider: { kind } }]) => kind === "peer");
  }

  /** The first run of chunks from `chunk` on that one mirror gave; null when there is none. */
  ofMirrorFrom(chunk: number): ChunkRange | null {
    for (const [{ provider: { kind } }, { first, count }] of this.#runs()) {
      const from = Math.max(first, chunk), end = first + count;
      if (kind === "mirror" && from < end) return { first: from, count: end - from };
    }
    return null;
  }

  /** How many of the chunks that are here mirrors gave, and each node. */
  shares(): GivenCounts {
    let mirrors = 0;
    const nodes = new Map<NodeId, number>();
    for (const [{ provider: { kind, nodeId } }, { count }] of this.#runs()) {
      if (kind === "mirror") mirrors += count;
      if (nodeId !== null) nodes.set(nodeId, (nodes.get(nodeId) ?? 0) + count);
    }
    return { mirrors, nodes };
  }

  /** Notes who gave chunks that are here. */
  gave(provider: Provider, { first, count }: ChunkRange, { isReader = false } = {}): void {
    this.#giverOf.fill(this.#placeOfGiver({ provider, isReader }), first, first + count);
    this.have.addRange({ first, count });
  }

  /** Writes whole chunks, those that are here already left as they are. */
  writeRun(firstChunk: number, bytes: Uint8Array): void {
    const count = Math.ceil(bytes.length / CHUNK_BYTES);
    for (const run of this.have.missingRuns({ first: firstChunk, count })) {
      const { offset, length } = rangeBytes(this.#sizeBytes, run);
      const from = offset - firstChunk * CHUNK_BYTES;
      const part = bytes.subarray(from, from + length);
      this.#place.write(offset, part);
      this.have.addRange(run);
      for (const [chunk, one] of chunksOf(run.first, part)) this.replaced.came(chunk, one);
    }
  }

  /** Writes a chunk over the one that is here: it is known to be right. */
  replace(chunk: number, bytes: Uint8Array, giver: Provider): void {
    this.#place.write(chunk * CHUNK_BYTES, bytes);
    this.confirm(chunk, giver);
  }

  /** A chunk that is here is known to be right: `giver` gave the same. */
  confirm(chunk: number, giver: Provider): void {
    this.replaced.settled(chunk);
    this.gave(giver, { first: chunk, count: 1 });
  }

  /** Chunks count as missing again. */
  drop(range: ChunkRange): void {
    this.have.removeRange(range);
  }

  /** The file is complete, and read from there from now on. */
  land(reader: FileReader): void {
    this.#reader = reader;
    this.have.addRange({ first: 0, count: this.have.length });
  }

  /** There is nothing to be read any more. */
  close(): void {
    this.#reader = null;
  }

  /** @throws {EnvironmentError} when chunks are not here. */
  readRun(range: ChunkRange, target: Uint8Array, offset: number): number {
    if (this.#reader === null || !this.have.hasRange(range)) {
      throw new EnvironmentError(
        "not-found",
        `Cannot read chunks ${range.first}+${range.count}: not all are here`,
      );
    }
    return this.#reader.readRun(range, target, offset);
  }

  scrub(): Promise<void> {
    return Promise.resolve();
  }

  /** Nobody knows what a chunk must be. */
  leaf(): null {
    return null;
  }

  /** The chunks that are here, in order, as runs that one gave. */
  *#runs(): Generator<[Giver, ChunkRange]> {
    const giverOf = this.#giverOf;
    for (const { first, count } of this.have.ranges()) {
      const end = first + count;
      let from = first;
      for (let chunk = first; chunk < end; chunk++) {
        if (chunk + 1 < end && giverOf[chunk + 1] === giverOf[chunk]) continue;
        yield [this.giverOf(chunk), { first: from, count: chunk + 1 - from }];
        from = chunk + 1;
      }
    }
  }

  #placeOfGiver(giver: Giver): number {
    const { provider, isReader } = giver;
    if (provider.kind === "here") return 0;
    const key = `${providerKey(provider)} ${isReader}`;
    let place = this.#placeOf.get(key);
    if (place === undefined) {
      // Mirrors are few, and what one of them gave has to be known.
      const isOneTooMany = provider.kind === "peer" && this.#givers.length > limits.flightGiversMax;
      if (isOneTooMany) return this.#givers.indexOf(OTHERS);
      place = this.#givers.push(giver) - 1;
      this.#placeOf.set(key, place);
    }
    return place;
  }
}

/** Whole chunks of a file that stand one after the other, each with its index. */
export function* chunksOf(firstChunk: number, bytes: Uint8Array): Generator<[number, Uint8Array]> {
  for (let chunk = firstChunk, at = 0; at < bytes.length; chunk++, at += CHUNK_BYTES) {
    yield [chunk, bytes.subarray(at, at + CHUNK_BYTES)];
  }
}

function runsOf({ first, count }: ChunkRange, isMeant: (chunk: number) => boolean): ChunkRange[] {
  const chunks = Array.from({ length: count }, (_, i) => first + i).filter(isMeant);
  return mergedRanges(chunks.map((chunk) => ({ first: chunk, count: 1 })));
}
