/** The policy of a fetch, rule by rule; how the rules hold together is shown in tests/sim. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { FetchFailure } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type {
  FetchEffect,
  FetchEvent,
  FetchFacts,
  MirrorFacts,
  SwarmFacts,
} from "../../../../src/core/fetch/fetch_events.ts";
import { FetchPolicy } from "../../../../src/core/fetch/fetch_policy.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const CHUNKS = 200;
const SIZE = CHUNKS * CHUNK_BYTES - 100;
const A = "a".repeat(64) as Root;
const B = "b".repeat(64) as Root;
const SHA256 = "5".repeat(64);

const SWARM: SwarmFacts = {
  hasLeaves: true,
  hasBegun: true,
  isComplete: false,
  isFull: false,
  sourceCount: 1,
  peersGiving: 1,
  hadSources: true,
  needsSources: false,
  wantsSources: true,
  peerBytes: 0,
  peersBytesPerSecond: 0,
  bytesHad: 0,
  bytesDone: 0,
  bytesTotal: SIZE,
};

const MIRROR: MirrorFacts = {
  sizeBytes: null,
  isOpen: false,
  bytes: 0,
  bytesLeft: null,
  bytesPerSecond: undefined,
  firstChunk: 0,
  nextChunk: 0,
  isWhole: false,
  isWholeFile: false,
  givesRanges: true,
  label: "mirror.example.org",
  isBad: false,
  refusal: null,
};

/** A policy whose world a test sets, and what it said. */
class Policy {
  readonly policy: FetchPolicy;
  nowMs = 0;
  swarm: SwarmFacts | null = null;
  mirror: MirrorFacts | null;
  importedTo = 0;
  readonly effects: FetchEffect[] = [];

  constructor(request: Partial<FetchRequest> = {}, { sharesPlace = false } = {}) {
    const all = requestFor("file", { deliver: true, ...request });
    this.policy = new FetchPolicy(all, { nowMs: 0, searchMs: 5_000, sharesPlace });
    this.mirror = all.mirrors.length > 0 ? MIRROR : null;
    this.tell({ kind: "start" });
    this.tell({ kind: "looked-up", file: undefined, hasWrongCopy: false });
  }

  /** Tells it what happened; gives the kinds of its effects. */
  tell(event: FetchEvent): string[] {
    const facts: FetchFacts = {
      surroundings: {
        isAlone: false,
        linkCount: 1,
        linksDialling: 0,
        addressCount: 0,
        directories: { size: 0, faults: [] },
      },
      swarm: this.swarm,
      mirror: this.mirror,
      importedTo: this.importedTo,
      listedDials: 0,
      isSource: () => false,
      sha256Of: () => undefined,
    };
    const effects = this.policy.step(event, this.nowMs, facts);
    this.effects.push(...effects);
    return effects.map(({ kind }) => kind);
  }

  /** A holder of a root offers it; what is followed then is joined. */
  offer(root: Root, node: number): void {
    const file = { root, name: "file", type: "", sizeBytes: SIZE, chunksHave: CHUNKS, whole: true };
    const nodeId = String(node).padStart(32, "0") as NodeId;
    const kinds = this.tell({
      kind: "offered",
      nodeId,
      address: { host: "192.0.2.1", port: 8_048 },
      files: [file],
    });
    if (!kinds.includes("follow")) return;
    this.swarm = SWARM;
    this.tell({ kind: "joined" });
  }

  /** All chunks of what is followed are here. */
  complete(): string[] {
    this.swarm = { ...SWARM, isComplete: true, isFull: true, bytesDone: SIZE };
    return this.tell({ kind: "completed" });
  }

  /** Lets time pass to a moment. */
  at(nowMs: number): string[] {
    this.nowMs = nowMs;
    return this.tell({ kind: "tick" });
  }

  get last(): FetchEffect {
    return this.effects.at(-1)!;
  }
}

Deno.test("FetchPolicy releases what a mirror gives, but its last chunk where the whole is checked", () => {
  const policy = new Policy({ sha256: SHA256, mirrors: ["http://mirror.example.org/file"] });
  policy.at(limits.hedgeMs);
  policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true };
  policy.tell({ kind: "mirror-opened", sizeBytes: SIZE });
  policy.mirror = { ...policy.mirror, nextChunk: CHUNKS, bytes: SIZE, bytesLeft: 0 };
  policy.tell({ kind: "mirror-arrived", range: { first: 0, count: CHUNKS } });
  const released = policy.effects.filter((effect) => effect.kind === "release");
  assertEquals(released.map(({ range }) => range), [{ first: 0, count: CHUNKS - 1 }]);
  policy.mirror = { ...policy.mirror, isWhole: true, isWholeFile: true };
  assert(policy.tell({ kind: "mirror-changed" }).includes("check-mirror"));
  assertEquals(policy.tell({ kind: "mirror-checked", sha256: SHA256 }), [
    "note",
    "release",
    "promote-mirror",
  ]);
});

