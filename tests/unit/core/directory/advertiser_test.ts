import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { randomBelow, seededRandom } from "../../../../src/base/random.ts";
import {
  Advertiser,
  type AdvertiserEffect,
  type AdvertiserEvent,
} from "../../../../src/core/directory/advertiser.ts";
import type { MessageOf } from "../../../../src/wire/messages.ts";
import type { ListedFile } from "../../../../src/wire/structures.ts";

const A = "a".repeat(32) as NodeId;
const B = "b".repeat(32) as NodeId;
const REFRESH_MS: number = limits.directoryRefreshMs;
/** How often the driver of these tests lets time pass. */
const TICK_MS = 10;

/** A file with a root of its own; 64 chunks. */
function file(name: string, chunksHave = 64): ListedFile {
  const root = name.charCodeAt(0).toString(16).padStart(64, "0") as Root;
  const whole = chunksHave === 64;
  return {
    file: { root, name, type: "", sizeBytes: 64 * 16_384, chunksHave, whole },
    sha256: null,
  };
}

function gone(name: string): AdvertiserEvent {
  return { kind: "removed", root: file(name).file.root, name };
}

function listed(fields: Partial<MessageOf<"listed">> = {}): AdvertiserEvent {
  return {
    kind: "listed",
    answer: {
      kind: "listed",
      instance: A,
      known: true,
      reach: "reachable",
      filesListed: 5,
      refreshMs: REFRESH_MS,
      ...fields,
    },
  };
}

const DENIED: AdvertiserEvent = { kind: "denied", limit: "listingsMax" };
const FAILED: AdvertiserEvent = { kind: "failed" };

/** An advertiser on a clock of its own. */
class Bench {
  readonly advertiser: Advertiser;
  nowMs = 1_000;

  constructor(seed = 1) {
    this.advertiser = new Advertiser({ random: seededRandom(seed) });
  }

  /** One event; the batch that it leads to. */
  say(event: AdvertiserEvent): AdvertiserEffect | undefined {
    const effects = this.advertiser.step(event, this.nowMs);
    assertLessOrEqual(effects.length, 1);
    return effects[0];
  }

  change(...files: ListedFile[]): void {
    for (const file of files) assertEquals(this.say({ kind: "changed", file }), undefined);
  }

  /** Time passes up to the next batch, which must come within `withinMs`. */
  next(withinMs = REFRESH_MS): AdvertiserEffect {
    for (const endMs = this.nowMs + withinMs; this.nowMs < endMs;) {
      this.nowMs += TICK_MS;
      const effect = this.say({ kind: "tick" });
      if (effect !== undefined) return effect;
    }
    throw new Error(`Nothing was sent within ${withinMs} ms`);
  }

  /** Time passes, and nothing is sent. */
  quiet(forMs: number): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs;) {
      this.nowMs += TICK_MS;
      assertEquals(this.say({ kind: "tick" }), undefined, `at ${this.nowMs} ms`);
    }
  }

  /** Sends the whole list and has it taken; the state in which most tests begin. */
  settle(): this {
    assertEquals(this.next().whole, true);
    assertEquals(this.say(listed()), undefined);
    return this;
  }
}

function names(effect: AdvertiserEffect): string[] {
  return effect.changed.map(({ file }) => `${file.name} ${file.chunksHave}`);
}

Deno.test("Advertiser.step() sends the whole list at once when it starts", () => {
  const waits = Array.from({ length: 50 }, (_, seed) => {
    const bench = new Bench(seed);
    bench.change(file("a"));
    const batch = bench.next(limits.directoryFirstMs + TICK_MS);
    const expected = { kind: "send", sequence: 1, whole: true, filesListed: 0 } as const;
    assertEquals(batch, { ...expected, changed: [], removed: [] });
    return bench.nowMs;
  });
  assertLess(8, new Set(waits).size, "spread at random");
});

Deno.test("Advertiser.step() has one batch under way when much happens", () => {
  const bench = new Bench();
  bench.next();
  bench.change(file("a"), file("b", 3));
  assertEquals(bench.advertiser.dueAtMs, Infinity);
  bench.quiet(3 * REFRESH_MS);
  const batch = bench.say(listed());
  assertEquals(names(batch!), ["a 64", "b 3"], "what came while it was under way goes next");
  assertEquals(batch!.sequence, 2);
});

