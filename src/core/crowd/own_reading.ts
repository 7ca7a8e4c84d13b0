/**
 * What a node of a crowd reads from its own mirror, as it says so to its fellows: what `reading_plan.ts`
 * chooses is claimed and begun, and is cut short or given up for others.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Announcements } from "./announcements.ts";
import type { CrowdEffect, FellowReport, Reads } from "./crowd_events.ts";
import type { FellowTalk } from "./fellow_talk.ts";
import type { Member, Members } from "./members.ts";
import { ReadingPlan } from "./reading_plan.ts";
import type { Stripes } from "../nearness/stripes.ts";

/** What it works with. */
interface OwnReadingParts {
  readonly stripes: Stripes;
  readonly members: Members;
  readonly announcements: Announcements;
  /** The chunks that are here. */
  readonly have: Bitfield;
  readonly talk: FellowTalk;
  readonly emit: (effect: CrowdEffect) => void;
  readonly nowMs: number;
}

/** The reading of one node. */
export class OwnReading {
  readonly plan: ReadingPlan;
  readonly #parts: OwnReadingParts;

  constructor(parts: OwnReadingParts) {
    this.#parts = parts;
    this.plan = new ReadingPlan(parts);
  }

  get #report(): FellowReport {
    return this.#parts.talk.report;
  }

  /** What can be read has changed. */
  reads(reads: Reads, nowMs: number): void {
    const { reads: before, isWhole } = this.#report;
    if (reads === before || isWhole) return;
    if (reads === "nothing") this.until(0);
    else if (before === "nothing") this.plan.begin(nowMs);
    this.#parts.talk.say({ reads });
  }

  /** Begins what is to be read now, if anything. */
  goOn(nowMs: number): void {
    const { talk, members, stripes, emit } = this.#parts;
    const choice = this.plan.next(this.#report.reads, nowMs);
    if (choice === null) return;
    const { range, why } = choice;
    talk.say({ claims: this.#claimsOf(range) });
    emit({ kind: "read", range, why, from: members.beganLast(stripes.of(range.first)) });
  }

  /** Chunks that it read are here. */
  gained(range: ChunkRange, nowMs: number): void {
    const { stripes, have, talk } = this.#parts;
    this.plan.progressed(range, nowMs);
    const before = this.#report.claims;
    let claims = before.filter((stripe) => !have.hasRange(stripes.range(stripe)));
    if (claims.length === before.length) return;
    if (this.plan.readsAll) claims = this.#claimsOf({ first: 0, count: stripes.chunks });
    // What it read is told of first: a stripe that nobody claims or has is free.
    talk.tellGains();
    talk.say({ claims });
  }

  /** The reading has ended. */
  ended(nowMs: number): void {
    const { talk } = this.#parts;
    this.plan.ended(nowMs);
    if (this.#report.claims.length === 0) return;
    talk.hurry();
    talk.tellGains();
    talk.say({ claims: [] });
  }

  /** Reads no further than to this chunk. */
  until(chunk: number): void {
    const { talk, stripes, emit } = this.#parts;
    if (!this.plan.cutTo(chunk)) return;
    emit({ kind: "read-until", chunk });
    const { claims: before } = this.#report;
    const claims = before.filter((stripe) => stripes.range(stripe).first < chunk);
    if (claims.length < before.length) talk.say({ claims });
  }

  /** Rule 2: what it has not begun yet may be another's now. */
  makeWay(member: Member): void {
    this.#cutTo(this.plan.cutFor(member));
  }

  /** Rule 8: one that gives something may do better. */
  makeWayForBetter(member: Member): void {
    this.#cutTo(this.plan.cutForBetter(member));
  }

  /** Rule 6. */
  yieldTo(member: Member, nowMs: number): void {
    for (const stripe of this.#report.claims) {
      if (!member.claims.has(stripe) || !this.plan.yields(stripe, member, nowMs)) continue;
      return this.until(this.plan.readsAll ? 0 : this.#parts.stripes.range(stripe).first);
    }
  }

  #cutTo(chunk: number | null): void {
    if (chunk !== null) this.until(chunk);
  }

  #claimsOf(range: ChunkRange): number[] {
    const { stripes, announcements } = this.#parts;
    const { from, to } = stripes.touched(range);
    const claims: number[] = [];
    for (let stripe = from; stripe < to && claims.length < limits.fellowClaimsMax; stripe++) {
      if (!announcements.isServed(stripe)) claims.push(stripe);
    }
    return claims;
  }
}