Deno.test("FetchPolicy releases what peers give at once when the root was given, else not", () => {
  const range = { first: 3, count: 2 };
  const known = new Policy({ root: A });
  known.offer(A, 1);
  assertEquals(known.tell({ kind: "gained", range, by: "peer" }), ["tell", "release-proved"]);
  const unknown = new Policy({ sha256: SHA256 });
  unknown.offer(A, 1);
  assertEquals(unknown.tell({ kind: "gained", range, by: "peer" }), ["tell"]);
});

Deno.test("FetchPolicy ends with what peers gave when it has the SHA-256, and throws it away else", () => {
  for (const isRight of [true, false]) {
    const policy = new Policy({ sha256: SHA256 });
    policy.offer(A, 1);
    assert(policy.complete().includes("check-peers"));
    const kinds = policy.tell({ kind: "peers-checked", key: `${A}:${SIZE}`, isRight });
    assertEquals(kinds.includes("finish"), isRight);
    assertEquals(kinds.includes("rejected"), !isRight);
  }
});

Deno.test("FetchPolicy takes no check of a candidate for that of another one", () => {
  const policy = new Policy({ sha256: SHA256 });
  policy.offer(A, 1);
  policy.offer(B, 2);
  policy.complete();
  policy.tell({ kind: "peer-banned", nodeId: "1".padStart(32, "0") as NodeId });
  policy.swarm = SWARM;
  policy.at(150);
  policy.tell({ kind: "joined" });
  assertEquals(policy.policy.followed?.root, B);
  assertEquals(policy.tell({ kind: "peers-checked", key: `${A}:${SIZE}`, isRight: true }), []);
});

Deno.test("FetchPolicy does not end with a candidate that was complete before it was left", () => {
  const policy = new Policy();
  policy.offer(A, 1);
  policy.complete();
  // More nodes offer B for a moment, and are found out.
  policy.nowMs = 20;
  policy.offer(B, 2);
  policy.offer(B, 3);
  assertEquals(policy.policy.followed?.root, B);
  for (const node of ["2", "3"]) {
    policy.tell({ kind: "peer-banned", nodeId: node.padStart(32, "0") as NodeId });
  }
  policy.swarm = SWARM;
  policy.nowMs = 40;
  policy.tell({ kind: "left" });
  policy.tell({ kind: "joined" });
  assertEquals(policy.policy.followed?.root, A);
  assert(!policy.at(200).includes("finish"), "it has none of its chunks");
});

Deno.test("FetchPolicy believes the mirror's file where only the name is known", () => {
  const policy = new Policy({ mirrors: ["http://mirror.example.org/file"] });
  policy.offer(A, 1);
  policy.complete();
  policy.at(limits.hedgeMs);
  // All of it comes from the mirror before any of it is held against the leaves.
  policy.mirror = {
    ...MIRROR,
    sizeBytes: SIZE,
    isOpen: true,
    nextChunk: CHUNKS,
    bytes: SIZE,
    bytesLeft: 0,
    isWhole: true,
    isWholeFile: true,
  };
  policy.nowMs = 150;
  const kinds = policy.tell({ kind: "mirror-changed" });
  assert(kinds.includes("promote-mirror"), kinds.join());
  assert(!kinds.includes("release-all"), "what peers gave is not proved by that");
});

Deno.test("FetchPolicy has what the mirror gave compared before it ends with what peers gave", () => {
  const policy = new Policy({ root: A, mirrors: ["http://mirror.example.org/file"] });
  policy.offer(A, 1);
  policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true, bytes: CHUNK_BYTES, nextChunk: 1 };
  const kinds = policy.complete();
  assert(kinds.includes("import") && !kinds.includes("finish"), kinds.join());
  policy.importedTo = 1;
  assert(policy.tell({ kind: "imported", range: { first: 0, count: 1 } }).includes("finish"));
});

