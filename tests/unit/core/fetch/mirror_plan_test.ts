/** What a mirror is asked for, rule by rule. */

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import {
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
};

const VIEW: PlanView = {
  nowMs: 1_000,
  startMs: 0,
  canAskPeers: true,
  isLinking: false,
  hasLinks: false,
  givesRanges: true,
  peers: null,
  isReleased: false,
  isApart: false,
  mirrorBytes: 0,
  mirrorBytesLeft: null,
  mirrorBytesPerSecond: undefined,
};

/** What a new plan decides of each view in turn. */
function decide(...views: Partial<PlanView>[]): unknown[] {
  const plan = new MirrorPlan();
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

Deno.test("MirrorPlan.decide() lets a stream of all end that is nearly at its end", () => {
  const peers = { ...PEERS, bytesPerSecond: 1 };
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
  const peers = { ...PEERS, sizeBytes: 10 * MIB, bytesGiven: 1 };
  const at = (nowMs: number, mirrorBytesPerSecond?: number) => ({
    nowMs,
    peers: { ...peers, bytesPerSecond: 0 },
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
