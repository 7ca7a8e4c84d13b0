/** Which chunks may be asked of which fellow: rules 10 and 11 of `crowd.ts`. */

import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import type { Announcements } from "./announcements.ts";
import type { CrowdEffect } from "./crowd_events.ts";
import type { Members } from "./members.ts";

/** What one node asks of its fellows. */
export class Asking {
  readonly #members: Members;
  readonly #announcements: Announcements;
  readonly #emit: (effect: CrowdEffect) => void;

  constructor(parts: {
    readonly members: Members;
    readonly announcements: Announcements;
    readonly emit: (effect: CrowdEffect) => void;
  }) {
    this.#members = parts.members;
    this.#announcements = parts.announcements;
    this.#emit = parts.emit;
  }

  /** A fellow has what it had not before: all of it, or some chunks. */
  mayAsk(nodeId: NodeId, nowMs: number, among?: readonly ChunkRange[]): void {
    const ranges = this.#askableOf(nodeId, nowMs, among);
    if (ranges.length > 0) this.#emit({ kind: "may-ask", nodeId, ranges });
  }

  /** What one that is gone read is asked of all who have it. */
  mayAskOthers(gone: NodeId, nowMs: number): void {
    for (const { nodeId } of this.#members.near) if (nodeId !== gone) this.mayAsk(nodeId, nowMs);
  }

  /** Fellows may be asked for less than before. */
  mayOnlyAskAll(nowMs: number): void {
    for (const { nodeId } of this.#members.near) {
      this.#emit({ kind: "may-only-ask", nodeId, ranges: this.#askableOf(nodeId, nowMs) });
    }
  }

  #askableOf(nodeId: NodeId, nowMs: number, among?: readonly ChunkRange[]): ChunkRange[] {
    const isAsked = (origin: NodeId) => {
      const member = this.#members.get(origin);
      return member !== undefined && member.isNear && !member.isWithholding &&
        this.#members.isAlive(member, nowMs);
    };
    return this.#announcements.askable(nodeId, isAsked, among);
  }
}
