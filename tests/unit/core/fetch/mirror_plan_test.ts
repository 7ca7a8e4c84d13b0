/** What a mirror is asked for, rule by rule. */

import { assertEquals, assertNotEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import {
  type CrowdView,
  headBytes,
  MirrorPlan,
  type PeersView,
  type PlanView,
} from "../../../../src/core/fetch/mirror_plan.ts";

const MIB = 1_024 * 1_024;
const SIZE = 100 * MIB;

const PEERS: PeersView = {
  sizeBytes: SIZE,
  followedMs: 10,
  begunMs: 20,
  isStalled: false,
  bytesGiven: 10 * MIB,
  bytesPerSecond: 100 * MIB,
  bytesLeft: 90 * MIB,
  isHeld: false,
};

const VIEW: PlanView = {
  nowMs: 1_000,
  startMs: 0,
  canAskPeers: true,
  isLinking: false,
  hasLinks: false,
  hasDirectories: false,
  givesRanges: true,
  peers: null,
  crowd: null,
  isNobodyThere: false,
  sizeBytes: null,
  isReleased: false,
  needsWord: false,
  isApart: false,
  mirrorBytes: 0,
  mirrorBytesLeft: null,
  mirrorBytesPerSecond: undefined,
};

/** What a new plan decides of each view in turn. */
function decide(...views: Partial<PlanView>[]): unknown[] {
  return decideBy(new MirrorPlan(), ...views);
}

function decideBy(plan: MirrorPlan, ...views: Partial<PlanView>[]): unknown[] {
  return views.map((view) => {
    const part = plan.decide({ ...VIEW, ...view });
    return part.kind === "head" ? part.bytes : part.kind;
  });
}

Deno.test("MirrorPlan.decide() lets peers alone for a moment, and then the mirror give all", () => {
  assertEquals(decide({ nowMs: limits.hedgeMs - 1 }, { nowMs: limits.hedgeMs }), [
    "nothing",
    "whole",
  ]);
});

Deno.test("MirrorPlan.decide() asks the mirror at once when nobody else can be asked", () => {
  assertEquals(decide({ nowMs: 0, canAskPeers: false }), ["whole"]);
});

Deno.test("MirrorPlan.decide() asks a mirror for nothing before the time that a person gave", () => {
  const delayMs = 60_000;
  const crowd = {
    sinceMs: 0,
    fellows: 3,
    isExpected: false,
    canRead: true,
    hasGivenPart: true,
    areBeingNamed: false,
  };
  const stalled = { ...PEERS, isStalled: true };
  const views: Partial<PlanView>[] = [
    {},
    { peers: { ...PEERS, begunMs: null } },
    { peers: PEERS },
    { peers: stalled },
    { crowd, hasLinks: true },
    { crowd, hasLinks: true, peers: stalled },
    { isLinking: true },
  ];
  for (const view of views) {
    const plan = new MirrorPlan({ delayMs });
    assertEquals(decideBy(plan, { nowMs: 500, ...view }, { nowMs: delayMs - 1, ...view }), [
      "nothing",
      "nothing",
    ]);
    assertEquals(plan.nextLookMs({ ...VIEW, nowMs: 500, ...view }), delayMs);
    assertNotEquals(decideBy(plan, { nowMs: delayMs, ...view }), ["nothing"]);
  }
  // Nobody who might come is waited for where nobody is known.
  assertEquals(decideBy(new MirrorPlan({ delayMs }), { canAskPeers: false }), ["whole"]);
  assertEquals(decideBy(new MirrorPlan({ delayMs: 0 }), { nowMs: 0, isLinking: true }), ["whole"]);
});

Deno.test("MirrorPlan.decide() asks for the head before where only a mirror knows what is meant", () => {
  const complete = { ...PEERS, bytesLeft: 0 };
  const decided = (view: Partial<PlanView>) =>
    decideBy(new MirrorPlan({ delayMs: 60_000 }), { needsWord: true, ...view });
  assertEquals(decided({ peers: PEERS }), ["nothing"]);
  assertEquals(decided({ peers: complete }), [headBytes(SIZE)]);
  assertEquals(decided({ peers: complete, needsWord: false }), ["nothing"]);
});

Deno.test("MirrorPlan.decide() takes the head while peers give what is not proved, then drops", () => {
  const head = headBytes(SIZE);
  const asked = (nowMs: number) => ({ nowMs, peers: PEERS, mirrorBytes: head });
  assertEquals(
    decide(
      { nowMs: limits.hedgeMs - 1, peers: PEERS },
      { nowMs: 50, peers: PEERS },
      asked(60),
      asked(60 + limits.hedgeDripMs),
      { ...asked(61 + limits.hedgeDripMs), isReleased: true },
    ),
    ["nothing", head, head, head + CHUNK_BYTES, "nothing"],
  );
});

Deno.test("MirrorPlan.decide() takes all when those who offer it do not begin", () => {
  const peers = { ...PEERS, begunMs: null };
  assertEquals(decide({ nowMs: 100, peers }, { nowMs: 511, peers }), [headBytes(SIZE), "whole"]);
});

Deno.test("MirrorPlan.decide() goes on with a stream of all until peers begin", () => {
  const begun = { nowMs: 200, peers: PEERS, isReleased: true };
  assertEquals(
    decide({ nowMs: 50 }, { nowMs: 60, peers: { ...PEERS, begunMs: null } }, begun),
    ["whole", "whole", "nothing"],
  );
});

/** Peers that took long to begin. */
const LATE_PEERS: PeersView = { ...PEERS, followedMs: 300, begunMs: limits.hedgeLateMs };

Deno.test("MirrorPlan.decide() goes on with a stream of all until peers that are late are judged", () => {
  const at = (nowMs: number, peers = LATE_PEERS) => ({ nowMs, peers, isReleased: true });
  const judgedMs = LATE_PEERS.begunMs! + limits.hedgeJudgeMsMin;
  const start = { nowMs: limits.hedgeMs };
  assertEquals(decide(start, at(judgedMs - 1), at(judgedMs)), ["whole", "whole", "nothing"]);
  const soon = { ...LATE_PEERS, begunMs: limits.hedgeLateMs - 1 };
  assertEquals(decide(start, at(judgedMs - 1, soon)), ["whole", "nothing"]);
});

Deno.test("MirrorPlan.decide() goes on with a stream of all beside peers that give next to nothing", () => {
  const view = (bytesPerSecond: number, mirrorBytesPerSecond?: number) => ({
    nowMs: 2_000,
    peers: { ...LATE_PEERS, bytesGiven: 1, bytesPerSecond },
    isReleased: true,
    mirrorBytesLeft: 90 * MIB,
    mirrorBytesPerSecond,
  });
  const few = 2 * MIB, some = 3 * MIB, enough = 12 * MIB, mirror = 10 * MIB;
  const start = { nowMs: 50 };
  assertEquals(decide(start, view(few, mirror), view(some, mirror)), ["whole", "whole", "ranges"]);
  assertEquals(decide(start, view(few, mirror), view(enough, mirror)), [
    "whole",
    "whole",
    "nothing",
  ]);
  // Where nobody knows how fast the mirror is, it is a source beside them.
  assertEquals(decide(start, view(few)), ["whole", "ranges"]);
});

Deno.test("MirrorPlan.decide() lets a stream of all end that is nearly at its end", () => {
  const peers = { ...PEERS, bytesGiven: 30 * MIB, bytesPerSecond: 30 * MIB };
  const view = { peers, mirrorBytesLeft: 20 * MIB, mirrorBytesPerSecond: 100 * MIB };
  assertEquals(decide({ nowMs: 50 }, view, { ...view, mirrorBytesLeft: 40 * MIB }), [
    "whole",
    "whole",
    "ranges",
  ]);
});

Deno.test("MirrorPlan.decide() has the mirror help peers that are slower than it", () => {
  const slow = { ...PEERS, bytesGiven: 5 * MIB, bytesPerSecond: 5 * MIB };
  const known = (mirrorBytesPerSecond: number) => ({
    nowMs: 2_000,
    peers: slow,
    isReleased: true,
    mirrorBytesPerSecond,
  });
  assertEquals(decide(known(6 * MIB)), ["ranges"]);
  assertEquals(decide(known(4 * MIB)), ["nothing"]);
});

Deno.test("MirrorPlan.decide() judges peers sooner where the mirror would soon be done", () => {
  const at = (nowMs: number, mirrorBytesPerSecond?: number) => ({
    nowMs,
    // 40 MiB/s on average so far.
    peers: {
      ...PEERS,
      sizeBytes: 20 * MIB,
      bytesGiven: (nowMs - 20) / 1_000 * 40 * MIB,
      bytesPerSecond: 0,
    },
    isReleased: true,
    mirrorBytesPerSecond,
  });
  assertEquals(decide(at(119, 50 * MIB), at(121, 50 * MIB)), ["nothing", "ranges"]);
  assertEquals(decide(at(519), at(521)), ["nothing", "ranges"]);
});

Deno.test("MirrorPlan.decide() never has a mirror help peers that are fast, however fast it is", () => {
  const peers = { ...PEERS, bytesPerSecond: limits.hedgeBytesPerSecond };
  const view = { nowMs: 2_000, peers, isReleased: true, mirrorBytesPerSecond: 1_000 * MIB };
  assertEquals(decide(view), ["nothing"]);
});

Deno.test("MirrorPlan.decide() has the mirror help when nobody gives what is missing", () => {
  const peers = { ...PEERS, isStalled: true };
  assertEquals(decide({ peers, isReleased: true, mirrorBytesPerSecond: 1 }), ["ranges"]);
});

Deno.test("MirrorPlan.decide() calls no mirror in for peers that this node's own rate holds back", () => {
  const slow = { ...PEERS, bytesGiven: 1, bytesPerSecond: 1 };
  const view = (isHeld: boolean, more: Partial<PeersView> = {}) => ({
    nowMs: 2_000,
    peers: { ...slow, isHeld, ...more },
    isReleased: true,
    mirrorBytesPerSecond: 50 * MIB,
  });
  assertEquals(decide(view(true), view(false), view(true)), ["nothing", "ranges", "nothing"]);
  // Who does not begin because the line is full of what others give is not late.
  assertEquals(decide(view(true, { begunMs: null })), ["nothing"]);
  assertEquals(decide(view(false, { begunMs: null })), ["whole"]);
  // But where nobody gives what is missing, the mirror does.
  assertEquals(decide(view(true, { isStalled: true })), ["ranges"]);
});

Deno.test("MirrorPlan.decide() lets peers finish what they are about to", () => {
  const peers = { ...PEERS, bytesPerSecond: 10 * MIB, bytesLeft: 2 * MIB };
  assertEquals(decide({ nowMs: 2_000, peers, isReleased: true }), ["nothing"]);
});

Deno.test("MirrorPlan.decide() ends the help when peers are clearly faster than the mirror", () => {
  const slow = { ...PEERS, bytesGiven: 1, bytesPerSecond: 1 };
  const view = (bytesPerSecond: number, mirrorBytesPerSecond?: number) => ({
    nowMs: 2_000,
    peers: { ...slow, bytesPerSecond },
    isReleased: true,
    mirrorBytesPerSecond,
  });
  assertEquals(
    decide(view(1), view(90 * MIB), view(12 * MIB, 10 * MIB), view(16 * MIB, 10 * MIB)),
    ["ranges", "ranges", "ranges", "nothing"],
  );
});

Deno.test("MirrorPlan.decide() has the mirror give all apart when it and peers disagree", () => {
  assertEquals(decide({ peers: PEERS, isApart: true, isReleased: true }), ["whole"]);
});

Deno.test("MirrorPlan.handedOver() ends the stream of all", () => {
  const plan = new MirrorPlan();
  const peers = { ...PEERS, begunMs: null, followedMs: 900 };
  assertEquals(plan.decide(VIEW).kind, "whole");
  plan.handedOver();
  assertEquals(plan.decide({ ...VIEW, peers }).kind, "head");
});

Deno.test("headBytes() is a small part of a file, in whole chunks, and never nothing", () => {
  assertEquals(headBytes(10), CHUNK_BYTES);
  assertEquals(headBytes(MIB), CHUNK_BYTES);
  assertEquals(headBytes(5 * MIB), 3 * CHUNK_BYTES);
  assertEquals(headBytes(1_000 * MIB), limits.hedgeHeadBytes);
});

Deno.test("MirrorPlan.decide() lets peers alone while the first link is dialled, for a while", () => {
  const linking = (nowMs: number) => ({ nowMs, isLinking: true });
  const { hedgeMs, hedgeLinkMs } = limits;
  assertEquals(
    decide(
      linking(0),
      { nowMs: 300, hasLinks: true },
      { nowMs: 299 + hedgeMs, hasLinks: true },
      { nowMs: 300 + hedgeMs, hasLinks: true },
    ),
    ["nothing", "nothing", "nothing", "whole"],
  );
  assertEquals(decide(linking(0), linking(hedgeLinkMs - 1), linking(hedgeLinkMs)), [
    "nothing",
    "nothing",
    "whole",
  ]);
  // Those that refused are not waited for.
  assertEquals(decide(linking(0), { nowMs: hedgeMs }), ["nothing", "whole"]);
});

Deno.test("MirrorPlan.decide() takes all of a mirror without ranges where it would take ranges", () => {
  const slow = { ...PEERS, bytesGiven: 1, bytesPerSecond: 1 };
  const view = (bytesPerSecond: number) => ({
    nowMs: 2_000,
    peers: { ...slow, bytesPerSecond },
    isReleased: true,
    givesRanges: false,
    mirrorBytesPerSecond: 10 * MIB,
  });
  assertEquals(decide(view(1), view(12 * MIB), view(16 * MIB)), ["whole", "whole", "nothing"]);
});

/** A file with an id since `VIEW.startMs`, at a node without fellows. */
const CROWD = {
  sinceMs: 0,
  fellows: 0,
  isExpected: false,
  canRead: true,
  hasGivenPart: true,
  areBeingNamed: false,
};

Deno.test("MirrorPlan.decide() listens for fellows where there are links or directories", () => {
  const early = { nowMs: limits.crowdListenMs - 1, crowd: CROWD, sizeBytes: SIZE };
  const late = { ...early, nowMs: limits.crowdListenMs };
  assertEquals(decide(early), ["whole"]);
  for (const how of [{ hasLinks: true }, { hasDirectories: true }]) {
    assertEquals(decide({ ...early, ...how }, { ...late, ...how }), [headBytes(SIZE), "whole"]);
  }
});

Deno.test("MirrorPlan.decide() listens no longer when all have said that they have nothing", () => {
  const early = { nowMs: limits.hedgeMs, crowd: CROWD, sizeBytes: SIZE, hasLinks: true };
  assertEquals(decide(early, { ...early, isNobodyThere: true }), [headBytes(SIZE), "whole"]);
  const sought = { ...early, isNobodyThere: true, crowd: { ...CROWD, isExpected: true } };
  assertEquals(decide(sought), ["nothing"]);
});

Deno.test("MirrorPlan.decide() has a long file read ahead while it listens, once parts are given", () => {
  const readsAhead = (view: Partial<PlanView>) => {
    const early = { nowMs: limits.hedgeMs, hasLinks: true, mirrorBytes: headBytes(SIZE) };
    const part = new MirrorPlan().decide({
      ...VIEW,
      ...early,
      crowd: CROWD,
      sizeBytes: SIZE,
      ...view,
    });
    return part.kind === "head" ? part.readsAhead : part.kind;
  };
  assertEquals(readsAhead({}), true);
  assertEquals(readsAhead({ mirrorBytes: headBytes(SIZE) - 1 }), false);
  assertEquals(readsAhead({ sizeBytes: limits.readAheadBytesMin - 1 }), false);
  assertEquals(readsAhead({ crowd: { ...CROWD, hasGivenPart: false } }), false);
  assertEquals(readsAhead({ crowd: { ...CROWD, canRead: false } }), false);
  const naming = { ...CROWD, isExpected: true, areBeingNamed: true };
  assertEquals(readsAhead({ crowd: naming }), "nothing");
  // Somebody is about to get it too: what is read from elsewhere on, that one reads not.
  assertEquals(readsAhead({ crowd: { ...CROWD, isExpected: true } }), true);
  assertEquals(readsAhead({ nowMs: limits.crowdListenMs }), "whole");
});

Deno.test("MirrorPlan.decide() reads ahead until those who offer the file meanwhile begin", () => {
  const plan = new MirrorPlan();
  const at = (nowMs: number, peers: PeersView | null) => {
    const early = { nowMs, hasLinks: true, mirrorBytes: headBytes(SIZE), crowd: CROWD };
    const part = plan.decide({ ...VIEW, ...early, sizeBytes: SIZE, peers });
    return part.kind === "head" ? part.readsAhead : part.kind;
  };
  const offered = { ...PEERS, followedMs: 60, begunMs: null };
  assertEquals([at(50, null), at(60, offered)], [true, true]);
  assertEquals(at(70, { ...PEERS, followedMs: 60, begunMs: 70, bytesGiven: 0 }), false);
  // One that did not read ahead before does not begin to.
  assertEquals(at(80, offered), false);
});

Deno.test("MirrorPlan.decide() takes nothing while fellows are being named, then all or a share", () => {
  const naming = {
    crowd: { ...CROWD, isExpected: true },
    hasDirectories: true,
    sizeBytes: SIZE,
    nowMs: limits.crowdNamedMs - 1,
  };
  assertEquals(decide(naming, { ...naming, crowd: CROWD }), ["nothing", "whole"]);
  assertEquals(decide(naming, { ...naming, crowd: { ...CROWD, fellows: 1 } }), [
    "nothing",
    "shared",
  ]);
});

Deno.test("MirrorPlan.decide() takes one chunk for who waits for fellows, and rarely another", () => {
  const plan = new MirrorPlan();
  const { crowdHeadMs, crowdDripMs } = limits;
  const bytesAt = (nowMs: number, mirrorBytes = 0, isReleased = false) => {
    const crowd = { ...CROWD, fellows: 3 };
    const view = { ...VIEW, nowMs, crowd, sizeBytes: SIZE, mirrorBytes, isReleased };
    const part = plan.decide(view);
    return part.kind === "shared" ? part.bytes : part.kind;
  };
  assertEquals(bytesAt(100), 0);
  assertEquals(bytesAt(99 + crowdHeadMs), 0);
  assertEquals(bytesAt(100 + crowdHeadMs), CHUNK_BYTES);
  assertEquals(bytesAt(99 + crowdHeadMs + crowdDripMs, CHUNK_BYTES), CHUNK_BYTES);
  assertEquals(bytesAt(100 + crowdHeadMs + crowdDripMs, CHUNK_BYTES), 2 * CHUNK_BYTES);
  assertEquals(bytesAt(101 + crowdHeadMs + crowdDripMs, CHUNK_BYTES, true), 0);
});

/** What is decided of a file of a known size, with links, while a crowd may show. */
function decideCrowd(...views: (Partial<PlanView> & { readonly crowd: CrowdView })[]): unknown[] {
  return decide(...views.map((view) => ({ hasLinks: true, sizeBytes: SIZE, ...view })));
}

Deno.test("rule 10: MirrorPlan.decide() listens for fellows, and then the mirror gives all", () => {
  const at = (nowMs: number, crowd: Partial<CrowdView> = {}) => ({
    nowMs,
    crowd: { ...CROWD, ...crowd },
  });
  assertEquals(
    decideCrowd(at(limits.crowdListenMs - 1), at(limits.crowdListenMs)),
    [headBytes(SIZE), "whole"],
  );
  // Somebody seeks it: nothing is asked until the two are connected, or could be.
  assertEquals(
    decideCrowd(at(limits.crowdListenMs, { isExpected: true }), at(limits.crowdExpectMs)),
    ["nothing", "whole"],
  );
});

Deno.test("rule 10: MirrorPlan.decide() waits so long for what the mirror says of the file", () => {
  const crowd = { ...CROWD, sinceMs: null };
  const at = (nowMs: number) => ({ nowMs, crowd });
  assertEquals(
    decideCrowd(at(limits.crowdIdentityMs - 1), at(limits.crowdIdentityMs)),
    [headBytes(SIZE), "whole"],
  );
});

Deno.test("rule 10: MirrorPlan.decide() has nobody wait for fellows where none can be", () => {
  assertEquals(decideCrowd({ nowMs: limits.hedgeMs, crowd: CROWD, hasLinks: false }), ["whole"]);
});

Deno.test("rule 10: MirrorPlan.decide() shares with fellows, also what was begun alone", () => {
  const crowd = { ...CROWD, fellows: 1 };
  assertEquals(decideCrowd({ nowMs: 100, crowd }), ["shared"]);
  assertEquals(
    decideCrowd({ nowMs: limits.crowdListenMs, crowd: CROWD }, {
      nowMs: 2 * limits.crowdListenMs,
      crowd,
    }),
    [
      "whole",
      "shared",
    ],
  );
});

Deno.test("rule 10: MirrorPlan.decide() goes on by parts when all fellows left, as far as it can", () => {
  const shared = { nowMs: 100, crowd: { ...CROWD, fellows: 1 } };
  assertEquals(decideCrowd(shared, { nowMs: limits.crowdListenMs, crowd: CROWD }), [
    "shared",
    "shared",
  ]);
  const cannot = { ...CROWD, canRead: false };
  assertEquals(decideCrowd(shared, { nowMs: limits.crowdListenMs, crowd: cannot }), [
    "shared",
    "whole",
  ]);
});
