/** Each rule of the download policy by itself. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Bitfield } from "../../../../src/base/bitfield.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import {
  Download,
  type DownloadEffect,
  type DownloadEvent,
} from "../../../../src/core/download/download.ts";
import { CheckedDownload } from "../../../sim/download_checker.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

interface Options {
  readonly sizeBytes?: number;
  readonly wanted?: ChunkRange;
  readonly has?: readonly ChunkRange[];
  readonly budgetBytes?: number;
}

/** A download whose time and effects are at hand. */
class Scene {
  readonly have: Bitfield;
  readonly checked: CheckedDownload;
  nowMs = 0;

  constructor(options: Options = {}) {
    const sizeBytes = options.sizeBytes ?? 16 * MIB;
    const chunks = chunkCount(sizeBytes);
    this.have = fieldOf(chunks, ...options.has ?? []);
    this.checked = new CheckedDownload({
      sizeBytes,
      wanted: options.wanted ?? { first: 0, count: chunks },
      have: this.have,
      inflightBytesMax: options.budgetBytes ?? 4 * MIB,
      random: seededRandom(1),
    });
  }

  step(event: DownloadEvent): DownloadEffect[] {
    return this.checked.step(event, this.nowMs);
  }

  join(source: number, ...ranges: ChunkRange[]): DownloadEffect[] {
    const have = ranges.length === 0 ? "all" : fieldOf(this.have.length, ...ranges);
    return this.step({ kind: "source-joined", source, have });
  }

  /** The source answers its oldest request after `afterMs`. */
  answer(source: number, afterMs = 1): DownloadEffect[] {
    this.nowMs += afterMs;
    return this.step({ kind: "chunks-good", source, range: this.asked(source)[0]! });
  }

  /** The source answers so often that its window is full. */
  warm(source: number): void {
    for (let i = 0; i < 4; i++) this.answer(source);
  }

  /** Source 1 falls silent and is snubbed, while source 2 delivers and takes over from it. */
  snubFirst(): DownloadEffect[] {
    this.nowMs += limits.snubMs;
    this.step({ kind: "arriving", source: 2, bytes: 100 * MIB });
    return this.tick(0);
  }

  tick(afterMs: number): DownloadEffect[] {
    this.nowMs += afterMs;
    return this.step({ kind: "tick" });
  }

  asked(source: number): ChunkRange[] {
    return this.checked.outstanding(source);
  }

  report(source: number) {
    return this.checked.download.sources().find((report) => report.source === source)!;
  }
}

function fieldOf(chunks: number, ...ranges: ChunkRange[]): Bitfield {
  const field = new Bitfield(chunks);
  for (const range of ranges) field.addRange(range);
  return field;
}

function requests(effects: readonly DownloadEffect[], source?: number): ChunkRange[] {
  return effects.flatMap((effect) =>
    effect.kind === "request" && (source === undefined || effect.source === source)
      ? [effect.range]
      : []
  );
}

function kinds(effects: readonly DownloadEffect[]): string[] {
  return effects.map(({ kind }) => kind);
}

Deno.test("Download.isComplete is true at once when nothing is wanted", () => {
  const scene = new Scene({ wanted: { first: 7, count: 0 } });
  assert(scene.checked.download.isComplete);
  assertEquals(scene.tick(0), [{ kind: "complete" }]);
  assertEquals(scene.tick(0), []);
});

Deno.test("Download.isComplete is true at once when everything is there", () => {
  const scene = new Scene({ sizeBytes: 0 });
  assert(scene.checked.download.isComplete);
  const full = new Scene({ sizeBytes: MIB, has: [{ first: 0, count: 64 }] });
  assertEquals(full.join(1), [{ kind: "complete" }]);
});

Deno.test("Download.step() keeps four whole blocks in flight when one source has the budget", () => {
  const scene = new Scene();
  assertEquals(requests(scene.join(1)), [{ first: 0, count: 8 }, { first: 8, count: 8 }]);
  scene.warm(1);
  for (let i = 0; i < 20; i++) {
    assertEquals(scene.report(1).inflight, 2 * MIB);
    assertEquals(scene.asked(1).map(({ count }) => count), [32, 32, 32, 32]);
    const [next] = requests(scene.answer(1));
    assertEquals(next?.count, 32, "asked in the same step as the answer comes");
  }
});