Deno.test("Advertiser.step() tells changes together, the last state of each", () => {
  const bench = new Bench().settle();
  bench.change(file("a", 1), file("b"), file("a", 2));
  assertEquals(bench.say(gone("c")), undefined);
  assertEquals(bench.say(gone("b")), undefined);
  bench.quiet(limits.directoryDebounceMs - TICK_MS);
  bench.change(file("a"), file("d"));
  const batch = bench.next(TICK_MS);
  assertEquals(batch.whole, false);
  assertEquals(batch.filesListed, 5);
  assertEquals(names(batch), ["a 64", "d 64"]);
  assertEquals(batch.removed.map(({ name }) => name), ["b", "c"]);
});

Deno.test("Advertiser.step() keeps apart what shares a name or a root", () => {
  const bench = new Bench().settle();
  const one = file("a");
  const other = { ...one, file: { ...one.file, root: file("b").file.root } };
  const third = { ...one, file: { ...one.file, name: "b" } };
  bench.change(one, other, third);
  assertEquals(bench.next().changed, [one, other, third]);
});

Deno.test("Advertiser.step() holds a file that only grew until a second after its last batch", () => {
  const bench = new Bench().settle();
  bench.change(file("a", 1));
  assertEquals(names(bench.next(limits.directoryDebounceMs)), ["a 1"], "new: not held");
  const toldMs = bench.nowMs;
  bench.say(listed());
  bench.change(file("a", 2));
  bench.quiet(400);
  bench.change(file("a", 7), file("b"));
  assertEquals(names(bench.next(limits.directoryDebounceMs)), ["b 64"], "others are not held");
  bench.say(listed());
  assertEquals(names(bench.next(1_000)), ["a 7"]);
  assertEquals(bench.nowMs - toldMs, limits.directoryProgressMs);
  bench.say(listed());
  bench.change(file("a", 9));
  bench.change(file("a"));
  assertEquals(names(bench.next(limits.directoryDebounceMs)), ["a 64"], "whole: not held");
  bench.say(listed());
  bench.change(file("c", 9));
  assertEquals(names(bench.next(limits.directoryDebounceMs)), ["c 9"]);
  bench.say(listed());
  bench.change(file("c", 8));
  bench.change(file("c", 10));
  assertEquals(names(bench.next(limits.directoryDebounceMs)), ["c 10"], "fewer: not held");
});

Deno.test("Advertiser.step() counts a whole list as a batch that had the file", () => {
  const bench = new Bench();
  bench.change(file("a", 1));
  bench.settle();
  const sentMs = bench.nowMs;
  bench.change(file("a", 2));
  assertEquals(names(bench.next(2_000)), ["a 2"]);
  assertEquals(bench.nowMs - sentMs, limits.directoryProgressMs);
});

Deno.test("Advertiser.step() sends the whole list when too many changes wait", () => {
  const bench = new Bench().settle();
  bench.quiet(REFRESH_MS / 4);
  const many = (count: number) => {
    for (let i = 0; i < count; i++) assertEquals(bench.say(gone(`${i}`)), undefined);
  };
  many(limits.directoryPendingMax);
  assertEquals(bench.next(500).removed.length, limits.directoryPendingMax);
  bench.say(listed());
  many(limits.directoryPendingMax + 1);
  const batch = bench.next(500);
  assertEquals([batch.whole, batch.removed.length], [true, 0]);
  // Changes that are lost after the list was taken from the store need another one.
  many(limits.directoryPendingMax + 1);
  bench.say(listed());
  const wholeMs = bench.nowMs;
  assertEquals(bench.next().whole, true);
  assertLessOrEqual(bench.nowMs - wholeMs, REFRESH_MS / 4);
  bench.say(listed());
  assertEquals(bench.next().whole, false);
});

Deno.test("Advertiser.step() sends its whole list no sooner for many changes when it has to wait", () => {
  const bench = new Bench().settle();
  bench.quiet(REFRESH_MS / 4);
  bench.say({ kind: "instance-seen", instance: B });
  const { dueAtMs } = bench.advertiser;
  assertLess(bench.nowMs + limits.directoryDebounceMs, dueAtMs);
  const many = () => {
    for (let i = 0; i <= limits.directoryPendingMax; i++) bench.say(gone(`${i}`));
  };
  many();
  assertEquals(bench.advertiser.dueAtMs, dueAtMs, "spread");
  bench.next();
  bench.say(DENIED);
  bench.next();
  bench.say(DENIED);
  many();
  const batch = bench.next();
  assertEquals([batch.whole, batch.removed.length], [false, 0], "denied");
});

