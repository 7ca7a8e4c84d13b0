/**
 * A download under watch: every step goes through here, and every effect is held against a plain
 * model of who has what and what is outstanding. Slow and simple on purpose; it decides nothing.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type ChunkRange, rangeBytes } from "../../src/base/geometry.ts";
import { limits } from "../../src/base/limits.ts";
import {
  Download,
  type DownloadEffect,
  type DownloadEvent,
} from "../../src/core/download/download.ts";
import type { DownloadOptions } from "../../src/core/download/download_events.ts";

const BLOCK_CHUNKS = 32;

interface ModelRequest {
  readonly range: ChunkRange;
  /** Chunks that it is still to bring. */
  readonly left: Set<number>;
  /** Chunks of its answer that nothing was said of. */
  readonly unreported: Set<number>;
}

interface ModelSource {
  readonly has: Set<number>;
  readonly bad: Set<number>;
  requests: ModelRequest[];
  /** The requests and cancelled ones in the order in which they were asked. */
  expected: ModelRequest[];
  strikes: number;
  isSnubbed: boolean;
}

/** The indices of a range. */
export function chunksOf(range: ChunkRange): number[] {
  return Array.from({ length: range.count }, (_, i) => range.first + i);
}

/** Wraps a {@linkcode Download}; throws as soon as a rule is broken. */
export class CheckedDownload {
  readonly download: Download;
  readonly #options: DownloadOptions;
  readonly #sources = new Map<number, ModelSource>();
  readonly #wanted: Set<number>;
  #budgetBytes: number;
  #isComplete = false;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#wanted = new Set(chunksOf(options.wanted));
    this.#budgetBytes = options.inflightBytesMax;
    this.download = new Download(options);
  }

  /** The ranges asked of a source and not answered, oldest first. */
  outstanding(source: number): ChunkRange[] {
    return this.#sources.get(source)?.requests.map(({ range }) => range) ?? [];
  }

  /** One step; chunks reported good are put into the bitfield first, as a caller must. */
  step(event: DownloadEvent, nowMs: number): DownloadEffect[] {
    if (event.kind === "chunks-good") this.#options.have.addRange(event.range);
    if (!this.#isComplete) this.#apply(event);
    const effects = this.download.step(event, nowMs);
    if (this.#isComplete) {
      assertEquals(effects, [], "nothing is said after complete");
      return effects;
    }
    for (const effect of effects) this.#check(effect);
    this.#checkState();
    return effects;
  }

  #apply(event: DownloadEvent): void {
    if (event.kind === "budget") this.#budgetBytes = event.inflightBytesMax;
    if (event.kind === "budget" || event.kind === "tick") return;
    if (event.kind === "source-joined") {
      const has = new Set<number>();
      for (const chunk of this.#wanted) {
        if (event.have === "all" || event.have.has(chunk)) has.add(chunk);
      }
      const bad = new Set<number>();
      const books = { requests: [], expected: [], strikes: 0, isSnubbed: false };
      this.#sources.set(event.source, { has, bad, ...books });
      return;
    }
    const source = this.#sources.get(event.source);
    if (event.kind === "chunks-good") {
      if (source !== undefined) this.#answer(source, event.range, event.frame);
      for (const { requests } of this.#sources.values()) {
        for (const { left } of requests) {
          for (const chunk of chunksOf(event.range)) left.delete(chunk);
        }
      }
    }
    if (source === undefined) return;
    switch (event.kind) {
      case "source-left":
        this.#sources.delete(event.source);
        break;
      case "source-has":
        for (const chunk of event.ranges.flatMap(chunksOf)) source.has.add(chunk);
        break;
      case "arriving":
      case "chunks-good":
        source.isSnubbed = false;
        break;
      case "chunks-bad":
        source.isSnubbed = false;
        source.strikes++;
        for (const chunk of chunksOf(event.range)) source.bad.add(chunk);
        this.#answer(source, event.range, event.frame);
        break;
      case "rejected": {
        const request = source.expected.find(({ range }) => isSame(range, event.range));
        if (request === undefined) break;
        source.isSnubbed = false;
        source.expected = source.expected.filter((other) => other !== request);
        if (!source.requests.includes(request)) break;
        source.requests = source.requests.filter((other) => other !== request);
        for (const chunk of chunksOf(event.range)) source.has.delete(chunk);
        break;
      }
    }
  }

  /** An answer belongs to the oldest request for its frame, or that it can belong to. */
  #answer(source: ModelSource, range: ChunkRange, frame = range): void {
    const chunks = chunksOf(range);
    const requests = source.expected.filter(({ unreported }) =>
      chunks.every((chunk) => unreported.has(chunk))
    );
    const request = requests.find((other) => isSame(other.range, frame)) ?? requests[0];
    if (request === undefined) return;
    for (const chunk of chunks) {
      request.left.delete(chunk);
      request.unreported.delete(chunk);
    }
    if (request.left.size === 0) {
      source.requests = source.requests.filter((other) => other !== request);
    }
    if (source.requests.includes(request)) return;
    if (request.unreported.size === 0) {
      source.expected = source.expected.filter((other) => other !== request);
    }
  }

  #check(effect: DownloadEffect): void {
    switch (effect.kind) {
      case "request":
        return this.#checkRequest(effect.source, effect.range);
      case "cancel": {
        const source = this.#sources.get(effect.source)!;
        const index = source.requests.findIndex(({ range }) => isSame(range, effect.range));
        assert(index >= 0, `cancelled what was not asked: ${JSON.stringify(effect)}`);
        source.requests.splice(index, 1);
        assertNotEquals(this.download.classify(effect.source, effect.range), "unasked");
        return;
      }
      case "strike":
        assertEquals(effect.strikes, this.#sources.get(effect.source)!.strikes);
        return;
      case "drop":
        if (effect.reason === "bad-data") {
          assertEquals(this.#sources.get(effect.source)!.strikes, limits.strikesMax);
        }
        this.#sources.delete(effect.source);
        return;
      case "snubbed":
        this.#sources.get(effect.source)!.isSnubbed = true;
        return;
      case "need-sources":
        return;
      case "complete":
        this.#isComplete = true;
        assert(this.#options.have.hasRange(this.#options.wanted));
    }
  }

  #checkRequest(id: number, range: ChunkRange): void {
    const text = `request ${range.first}+${range.count} of source ${id}`;
    const source = this.#sources.get(id);
    assert(source !== undefined, `${text}: not there`);
    const block = Math.floor(range.first / BLOCK_CHUNKS);
    assert(range.count > 0, text);
    assertEquals(
      Math.floor((range.first + range.count - 1) / BLOCK_CHUNKS),
      block,
      `${text}: units`,
    );
    for (const chunk of chunksOf(range)) {
      assert(this.#wanted.has(chunk), `${text}: ${chunk} is not wanted`);
      assert(!this.#options.have.has(chunk), `${text}: ${chunk} is had`);
      assert(source.has.has(chunk), `${text}: it lacks ${chunk}`);
      assert(!source.bad.has(chunk), `${text}: it sent ${chunk} wrong`);
      const holders = this.#holders(chunk);
      assert(!holders.includes(source), `${text}: asked already`);
      assert(holders.length < 2, `${text}: asked twice already`);
      if (holders.length > 0) this.#checkEndGame(text);
    }
    const chunks = chunksOf(range);
    const request = { range, left: new Set(chunks), unreported: new Set(chunks) };
    source.requests.push(request);
    source.expected.push(request);
    assert(source.requests.length <= limits.requestsPerPeerMax, `${text}: window`);
    assert(this.#inflightBytes() <= this.#budgetBytes, `${text}: over the budget`);
  }

  #holders(chunk: number): ModelSource[] {
    return [...this.#sources.values()].filter(({ requests }) =>
      requests.some(({ left }) => left.has(chunk))
    );
  }

  /** A duplicate is right only when nothing else is left to ask for. */
  #checkEndGame(text: string): void {
    for (const chunk of this.#wanted) {
      if (this.#options.have.has(chunk) || this.#holders(chunk).length > 0) continue;
      const isAskable = [...this.#sources.values()].some(({ isSnubbed, has, bad }) =>
        !isSnubbed && has.has(chunk) && !bad.has(chunk)
      );
      assert(!isAskable, `${text}: a duplicate while ${chunk} could be asked for`);
    }
  }

  #inflightBytes(): number {
    let bytes = 0;
    for (const { requests } of this.#sources.values()) {
      for (const { range } of requests) bytes += rangeBytes(this.#options.sizeBytes, range).length;
    }
    return bytes;
  }

  #checkState(): void {
    let missing = 0;
    for (const chunk of this.#wanted) if (!this.#options.have.has(chunk)) missing++;
    assertEquals(this.download.missingChunks, missing);
    assertEquals(this.download.isComplete, missing === 0);
    assertEquals(this.#isComplete, missing === 0, "complete is said at once");
    assertEquals(this.download.inflightBytes, this.#inflightBytes());
    for (const [id, source] of this.#sources) {
      for (const { range, left } of source.requests) {
        assert(left.size > 0, `request ${range.first}+${range.count} of source ${id} is idle`);
        assert(this.download.isOutstanding(id, range));
      }
    }
    const reports = this.download.sources();
    assertEquals(reports.map(({ source }) => source), [...this.#sources.keys()]);
    for (const { source, snubbed } of reports) {
      assertEquals(snubbed, this.#sources.get(source)!.isSnubbed);
    }
  }
}

function isSame(one: ChunkRange, other: ChunkRange): boolean {
  return one.first === other.first && one.count === other.count;
}
