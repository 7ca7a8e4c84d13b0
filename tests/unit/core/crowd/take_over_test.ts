// From whom a node of a crowd takes over what it reads.

import { assertEquals } from "@std/assert";
import { Bitfield } from "../../../../src/base/bitfield.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Crowd } from "../../../../src/core/crowd/crowd.ts";
import type { CrowdEvent } from "../../../../src/core/crowd/crowd_events.ts";

const SELF = "11".repeat(16) as NodeId;
const OTHER = "22".repeat(16) as NodeId;

/** A node with one fellow, of a file of one stripe; gives from whom each of its readings is. */
function played(...events: CrowdEvent[]): (NodeId | null)[] {
  const chunks = limits.stripeChunks;
  const crowd = new Crowd({
    flight: "ab".repeat(32) as FlightId,
    nodeId: SELF,
    sizeBytes: chunks * CHUNK_BYTES,
    have: new Bitfield(chunks),
    nowMs: 0,
  });
  const from: (NodeId | null)[] = [];
  let nowMs = 0;
  const step = (event: CrowdEvent) => {
    for (const effect of crowd.step(event, nowMs += 10)) {
      if (effect.kind === "read") from.push(effect.from);
    }
  };
  step({ kind: "joined", nodeId: OTHER, address: null });
  for (const event of events) step(event);
  // It settles before it reads anything.
  for (let i = 0; i < limits.crowdSettleFarMs / 10; i++) step({ kind: "tick" });
  return from;
}

function report(claims: readonly number[]): CrowdEvent {
  const says = { nodeId: OTHER, sequence: 1, reads: "ranges", isWhole: false, claims } as const;
  return { kind: "heard", from: OTHER, message: { kind: "report", report: says } };
}

Deno.test("Crowd.step() says from which fellow that is gone it takes over what that one read", () => {
  const reads: CrowdEvent = { kind: "reads", reads: "ranges" };
  const gone: CrowdEvent = { kind: "left", nodeId: OTHER };
  assertEquals(played(report([0]), reads), []);
  assertEquals(played(report([0]), reads, gone), [OTHER]);
  assertEquals(played(gone, reads), [null]);
});