Deno.test("Advertiser.step() refreshes after 0.5 to 0.75 of the time that the directory says", () => {
  const waits: number[] = [];
  const bench = new Bench().settle();
  for (const refreshMs of [REFRESH_MS, 4_000]) {
    for (let i = 0; i < 100; i++) {
      const fromMs = bench.nowMs;
      const batch = bench.next();
      assertEquals([batch.whole, batch.changed, batch.removed], [false, [], []]);
      bench.say(listed({ refreshMs }));
      if (i > 0) waits.push((bench.nowMs - fromMs) / refreshMs);
    }
  }
  assertGreaterOrEqual(Math.min(...waits), 0.5);
  assertLessOrEqual(Math.max(...waits), 0.753);
  assertLess(0.2, Math.max(...waits) - Math.min(...waits));
});

Deno.test("Advertiser.step() keeps a refresh time within bounds when a directory says another", () => {
  const bench = new Bench().settle();
  bench.next();
  bench.say(listed({ refreshMs: 0 }));
  bench.quiet(limits.directoryRefreshMsMin / 2 - TICK_MS);
  bench.next(limits.directoryRefreshMsMin / 2);
  bench.say(listed({ refreshMs: 0xffff_ffff }));
  assertLessOrEqual(
    bench.advertiser.dueAtMs - bench.nowMs,
    0.75 * limits.directoryRefreshMsMax,
  );
});

Deno.test("Advertiser.step() keeps the changes of a batch that failed, newer ones first", () => {
  const bench = new Bench().settle();
  bench.change(file("a", 1), file("b"), file("c"));
  bench.say(gone("d"));
  bench.next();
  bench.change(file("a", 2), file("d"));
  bench.say(gone("b"));
  assertEquals(bench.say(FAILED), undefined);
  assertEquals(bench.advertiser.standing.answers, false);
  const batch = bench.next(2_000);
  assertEquals(new Set(names(batch)), new Set(["a 2", "c 64", "d 64"]));
  assertEquals(batch.removed.map(({ name }) => name), ["b"]);
  bench.say(listed());
  assertEquals(bench.advertiser.standing.answers, true);
  bench.quiet(REFRESH_MS / 2 - TICK_MS);
});

Deno.test("Advertiser.step() waits longer after each failure, half a refresh at most", () => {
  for (const whole of [true, false]) {
    const bench = whole ? new Bench() : new Bench().settle();
    assertEquals(bench.next().whole, whole);
    for (const seconds of [1, 2, 4, 8, 15, 15, 15]) {
      const fromMs = bench.nowMs;
      assertEquals(bench.say(FAILED), undefined);
      bench.change(file("a"));
      assertEquals(bench.next().whole, whole);
      assertGreaterOrEqual(bench.nowMs - fromMs, seconds * 500);
      assertLessOrEqual(bench.nowMs - fromMs, seconds * 1_000 + TICK_MS);
    }
    bench.say(listed());
    bench.next();
    const fromMs = bench.nowMs;
    bench.say(FAILED);
    bench.next();
    assertLessOrEqual(bench.nowMs - fromMs, 1_000 + TICK_MS, "an answer begins anew");
  }
});

Deno.test("Advertiser.step() sends the whole list at once when the directory does not know it", () => {
  const bench = new Bench().settle();
  bench.next();
  bench.change(file("a"));
  assertEquals(bench.say(listed({ known: false, filesListed: 0 }))?.whole, true);
  bench.say(listed());
  bench.quiet(REFRESH_MS / 2 - TICK_MS);
});

Deno.test("Advertiser.step() sends no stream of whole lists when a directory never knows them", () => {
  const bench = new Bench();
  const wholes: number[] = [];
  let isNew = false;
  while (bench.nowMs < 20 * REFRESH_MS) {
    bench.change(file("a", 1 + wholes.length % 60));
    const batch = bench.next();
    if (batch.whole) wholes.push(bench.nowMs);
    isNew = !isNew;
    const answer = listed({ known: isNew && batch.whole, instance: isNew ? B : A });
    while (bench.say(answer)?.whole) wholes.push(bench.nowMs);
  }
  for (let i = 1; i < wholes.length; i++) {
    assertGreaterOrEqual(wholes[i]! - wholes[i - 1]!, REFRESH_MS / 4);
  }
});