Deno.test("Download.step() goes through the file in order when sources have it whole", () => {
  const scene = new Scene();
  let next = 0;
  const follow = (effects: DownloadEffect[]) => {
    for (const { first, count } of requests(effects)) {
      assertEquals(first, next);
      next += count;
    }
  };
  follow(scene.join(1));
  follow(scene.join(2));
  for (let i = 0; !scene.checked.download.isComplete; i++) follow(scene.answer(1 + i % 2));
  assertEquals(next, 1024);
});

Deno.test("Download.step() asks for the rarest block first, the lowest among equals", () => {
  const blocks = (...indices: number[]) =>
    indices.map((block) => ({ first: block * 32, count: 32 }));
  const scene = new Scene({ sizeBytes: 4 * MIB, budgetBytes: 0 });
  scene.join(1, ...blocks(0, 1, 2, 3, 4, 5, 6));
  scene.join(2, ...blocks(0, 1, 2, 4, 5));
  scene.join(3, ...blocks(0, 1));
  const effects = scene.step({ kind: "budget", inflightBytesMax: 4 * MIB });
  assertEquals(requests(effects, 1).map(({ first }) => first), [96, 104]);
  assertEquals(requests(effects, 2).map(({ first }) => first), [64, 72]);
  assertEquals(requests(effects, 3).map(({ first }) => first), [0, 8]);
});

Deno.test("Download.step() finds rare blocks beyond those that it compares at once", () => {
  const nearUnits = limits.pickBlocksMax + 1;
  const chunks = 2 * nearUnits * 32;
  const download = new Download({
    sizeBytes: chunks * CHUNK_BYTES,
    wanted: { first: 0, count: chunks },
    have: new Bitfield(chunks),
    inflightBytesMax: 0,
    random: seededRandom(1),
  });
  const near = fieldOf(chunks, { first: 0, count: nearUnits * 32 });
  download.step({ kind: "source-joined", source: 1, have: "all" }, 0);
  download.step({ kind: "source-joined", source: 2, have: near }, 0);
  const effects = download.step({ kind: "budget", inflightBytesMax: 4 * MIB }, 0);
  for (const { first } of requests(effects, 1)) assert(first >= nearUnits * 32, `${first}`);
  for (const { first } of requests(effects, 2)) assert(first < nearUnits * 32, `${first}`);
  assertEquals(effects.length, 4);
});

Deno.test("Download.step() takes what only one source can give before what two can", () => {
  const scene = new Scene({ sizeBytes: 4 * MIB });
  scene.step({ kind: "budget", inflightBytesMax: 0 });
  scene.join(1, { first: 0, count: 128 });
  scene.join(2, { first: 0, count: 64 }, { first: 128, count: 128 });
  const effects = scene.step({ kind: "budget", inflightBytesMax: 4 * MIB });
  assertEquals(requests(effects, 1).map(({ first }) => first), [64, 72]);
  assertEquals(requests(effects, 2).map(({ first }) => first), [128, 136]);
});

Deno.test("Download.step() counts a block again when its holders change", () => {
  const scene = new Scene({ sizeBytes: 2 * MIB, budgetBytes: 0 });
  scene.join(1, { first: 0, count: 128 });
  scene.join(2, { first: 0, count: 64 });
  scene.step({ kind: "source-left", source: 2 });
  scene.join(2, { first: 32, count: 32 });
  scene.step({ kind: "source-has", source: 2, ranges: [{ first: 64, count: 64 }] });
  // Only block 0 has one holder now.
  const effects = scene.step({ kind: "budget", inflightBytesMax: 4 * MIB });
  assertEquals(requests(effects, 1), [{ first: 0, count: 8 }, { first: 8, count: 8 }]);
});

