/**
 * What one node of a crowd reads from its mirror, and when it takes over from others: rules 1 to 8,
 * 12 and 13 of `crowd.ts`. It says what to do; the crowd says so to the fellows.
 */

import type { ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Announcements } from "./announcements.ts";
import type { Reads } from "./crowd_events.ts";
import { type Member, type Members, smoothed } from "./members.ts";
import { isBefore, weightOf, type WeightSeed } from "../nearness/rendezvous.ts";
import type { Stripes } from "../nearness/stripes.ts";

/** What this node reads now. */
interface Reading {
  readonly sinceMs: number;
  /** The chunk that comes next. */
  next: number;
  /** The chunk behind the last one that is to be read. */
  end: number;
  /** Whether it helps a slow fellow, so that two read the same stripe on purpose. */
  readonly isHelp: boolean;
  /** When something came of it last. */
  progressMs: number;
}

/** What is to be read, and why, for a person. */
interface ReadChoice {
  readonly range: ChunkRange;
  readonly why: string;
  readonly isHelp: boolean;
}

/** What one node reads. */
export class ReadingPlan {
  readonly #self: WeightSeed;
  readonly #stripes: Stripes;
  readonly #members: Members;
  readonly #announcements: Announcements;
  #reading: Reading | null = null;
  #reads: Reads = "nothing";
  /** Since when it has nothing to read; and how long a chunk takes it. */
  readonly #pace: { idleMs: number; chunkMs: number | null };
  /** Since when nobody who can be counted on reads a stripe, as far as this node noticed. */
  readonly #freeMs = new Map<number, number>();
  /** Before this it begins nothing; and when it looks next whether there is something to read. */
  readonly #due = { settledMs: 0, lookMs: 0 };
  /** Since when it listens; a while after that it does so anew. */
  #settlingMs = -Infinity;

  constructor(
    options: {
      readonly stripes: Stripes;
      readonly members: Members;
      readonly announcements: Announcements;
      readonly nowMs: number;
    },
  ) {
    this.#self = options.members.self;
    this.#stripes = options.stripes;
    this.#members = options.members;
    this.#announcements = options.announcements;
    this.#pace = { idleMs: options.nowMs, chunkMs: null };
  }

  /** Whether it reads the file from the beginning to the end. */
  get readsAll(): boolean {
    return this.#reading !== null && this.#reads === "whole";
  }

  /** Nothing was to be read until now. */
  begin(nowMs: number): void {
    this.#pace.idleMs = nowMs;
    this.#freeMs.clear();
    this.settle(nowMs);
  }