Deno.test("Advertiser.step() spreads whole lists when a new instance answers", () => {
  for (const how of ["listed", "seen"]) {
    const waits: number[] = [];
    for (let seed = 0; seed < 100; seed++) {
      const bench = new Bench(seed).settle();
      bench.next();
      const fromMs = bench.nowMs;
      if (how === "seen") bench.say({ kind: "instance-seen", instance: B });
      const answer = listed({ known: false, filesListed: 0, instance: B });
      assertEquals(bench.say(how === "seen" ? FAILED : answer), undefined);
      bench.change(file("a"));
      assertEquals(bench.next().whole, true);
      waits.push(bench.nowMs - fromMs);
      bench.say(listed({ instance: B }));
      assertEquals(bench.advertiser.standing.instance, B);
      assertEquals(bench.next().whole, false);
    }
    assertLessOrEqual(Math.max(...waits), limits.directorySpreadMs + TICK_MS);
    assertLess(limits.directorySpreadMs / 2, Math.max(...waits) - Math.min(...waits));
  }
});

Deno.test("Advertiser.step() ends its wait after failures when a new instance answers others", () => {
  const bench = new Bench().settle();
  for (let i = 0; i < 6; i++) {
    bench.next();
    bench.say(FAILED);
  }
  const fromMs = bench.nowMs;
  assertLess(REFRESH_MS / 4, bench.advertiser.dueAtMs - fromMs);
  bench.say({ kind: "instance-seen", instance: B });
  assertEquals(bench.next().whole, true);
  assertLessOrEqual(bench.nowMs - fromMs, limits.directorySpreadMs + TICK_MS);
});

Deno.test("Advertiser.step() is known again within a refresh time when a directory restarts", () => {
  // Away from `downMs` on for `awayMs`; connections fail at once. Then empty, another instance.
  const random = seededRandom(5);
  for (let seed = 0; seed < 200; seed++) {
    const bench = new Bench(seed).settle();
    const downMs = bench.nowMs + randomBelow(random, 2 * REFRESH_MS);
    const upMs = downMs + [0, 1_000, 20_000, 300_000][seed % 4]!;
    let isListed = false;
    while (!isListed) {
      const batch = bench.next();
      if (bench.nowMs < downMs) bench.say(listed());
      else if (bench.nowMs < upMs) bench.say(FAILED);
      else if (batch.whole) isListed = true;
      else bench.say(listed({ instance: B, known: false, filesListed: 0 }));
    }
    assertLessOrEqual(bench.nowMs - upMs, REFRESH_MS, `seed ${seed}`);
  }
});

Deno.test("Advertiser.step() sends the list again when a new instance was seen during it", () => {
  const bench = new Bench().settle();
  bench.say({ kind: "instance-seen", instance: A });
  bench.quiet(REFRESH_MS / 2 - TICK_MS);
  bench.next();
  assertEquals(bench.say(listed({ known: false }))?.whole, true);
  for (const [seen, event] of [[B, listed({ instance: A })], [A, DENIED]] as const) {
    bench.say({ kind: "instance-seen", instance: seen });
    bench.say(event);
    assertEquals(bench.advertiser.standing.instance, seen);
    const fromMs = bench.nowMs;
    assertEquals(bench.next().whole, true);
    assertLessOrEqual(bench.nowMs - fromMs, REFRESH_MS / 4 + TICK_MS);
  }
});

Deno.test("Advertiser.step() tells changes and refreshes when its list is denied", () => {
  const bench = new Bench();
  bench.next();
  assertEquals(bench.say(DENIED), undefined);
  assertEquals(bench.advertiser.standing.deniedBy, "listingsMax");
  assertEquals(bench.advertiser.standing.answers, true);
  const deniedMs = bench.nowMs;
  bench.change(file("a"));
  const batch = bench.next(1_000 + TICK_MS);
  assertEquals([batch.whole, ...names(batch)], [false, "a 64"]);
  bench.say(DENIED);
  let refreshes = 0;
  for (let batch = bench.next(); !batch.whole; batch = bench.next()) {
    assertLess(refreshes, 20);
    assertEquals(names(batch), [], "what was denied is not sent again");
    refreshes++;
    bench.say(DENIED);
  }
  assertGreaterOrEqual(refreshes, 6);
  assertGreaterOrEqual(bench.nowMs - deniedMs, 5 * REFRESH_MS);
  assertLessOrEqual(bench.nowMs - deniedMs, 7.5 * REFRESH_MS + 1_000);
  bench.say(listed());
  assertEquals(bench.advertiser.standing.deniedBy, undefined);
  for (let i = 0; i < 15; i++) {
    assertEquals(bench.next().whole, false);
    bench.say(listed());
  }
});

