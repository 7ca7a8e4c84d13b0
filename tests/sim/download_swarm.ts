/**
 * A swarm in virtual time around one download: sources with rates, delays, deaths, stalls, lies
 * and late arrivals. Every step is checked by {@linkcode CheckedDownload}, and what happens is
 * written down as a transcript. No sockets and no data: only chunk numbers go about.
 */

import { assert } from "@std/assert";
import { Bitfield } from "../../src/base/bitfield.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../src/base/geometry.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { DownloadEffect, DownloadEvent } from "../../src/core/download/download.ts";
import { CheckedDownload } from "./download_checker.ts";

const TICK_MS = 100;
/** What a source puts on the wire at a time. */
const PIECE_BYTES = 16 * 1024;
/** A run that takes longer than this in virtual time has failed. */
const RUN_MS_MAX = 600_000;

/** One source of the swarm. Times are in milliseconds from the start. */
export interface SwarmSource {
  readonly name: string;
  /** The chunks that it has when it joins; all when not given. */
  readonly has?: readonly ChunkRange[];
  readonly bytesPerSecond: number;
  /** One way. */
  readonly delayMs?: number;
  readonly joinsMs?: number;
  /** Its connection ends. */
  readonly leavesMs?: number;
  /** It sends nothing in this time, and goes on after it. */
  readonly stalls?: { readonly fromMs: number; readonly untilMs: number };
  /** Sends these chunks wrong. */
  readonly liesAbout?: (chunk: number) => boolean;
  /** Says no to requests that touch these chunks. */
  readonly rejects?: (chunk: number) => boolean;
  /** It gains `count` chunks every `everyMs`, the lowest that it lacks. */
  readonly grows?: { readonly count: number; readonly everyMs: number };
}

/** What to run. */
export interface SwarmOptions {
  readonly sizeBytes: number;
  readonly sources: readonly SwarmSource[];
  readonly seed: number;
  readonly budgetBytes?: number;
}

/** How a run went. */
export interface SwarmResult {
  readonly isComplete: boolean;
  readonly endMs: number;
  /** Bytes of good data that each source was the first to bring. */
  readonly bytesFrom: ReadonlyMap<string, number>;
  /** Bytes of whole frames whose chunks were there already. */
  readonly wastedBytes: number;
  /** One line an effect or happening. */
  readonly transcript: readonly string[];
}

interface Peer {
  readonly id: number;
  readonly source: SwarmSource;
  readonly has: Bitfield;
  /** Requests that have reached it and are not answered. */
  readonly queue: ChunkRange[];
  isSending: boolean;
  isPresent: boolean;
}

/** Runs a swarm until the download is complete, or until nothing can happen any more. */
export function runSwarm(options: SwarmOptions): SwarmResult {
  return new Swarm(options).run();
}

class Swarm {
  readonly #options: SwarmOptions;
  readonly #have: Bitfield;
  readonly #checked: CheckedDownload;
  readonly #peers = new Map<number, Peer>();
  readonly #agenda: { readonly atMs: number; readonly act: () => void }[] = [];
  readonly #bytesFrom = new Map<string, number>();
  readonly #transcript: string[] = [];
  #wastedBytes = 0;
  #nowMs = 0;