Deno.test("Download.step() asks only within the part that is wanted", () => {
  const scene = new Scene({ wanted: { first: 45, count: 30 } });
  assertEquals(requests(scene.join(1)), [{ first: 45, count: 8 }, { first: 53, count: 8 }]);
  scene.warm(1);
  assert(scene.checked.download.isComplete);
  assertEquals(scene.have.count, 30);
});

Deno.test("Download.step() asks for runs around what is there", () => {
  const scene = new Scene({ sizeBytes: 512 * KIB, has: [{ first: 3, count: 2 }] });
  assertEquals(requests(scene.join(1)), [{ first: 0, count: 3 }, { first: 5, count: 8 }]);
});

Deno.test("Download.step() counts the bytes of a short last chunk", () => {
  const scene = new Scene({ sizeBytes: CHUNK_BYTES + 5 });
  scene.join(1);
  assertEquals(scene.report(1).inflight, CHUNK_BYTES + 5);
  scene.answer(1);
  assertEquals(scene.report(1).bytesGood, CHUNK_BYTES + 5);
});

Deno.test("Download.step() shares the budget in smaller requests when there are many sources", () => {
  const scene = new Scene({ sizeBytes: 256 * MIB });
  for (let source = 1; source <= 16; source++) scene.join(source);
  for (let round = 0; round < 10; round++) {
    for (let source = 1; source <= 16; source++) scene.answer(source);
  }
  const reports = scene.checked.download.sources();
  assertEquals(reports.reduce((sum, { inflight }) => sum + inflight, 0), 4 * MIB);
  for (const { source, inflight } of reports) {
    assert(inflight >= 128 * KIB && inflight <= 512 * KIB, `source ${source}: ${inflight}`);
  }
});

Deno.test("Download.step() gives faster sources more", () => {
  const scene = new Scene({ sizeBytes: 256 * MIB, budgetBytes: 2 * MIB });
  for (const source of [1, 2, 3]) scene.join(source);
  for (let i = 0; i < 60; i++) {
    scene.answer(1, 5);
    scene.answer(1, 5);
    if (i % 6 === 0) scene.answer(2, 1);
    if (i % 30 === 0) scene.answer(3, 1);
  }
  const [fast, middle, slow] = [scene.report(1), scene.report(2), scene.report(3)];
  assert(fast.rateBytesPerSecond > middle.rateBytesPerSecond);
  assert(fast.inflight > middle.inflight, `${fast.inflight} and ${middle.inflight}`);
  assert(slow.inflight > 0, "nobody starves");
});

Deno.test("Download.sources() gives a rate in which idle time does not count", () => {
  const scene = new Scene({ sizeBytes: MIB });
  scene.join(1, { first: 0, count: 8 });
  assertEquals(scene.report(1).rateBytesPerSecond, 0);
  scene.answer(1, 100);
  scene.tick(10_000);
  scene.step({ kind: "source-has", source: 1, ranges: [{ first: 8, count: 8 }] });
  scene.step({ kind: "arriving", source: 1, bytes: 100 * KIB });
  scene.answer(1, 100);
  assertEquals(scene.report(1).rateBytesPerSecond, 256 * KIB / 0.2);
});

Deno.test("Download.step() asks nothing more until a cut budget has drained", () => {
  const scene = new Scene();
  scene.join(1);
  scene.warm(1);
  assertEquals(requests(scene.step({ kind: "budget", inflightBytesMax: MIB })), []);
  assertEquals(requests(scene.answer(1)), []);
  assertEquals(requests(scene.answer(1)), []);
  assertEquals(requests(scene.answer(1)).length, 1);
  assertEquals(requests(scene.step({ kind: "budget", inflightBytesMax: 4 * MIB })).length, 2);
});

Deno.test("Download.step() makes requests as small as a budget below 64 KiB", () => {
  const scene = new Scene({ budgetBytes: 40 * KIB });
  assertEquals(requests(scene.join(1)), [{ first: 0, count: 2 }]);
  assertEquals(requests(scene.step({ kind: "budget", inflightBytesMax: 100 })), []);
  assertEquals(requests(scene.answer(1)), []);
});