Deno.test("Advertiser.step() sends the whole list in the end when changes were denied", () => {
  const bench = new Bench().settle();
  bench.change(file("a"));
  bench.next();
  bench.say(DENIED);
  const deniedMs = bench.nowMs;
  let batch = bench.next();
  for (; !batch.whole && bench.nowMs < 20 * REFRESH_MS; batch = bench.next()) bench.say(listed());
  assertEquals(batch.whole, true);
  assertGreaterOrEqual(bench.nowMs - deniedMs, 5 * REFRESH_MS);
  assertLessOrEqual(bench.nowMs - deniedMs, 7.5 * REFRESH_MS + TICK_MS);
});

Deno.test("Advertiser.step() takes the directory's count when its list is denied in part", () => {
  const bench = new Bench();
  bench.next();
  bench.say(DENIED);
  bench.change(file("a"));
  assertEquals(bench.next().filesListed, 0);
  assertEquals(bench.say(listed({ known: false, filesListed: 77 })), undefined);
  const batch = bench.next();
  assertEquals([batch.whole, batch.filesListed, ...names(batch)], [false, 77, "a 64"]);
  bench.say(listed({ filesListed: 78 }));
  assertEquals(bench.advertiser.standing.filesListed, 78);
});

Deno.test("Advertiser.step() slows down when it is denied again and again", () => {
  const bench = new Bench().settle();
  let batches = 0;
  while (bench.nowMs < 3 * REFRESH_MS) {
    bench.change(file("a", 1 + batches % 60));
    bench.next();
    bench.say(DENIED);
    batches++;
  }
  assertLessOrEqual(batches, 14);
});

Deno.test("Advertiser.step() sends the whole list when a directory that denied it restarts", () => {
  const bench = new Bench();
  bench.next();
  bench.say(listed());
  bench.change(file("a"));
  bench.next();
  bench.say(DENIED);
  bench.quiet(400);
  bench.say({ kind: "instance-seen", instance: B });
  assertEquals(bench.advertiser.standing.deniedBy, undefined);
  const fromMs = bench.nowMs;
  assertEquals(bench.next().whole, true);
  assertLessOrEqual(bench.nowMs - fromMs, REFRESH_MS / 4 + TICK_MS);
});

Deno.test("Advertiser.step() sends its list once when others meet the directory first", () => {
  const bench = new Bench();
  bench.say({ kind: "instance-seen", instance: A });
  const firstMs = bench.nowMs;
  bench.settle();
  assertLessOrEqual(bench.nowMs - firstMs, limits.directoryFirstMs + TICK_MS);
  bench.quiet(REFRESH_MS / 2 - TICK_MS);
  const other = new Bench();
  other.next();
  other.say({ kind: "instance-seen", instance: A });
  assertEquals(other.say(listed()), undefined);
  other.quiet(REFRESH_MS / 2 - TICK_MS);
});

Deno.test("Advertiser.step() changes nothing when an answer comes to no batch", () => {
  const bench = new Bench().settle();
  const { dueAtMs } = bench.advertiser;
  for (const event of [listed({ known: false, instance: B }), DENIED, FAILED]) {
    assertEquals(bench.say(event), undefined);
  }
  assertEquals(bench.advertiser.dueAtMs, dueAtMs);
  assertEquals(bench.advertiser.standing.instance, A);
  assertEquals(bench.advertiser.standing.deniedBy, undefined);
  assertEquals(bench.advertiser.standing.answers, true);
});

Deno.test("Advertiser.step() refreshes soon, a few times, while the directory checks it", () => {
  const bench = new Bench();
  bench.next();
  const checking = listed({ reach: "checking" });
  bench.say(checking);
  for (let i = 0; i < limits.directoryCheckingMax; i++) {
    const fromMs = bench.nowMs;
    assertEquals(bench.next().whole, false);
    assertGreaterOrEqual(bench.nowMs - fromMs, limits.directoryCheckingMs);
    assertLessOrEqual(bench.nowMs - fromMs, 2 * limits.directoryCheckingMs + TICK_MS);
    bench.say(checking);
  }
  bench.quiet(REFRESH_MS / 2 - TICK_MS);
  bench.next();
  bench.say(listed());
  bench.quiet(REFRESH_MS / 2 - TICK_MS);
  bench.next();
  bench.say(checking);
  bench.next(2 * limits.directoryCheckingMs + TICK_MS);
  bench.say(listed());
  bench.quiet(REFRESH_MS / 2 - TICK_MS);
});

