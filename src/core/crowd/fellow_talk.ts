/**
 * What a node of a crowd says to its fellows, and when: rules 9, 10 and 14 of `crowd.ts`. What it says of
 * itself, now and then as a sign of life; what chunks are here; and what it heard of others.
 */

import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Announcements } from "./announcements.ts";
import type { CrowdEffect, FellowMessage, FellowReport } from "./crowd_events.ts";
import type { Member, Members } from "./members.ts";
import { UntoldGains } from "./untold_gains.ts";

/** What one node says. */
export class FellowTalk {
  readonly #members: Members;
  readonly #announcements: Announcements;
  readonly #emit: (effect: CrowdEffect) => void;
  readonly #untold: UntoldGains;
  /** What is said of others, and is to be passed on: who knows it already. */
  readonly #unpassed = new Map<Member, Set<NodeId>>();
  /** What this node says of itself. */
  #report: FellowReport;
  /** When a sign of life is due, and one that is passed on, and what was heard of others. */
  readonly #due: { beatMs: number; refreshMs: number; passMs: number };
  #nowMs: number;

  constructor(parts: {
    readonly nodeId: NodeId;
    readonly members: Members;
    readonly announcements: Announcements;
    readonly emit: (effect: CrowdEffect) => void;
    readonly nowMs: number;
  }) {
    const { nodeId, nowMs } = parts;
    this.#members = parts.members;
    this.#announcements = parts.announcements;
    this.#emit = parts.emit;
    this.#untold = new UntoldGains(nodeId);
    this.#report = { nodeId, sequence: 1, reads: "nothing", isWhole: false, claims: [] };
    this.#due = { beatMs: nowMs, refreshMs: nowMs, passMs: Infinity };
    this.#nowMs = nowMs;
  }

  /** What this node said of itself last. */
  get report(): FellowReport {
    return this.#report;
  }

  /** When something is to be said, at the latest. */
  get dueMs(): number {
    return Math.min(this.#due.beatMs, this.#due.passMs, this.#untold.dueMs);
  }

  /** It is this time by now. */
  goOn(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Says what is due. */
  tellDue(): void {
    this.tellGains();
    const { passMs, beatMs, refreshMs } = this.#due;
    if (this.#nowMs >= passMs) this.#passReports();
    if (this.#nowMs < beatMs) return;
    if (this.#nowMs >= refreshMs && isReading(this.#report)) this.say({});
    else this.#beat();
  }

  // Of itself

  say(news: Partial<FellowReport>, sequence = this.#report.sequence + 1): void {
    this.#report = { ...this.#report, ...news, sequence };
    this.#due.refreshMs = this.#nowMs + limits.farRefreshMs;
    this.#beat();
  }

  #beat(): void {
    this.#due.beatMs = this.#nowMs + limits.fellowBeatMs;
    this.tellNear({ kind: "report", report: this.#report });
  }

  // Of what is here

  gained(range: ChunkRange, origin: NodeId | null): void {
    this.#untold.gained(range, origin, this.#nowMs);
  }

  /** What came is told now; or only what one node read. */
  hurry(origin?: NodeId | null): void {
    this.#untold.hurry(this.#nowMs, origin);
  }

  tellGains(): void {
    for (const { origin, ranges } of this.#untold.takeDue(this.#nowMs)) {
      for (const { nodeId } of this.#members.near) {
        const lacked = this.#announcements.lackedBy(nodeId, ranges);
        if (lacked.length > 0) this.announce([nodeId], origin, lacked);
      }
    }
  }

  announce(to: readonly NodeId[], origin: NodeId | null, ranges: readonly ChunkRange[]): void {
    for (let at = 0; at < ranges.length; at += limits.haveRangesMax) {
      const page = ranges.slice(at, at + limits.haveRangesMax);
      this.tell(to, { kind: "announce", origin, ranges: page });
    }
  }

  announceNear(origin: NodeId | null, ranges: readonly ChunkRange[]): void {
    const to = this.#nearBut(null);
    if (to.length > 0) this.announce(to, origin, ranges);
  }

  // Of others

  /** What was said of a fellow is passed on, but not to `from`; null: it was found out here. */
  passOn(member: Member, from: NodeId | null): void {
    // When all get the last of it at once, few are left soon who have to know who needs nothing more.
    const waitMs = member.report?.isWhole === true ? limits.passWholeMs : limits.passReportMs;
    this.#due.passMs = Math.min(this.#due.passMs, this.#nowMs + waitMs);
    this.#unpassed.set(member, new Set(from === null ? [] : [from]));
  }

  /** Another has heard what is still to be passed on of a fellow. */
  heardToo(member: Member, by: NodeId): void {
    this.#unpassed.get(member)?.add(by);
  }

  #passReports(): void {
    this.#due.passMs = Infinity;
    const needy = this.#members.near.filter(({ report }) => report?.isWhole !== true);
    for (const [member, knowing] of this.#unpassed) {
      const { report, nodeId } = member;
      if (report === null || this.#members.get(nodeId) !== member) continue;
      // Who is connected with it too hears that itself. That one is gone all have to hear: who still
      // hears it tells it so.
      const to = needy.filter((near) =>
        !knowing.has(near.nodeId) && (isGone(report) || !near.links.has(nodeId))
      );
      if (to.length > 0) this.tell(to.map(({ nodeId }) => nodeId), { kind: "report", report });
    }
    this.#unpassed.clear();
  }

  // To whom

  #nearBut(except: NodeId | null): NodeId[] {
    return this.#members.near.map(({ nodeId }) => nodeId).filter((nodeId) => nodeId !== except);
  }

  tellNear(message: FellowMessage, except: NodeId | null = null): void {
    const to = this.#nearBut(except);
    if (to.length > 0) this.tell(to, message);
  }

  tell(to: readonly NodeId[], message: FellowMessage): void {
    this.#emit({ kind: "tell", to, message });
  }
}

/** Whether others have to know of it to agree who reads what. */
export function isReading({ reads, claims }: FellowReport): boolean {
  return reads !== "nothing" || claims.length > 0;
}

/** Whether it says no more than that its node is gone. */
export function isGone(report: FellowReport): boolean {
  return !isReading(report) && !report.isWhole;
}
