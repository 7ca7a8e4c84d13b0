/**
 * What this node sends on one segment, and when; rules 1 to 5 of `lan.ts`.
 */

import { limits } from "../../base/limits.ts";
import { type Random } from "../../base/random.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { Asker, LanEffect, LanEvent, Segment } from "./lan_events.ts";

/** What of all segments counts for one. */
interface TalkFacts {
  /** The nodes of the own network that were heard, the last first. */
  readonly known: readonly string[];
}

/** The talk of one node on one segment. */
export class SegmentTalk {
  readonly segment: Segment;
  readonly #random: Random;
  /** When the last packet went to all. */
  #sentAtMs = -Infinity;
  #announcedAtMs = -Infinity;
  /** When it announces itself next, by itself or as an answer. */
  #announceAtMs: number;
  #answerAtMs = Infinity;
  #withType = false;
  /** Announcements that follow the first at once, in case that was lost. */
  #again = 1;
  #askAtMs: number;
  #askWaitMs: number = limits.lanAskMsMin;
  readonly #answers = new RateLimit(1000 / limits.lanAnswerRestMs, limits.lanAnswersBurst);
  readonly #unicasts = new RateLimit(1000 / limits.lanUnicastRestMs, limits.lanUnicastsBurst);

  constructor(segment: Segment, random: Random, nowMs: number) {
    this.segment = segment;
    this.#random = random;
    const firstMs = nowMs + this.#delayMs(0);
    this.#announceAtMs = this.#isReachable ? firstMs : Infinity;
    this.#askAtMs = this.#isReachable ? firstMs + limits.lanAskMsMin : firstMs;
  }

  get #isReachable(): boolean {
    return this.segment.addresses.length > 0;
  }

  /** When it sends something next. */
  get wakeMs(): number {
    const dueMs = Math.min(this.#announceAtMs, this.#answerAtMs, this.#askAtMs);
    return Math.max(dueMs, this.#sentAtMs + limits.lanGapMs);
  }

  /** Sends what is due: one packet at the most. */
  tick({ known }: TalkFacts, nowMs: number, out: LanEffect[]): void {
    if (nowMs < this.wakeMs) return;
    const isAnswer = nowMs >= this.#answerAtMs && this.#answers.take(nowMs);
    this.#answerAtMs = Infinity;
    if (isAnswer || nowMs >= this.#announceAtMs) this.#announce(nowMs, out);
    else if (nowMs >= this.#askAtMs) this.#ask(known, nowMs, out);
  }

  /** Somebody asks. */
  asked(
    { question, from }: LanEvent & { kind: "asked" },
    facts: TalkFacts,
    nowMs: number,
    out: LanEffect[],
  ): void {
    if (question.isForAll && from.legacy === undefined) {
      this.#askedByOther(question.known, facts, nowMs);
    }
    if (!question.isNews || !this.#isReachable) return;
    if (from.legacy !== undefined) return this.#answerAlone(from, question.isForTypes, nowMs, out);
    const isHeard = nowMs - this.#announcedAtMs < limits.lanUnicastMs;
    if (question.wantsUnicast && isHeard) {
      return this.#answerAlone(from, question.isForTypes, nowMs, out);
    }
    this.#withType ||= question.isForTypes;
    if (this.#answerAtMs === Infinity) {
      this.#answerAtMs = nowMs + this.#delayMs(facts.known.length);
    }
  }

  /** It ends. */
  stop(out: LanEffect[]): void {
    if (this.#announcedAtMs !== -Infinity) out.push({ kind: "goodbye", segment: this.segment.id });
  }

  // Rules 1 and 3

  #announce(nowMs: number, out: LanEffect[]): void {
    out.push({ kind: "announce", segment: this.segment.id, withType: this.#withType });
    this.#withType = false;
    this.#sentAtMs = this.#announcedAtMs = nowMs;
    const spread = 1 + limits.lanAnnounceSpreadPercent / 100 * (2 * this.#random.unit() - 1);
    const isAgain = this.#again > 0;
    if (isAgain) this.#again--;
    // A gap after the question, which comes first.
    this.#announceAtMs = nowMs + (isAgain ? 2 * limits.lanGapMs : limits.lanAnnounceMs * spread);
  }

  // Rule 2

  #ask(known: readonly string[], nowMs: number, out: LanEffect[]): void {
    if (known.length < limits.lanEnough) {
      out.push({
        kind: "ask",
        segment: this.segment.id,
        known: known.slice(0, limits.lanKnownMax),
      });
      this.#sentAtMs = nowMs;
    }
    this.#askLater(nowMs);
  }

  #askLater(nowMs: number): void {
    this.#askWaitMs = Math.min(limits.lanAskMsMax, limits.lanAskFactor * this.#askWaitMs);
    this.#askAtMs = nowMs + this.#askWaitMs * (1 + 0.1 * this.#random.unit());
  }

  #askedByOther(theirs: readonly string[], { known }: TalkFacts, nowMs: number): void {
    const isSoon = this.#askAtMs - nowMs < limits.lanGapMs;
    if (isSoon && theirs.every((label) => known.includes(label))) this.#askLater(nowMs);
  }

  // Rule 4

  #answerAlone(to: Asker, withType: boolean, nowMs: number, out: LanEffect[]): void {
    if (!this.#unicasts.take(nowMs)) return;
    out.push({ kind: "announce", segment: this.segment.id, withType, to });
  }

  #delayMs(heard: number): number {
    const { lanDelayMsMin: min, lanDelayMsMax: max, lanDelayPerNodeMs, lanGapMs } = limits;
    const spread = max - min + Math.min(lanGapMs, heard * lanDelayPerNodeMs);
    return min + spread * this.#random.unit();
  }
}
