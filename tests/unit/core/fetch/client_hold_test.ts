/** What a client gets that cannot wait for the check of the whole. */

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Candidates } from "../../../../src/core/fetch/candidates.ts";
import { ClientHold } from "../../../../src/core/fetch/client_hold.ts";
import type { SwarmFacts } from "../../../../src/core/fetch/fetch_events.ts";

const HOLD_MS = 8_000;
const TOTAL = 10 * CHUNK_BYTES;

function offer(root: string, chunksHave = 10) {
  const whole = chunksHave === 10;
  return {
    ...{ root: root.padStart(64, "0") as Root, name: "x", type: "", sizeBytes: TOTAL, chunksHave },
    ...{ whole, bitfield: new Uint8Array() },
  };
}

function node(id: number): NodeId {
  return `${id}`.padStart(32, "0") as NodeId;
}

Deno.test("ClientHold.mayStream() wants several hosts that have all of it, and no other file", () => {
  const candidates = new Candidates({ name: "x", root: null, sha256: "a", sizeBytes: null });
  const hold = new ClientHold({ holdMs: HOLD_MS }, { nowMs: 0 });
  const add = (id: number, host: string, root = "1", chunks = 10) => {
    candidates.add(offer(root, chunks), node(id), 0, host);
    return hold.mayStream(candidates.leader()!, candidates);
  };
  assertEquals(add(1, "192.0.1.1"), false);
  // Another node of the same host, and one that has a part.
  assertEquals(add(2, "192.0.1.1"), false);
  assertEquals(add(3, "192.0.2.1", "1", 9), false);
  assertEquals(add(4, "192.0.3.1"), true);
  assertEquals(add(5, "192.0.4.1", "2"), false);
  // Who is banned vouches for nothing, and offers nothing.
  candidates.ban(node(5));
  assertEquals(hold.mayStream(candidates.leader()!, candidates), true);
  candidates.ban(node(4));
  assertEquals(hold.mayStream(candidates.leader()!, candidates), false);
});

Deno.test("ClientHold.inVain() judges by the rate, and by whether anybody gives it", () => {
  const candidates = new Candidates({ name: "x", root: null, sha256: "a", sizeBytes: null });
  candidates.add(offer("1"), node(1), 0);
  const followed = candidates.leader()!;
  const swarm = (facts: Partial<SwarmFacts>): SwarmFacts => ({
    ...{ hasLeaves: true, hasBegun: true, isComplete: false, isFull: false, sourceCount: 1 },
    ...{ peersGiving: 1, hadSources: true, isWithdrawn: false, needsSources: false },
    ...{ wantsSources: false, peerBytes: 0, peersBytesPerSecond: 0, isHeld: false, bytesHad: 0 },
    ...{ bytesDone: 0, bytesTotal: TOTAL },
    ...facts,
  });
  const at = (nowMs: number, facts: Partial<SwarmFacts>, holdMs: number | null = HOLD_MS) => {
    const hold = new ClientHold({ holdMs }, { nowMs: 0 });
    // It begins to come at once.
    assertEquals(hold.inVain(followed, swarm({}), 0), undefined);
    return hold.inVain(followed, swarm(facts), nowMs) !== undefined;
  };
  const part = (tenths: number) => ({
    peerBytes: tenths * TOTAL / 10,
    bytesDone: tenths * TOTAL / 10,
  });
  const { holdJudgeMs, holdGoneMs } = limits;
  assertEquals(at(holdJudgeMs - 1, {}), false);
  assertEquals(at(holdJudgeMs, {}), true);
  // At this rate it takes 10 s: half as fast as it has to be is enough at first.
  assertEquals([at(1_000, part(1)), at(2_000, part(2)), at(2_000, part(3))], [false, true, false]);
  // With a mirror it waits for as long as it takes; nor does it matter before chunks can come.
  assertEquals([at(holdJudgeMs, {}, null), at(holdJudgeMs, { hasBegun: false })], [false, false]);
  assertEquals(at(holdJudgeMs, { isComplete: true }), false);
  const hold = new ClientHold({ holdMs: HOLD_MS }, { nowMs: 0 });
  const gone = swarm({ sourceCount: 0, ...part(9) });
  assertEquals(hold.inVain(followed, gone, 0), undefined);
  assertEquals(hold.inVain(followed, swarm(part(9)), 10), undefined);
  assertEquals(hold.inVain(followed, gone, 20), undefined);
  assertEquals(hold.inVain(followed, gone, 20 + holdGoneMs - 1), undefined);
  assertEquals(hold.inVain(followed, gone, 20 + holdGoneMs), "nobody gives the rest any more");
});