Deno.test("Download.step() snubs a silent source and asks the others for its chunks", () => {
  const scene = new Scene({ sizeBytes: 8 * MIB });
  scene.join(1);
  scene.join(2);
  const lost = scene.asked(1);
  for (let i = 0; i < 6; i++) scene.answer(2, 300);
  assertEquals(scene.tick(100), []);
  const effects = scene.tick(100);
  assertEquals(kinds(effects).slice(0, 3), ["snubbed", "cancel", "cancel"]);
  assert(scene.report(1).snubbed);
  assertEquals(scene.asked(1), []);
  while (!scene.checked.download.isComplete) scene.answer(2);
  assert(scene.have.hasRange(lost[0]!));
});

Deno.test("Download.step() does not snub a source that answers slowly", () => {
  const scene = new Scene();
  scene.join(1);
  for (let i = 0; i < 20; i++) {
    scene.step({ kind: "arriving", source: 1, bytes: 1_000 });
    assertEquals(kinds(scene.tick(1_500)), []);
  }
});

Deno.test("Download.step() neither snubs nor drops a source that its own node's rate holds back", () => {
  const scene = new Scene({ sizeBytes: 8 * MIB });
  scene.join(1);
  scene.join(2);
  assertEquals(scene.step({ kind: "held", source: 1, isHeld: true }), []);
  const asked = scene.asked(1);
  for (let ms = 0; ms < 2 * limits.sourceSilentMs; ms += 1_500) {
    scene.step({ kind: "arriving", source: 2, bytes: 1_000 });
    assertEquals(kinds(scene.tick(1_500)), []);
  }
  assertEquals(scene.asked(1), asked);
  // From when it is not held back any more, silence counts.
  scene.step({ kind: "held", source: 1, isHeld: false });
  scene.step({ kind: "arriving", source: 2, bytes: 1_000 });
  assertEquals(kinds(scene.tick(limits.snubMs - 1)), []);
  scene.step({ kind: "arriving", source: 2, bytes: 1_000 });
  assertEquals(kinds(scene.tick(1))[0], "snubbed");
});

Deno.test("Download.step() asks nobody else for what the own rate holds back in the end game", () => {
  const end = (held: number | null) => {
    const scene = new Scene({ sizeBytes: 2 * MIB });
    scene.join(1);
    scene.answer(1, 1_000);
    scene.join(2);
    if (held !== null) scene.step({ kind: "held", source: held, isHeld: true });
    for (let i = 0; i < 20 && scene.asked(2).length > 0; i++) {
      if (scene.asked(2).some(({ first }) => scene.asked(1).some((one) => one.first === first))) {
        return "duplicates";
      }
      scene.answer(2, 5);
    }
    return "waits";
  };
  assertEquals([end(null), end(1), end(2)], ["duplicates", "waits", "waits"]);
});

Deno.test("Download.step() does not hold the time against a source that it had nothing to do", () => {
  const scene = new Scene({ sizeBytes: MIB });
  scene.join(1, { first: 0, count: 8 });
  scene.answer(1);
  scene.tick(10_000);
  scene.step({ kind: "source-has", source: 1, ranges: [{ first: 8, count: 8 }] });
  assertEquals(scene.tick(limits.snubMs - 1), []);
  assertEquals(kinds(scene.tick(1)), ["snubbed"]);
});

Deno.test("Download.step() takes a snubbed source back when data arrives", () => {
  const scene = new Scene();
  scene.join(1);
  scene.join(2);
  scene.answer(2, 1_900);
  scene.tick(100);
  assert(scene.report(1).snubbed);
  const effects = scene.step({ kind: "arriving", source: 1, bytes: 1_000 });
  assertEquals(requests(effects, 1).map(({ count }) => count), [8, 8]);
  assert(!scene.report(1).snubbed);
});

Deno.test("Download.step() leaves a lone silent source its requests", () => {
  const scene = new Scene();
  scene.join(1);
  const asked = scene.asked(1);
  assertEquals(kinds(scene.tick(limits.snubMs)), ["snubbed", "need-sources"]);
  for (let i = 0; i < 5; i++) assertEquals(scene.tick(1_000), []);
  assertEquals(scene.asked(1), asked);
  // They go to the first who can take them over.
  const effects = scene.join(2);
  assertEquals(kinds(effects), ["cancel", "cancel", "request", "request"]);
  assertEquals(requests(effects, 2), asked);
});

