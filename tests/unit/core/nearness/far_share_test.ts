/** Which stripes a node asks far holders for, while near ones get the file too. */

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { FarShare } from "../../../../src/core/nearness/far_share.ts";

const ROOT = "5a".repeat(32) as Root;
const STRIPES = 64;
const SIZE = STRIPES * limits.stripeChunks * CHUNK_BYTES;
const NODES = ["11", "22", "33", "44"].map((byte) => byte.repeat(16) as NodeId);
/** How long a chunk takes. */
const CHUNK_MS = 10;

function share(nodeId: NodeId, expected = 0): FarShare {
  return new FarShare({ root: ROOT, nodeId, sizeBytes: SIZE, expected, nowMs: 0 });
}

/** A node that knows all others, each only beginning. */
function fellows(self: number): FarShare {
  const one = share(NODES[self]!);
  for (const [i, nodeId] of NODES.entries()) {
    if (i !== self) one.joined(i, { nodeId, isEmpty: true, nowMs: 0 });
  }
  look(one, 0);
  return one;
}

function look(
  one: FarShare,
  nowMs: number,
  { isIdle = false, chunkMs = CHUNK_MS as number | null, isOpen = (_: number): boolean => true } =
    {},
): boolean {
  return one.update({ nowMs, chunkMs, isIdle, isOpen });
}

function allowed(one: FarShare): number[] {
  return Array.from({ length: STRIPES }, (_, stripe) => stripe).filter((at) => one.allows(at));
}

/** Another has read all of a stripe. */
function gains(one: FarShare, id: number, stripe: number, nowMs: number): boolean {
  return one.gained(id, [one.stripes.range(stripe)], nowMs);
}

Deno.test("FarShare allows a node that is alone everything", () => {
  const one = share(NODES[0]!);
  assertEquals([allowed(one).length, one.isDivided], [STRIPES, false]);
});

Deno.test("FarShare gives each stripe to one of those that know each other", () => {
  const owners = NODES.map((_, i) => allowed(fellows(i)));
  assertEquals(owners.flat().sort((a, b) => a - b), Array.from({ length: STRIPES }, (_, i) => i));
  for (const own of owners) assert(own.length > 6 && own.length < 28, `${own.length}`);
});

Deno.test("FarShare waits for near nodes that seek the file, and no longer than it has to", () => {
  const late = share(NODES[0]!, 2);
  assertEquals([allowed(late).length, late.isDivided], [0, true]);
  look(late, limits.nearSettleMs - 1);
  assertEquals(allowed(late).length, 0);
  assert(look(late, limits.nearSettleMs));
  assertEquals(allowed(late).length, STRIPES);
  const soon = share(NODES[0]!, 1);
  soon.joined(1, { nodeId: NODES[1]!, isEmpty: true, nowMs: 10 });
  assert(look(soon, 10));
  assert(allowed(soon).length > 0 && allowed(soon).length < STRIPES);
});

Deno.test("FarShare takes what falls to a fellow that left, or came no further, and gives it back", () => {
  const own = allowed(fellows(0)).length;
  const left = fellows(0);
  left.left(1);
  assert(look(left, 1));
  const more = allowed(left).length;
  assert(more > own, `${more}`);
  left.joined(9, { nodeId: NODES[1]!, isEmpty: true, nowMs: 2 });
  look(left, 2);
  assertEquals(allowed(left).length, own);
  const stalled = fellows(0);
  const theirs = allowed(fellows(1));
  for (const id of [2, 3]) gains(stalled, id, allowed(fellows(id))[0]!, limits.nearLostMs - 1);
  look(stalled, limits.nearLostMs);
  assert(allowed(stalled).length > own, "one that gave nothing counts no more");
  assert(gains(stalled, 1, theirs[0]!, limits.nearLostMs + 1), "it counts again");
  look(stalled, limits.nearLostMs + 1);
  assertEquals(allowed(stalled).length, own);
});

Deno.test("FarShare waits longer on a thin line, and before anything came", () => {
  const own = allowed(fellows(0)).length;
  const thin = fellows(0);
  look(thin, 10_000, { chunkMs: 400 });
  assertEquals(allowed(thin).length, own);
  const first = fellows(0);
  look(first, 60_000, { chunkMs: null });
  assertEquals(allowed(first).length, own);
});

Deno.test("FarShare does not wait long for a part from another day, but for who is getting the file", () => {
  const one = share(NODES[0]!);
  one.joined(1, { nodeId: NODES[1]!, isEmpty: false, nowMs: 0 });
  look(one, 0);
  assert(allowed(one).length < STRIPES);
  look(one, 100, { isIdle: true });
  look(one, 100 + limits.nearTakeOverMs, { isIdle: true });
  assertEquals(allowed(one).length, STRIPES);
  look(one, 200 + limits.nearTakeOverMs);
  assertEquals(allowed(one).length, STRIPES, "and it stays so");
  const two = fellows(0);
  look(two, 100, { isIdle: true });
  look(two, 100 + limits.nearTakeOverMs, { isIdle: true });
  assert(allowed(two).length < STRIPES);
});

Deno.test("FarShare takes over the last stripes of one that is much slower, in turn, and of no other", () => {
  const nowMs = 4_000 + limits.nearStalledMs;
  const [slow, fast] = [fellows(0), fellows(0)];
  const before = allowed(slow);
  for (const one of [slow, fast]) {
    for (const id of [1, 2, 3]) {
      const theirs = allowed(fellows(id));
      const count = one === fast ? theirs.length : 1;
      for (const stripe of theirs.slice(0, count)) gains(one, id, stripe, 3_900);
    }
    look(one, 4_000, { isIdle: true });
    look(one, nowMs, { isIdle: true });
  }
  const taken = allowed(slow).filter((stripe) => !before.includes(stripe));
  assertEquals(taken.length, 1);
  assert(taken[0]! > STRIPES / 2, `${taken[0]}`);
  assertEquals(allowed(fast), before);
});

Deno.test("FarShare takes over nothing that near ones have by now", () => {
  const one = fellows(0);
  const before = allowed(one);
  const nothing = { isIdle: true, isOpen: () => false };
  look(one, 1_000, nothing);
  for (const id of [1, 2, 3]) gains(one, id, allowed(fellows(id))[0]!, 2_900);
  look(one, 1_000 + limits.nearStalledMs, nothing);
  assertEquals(allowed(one), before);
});
