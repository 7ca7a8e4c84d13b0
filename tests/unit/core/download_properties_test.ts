/** Rules of the download policy that hold whatever happens: random swarms, orders and losses. */

import { assert } from "@std/assert";
import fc from "fast-check";
import { Bitfield } from "../../../src/base/bitfield.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../src/base/geometry.ts";
import { randomBelow, seededRandom } from "../../../src/base/random.ts";
import type { DownloadEffect } from "../../../src/core/download/download.ts";
import { CheckedDownload } from "../../sim/download_checker.ts";

const KIB = 1024;

interface Setting {
  readonly chunks: number;
  readonly wanted: ChunkRange;
  readonly budgetBytes: number;
  readonly sources: number;
  readonly seed: number;
}

const setting: fc.Arbitrary<Setting> = fc.record({
  chunks: fc.integer({ min: 1, max: 1_500 }),
  from: fc.nat(500),
  count: fc.nat(1_500),
  budgetKib: fc.constantFrom(16, 48, 64, 200, 512, 1024, 4096),
  sources: fc.integer({ min: 1, max: 6 }),
  seed: fc.integer(),
}).map(({ chunks, from, count, budgetKib, sources, seed }) => {
  const first = Math.min(from, chunks - 1);
  const wanted = { first, count: Math.min(count, chunks - first) };
  return { chunks, wanted, budgetBytes: budgetKib * KIB, sources, seed };
});

/** A swarm in which anything may happen, except that the honest sources answer in the end. */
class Chaos {
  readonly #setting: Setting;
  readonly #random;
  readonly #have: Bitfield;
  readonly #checked: CheckedDownload;
  /** What each source was asked and has not answered, cancelled or not. */
  readonly #queues = new Map<number, ChunkRange[]>();
  readonly #honest = new Set<number>();
  #nowMs = 0;
  #nextSource = 1;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#random = seededRandom(setting.seed);
    this.#have = this.#field(0.2);
    const { wanted, budgetBytes } = setting;
    this.#checked = new CheckedDownload({
      sizeBytes: setting.chunks * CHUNK_BYTES - randomBelow(this.#random, CHUNK_BYTES),
      wanted,
      have: this.#have,
      inflightBytesMax: budgetBytes,
      random: this.#random,
    });
  }

  /** Runs to the end; whether everything wanted came. */
  run(): boolean {
    // Together the honest ones have everything.
    const rest = Bitfield.full(this.#setting.chunks);
    for (let i = 1; i < this.#setting.sources; i++) {
      const part = this.#field(this.#random.unit());
      for (const range of part.ranges()) {
        for (let chunk = range.first; chunk < range.first + range.count; chunk++) {
          rest.remove(chunk);
        }
      }
      this.#honest.add(this.#join(part));
    }
    this.#honest.add(this.#join(this.#random.unit() < 0.5 ? "all" : rest));
    for (let i = 0; i < 300; i++) this.#anything();
    this.#step({ kind: "budget", inflightBytesMax: this.#setting.budgetBytes });
    for (let round = 0; round < 2_000 && !this.#checked.download.isComplete; round++) {
      this.#nowMs += 100;
      this.#step({ kind: "tick" });
      for (const source of [...this.#queues.keys()]) {
        if (this.#honest.has(source)) this.#answer(source, 0);
        else this.#leave(source);
      }
    }
    return this.#checked.download.isComplete;
  }

  #anything(): void {
    const sources = [...this.#queues.keys()];
    const source = sources[randomBelow(this.#random, sources.length)]!;
    const isHonest = this.#honest.has(source);
    const queue = this.#queues.get(source)!;
    const action = this.#random.unit();
    if (action < 0.45) {
      this.#answer(source, isHonest ? 0 : 0.1);
    } else if (action < 0.6) {
      this.#nowMs += randomBelow(this.#random, 1_500);
      this.#step({ kind: "tick" });
      // A source may be slow, but an honest one does not owe an answer for half a minute.
      if (this.#random.unit() < 0.3) { for (const honest of this.#honest) this.#answer(honest, 0); }
    } else if (action < 0.7) {
      this.#step({ kind: "arriving", source, bytes: randomBelow(this.#random, 64 * KIB) });
    } else if (action < 0.75) {
      this.#step({ kind: "source-has", source, ranges: [this.#range()] });
    } else if (action < 0.8 && this.#queues.size < 10) {
      this.#join(this.#field(this.#random.unit()));
    } else if (action < 0.85) {
      const inflightBytesMax = randomBelow(this.#random, 4096) * KIB;
      this.#step({ kind: "budget", inflightBytesMax });
    } else if (isHonest) {
      return;
    } else if (action < 0.9) {
      this.#leave(source);
    } else if (queue.length > 0) {
      this.#step({ kind: "rejected", source, range: queue.shift()! });
    }
  }

  /** The source answers its oldest request; each chunk is wrong with a chance of `lies`. */
  #answer(source: number, lies: number): void {
    const range = this.#queues.get(source)?.shift();
    if (range === undefined) return;
    assert(this.#checked.download.classify(source, range) !== "unasked" || this.#isOver());
    for (let first = range.first; first < range.first + range.count;) {
      const isBad = this.#random.unit() < lies;
      const count = Math.min(
        1 + randomBelow(this.#random, 32),
        range.first + range.count - first,
      );
      const kind = isBad ? "chunks-bad" : "chunks-good";
      this.#step({ kind, source, range: { first, count }, frame: range });
      if (!this.#queues.has(source)) return;
      first += count;
    }
    assert(!this.#checked.download.isOutstanding(source, range) || this.#isAgain(source, range));
  }

  #isOver(): boolean {
    return this.#checked.download.isComplete;
  }

  #isAgain(source: number, range: ChunkRange): boolean {
    return this.#queues.get(source)!.some(({ first }) => first === range.first);
  }

  #join(have: Bitfield | "all"): number {
    const source = this.#nextSource++;
    this.#queues.set(source, []);
    this.#step({ kind: "source-joined", source, have });
    return source;
  }

  #leave(source: number): void {
    this.#queues.delete(source);
    this.#step({ kind: "source-left", source });
  }

  #step(event: Parameters<CheckedDownload["step"]>[0]): void {
    for (const effect of this.#checked.step(event, this.#nowMs)) this.#obey(effect);
  }

  #obey(effect: DownloadEffect): void {
    if (effect.kind === "request") this.#queues.get(effect.source)!.push(effect.range);
    if (effect.kind === "drop") {
      assert(!this.#honest.has(effect.source), "an honest source is never dropped");
      this.#queues.delete(effect.source);
    }
  }

  #field(density: number): Bitfield {
    const field = new Bitfield(this.#setting.chunks);
    const isRough = this.#random.unit() < 0.3;
    for (let chunk = 0; chunk < field.length;) {
      const count = Math.min(1 + randomBelow(this.#random, isRough ? 3 : 60), field.length - chunk);
      if (this.#random.unit() < density) field.addRange({ first: chunk, count });
      chunk += count;
    }
    return field;
  }

  #range(): ChunkRange {
    const first = randomBelow(this.#random, this.#setting.chunks);
    return { first, count: 1 + randomBelow(this.#random, this.#setting.chunks - first) };
  }
}

Deno.test("Download keeps its rules and completes when every chunk has an honest source", () => {
  fc.assert(fc.property(setting, (value) => new Chaos(value).run()), { numRuns: 300 });
});