Deno.test("Download.step() drops a source that stays silent", () => {
  const scene = new Scene();
  scene.join(1);
  scene.tick(limits.snubMs);
  assertEquals(scene.tick(limits.sourceSilentMs - limits.snubMs - 1), []);
  assertEquals(scene.tick(1), [{ kind: "drop", source: 1, reason: "silent" }]);
  assertEquals(scene.checked.download.sources(), []);
});

Deno.test("Download.step() never drops a source that nothing is asked of", () => {
  const scene = new Scene();
  scene.join(1, { first: 0, count: 1 });
  scene.answer(1);
  for (let i = 0; i < 10; i++) assertEquals(scene.tick(limits.sourceSilentMs), []);
});

Deno.test("Download.step() probes a snubbed source for what nobody else has", () => {
  const scene = new Scene({ sizeBytes: 4 * MIB });
  scene.join(2, { first: 0, count: 128 });
  scene.join(1);
  assertEquals(scene.asked(1), [{ first: 128, count: 8 }, { first: 136, count: 8 }]);
  assertEquals(kinds(scene.snubFirst()), ["snubbed", "need-sources"]);
  scene.join(3, { first: 128, count: 16 });
  assertEquals(scene.asked(1), [], "source 3 takes over");
  assertEquals(requests(scene.tick(1), 1), [{ first: 144, count: 4 }]);
  assertEquals(requests(scene.tick(1), 1), [], "one at a time");
});

Deno.test("Download.step() needs sources while only a snubbed one is asked for some chunks", () => {
  const scene = new Scene({ sizeBytes: 512 * KIB });
  scene.join(2, { first: 0, count: 16 });
  scene.join(1);
  assert(!scene.checked.download.needsSources);
  assertEquals(kinds(scene.snubFirst()), ["snubbed", "need-sources"]);
  scene.answer(1);
  assert(!scene.checked.download.needsSources);
});

Deno.test("Download.step() probes a snubbed source with 64 KiB when the end game comes", () => {
  const scene = new Scene({ sizeBytes: MIB });
  scene.join(1);
  scene.join(2);
  scene.answer(2);
  assertEquals(kinds(scene.snubFirst()).slice(0, 3), ["snubbed", "cancel", "cancel"]);
  assertEquals(scene.asked(1), []);
  const probes = requests(scene.tick(100), 1);
  assertEquals(probes.map(({ count }) => count), [4]);
  assertEquals(requests(scene.tick(100), 1), [], "one at a time");
  scene.answer(1);
  assert(!scene.report(1).snubbed);
});

Deno.test("Download.step() keeps room for a probe when the budget is in use", () => {
  const scene = new Scene({ sizeBytes: 32 * MIB, budgetBytes: 512 * KIB });
  scene.join(1, { first: 1024, count: 1024 });
  scene.join(2, { first: 0, count: 1024 });
  scene.warm(2);
  scene.snubFirst();
  scene.join(3, ...scene.asked(1));
  assertEquals(scene.asked(1), []);
  for (let i = 0; i < 3; i++) {
    scene.answer(2);
    scene.tick(1);
  }
  assertEquals(scene.asked(1).map(({ count }) => count), [4]);
  assert(scene.report(2).inflight > 0);
});

