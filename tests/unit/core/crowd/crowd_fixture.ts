/** What the tests of a crowd share: ids, reports, and a node of a crowd with its effects by kind. */

import { Bitfield } from "../../../../src/base/bitfield.ts";
import type { OfKind } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Crowd } from "../../../../src/core/crowd/crowd.ts";
import type {
  CrowdEffect,
  CrowdEvent,
  FellowMessage,
  FellowReport,
} from "../../../../src/core/crowd/crowd_events.ts";
import { isBefore, weightSeed } from "../../../../src/core/nearness/rendezvous.ts";

export const FLIGHT = "5a".repeat(32) as FlightId;

export function nodeOf(index: number): NodeId {
  return index.toString(16).padStart(4, "0").repeat(8) as NodeId;
}

export function reportOf(nodeId: NodeId, report: Partial<FellowReport> = {}): FellowReport {
  return { nodeId, sequence: 1, reads: "ranges", isWhole: false, claims: [], ...report };
}

/** The chunks of `count` stripes. */
export function stripes(first: number, count = 1): ChunkRange {
  return { first: first * limits.stripeChunks, count: count * limits.stripeChunks };
}

/** Nodes of which the first comes first for a stripe, and so on. */
export function ranked(stripe: number, count: number): NodeId[] {
  return Array.from({ length: count }, (_, i) => nodeOf(i + 1)).sort((one, other) =>
    isBefore(weightSeed(FLIGHT, one), weightSeed(FLIGHT, other), stripe) ? -1 : 1
  );
}

/** One node, and all that it asked for. */
export class CrowdNode {
  readonly have: Bitfield;
  readonly crowd: Crowd;
  nowMs = 0;
  readonly effects: CrowdEffect[] = [];

  constructor(readonly nodeId: NodeId, readonly stripeCount: number) {
    const chunks = stripeCount * limits.stripeChunks;
    this.have = new Bitfield(chunks);
    const sizeBytes = chunks * CHUNK_BYTES;
    const { have } = this;
    this.crowd = new Crowd({ flight: FLIGHT, nodeId, sizeBytes, have, nowMs: 0 });
  }

  step(event: CrowdEvent): this {
    this.effects.push(...this.crowd.step(event, this.nowMs));
    return this;
  }

  hear(from: NodeId, message: FellowMessage): this {
    return this.step({ kind: "heard", from, message });
  }

  /** A fellow is connected, and says this of itself. */
  join(nodeId: NodeId, report: Partial<FellowReport> = {}): this {
    this.step({ kind: "joined", nodeId, address: null });
    return this.hear(nodeId, { kind: "report", report: reportOf(nodeId, report) });
  }

  announce(from: NodeId, range: ChunkRange, origin: NodeId | null = from): this {
    return this.hear(from, { kind: "announce", origin, ranges: [range] });
  }

  read(range: ChunkRange): this {
    this.have.addRange(range);
    return this.step({ kind: "gained", range, origin: this.nodeId });
  }

  /** Time passes, and whoever of `alive` is connected says that it is there. */
  pass(ms: number, alive: readonly FellowReport[] = []): this {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs = Math.min(untilMs, this.nowMs + 50);
      for (const report of alive) this.hear(report.nodeId, { kind: "report", report });
      if (this.crowd.wakeMs <= this.nowMs) this.step({ kind: "tick" });
    }
    return this;
  }

  /** What it asked for of one kind since this was asked last. */
  take<K extends CrowdEffect["kind"]>(kind: K): OfKind<CrowdEffect, K>[] {
    return this.effects.splice(0).filter((effect) => effect.kind === kind) as never;
  }

  /** What it began to read since then. */
  takeRead(): ChunkRange[] {
    return this.take("read").map(({ range }) => range);
  }

  /** What it told a node since then. */
  takeTold(nodeId: NodeId): FellowMessage[] {
    return this.take("tell").filter(({ to }) => to.includes(nodeId)).map(({ message }) => message);
  }
}
