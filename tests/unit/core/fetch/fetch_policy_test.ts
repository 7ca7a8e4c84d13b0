/** The policy of a fetch, rule by rule; how the rules hold together is shown in tests/sim. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { FetchFailure } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type {
  CrowdFacts,
  FetchEffect,
  FetchFacts,
  FetchPolicyEvent,
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
  isWithdrawn: false,
  needsSources: false,
  wantsSources: true,
  peerBytes: 0,
  peersBytesPerSecond: 0,
  isHeld: false,
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
  isHeld: false,
  refusal: null,
};

/** A policy whose world a test sets, and what it said. */
class Policy {
  readonly policy: FetchPolicy;
  nowMs = 0;
  swarm: SwarmFacts | null = null;
  mirror: MirrorFacts | null;
  crowd: CrowdFacts | null = null;
  importedTo = 0;
  searchOutcome: FetchFacts["searchOutcome"] = null;
  linkCount = 1;
  linksDialling = 0;
  addressCount = 0;
  isHandedOut = false;
  readonly effects: FetchEffect[] = [];

  constructor(
    request: Partial<FetchRequest> = {},
    { sharesPlace = false, linkCount = 1, addressCount = 0, mirrorsAlone = false } = {},
  ) {
    Object.assign(this, { linkCount, addressCount });
    const all = requestFor("file", { deliver: true, ...request });
    this.policy = new FetchPolicy(all, { nowMs: 0, searchMs: 5_000, sharesPlace, mirrorsAlone });
    this.mirror = all.mirrors.length > 0 ? MIRROR : null;
    this.tell({ kind: "start" });
    this.tell({ kind: "looked-up", file: undefined, hasWrongCopy: false });
  }

  /** Tells it what happened; gives the kinds of its effects. */
  tell(event: FetchPolicyEvent): string[] {
    const facts: FetchFacts = {
      searchOutcome: this.searchOutcome,
      surroundings: {
        isAlone: false,
        linkCount: this.linkCount,
        linksDialling: this.linksDialling,
        addressCount: this.addressCount,
        peerFaults: [],
        directories: { size: 0, faults: [] },
        withheldPath: null,
      },
      swarm: this.swarm,
      mirror: this.mirror,
      crowd: this.crowd,
      importedTo: this.importedTo,
      isHandedOut: this.isHandedOut,
      listedDials: 0,
      isFar: () => false,
      isSource: () => false,
      sha256Of: () => undefined,
    };
    const effects = this.policy.step(event, this.nowMs, facts);
    this.effects.push(...effects);
    return effects.map(({ kind }) => kind);
  }