Deno.test("Download.step() duplicates the requests of a slow source in the end game", () => {
  const scene = new Scene({ sizeBytes: 2 * MIB });
  scene.join(1);
  scene.join(2);
  const slow = scene.asked(1);
  scene.nowMs += 50;
  scene.step({ kind: "arriving", source: 1, bytes: 1_000 });
  while (scene.asked(2).some(({ first }) => first >= 16)) scene.answer(2, 10);
  const duplicates = scene.asked(2);
  assertEquals(duplicates.length, 1, "at most one a unit");
  assert(slow.some(({ first }) => first === duplicates[0]!.first));
  const missing = scene.checked.download.missingChunks;
  const effects = scene.answer(2);
  assertEquals(effects[0], { kind: "cancel", source: 1, range: duplicates[0]! });
  assertEquals(scene.checked.download.missingChunks, missing - duplicates[0]!.count);
  // The late frame is tolerated once, and counts for nobody.
  const late = { source: 1, range: duplicates[0]! };
  const { bytesGood } = scene.report(1);
  assertEquals(scene.checked.download.classify(1, late.range), "cancelled");
  scene.step({ kind: "chunks-good", ...late });
  assertEquals(scene.checked.download.classify(1, late.range), "unasked");
  assertEquals(scene.report(1).bytesGood, bytesGood);
  assertEquals(scene.checked.download.missingChunks, missing - duplicates[0]!.count);
});

Deno.test("Download.step() makes no duplicates when sources are equally fast", () => {
  const scene = new Scene({ sizeBytes: 8 * MIB });
  scene.join(1);
  scene.join(2);
  for (let i = 0; !scene.checked.download.isComplete; i++) {
    const source = scene.asked(1 + i % 2).length > 0 ? 1 + i % 2 : 2 - i % 2;
    assert(!kinds(scene.answer(source, 5)).includes("cancel"));
  }
});

Deno.test("Download.step() strikes for each bad run and does not ask for it there again", () => {
  const scene = new Scene({ sizeBytes: 256 * KIB });
  scene.join(1);
  const range = { first: 2, count: 3 };
  const effects = scene.step({ kind: "chunks-bad", source: 1, range });
  assertEquals(effects, [{ kind: "strike", source: 1, strikes: 1 }, { kind: "need-sources" }]);
  scene.step({ kind: "chunks-good", source: 1, range: { first: 0, count: 2 } });
  scene.step({ kind: "chunks-good", source: 1, range: { first: 5, count: 3 } });
  scene.answer(1);
  assertEquals(scene.checked.download.missingChunks, 3);
  assertEquals(requests(scene.step({ kind: "source-has", source: 1, ranges: [range] })), []);
  assertEquals(requests(scene.join(2)), [range]);
  assertEquals(kinds(scene.answer(2)), ["complete"]);
  assertEquals(scene.report(1).bytesGood, 13 * CHUNK_BYTES);
});

Deno.test("Download.step() drops a source at the last strike and asks others", () => {
  const scene = new Scene({ sizeBytes: 256 * KIB });
  scene.join(1);
  scene.join(2);
  for (let first = 0; first < 2; first++) {
    scene.step({ kind: "chunks-bad", source: 1, range: { first, count: 1 } });
  }
  const effects = scene.step({ kind: "chunks-bad", source: 1, range: { first: 2, count: 1 } });
  assertEquals(effects[0], { kind: "strike", source: 1, strikes: 3 });
  assertEquals(effects[1], { kind: "drop", source: 1, reason: "bad-data" });
  while (!scene.checked.download.isComplete) scene.answer(2);
});

Deno.test("Download.step() asks elsewhere for rejected chunks until the source has them", () => {
  const scene = new Scene({ sizeBytes: 128 * KIB });
  scene.join(1);
  const [range] = scene.asked(1);
  const effects = scene.step({ kind: "rejected", source: 1, range: range! });
  assertEquals(effects, [{ kind: "need-sources" }]);
  assertEquals(requests(scene.step({ kind: "source-has", source: 1, ranges: [range!] })), [range!]);
  assertEquals(kinds(scene.answer(1)), ["complete"]);
});

Deno.test("Download.step() ignores a rejection of what was not asked", () => {
  const scene = new Scene();
  scene.join(1);
  const range = { first: 900, count: 8 };
  assertEquals(scene.step({ kind: "rejected", source: 1, range }), []);
  assertEquals(scene.asked(1).length, 2);
});