  constructor(options: SwarmOptions) {
    this.#options = options;
    const chunks = chunkCount(options.sizeBytes);
    this.#have = new Bitfield(chunks);
    this.#checked = new CheckedDownload({
      sizeBytes: options.sizeBytes,
      wanted: { first: 0, count: chunks },
      have: this.#have,
      inflightBytesMax: options.budgetBytes ?? 4 * 1024 * 1024,
      random: seededRandom(options.seed),
    });
    for (const [index, source] of options.sources.entries()) this.#plan(index + 1, source);
    this.#at(0, () => this.#tick());
  }

  run(): SwarmResult {
    while (!this.#checked.download.isComplete && this.#nowMs < RUN_MS_MAX) {
      const { atMs, act } = this.#agenda.shift()!;
      this.#nowMs = atMs;
      act();
    }
    return {
      isComplete: this.#checked.download.isComplete,
      endMs: this.#nowMs,
      bytesFrom: this.#bytesFrom,
      wastedBytes: this.#wastedBytes,
      transcript: this.#transcript,
    };
  }

  #at(atMs: number, act: () => void): void {
    let low = 0, high = this.#agenda.length;
    while (low < high) {
      const middle = low + high >>> 1;
      if (this.#agenda[middle]!.atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    this.#agenda.splice(low, 0, { atMs, act });
  }

  #tick(): void {
    this.#step({ kind: "tick" });
    this.#at(this.#nowMs + TICK_MS, () => this.#tick());
  }

  #plan(id: number, source: SwarmSource): void {
    const has = new Bitfield(this.#have.length);
    for (const range of source.has ?? [{ first: 0, count: has.length }]) has.addRange(range);
    const peer: Peer = { id, source, has, queue: [], isSending: false, isPresent: false };
    this.#at(source.joinsMs ?? 0, () => this.#join(peer));
    if (source.leavesMs !== undefined) this.#at(source.leavesMs, () => this.#leave(peer));
  }

  #join(peer: Peer): void {
    peer.isPresent = true;
    this.#peers.set(peer.id, peer);
    this.#note(`${peer.source.name} joins with ${peer.has.count} of ${peer.has.length}`);
    const have = peer.has.isFull ? "all" : peer.has.clone();
    this.#step({ kind: "source-joined", source: peer.id, have });
    this.#grow(peer);
  }

  #leave(peer: Peer): void {
    if (!peer.isPresent) return;
    peer.isPresent = false;
    this.#note(`${peer.source.name} leaves`);
    this.#step({ kind: "source-left", source: peer.id });
  }

  #grow(peer: Peer): void {
    const grows = peer.source.grows;
    if (grows === undefined) return;
    this.#at(this.#nowMs + grows.everyMs, () => {
      if (!peer.isPresent || peer.has.isFull) return;
      for (let chunk = 0, left = grows.count; chunk < peer.has.length && left > 0; chunk++) {
        if (!peer.has.add(chunk)) continue;
        left--;
        this.#step({ kind: "source-has", source: peer.id, ranges: [{ first: chunk, count: 1 }] });
      }
      this.#note(`${peer.source.name} has ${peer.has.count} of ${peer.has.length}`);
      this.#grow(peer);
    });
  }

  #step(event: DownloadEvent): void {
    for (const effect of this.#checked.step(event, this.#nowMs)) this.#obey(effect);
  }

  #obey(effect: DownloadEffect): void {
    switch (effect.kind) {
      case "request": {
        const peer = this.#peers.get(effect.source)!;
        this.#note(`ask    ${peer.source.name} ${textOf(effect.range)}`);
        this.#later(peer, () => {
          peer.queue.push(effect.range);
          this.#serve(peer);
        });
        return;
      }
      case "cancel": {
        const peer = this.#peers.get(effect.source)!;
        this.#note(`cancel ${peer.source.name} ${textOf(effect.range)}`);
        this.#later(peer, () => {
          // What is being sent is sent to its end.
          const index = peer.queue.findIndex(({ first, count }, at) =>
            first === effect.range.first && count === effect.range.count &&
            (at > 0 || !peer.isSending)
          );
          if (index >= 0) peer.queue.splice(index, 1);
        });
        return;
      }
      case "strike":
        return this.#note(`strike ${effect.strikes} ${this.#nameOf(effect.source)}`);
      case "drop":
        this.#peers.get(effect.source)!.isPresent = false;
        return this.#note(`drop ${this.#nameOf(effect.source)}: ${effect.reason}`);
      case "snubbed":
        return this.#note(`snubbed ${this.#nameOf(effect.source)}`);
      case "need-sources":
      case "complete":
        return this.#note(effect.kind);
    }
  }

  #later(peer: Peer, act: () => void): void {
    this.#at(this.#nowMs + (peer.source.delayMs ?? 1), () => {
      if (peer.isPresent) act();
    });
  }

  #serve(peer: Peer): void {
    const range = peer.queue[0];
    if (peer.isSending || range === undefined) return;
    if (chunks(range).some((chunk) => peer.source.rejects?.(chunk))) {
      peer.queue.shift();
      this.#later(peer, () => {
        this.#note(`reject ${peer.source.name} ${textOf(range)}`);
        this.#step({ kind: "rejected", source: peer.id, range });
      });
      return this.#serve(peer);
    }
    peer.isSending = true;
    this.#send(peer, range, rangeBytes(this.#options.sizeBytes, range).length);
  }

  #send(peer: Peer, range: ChunkRange, bytesLeft: number): void {
    const { stalls, bytesPerSecond } = peer.source;
    if (stalls !== undefined && this.#nowMs >= stalls.fromMs && this.#nowMs < stalls.untilMs) {
      this.#at(stalls.untilMs, () => peer.isPresent && this.#send(peer, range, bytesLeft));
      return;
    }
    const bytes = Math.min(PIECE_BYTES, bytesLeft);
    this.#at(this.#nowMs + bytes / bytesPerSecond * 1000, () => {
      if (!peer.isPresent) return;
      this.#later(peer, () => this.#step({ kind: "arriving", source: peer.id, bytes }));
      if (bytesLeft > bytes) return this.#send(peer, range, bytesLeft - bytes);
      peer.queue.shift();
      peer.isSending = false;
      this.#later(peer, () => this.#receive(peer, range));
      this.#serve(peer);
    });
  }

  #receive(peer: Peer, range: ChunkRange): void {
    const { download } = this.#checked;
    if (download.isComplete) return;
    const frame = download.classify(peer.id, range);
    assert(frame !== "unasked", `${peer.source.name} answers ${textOf(range)}, which nobody asked`);
    const missing = download.missingChunks;
    const end = range.first + range.count;
    for (let first = range.first; first < end;) {
      const isBad = peer.source.liesAbout?.(first) ?? false;
      let count = 1;
      while (first + count < end && (peer.source.liesAbout?.(first + count) ?? false) === isBad) {
        count++;
      }
      const run = { first, count };
      const isNew = !isBad && !this.#have.hasRange(run);
      const kind = isBad ? "chunks-bad" : "chunks-good";
      this.#step({ kind, source: peer.id, range: run, frame: range });
      if (isNew) this.#count(peer, run);
      if (!peer.isPresent) return;
      first += count;
    }
    if (download.missingChunks === missing) {
      this.#wastedBytes += rangeBytes(this.#options.sizeBytes, range).length;
    }
  }

  #count(peer: Peer, run: ChunkRange): void {
    const { bytesGood } = this.#checked.download.sources().find(({ source }) =>
      source === peer.id
    )!;
    assert(bytesGood >= 0 && run.count > 0);
    this.#bytesFrom.set(peer.source.name, bytesGood);
  }

  #nameOf(source: number): string {
    return this.#peers.get(source)!.source.name;
  }

  #note(text: string): void {
    this.#transcript.push(`${this.#nowMs.toFixed(0).padStart(6)} ms  ${text}`);
  }
}

function chunks(range: ChunkRange): number[] {
  return Array.from({ length: range.count }, (_, i) => range.first + i);
}

function textOf(range: ChunkRange): string {
  return `${range.first}-${range.first + range.count - 1}`;
}