Deno.test("FetchPolicy takes a mirror whose chunk differs for a source of the swarm until it left", () => {
  for (const hasLeftSwarm of [true, false]) {
    const policy = new Policy({ root: A, mirrors: ["http://mirror.example.org/file"] });
    policy.offer(A, 1);
    policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true };
    policy.swarm = { ...SWARM, peersGiving: 0, needsSources: true };
    policy.at(10_000);
    policy.mirror = { ...policy.mirror, bytes: CHUNK_BYTES, nextChunk: 1 };
    const isIn = () =>
      policy.effects.findLast((effect) => effect.kind === "mirror-ranges")?.isOn === true;
    assert(isIn(), "the mirror gives ranges");
    // No other mirror is left: one that is still there is taken out.
    const refusal = { code: "unusable", message: "none" } as unknown as MirrorFacts["refusal"];
    policy.mirror = { ...policy.mirror, refusal };
    const culprit = "mirror.example.org";
    const kinds = policy.tell({ kind: "mirror-differs", why: "it differs", culprit, hasLeftSwarm });
    assert(kinds.includes("log") && kinds.includes("reject-mirror"), kinds.join());
    assertEquals(kinds.includes("mirror-ranges"), !hasLeftSwarm);
  }
});

Deno.test("FetchPolicy shows the mirror's file when a candidate that was complete is left", () => {
  const policy = new Policy({ mirrors: ["http://mirror.example.org/file"] });
  policy.offer(A, 1);
  policy.offer(B, 2);
  policy.complete();
  policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true, bytes: CHUNK_BYTES, nextChunk: 1 };
  policy.nowMs = 300;
  const kinds = policy.tell({ kind: "peer-banned", nodeId: "1".padStart(32, "0") as NodeId });
  const shown = kinds.filter((kind) => kind === "leave" || kind === "show-mirror");
  assertEquals(shown, ["leave", "show-mirror"], kinds.join());
});

Deno.test("FetchPolicy sets a candidate aside whose holders give nothing more", () => {
  const policy = new Policy({ sha256: SHA256 });
  policy.offer(A, 1);
  policy.offer(B, 2);
  policy.swarm = { ...SWARM, needsSources: true, peersGiving: 0 };
  policy.at(250);
  assert(!policy.at(limits.candidateStarvedMs).includes("follow"));
  const kinds = policy.at(limits.candidateStarvedMs + 500);
  assert(kinds.includes("leave") && kinds.includes("follow"), kinds.join());
  policy.tell({ kind: "joined" });
  assertEquals(policy.policy.followed?.root, B);
  // Nobody else is left to turn to.
  policy.at(10_000);
  assert(!policy.at(10_000 + 2 * limits.candidateStarvedMs).includes("follow"));
});

Deno.test("FetchPolicy asks for a wake-up in the future only, whatever is late", () => {
  const policy = new Policy({ sha256: SHA256, mirrors: ["http://mirror.example.org/file"] });
  policy.offer(A, 1);
  policy.swarm = { ...SWARM, hasBegun: false, hasLeaves: false };
  for (let wakes = 0; policy.policy.wakeMs < Infinity && policy.nowMs < 30_000; wakes++) {
    assert(wakes < 1_000, `it is woken again and again: ${policy.nowMs} ${policy.policy.wakeMs}`);
    assertGreater(policy.policy.wakeMs, policy.nowMs);
    policy.at(policy.policy.wakeMs);
  }
});

Deno.test("FetchPolicy fails when its time is out, when it is stopped, and when nobody is left", () => {
  const exitOf = (effect: FetchEffect) =>
    effect.kind === "fail" && effect.error instanceof FetchFailure ? effect.error.exit : effect;
  const late = new Policy({ timeoutMs: 700 });
  late.at(699);
  assertEquals(late.policy.isOver, false);
  late.at(700);
  assertEquals(exitOf(late.last), "timedOut");
  const stopped = new Policy();
  stopped.tell({ kind: "stopped", isNotFound: false });
  assertEquals(exitOf(stopped.last), "failed");
  const nobody = new Policy();
  nobody.at(5_001);
  assertEquals(exitOf(nobody.last), "notFound");
  assertEquals(nobody.tell({ kind: "tick" }), [], "it is over");
});

Deno.test("FetchPolicy has mirror and peers write to one place one after the other", () => {
  const mirrors = ["http://mirror.example.org/file"];
  const policy = new Policy({ sha256: SHA256, mirrors }, { sharesPlace: true });
  policy.at(limits.hedgeMs);
  policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true, bytes: CHUNK_BYTES, nextChunk: 1 };
  policy.nowMs = 500;
  policy.offer(A, 1);
  assert(policy.effects.some(({ kind }) => kind === "leave-place"));
  assertEquals(policy.policy.followed, null, "the mirror writes there still");
  assert(policy.tell({ kind: "place-left" }).includes("follow"));
});