Deno.test("Download.classify() tells apart asked, cancelled and unasked", () => {
  const scene = new Scene();
  scene.join(1);
  scene.join(2);
  const [range] = scene.asked(1);
  const { download } = scene.checked;
  assertEquals(download.classify(1, range!), "asked");
  assert(download.isOutstanding(1, range!));
  assertEquals(download.classify(1, { first: range!.first, count: 3 }), "unasked");
  assertEquals(download.classify(2, range!), "unasked");
  assertEquals(download.classify(9, range!), "unasked");
  scene.answer(2);
  scene.snubFirst();
  assertEquals(download.classify(1, range!), "cancelled");
  assert(!download.isOutstanding(1, range!));
  assertEquals(requests(scene.answer(2))[0]?.first, range!.first, "taken over");
  scene.step({ kind: "rejected", source: 1, range: range! });
  assertEquals(download.classify(1, range!), "unasked");
});

Deno.test("Download.classify() lets as much pass as was cancelled, however much that is", () => {
  const scene = new Scene({ sizeBytes: 512 * MIB, budgetBytes: 4 * MIB });
  scene.join(2);
  const cancelled: ChunkRange[] = [];
  scene.join(1);
  while (cancelled.length <= limits.cancelledRequestsMax) {
    scene.answer(2);
    const effects = scene.snubFirst().filter(({ kind }) => kind === "cancel");
    for (const effect of effects) if (effect.kind === "cancel") cancelled.push(effect.range);
    assertEquals(effects.length, 2);
    scene.warm(2);
    scene.step({ kind: "arriving", source: 1, bytes: 1 });
  }
  const { download } = scene.checked;
  const [oldest] = cancelled;
  assertEquals(download.classify(1, cancelled.at(-1)!), "cancelled");
  // Only how many chunks there were of the oldest ones is still known: a slow holder sends them all.
  for (const range of cancelled) {
    assertEquals(download.classify(1, range), "cancelled");
    scene.step({ kind: "rejected", source: 1, range });
  }
  assertEquals(download.classify(1, oldest!), "unasked");
  assertEquals(download.classify(1, { first: oldest!.first, count: 1 }), "unasked");
});

Deno.test("Download.step() frees the requests of a source that left", () => {
  const scene = new Scene({ sizeBytes: 512 * KIB });
  scene.join(1);
  scene.join(2, { first: 0, count: 16 });
  assertEquals(scene.asked(2), []);
  const effects = scene.step({ kind: "source-left", source: 1 });
  assertEquals(requests(effects, 2), [{ first: 0, count: 8 }, { first: 8, count: 8 }]);
  assertEquals(kinds(effects).at(-1), "need-sources");
});

Deno.test("Download.step() ignores events of sources that are gone, but not their chunks", () => {
  const scene = new Scene({ sizeBytes: 128 * KIB });
  scene.join(1);
  const [range] = scene.asked(1);
  scene.step({ kind: "source-left", source: 1 });
  assertEquals(scene.step({ kind: "source-has", source: 1, ranges: [range!] }), []);
  for (const kind of ["chunks-bad", "rejected"] as const) {
    assertEquals(scene.step({ kind, source: 1, range: range! }), []);
  }
  assertEquals(scene.step({ kind: "arriving", source: 1, bytes: 5 }), []);
  assertEquals(scene.step({ kind: "source-left", source: 1 }), []);
  const effects = scene.step({ kind: "chunks-good", source: 1, range: range! });
  assertEquals(effects, [{ kind: "complete" }]);
});

Deno.test("Download.step() says need-sources once until that changes", () => {
  const scene = new Scene({ sizeBytes: MIB });
  assertEquals(scene.tick(0), [{ kind: "need-sources" }]);
  assertEquals(scene.tick(100), []);
  assert(!kinds(scene.join(1, { first: 0, count: 32 })).includes("need-sources"), "said already");
  assert(scene.checked.download.needsSources);
  scene.step({ kind: "source-has", source: 1, ranges: [{ first: 32, count: 32 }] });
  assert(!scene.checked.download.needsSources);
  assertEquals(scene.step({ kind: "source-left", source: 1 }), [{ kind: "need-sources" }]);
});

