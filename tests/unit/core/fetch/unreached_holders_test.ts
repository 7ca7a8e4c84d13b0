/** Which holders no connection leads to, and what is said of them. */

import { assertEquals } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { FetchFacts, Turn } from "../../../../src/core/fetch/fetch_events.ts";
import { candidateKey } from "../../../../src/core/fetch/candidates.ts";
import { UnreachedHolders } from "../../../../src/core/fetch/unreached_holders.ts";
import { SMALL_OFFER } from "../../../support/file_offer.ts";

const NOWHERE = { host: "", port: 0 };
const THERE = { host: "192.0.2.1", port: 8_048 };

/** Holders that note what they say. */
function unreached() {
  const notes: string[] = [];
  const turn: Turn = {
    nowMs: 0,
    facts: {} as FetchFacts,
    emit: (effect) => void notes.push(effect.kind === "note" ? effect.what : effect.kind),
  };
  return { holders: new UnreachedHolders(), turn, notes };
}

function node(digit: number): NodeId {
  return digit.toString(16).padStart(32, "0") as NodeId;
}

Deno.test("UnreachedHolders counts who accepts no connections, and who was dialled in vain", () => {
  const { holders, turn, notes } = unreached();
  const a = node(1), b = node(2);
  holders.heard(turn, { nodeId: b, address: THERE, file: SMALL_OFFER, byHit: true });
  assertEquals([holders.view.count, holders.wasAny], [0, false], "it may still be reached");
  for (let i = 0; i < 2; i++) holders.failed(turn, b, THERE, "no answer");
  holders.heard(turn, { nodeId: a, address: NOWHERE, file: SMALL_OFFER, byHit: false });
  assertEquals(holders.view, {
    count: 2,
    holders: [
      { holder: "192.0.2.1:8048", reason: "no answer" },
      { holder: `node ${a.slice(0, 8)}`, reason: "it accepts no connections" },
    ],
    cannotCall: true,
  });
  assertEquals(notes.length, 2, "each reason is noted once");
  holders.reached(b);
  assertEquals([holders.view.count, holders.view.cannotCall], [1, false]);
  holders.reached(a);
  assertEquals([holders.view.count, holders.wasAny], [0, true]);
});

Deno.test("UnreachedHolders remembers and tells a bounded number", () => {
  const { holders, turn } = unreached();
  for (let i = 0; i <= limits.unreachedMax; i++) {
    holders.heard(turn, { nodeId: node(i), address: NOWHERE, file: SMALL_OFFER, byHit: true });
  }
  const { count, holders: told } = holders.view;
  assertEquals([count, told.length], [limits.unreachedMax, limits.unreachedToldMax]);
});

Deno.test("UnreachedHolders.fileOfMost() is the file that most of them have, or the one followed", () => {
  const { holders, turn } = unreached();
  const other = { ...SMALL_OFFER, root: "cd".repeat(32) as Root };
  assertEquals([holders.fileOfMost(null), holders.sinceMs], [undefined, Infinity]);
  holders.heard(turn, { nodeId: node(1), address: NOWHERE, file: other, byHit: true });
  for (const i of [2, 3]) {
    holders.heard(turn, { nodeId: node(i), address: NOWHERE, file: SMALL_OFFER, byHit: true });
  }
  // Those that may still be reached do not count.
  for (const i of [4, 5, 6]) {
    holders.heard(turn, { nodeId: node(i), address: THERE, file: other, byHit: true });
  }
  assertEquals([holders.fileOfMost(null), holders.sinceMs], [SMALL_OFFER, 0]);
  const followed = {
    key: candidateKey(other),
    offerers: Object.assign(new Set<NodeId>(), { votes: 0, vouchers: 0 }),
    ...other,
  };
  assertEquals(holders.fileOfMost(followed), other);
});