  /** Rule 12. */
  settle(nowMs: number): void {
    this.lookSoon();
    const { size, near } = this.#members;
    if (size === 0) return;
    const waitMs = size === near.length ? limits.crowdSettleMs : limits.crowdSettleFarMs;
    // Some that come and go all the time must not hold it up for ever.
    if (nowMs - this.#settlingMs >= 2 * limits.crowdSettleMostMs) this.#settlingMs = nowMs;
    const endMs = this.#settlingMs + limits.crowdSettleMostMs;
    this.#due.settledMs = Math.max(this.#due.settledMs, Math.min(nowMs + waitMs, endMs));
  }

  /** Something may be free that was not. */
  lookSoon(): void {
    this.#due.lookMs = 0;
  }

  /** What to read now; null: nothing. It is taken to be read from now on. */
  next(reads: Reads, nowMs: number): ReadChoice | null {
    if (this.#reading !== null || reads === "nothing" || nowMs < this.#lookMs) return null;
    this.#due.lookMs = nowMs + limits.takeOverBusyMs;
    this.#reads = reads;
    const choice = reads === "whole" ? this.#all(nowMs) : this.#turn(nowMs);
    if (choice === null) return null;
    const { range: { first, count }, isHelp } = choice;
    this.#reading = {
      sinceMs: nowMs,
      next: first,
      end: first + count,
      isHelp,
      progressMs: nowMs,
    };
    return choice;
  }

  /** Chunks that it read are here. */
  progressed({ first, count }: ChunkRange, nowMs: number): void {
    const reading = this.#reading;
    if (reading === null || count === 0) return;
    const { chunkMs } = this.#pace;
    this.#pace.chunkMs = smoothed(chunkMs, (nowMs - reading.progressMs) / count);
    reading.next = Math.min(reading.end, Math.max(reading.next, first + count));
    reading.progressMs = nowMs;
  }

  /** The reading has ended. */
  ended(nowMs: number): void {
    this.#reading = null;
    this.#pace.idleMs = nowMs;
    this.lookSoon();
  }

  /** It is to end before this chunk; false when it does so already. */
  cutTo(chunk: number): boolean {
    const reading = this.#reading;
    if (reading === null || reading.end <= chunk) return false;
    reading.end = chunk;
    return true;
  }

  /** Rule 2: where it is to end now that another can read too; null: where it does. */
  cutFor({ seed }: Member): number | null {
    if (this.#reading === null || this.#reading.isHelp || this.readsAll) return null;
    const { next, end } = this.#reading;
    const { from, to } = this.#stripes.touched({ first: next, count: end - next });
    for (let stripe = from + 1; stripe < to; stripe++) {
      if (isBefore(seed, this.#self, stripe)) return this.#stripes.range(stripe).first;
    }
    return null;
  }

  /** Rule 8: where it is to end now that one gives something that can do better; null: where it does. */
  cutForBetter({ report }: Member): number | null {
    if (!this.readsAll || report?.reads !== "ranges") return null;
    const stripe = this.#stripes.of(this.#reading!.next);
    return stripe + 1 < this.#stripes.count ? this.#stripes.range(stripe + 1).first : null;
  }

  /** Rule 6: whether this node leaves a stripe to a fellow that reads it too. */
  yields(stripe: number, member: Member, nowMs: number): boolean {
    if (this.#reading === null || this.#reading.isHelp) return false;
    // What was read of a file that is only read as a whole is not given up for a beginner.
    if (this.readsAll && nowMs - this.#reading.sinceMs >= limits.takeOverMs) return false;
    return member.report?.reads === this.#reads && this.#members.isReader(member, nowMs) &&
      isBefore(member.seed, this.#self, stripe);
  }

  /** When there may be something to read because time has passed; Infinity when there cannot. */
  wakeMs(reads: Reads): number {
    if (this.#reading !== null || reads === "nothing") return Infinity;
    return this.#announcements.isAllServed ? Infinity : this.#lookMs;
  }

  get #lookMs(): number {
    return Math.max(this.#due.settledMs, this.#due.lookMs, this.#members.introducedMs());
  }

  /** Rules 1 to 5. */
  #turn(nowMs: number): ReadChoice | null {
    const stalledMs = this.#stalledMs();
    const { open, slow } = this.#lookOver({ stalledMs, nowMs });
    const isForming = this.#members.isForming(nowMs);
    let own: number | null = null;
    let over: number | null = null;
    let ahead: number | null = null;
    for (const stripe of open) {
      if (this.#isFirst(stripe, nowMs)) {
        if (isForming || !this.#members.hadAny) {
          if (own === null || this.#weight(stripe) > this.#weight(own)) own = stripe;
          continue;
        }
        const range = this.#run(stripe, { open, nowMs });
        return { range, why: "its turn", isHelp: false };
      }
      if (over === null && this.#isNext(stripe, nowMs)) over = stripe;
      if (ahead === null && this.#isFirstIdle(stripe, nowMs)) ahead = stripe;
    }
    if (own !== null) {
      const range = isForming ? this.#missing(own) : this.#run(own, { open, nowMs });
      return { range, why: "its turn", isHelp: false };
    }
    if (over !== null) {
      this.#members.takenOver(over);
      return { range: this.#missing(over), why: "nobody reads it", isHelp: false };
    }
    if (ahead !== null) {
      return { range: this.#missing(ahead), why: "those it is for read others", isHelp: false };
    }
    if (slow === null) return null;
    const { first, count } = this.#announcements.unserved(slow).at(-1)!;
    const half = Math.floor(count / 2);
    const range = { first: first + count - half, count: half };
    return { range, why: "its fellow is slow", isHelp: true };
  }

  /** The stripes that nobody reads and that may be begun, in order; and one that comes slowly. */
  #lookOver(
    options: { readonly stalledMs: number; readonly nowMs: number },
  ): { readonly open: readonly number[]; readonly slow: number | null } {
    const free: number[] = [];
    const busy = new Set<Member>();
    let slow: number | null = null;
    for (let stripe = 0; stripe < this.#stripes.count; stripe++) {
      if (this.#announcements.isServed(stripe)) {
        this.#freeMs.delete(stripe);
        this.#members.forgetEnded(stripe);
        continue;
      }
      const readers = this.#members.readersOf(stripe, options);
      if (readers.length === 0 || this.#comesBefore(readers, stripe, options.nowMs)) {
        free.push(stripe);
        continue;
      }
      for (const reader of readers) if (reader.report!.claims.length > 0) busy.add(reader);
      if (readers.length === 1 && this.#isSlow(readers[0]!, { stripe, nowMs: options.nowMs })) {
        if (this.#isNext(stripe, options.nowMs, { isLate: true })) slow = stripe;
      } else this.#freeMs.delete(stripe);
    }
    const open = free.slice(0, this.#room(busy.size));
    for (const stripe of free.slice(open.length)) this.#freeMs.delete(stripe);
    return { open, slow };
  }

  /** Rule 4: whether nothing comes of those who read a stripe, and it is for this node to read. */
  #comesBefore(readers: readonly Member[], stripe: number, nowMs: number): boolean {
    return this.#announcements.isMissing(stripe) &&
      readers.every((reader) =>
        isBefore(this.#self, reader.seed, stripe) &&
        this.#members.idleMs(reader, stripe, nowMs) >= limits.claimStalledMs
      ) && this.#isFirst(stripe, nowMs);
  }

  /** Rule 13: how many more stripes may be begun, when so many read. */
  #room(busy: number): number {
    if (this.#members.size < limits.readersMax) return Infinity;
    return Math.max(0, limits.readersMax - busy);
  }

  /** Rule 8. */
  #all(nowMs: number): ReadChoice | null {
    const { isAllServed } = this.#announcements;
    if (isAllServed) return null;
    const stripe = this.#firstUnserved();
    // One that begins anew gives nothing that is not known until it is there.
    const againMs = this.#stripes.range(stripe).first *
      Math.max(limits.wholeChunkMs, limits.claimSlowTimes * (this.#medianPace() ?? 0));
    const stalledMs = this.#stalledMs() + againMs;
    if (this.#members.readersOf(stripe, { stalledMs, nowMs }).length > 0) {
      this.#freeMs.delete(stripe);
      return null;
    }
    if (!this.#isLeftLying(stripe, nowMs)) return null;
    if (!this.#isFirst(0, nowMs) && !this.#isNext(stripe, nowMs)) return null;
    const range = { first: 0, count: this.#stripes.chunks };
    return { range, why: "its turn, and the mirror gives no ranges", isHelp: false };
  }

  #weight(stripe: number): number {
    return weightOf(this.#self, stripe);
  }

  #firstUnserved(): number {
    let stripe = 0;
    while (this.#announcements.isServed(stripe)) stripe++;
    return stripe;
  }

  /** Whether nobody who can do better is to be waited for any more. */
  #isLeftLying(stripe: number, nowMs: number): boolean {
    const better = [...this.#members].filter((member) =>
      member.report?.reads === "ranges" && this.#members.isReader(member, nowMs)
    );
    if (better.length === 0) return true;
    const freeMs = this.#freeMs.get(stripe) ?? nowMs;
    this.#freeMs.set(stripe, freeMs);
    if (nowMs - freeMs < limits.claimFirstMs) return false;
    for (const member of better) member.isIdling = true;
    return true;
  }

  #isFirst(stripe: number, nowMs: number): boolean {
    return this.#members.countBefore(stripe, { reads: this.#reads, max: 0, nowMs }) === 0;
  }

  /** Rule 3: whether all who come before this node read something else, and have done so for a moment. */
  #isFirstIdle(stripe: number, nowMs: number): boolean {
    const sinceMs = Math.max(this.#freeMs.get(stripe) ?? nowMs, this.#pace.idleMs);
    if (nowMs - sinceMs < limits.takeOverBusyMs) return false;
    const options = { reads: this.#reads, max: 0, nowMs, areIdle: true };
    return this.#members.countBefore(stripe, options) === 0;
  }

  /** Rule 3: whether all who come before this node had their time; one that `isLate` has no first. */
  #isNext(stripe: number, nowMs: number, { isLate = false } = {}): boolean {
    const freeMs = this.#freeMs.get(stripe);
    if (freeMs === undefined) this.#freeMs.set(stripe, nowMs);
    const sinceMs = Math.max(freeMs ?? nowMs, this.#pace.idleMs);
    const times = (nowMs - sinceMs) / limits.takeOverMs - (isLate ? 1 : 0);
    if (times < (isLate ? 0 : 1)) return false;
    const rank = Math.floor(2 ** (times - 1));
    const options = { reads: this.#reads, max: rank, nowMs };
    return this.#members.countBefore(stripe, options) <= rank;
  }

  /** What is missing of a stripe, up to the first chunk that is not. */
  #missing(stripe: number): ChunkRange {
    return this.#announcements.unserved(stripe)[0]!;
  }

  /** Rule 2: of the stripes that are `open`. */
  #run(
    stripe: number,
    { open, nowMs }: { readonly open: readonly number[]; readonly nowMs: number },
  ): ChunkRange {
    const start = this.#missing(stripe);
    const { first, count } = this.#stripes.range(stripe);
    let end = start.first + start.count;
    if (end < first + count) return start;
    for (const next of open.slice(open.indexOf(stripe) + 1)) {
      const range = this.#stripes.range(next);
      if (range.first !== end || next - stripe >= limits.fellowClaimsMax) break;
      if (!this.#announcements.isMissing(next) || !this.#isFirst(next, nowMs)) break;
      end = range.first + range.count;
    }
    return { first: start.first, count: end - start.first };
  }

  /** Rule 4. */
  #stalledMs(): number {
    const pace = this.#medianPace();
    if (pace === null) return limits.claimFirstMs;
    return Math.max(limits.claimStalledMs, limits.claimStalledChunks * pace);
  }

  /** Rule 5. */
  #isSlow(
    member: Member,
    { stripe, nowMs }: { readonly stripe: number; readonly nowMs: number },
  ): boolean {
    // What is heard of others through others comes late, and in bursts.
    if (!member.isNear) return false;
    const last = this.#announcements.unserved(stripe).at(-1)!;
    const chunkMs = member.chunkMs ?? nowMs - member.claims.get(stripe)!.sinceMs;
    if (last.count < 2 || chunkMs * last.count < limits.claimSlowMs) return false;
    const pace = this.#medianPace({ min: 2 });
    return pace !== null && chunkMs >= limits.claimSlowTimes * pace;
  }

  /** How long a chunk takes most, as far as that is known of `min` nodes. */
  #medianPace({ min = 1 } = {}): number | null {
    const paces = this.#members.paces();
    if (this.#pace.chunkMs !== null) paces.push(this.#pace.chunkMs);
    if (paces.length < min) return null;
    return paces.sort((a, b) => a - b)[Math.floor((paces.length - 1) / 2)]!;
  }
}