Deno.test("Advertiser.step() keeps all and looks once in a refresh when its batches are withheld", () => {
  const bench = new Bench();
  bench.next();
  for (let i = 0; i < 3; i++) {
    assertEquals(bench.say({ kind: "withheld" }), undefined);
    assertEquals(bench.advertiser.standing.answers, false);
    bench.change(file("a"));
    bench.quiet(REFRESH_MS / 2 - TICK_MS);
    assertEquals(bench.next(REFRESH_MS / 4 + TICK_MS).whole, true);
  }
  bench.say(listed());
  bench.change(file("b"));
  bench.next();
  bench.say({ kind: "withheld" });
  assertEquals(names(bench.say({ kind: "instance-seen", instance: A })!), ["b 64"], "at once");
});

Deno.test("Advertiser.step() says how it stands when it was answered", () => {
  const bench = new Bench();
  const { advertiser } = bench;
  assertEquals([
    advertiser.standing.reach,
    advertiser.standing.answeredAtMs,
    advertiser.standing.answers,
  ], [
    undefined,
    undefined,
    false,
  ]);
  bench.next();
  bench.say(listed({ reach: "checking", filesListed: 3 }));
  assertEquals(advertiser.standing.instance, A);
  assertEquals(advertiser.standing.reach, "checking");
  assertEquals(advertiser.standing.filesListed, 3);
  assertEquals(advertiser.standing.answeredAtMs, bench.nowMs);
  assertEquals(advertiser.sequence, 1);
});

Deno.test("Advertiser.step() has told every state in the end when anything may fail", () => {
  // Against a naive directory that does what the wire says, with a random store, 40 runs.
  for (let seed = 0; seed < 40; seed++) {
    const random = seededRandom(seed);
    const bench = new Bench(seed + 1_000);
    const store = new Map<string, ListedFile>();
    let directory: { instance: NodeId; files: Map<string, ListedFile> | undefined } = {
      instance: A,
      files: undefined,
    };
    let underWay: { batch: AdvertiserEffect; store: Map<string, ListedFile> } | undefined;
    const hear = (batch: AdvertiserEffect | undefined) => {
      if (batch === undefined) return;
      assertEquals(underWay, undefined, `seed ${seed}: two batches`);
      underWay = { batch, store: new Map(store) };
    };
    const apply = (): MessageOf<"listed"> => {
      const { batch, store } = underWay!;
      const { files } = directory;
      let known = true;
      if (batch.whole) directory.files = new Map(store);
      else if (files === undefined || files.size !== batch.filesListed) known = false;
      else {
        for (const listed of batch.changed) files.set(listed.file.name, listed);
        for (const { name } of batch.removed) files.delete(name);
      }
      const filesListed = directory.files?.size ?? 0;
      return (listed({ instance: directory.instance, known, filesListed }) as {
        answer: MessageOf<"listed">;
      }).answer;
    };
    const live = (isCalm: boolean) => {
      bench.nowMs += 1 + randomBelow(random, 50);
      if (underWay !== undefined && random.unit() < 0.3) {
        const chance = isCalm ? 1 : random.unit();
        // Lost on the way there, lost on the way back, or heard.
        const answer = chance < 0.2 ? undefined : apply();
        underWay = undefined;
        hear(bench.say(chance < 0.4 ? FAILED : { kind: "listed", answer: answer! }));
      }
      hear(bench.say({ kind: "tick" }));
      if (isCalm) return;
      if (random.unit() < 0.002) {
        directory = { instance: `${directory.instance === A ? B : A}` as NodeId, files: undefined };
      }
      const name = String.fromCharCode(65 + randomBelow(random, 20));
      const change = file(name, 1 + randomBelow(random, 64));
      if (random.unit() < 0.3) {
        store.set(name, change);
        hear(bench.say({ kind: "changed", file: change }));
      } else if (random.unit() < 0.1 && store.delete(name)) {
        hear(bench.say(gone(name)));
      }
    };
    for (let i = 0; i < 5_000; i++) live(false);
    const calmMs = bench.nowMs;
    while (bench.nowMs < calmMs + 2 * REFRESH_MS) live(true);
    assert(directory.files !== undefined, `seed ${seed}`);
    const sorted = (files: Map<string, ListedFile>) =>
      [...files.values()].map(({ file }) => `${file.name} ${file.chunksHave}`).sort();
    assertEquals(sorted(directory.files), sorted(store), `seed ${seed}`);
  }
});