  /** A holder of a root offers it; what is followed then is joined. */
  offer(root: Root, node: number, sizeBytes = SIZE): void {
    const file = { root, name: "file", type: "", sizeBytes, chunksHave: CHUNKS, whole: true };
    const nodeId = String(node).padStart(32, "0") as NodeId;
    const kinds = this.tell({
      kind: "offered",
      nodeId,
      address: { host: "127.0.0.1", port: 8_048 },
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

/** A fetch with a mirror that gave some chunks, of which so many were compared with the leaves. */
function besideMirror(
  request: Partial<FetchRequest>,
  nextChunk: number,
  importedTo: number,
): Policy {
  const policy = new Policy({ mirrors: ["http://mirror.example.org/file"], ...request });
  policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true, nextChunk };
  policy.importedTo = importedTo;
  policy.offer(A, 1);
  return policy;
}

Deno.test("FetchPolicy compares what a mirror gave while the SHA-256 was computed before it ends", () => {
  for (const isWhole of [false, true]) {
    const policy = besideMirror({ sha256: SHA256 }, 2, 2);
    assert(policy.complete().includes("check-peers"));
    policy.mirror = { ...policy.mirror!, nextChunk: 3, isWhole };
    policy.tell({ kind: "mirror-arrived", range: { first: 2, count: 1 } });
    const kinds = policy.tell({ kind: "peers-checked", key: `${A}:${SIZE}`, isRight: true });
    assert(kinds.includes("import") && !kinds.includes("finish"), `${kinds}`);
    policy.importedTo = 3;
    assert(policy.tell({ kind: "imported", range: { first: 2, count: 1 } }).includes("finish"));
  }
});

Deno.test("FetchPolicy waits until wrong chunks of a mirror are thrown away, and compares them once", () => {
  const policy = besideMirror({ root: A }, 2, 0);
  const culprit = "mirror.example.org";
  const kinds = policy.tell({ kind: "mirror-differs", why: "", culprit, hasLeftSwarm: false });
  assert(kinds.includes("reject-mirror"));
  const before = policy.complete();
  assert(!before.includes("import") && !before.includes("finish"), `${before}`);
  policy.mirror = MIRROR;
  policy.tell({ kind: "mirror-restarted", reason: "" });
  assert(policy.tell({ kind: "mirror-rejected" }).includes("finish"));
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

Deno.test("FetchPolicy asks a mirror before its time only for what is meant, and hears it first", () => {
  const mirrors = ["http://mirror.example.org/file"];
  const policy = new Policy({ mirrors, mirrorDelayMs: 60_000 });
  policy.offer(A, 1);
  policy.at(5_000);
  assert(!policy.effects.some(({ kind }) => kind === "read-mirror"));
  const kinds = policy.complete();
  assert(kinds.includes("read-mirror") && !kinds.includes("release-all"), kinds.join());
  policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true, bytes: SIZE, nextChunk: CHUNKS };
  policy.importedTo = CHUNKS;
  assert(policy.tell({ kind: "imported", range: { first: 0, count: 1 } }).includes("finish"));
  // What nothing but a mirror could say is waited for as long as for a mirror that is slow.
  const silent = new Policy({ mirrors, mirrorDelayMs: 60_000 });
  silent.offer(A, 1);
  silent.at(10_000);
  silent.complete();
  assert(!silent.at(10_000 + limits.hedgeAnswerMs - 1).includes("finish"));
  assert(silent.at(10_000 + limits.hedgeAnswerMs).includes("finish"));
});

Deno.test("FetchPolicy searches on while a mirror's time has not come", () => {
  const policy = new Policy({ mirrors: ["http://m.example.org/file"], mirrorDelayMs: 40_000 });
  const floods = () => policy.effects.filter(({ kind }) => kind === "flood").length;
  for (let nowMs = 0; nowMs < 40_000; nowMs += 250) policy.at(nowMs);
  assertEquals(floods(), 1 + Math.floor(40_000 / limits.floodWhileDelayedMs));
  assert(!policy.policy.isOver);
  policy.at(40_000);
  assertEquals(policy.last, { kind: "read-mirror", bytes: Infinity });
});

/** A node tells that it is just getting the file. */
function tellInFlight(policy: Policy, chunksHave: number): void {
  policy.tell({
    kind: "in-flight",
    nodeId: "1".padStart(32, "0") as NodeId,
    files: [{
      kind: "in-flight",
      flight: "cd".repeat(32) as FlightId,
      name: "file",
      type: "",
      sizeBytes: SIZE,
      sha256: null,
      chunksHave,
    }],
  });
}

Deno.test("FetchPolicy waits for what others are just getting, and searches until it has a root", () => {
  const policy = new Policy();
  const floods = () => policy.effects.filter(({ kind }) => kind === "flood").length;
  for (let chunks = 0; chunks < 10; chunks++) {
    tellInFlight(policy, chunks);
    const before = floods();
    const untilMs = policy.nowMs + limits.floodForComingMs + 250;
    for (let nowMs = policy.nowMs; nowMs <= untilMs; nowMs += 250) policy.at(nowMs);
    assertEquals(floods() - before, 1, `after ${policy.nowMs} ms`);
  }
  assertGreater(policy.nowMs, 3 * limits.searchMs);
  assertEquals(policy.policy.coming(policy.nowMs)?.nodes, 1);
  const notes = policy.effects.flatMap((effect) => effect.kind === "note" ? effect.what : []);
  assert(notes[0]?.startsWith("In flight at one node, at least 0 %"), notes.join());
  policy.offer(A, 1);
  assertEquals(policy.policy.followed?.root, A);
  assertEquals(policy.policy.coming(policy.nowMs), null);
});

Deno.test("FetchPolicy waits no longer when those who were getting it are heard no more", () => {
  const policy = new Policy();
  tellInFlight(policy, 1);
  const lastMs = limits.comingHeardMs + limits.searchMs;
  for (let nowMs = 0; nowMs < lastMs; nowMs += 250) policy.at(nowMs);
  assert(!policy.policy.isOver);
  for (let nowMs = lastMs; nowMs < lastMs + 1_000; nowMs += 250) policy.at(nowMs);
  assert(policy.policy.isOver);
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

Deno.test("FetchPolicy follows the file that takes the place of one that is lost at once", () => {
  const policy = new Policy();
  policy.offer(A, 1);
  policy.swarm = { ...SWARM, sourceCount: 0, needsSources: true, peersGiving: 0 };
  policy.nowMs = 300;
  // It is sought more often, for its file may be another one in a moment.
  policy.tell({ kind: "needs-sources" });
  assert(policy.at(limits.floodInNeedMs + 1).includes("flood"));
  // Who never offered the one is nobody to say that it is replaced.
  policy.offer(B, 2);
  assertEquals(policy.policy.followed?.root, A);
  policy.offer(B, 1);
  assertEquals(policy.policy.followed?.root, B);
});

Deno.test("FetchPolicy gives up what came of a file that was replaced, unless it cannot be taken back", () => {
  const lost = { ...SWARM, bytesDone: CHUNK_BYTES, sourceCount: 0 };
  const followedOf = (
    swarm: SwarmFacts,
    { isHandedOut = false, ...request }: Partial<FetchRequest> & { isHandedOut?: boolean } = {},
  ) => {
    const policy = new Policy(request);
    policy.offer(A, 1);
    Object.assign(policy, { swarm, isHandedOut, nowMs: 300 });
    policy.offer(B, 1);
    return policy.policy.followed?.root;
  };
  assertEquals(followedOf(lost), B);
  assertEquals(followedOf(lost, { isHandedOut: true }), A);
  // Which of the two is meant, the whole would tell: nothing is thrown away for that.
  assertEquals(followedOf(lost, { sha256: SHA256 }), A);
  assertEquals(followedOf({ ...lost, sourceCount: 1 }), A);
});

Deno.test("FetchPolicy does not wait long for a file that its holders withdrew, where just that is meant", () => {
  const endOf = (request: Partial<FetchRequest>) => {
    const policy = new Policy(request);
    policy.offer(A, 1);
    policy.at(100);
    policy.swarm = {
      ...SWARM,
      bytesDone: CHUNK_BYTES,
      sourceCount: 0,
      needsSources: true,
      isWithdrawn: true,
    };
    policy.tell({ kind: "needs-sources" });
    for (let nowMs = 200; nowMs < 60_000; nowMs += 100) {
      if (policy.at(nowMs).includes("fail")) return { nowMs, effect: policy.last };
    }
    throw new Error("It never ends");
  };
  for (const request of [{ root: A }, { sha256: SHA256 }]) {
    const { nowMs, effect } = endOf(request);
    assert(nowMs < limits.withdrawnMs + 1_000, String(nowMs));
    assert(effect.kind === "fail" && effect.error.message.includes("offer it no more"));
  }
  // By its name another file may come in its place.
  assert(endOf({}).nowMs > limits.sourcesLostMs);
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

Deno.test("FetchPolicy refuses chunks behind the end at once when the request says the size", () => {
  const failureOf = (effect: FetchEffect) =>
    effect.kind === "fail" && effect.error instanceof FetchFailure ? effect.error : undefined;
  const { policy, effects } = new Policy({
    sizeBytes: SIZE,
    chunks: { first: CHUNKS - 1, count: 2 },
  });
  assertEquals(effects.map(({ kind }) => kind), ["fail"]);
  assertEquals(failureOf(effects[0]!)?.exit, "usage");
  assertEquals(policy.isOver, true);
  // An offer of another size is not the file, and says nothing of its end.
  const last = new Policy({ sizeBytes: SIZE, chunks: { first: CHUNKS - 1, count: 1 } });
  last.offer(A, 1, 5);
  last.at(limits.unreachedMs + 5_001);
  assertEquals(failureOf(last.last)?.exit, "notFound");
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

Deno.test("FetchPolicy has known nodes dialled at once, and again, while there is no link", () => {
  const policy = new Policy({}, { linkCount: 0, addressCount: 2 });
  const rounds = () => policy.effects.filter(({ kind }) => kind === "dial-nodes").length;
  assertEquals(rounds(), 1);
  policy.at(limits.dialRoundMs - 1);
  assertEquals(rounds(), 1);
  policy.at(limits.dialRoundMs);
  assertEquals(rounds(), 2);
  // Who comes late is asked for as long as who was there.
  policy.linkCount = 1;
  policy.at(4_900);
  policy.at(9_900);
  assertEquals([rounds(), policy.policy.isOver], [2, false]);
  // And once only: links that come and go keep no fetch alive.
  policy.linkCount = 0;
  policy.at(9_901);
  policy.linkCount = 1;
  policy.at(9_902);
  assert(policy.policy.isOver);
  const nobodyKnown = new Policy({}, { linkCount: 0 });
  assert(!nobodyKnown.effects.some(({ kind }) => kind === "dial-nodes"));
});

Deno.test("FetchPolicy gives up at once when all have said that they have nothing", () => {
  const policy = new Policy({});
  policy.at(10);
  assert(!policy.policy.isOver);
  policy.searchOutcome = "nothing";
  policy.at(20);
  assert(policy.policy.isOver);
});

Deno.test("FetchPolicy waits on when somebody has said anything, or somebody is about to", () => {
  const heard: Record<string, (policy: Policy) => void> = {
    offer: (policy) => void policy.offer(A, 1),
    coming: (policy) => tellInFlight(policy, 0),
  };
  for (const [what, tell] of Object.entries(heard)) {
    const policy = new Policy({});
    tell(policy);
    policy.searchOutcome = "nothing";
    policy.at(20);
    assert(!policy.policy.isOver, what);
  }
  for (const searchOutcome of ["answered", null] as const) {
    const policy = new Policy({});
    policy.searchOutcome = searchOutcome;
    policy.at(limits.searchMs);
    assert(!policy.policy.isOver);
    policy.at(limits.searchMs + 1);
    assert(policy.policy.isOver);
  }
});

Deno.test("FetchPolicy waits for what a node behind some link is about to have, for a bound", () => {
  const policy = new Policy({});
  policy.searchOutcome = "coming";
  for (let nowMs = 0; nowMs <= limits.starvedMs; nowMs += 500) policy.at(nowMs);
  assertEquals(policy.policy.coming(limits.starvedMs), { nodes: 1, permille: 0 });
  assert(policy.effects.filter(({ kind }) => kind === "flood").length > 10);
  policy.at(limits.starvedMs + 1);
  policy.at(limits.starvedMs + limits.searchMs + 1);
  assert(policy.policy.isOver);
});

Deno.test("FetchPolicy has known nodes dialled when its sources are lost", () => {
  const policy = new Policy({}, { linkCount: 1, addressCount: 1 });
  policy.offer(A, 1);
  policy.at(1_000);
  assert(!policy.effects.some(({ kind }) => kind === "dial-nodes"));
  policy.swarm = { ...SWARM, sourceCount: 0, peersGiving: 0, needsSources: true };
  assert(policy.tell({ kind: "needs-sources" }).includes("dial-nodes"));
  const again = [1_500, 3_000, 5_000].map((nowMs) => policy.at(nowMs).includes("dial-nodes"));
  assertEquals(again, [false, true, true]);
});

Deno.test("FetchPolicy does not give up for want of a mirror while known nodes are dialled", () => {
  for (const searchMs of [0, 1_000]) {
    const mirrors = ["http://m.example.org/file"];
    const policy = new Policy({ mirrors, searchMs }, { linkCount: 0, addressCount: 1 });
    const refusal = { status: 404, retryAfter: null, message: "HTTP 404" };
    policy.mirror = { ...MIRROR, label: null, refusal };
    policy.linksDialling = 1;
    policy.tell({ kind: "mirror-changed" });
    const endMs = searchMs || limits.dialMs;
    policy.at(endMs - 1);
    assert(!policy.policy.isOver);
    policy.at(endMs);
    assert(policy.policy.isOver, "the round is over, or the time that was given");
  }
});

/** A crowd that gave some of what is here. */
const FELLOWS: CrowdFacts = {
  sinceMs: 0,
  fellows: 2,
  isExpected: false,
  canRead: true,
  hasGivenPart: true,
  areBeingNamed: false,
  isComing: true,
  hasForeign: true,
};

/** A fetch that got the last of a file from fellows: its mirror gave the first two chunks. */
function filledByFellows(sha256: string | null): Policy {
  const policy = new Policy({ sha256, mirrors: ["http://mirror.example.org/file"] });
  policy.crowd = { ...FELLOWS, hasForeign: false };
  policy.at(limits.hedgeMs);
  policy.mirror = { ...MIRROR, sizeBytes: SIZE, isOpen: true };
  policy.tell({ kind: "mirror-opened", sizeBytes: SIZE });
  policy.mirror = { ...policy.mirror, nextChunk: 2, bytes: 2 * CHUNK_BYTES };
  policy.tell({ kind: "mirror-arrived", range: { first: 0, count: 2 } });
  policy.effects.length = 0;
  policy.crowd = FELLOWS;
  policy.mirror = { ...policy.mirror, isWhole: true, isWholeFile: true };
  policy.tell({ kind: "mirror-changed" });
  return policy;
}

function released(policy: Policy): unknown[] {
  return policy.effects.flatMap((effect) => effect.kind === "release" ? [effect.range] : []);
}

const WHOLE = { first: 0, count: CHUNKS };

Deno.test("rule 7: FetchPolicy releases what fellows gave when the SHA-256 is right, and not before", () => {
  const policy = filledByFellows(SHA256);
  assertEquals(policy.last.kind, "check-mirror");
  assertEquals(released(policy), []);
  policy.tell({ kind: "mirror-checked", sha256: SHA256 });
  assertEquals(released(policy), [WHOLE]);
  assertEquals(policy.last.kind, "promote-mirror");
});

Deno.test("rule 7: FetchPolicy mends what fellows gave when the SHA-256 is wrong, and checks again", () => {
  const policy = filledByFellows(SHA256);
  const whole = policy.mirror!;
  assertEquals(policy.tell({ kind: "mirror-checked", sha256: "6".repeat(64) }), ["mend"]);
  // While it is mended nothing else is begun.
  assertEquals(policy.tell({ kind: "mirror-changed" }).includes("check-mirror"), false);
  policy.mirror = { ...whole, isWhole: false, isWholeFile: false };
  policy.tell({ kind: "crowd-mended", isSame: false });
  assertEquals(released(policy), []);
  policy.mirror = whole;
  assert(policy.tell({ kind: "mirror-changed" }).includes("check-mirror"));
  policy.tell({ kind: "mirror-checked", sha256: SHA256 });
  assertEquals(released(policy), [WHOLE]);
});

Deno.test("rule 7: FetchPolicy leaves the mirror when nothing that fellows gave is wrong", () => {
  const policy = filledByFellows(SHA256);
  policy.tell({ kind: "mirror-checked", sha256: "6".repeat(64) });
  assertEquals(policy.tell({ kind: "crowd-mended", isSame: true }), ["reject-mirror"]);
  assertEquals(released(policy), []);
});

Deno.test("rule 7: FetchPolicy does not mend what no fellow gave", () => {
  const policy = filledByFellows(SHA256);
  policy.crowd = { ...FELLOWS, hasForeign: false };
  const kinds = policy.tell({ kind: "mirror-checked", sha256: "6".repeat(64) });
  assertEquals(kinds, ["reject-mirror"]);
});

Deno.test("rule 7: FetchPolicy compares a part of what fellows gave where no SHA-256 tells", () => {
  const policy = filledByFellows(null);
  assertEquals(policy.last.kind, "audit");
  assertEquals(released(policy), []);
  const kinds = policy.tell({ kind: "crowd-audited", isRight: true });
  assert(kinds.includes("promote-mirror"), kinds.join(" "));
  assertEquals(released(policy).at(-1), WHOLE);
});

Deno.test("rule 7: FetchPolicy compares again when a part of what fellows gave was wrong", () => {
  const policy = filledByFellows(null);
  const whole = policy.mirror!;
  policy.mirror = { ...whole, isWhole: false, isWholeFile: false };
  const kinds = policy.tell({ kind: "crowd-audited", isRight: false });
  assertEquals(kinds.includes("promote-mirror"), false);
  policy.mirror = whole;
  assert(policy.tell({ kind: "mirror-changed" }).includes("audit"));
  assertEquals(released(policy), []);
  // What is left is all of the mirror's.
  policy.crowd = { ...FELLOWS, hasForeign: false };
  policy.tell({ kind: "crowd-audited", isRight: false });
  assertEquals(policy.last.kind, "promote-mirror");
  assertEquals(released(policy), [WHOLE]);
});

// Rule 11

Deno.test("FetchPolicy asks the mirror alone, at once and for all, where nodes are not believed", () => {
  const request = { mirrors: ["http://mirror.example.org/file"], mirrorDelayMs: 60_000 };
  const policy = new Policy(request, { addressCount: 3, mirrorsAlone: true });
  policy.at(1);
  const isRead = (effect: FetchEffect) =>
    effect.kind === "read-mirror" && effect.bytes === Infinity;
  assert(policy.effects.some(isRead));
  // However long it takes, nobody else is asked; and with the mirror's refusal it is over.
  for (const ms of [100, 10_000, 120_000]) policy.at(ms);
  const asking = ["flood", "ask-directories", "dial-nodes", "dial", "ask-relays", "share"];
  assertEquals(policy.effects.filter(({ kind }) => asking.includes(kind)), []);
  policy.mirror = { ...MIRROR, refusal: { status: 502, retryAfter: null, message: "none" } };
  assert(policy.tell({ kind: "mirror-changed" }).includes("fail"));
});

Deno.test("FetchPolicy calls those back who offered another file while one that is here was checked", () => {
  const policy = new Policy({ sha256: SHA256 });
  const offer = (root: Root, node: number) =>
    policy.tell({
      kind: "offered",
      nodeId: String(node).padStart(32, "0") as NodeId,
      address: { host: `192.0.2.${node}`, port: 8_048 },
      files: [{ root, name: "file", type: "", sizeBytes: SIZE, chunksHave: CHUNKS, whole: true }],
    });
  assert(offer(A, 1).includes("follow"));
  const { candidate } = policy.effects.find((effect) => effect.kind === "follow")!;
  policy.tell({ kind: "is-here", candidate });
  offer(B, 2);
  const kinds = policy.tell({
    kind: "here-checked",
    candidate,
    file: { root: A, name: "file", sizeBytes: SIZE },
    isRight: false,
    isMirrors: false,
  });
  assert(kinds.includes("follow"));
  policy.swarm = { ...SWARM, sourceCount: 0, hadSources: false };
  const after = policy.tell({ kind: "joined" });
  assert(after.includes("dial") && after.includes("flood"), after.join(" "));
});