Deno.test("Download.step() needs sources for a single chunk that nobody has", () => {
  const scene = new Scene({ sizeBytes: 512 * KIB });
  scene.join(1, { first: 0, count: 20 }, { first: 21, count: 11 });
  const said: string[] = [];
  while (scene.asked(1).length > 0) said.push(...kinds(scene.answer(1)));
  assert(said.includes("need-sources") || scene.checked.download.needsSources);
  assertEquals(scene.checked.download.missingChunks, 1);
  assertEquals(requests(scene.join(2)), [{ first: 20, count: 1 }]);
});

Deno.test("Download.step() does not ask for what came into the store by other ways", () => {
  const scene = new Scene({ sizeBytes: 2 * MIB, budgetBytes: 0 });
  scene.join(1);
  scene.have.addRange({ first: 0, count: 50 });
  const effects = scene.step({ kind: "budget", inflightBytesMax: MIB });
  assertEquals(requests(effects)[0], { first: 50, count: 8 });
  scene.have.addRange({ first: 0, count: 128 });
  assertEquals(kinds(scene.tick(100)).at(-1), "complete");
});

Deno.test("Download.step() asks again for what went from the store", () => {
  const scene = new Scene({ sizeBytes: 2 * MIB, has: [{ first: 0, count: 127 }] });
  scene.join(1);
  scene.have.remove(3);
  assertEquals(requests(scene.tick(100)), [{ first: 3, count: 1 }]);
});

Deno.test("Download.step() asks again for chunks called good that are not in the store", () => {
  const scene = new Scene({ sizeBytes: 128 * KIB });
  scene.join(1);
  const { download } = scene.checked;
  const effects = download.step({
    kind: "chunks-good",
    source: 1,
    range: { first: 0, count: 8 },
  }, 1);
  assertEquals(requests(effects), [{ first: 0, count: 8 }]);
  assertEquals(download.missingChunks, 8);
});

Deno.test("Download.step() finds the chunks of a partial holder far inside a file of 1 TiB", () => {
  const sizeBytes = 2 ** 40;
  const chunks = chunkCount(sizeBytes);
  // The checker's plain sets are too slow for this size.
  const download = new Download({
    sizeBytes,
    wanted: { first: 0, count: chunks },
    have: new Bitfield(chunks),
    inflightBytesMax: 4 * MIB,
    random: seededRandom(1),
  });
  const far = fieldOf(chunks, { first: chunks - 1_000, count: 1_000 });
  const effects = download.step({ kind: "source-joined", source: 1, have: far }, 0);
  for (let i = 1; i < 100 && requests(effects).length === 0; i++) {
    effects.push(...download.step({ kind: "tick" }, i));
  }
  assertEquals(requests(effects)[0]?.first, chunks - 1_000);
});

Deno.test("Download.step() throws when there are more sources than it can count", () => {
  const scene = new Scene({ sizeBytes: MIB });
  for (let source = 0; source < 255; source++) scene.join(source);
  assertThrows(() => scene.join(255), RangeError, "at most 255");
});

Deno.test("Download.step() asks again for chunks that are lost after all were there, if they may be", () => {
  for (const mayLose of [true, false]) {
    const have = new Bitfield(64);
    const download = new Download({
      sizeBytes: 64 * CHUNK_BYTES,
      wanted: { first: 0, count: 64 },
      have,
      inflightBytesMax: 4 * MIB,
      random: seededRandom(1),
      mayLose,
    });
    download.step({ kind: "source-joined", source: 1, have: "all" }, 0);
    have.addRange({ first: 0, count: 64 });
    const kinds = (at: number) => download.step({ kind: "tick" }, at).map(({ kind }) => kind);
    assert(kinds(1).includes("complete"));
    // Who comes meanwhile is known.
    download.step({ kind: "source-joined", source: 2, have: "all" }, 2);
    download.step({ kind: "source-left", source: 1 }, 3);
    have.removeRange({ first: 7, count: 3 });
    const effects = download.step({ kind: "tick" }, 4);
    assertEquals(requests(effects, 2).map(({ first }) => first), mayLose ? [7] : []);
    have.addRange({ first: 7, count: 3 });
    assertEquals(kinds(5).includes("complete"), mayLose);
  }
});
