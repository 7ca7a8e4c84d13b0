/**
 * Who reads a second time, and which stripe, when the file turned out not to be the one that is wanted
 * and nobody knows what of it is wrong: all who found that read what they gave each other again
 * together, so that it costs all of them no more than one copy. Each for itself; pure.
 *
 * Rules
 *  1. A stripe of which another gave any part is doubted. It is read again by the connected fellow that
 *     comes first for it (in an order of its own for each round), needs the file too, and did not read
 *     it before.
 *  2. Who reads one again claims it, and when all of it was the same, announces it as read by itself:
 *     that proves it to those who hear of it. A fellow that has all and found it right proves all of it.
 *     Nobody proves what he answers for, since he gave it and said that he had read it, or others say so.
 *  3. What nobody claims or proves the next in rank takes over after `takeOverMs`, the one after that
 *     after twice that time, and so on; and a claim counts only for as long as a stripe may take.
 *  4. It is over when every stripe is proved, by this node or by another. What others proved is then
 *     taken from those alone (`crowd.ts`). When the file is still not right, though nobody gave what the
 *     mirror has otherwise, some proofs are not true: those count no more, first of those who proved what
 *     they had passed on, then of all. So each round costs no more than one copy, and who lies in it has
 *     to be another one than before.
 *  5. What a fellow proved that turned out to lie is not proved.
 */

import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Announcements, Origins } from "./announcements.ts";
import type { DoubtedGift } from "./crowd_events.ts";
import type { Member, Members } from "./members.ts";
import { isBefore } from "../nearness/rendezvous.ts";
import type { Stripes } from "../nearness/stripes.ts";

/** What is to be done now. */
type Step =
  | { readonly kind: "read"; readonly stripe: number }
  /** Every stripe is proved. */
  | { readonly kind: "over" };

/** A stripe that is doubted. */
interface Doubt {
  /** Since when nobody reads it, as far as this node noticed. */
  freeMs: number;
  /** Those who answer for any part of it, and those who passed on any. */
  readonly readers: Set<NodeId>;
  readonly passers: Set<NodeId>;
}

/** What one node reads a second time. */
export class SecondReading {
  readonly #stripes: Stripes;
  readonly #members: Members;
  readonly #announcements: Announcements;
  /** Who read what is here. */
  readonly #origins: Origins;
  /** Null while nothing is doubted. */
  #doubts: Map<number, Doubt> | null = null;
  /** Who proved a stripe, and whose proof of it does not count. */
  readonly #proofs = new Map<number, Set<NodeId>>();
  readonly #untrue = new Map<number, Set<NodeId>>();
  /** Of whom a stripe was taken again, since they proved it; and who of them had passed it on. */
  readonly #taken = new Map<number, ReadonlySet<NodeId>>();
  readonly #passed = new Map<number, ReadonlySet<NodeId>>();
  #round = 0;
  /** What is read here; and whether nothing more is to be, though it is not known what is wrong. */
  #own: number | null = null;
  #isOver = false;

  constructor(parts: {
    readonly stripes: Stripes;
    readonly members: Members;
    readonly announcements: Announcements;
    readonly origins: Origins;
  }) {
    this.#stripes = parts.stripes;
    this.#members = parts.members;
    this.#announcements = parts.announcements;
    this.#origins = parts.origins;
  }

  /**
   * The file is not right: what others gave of it is doubted.
   *
   * @param isNewRound Whether what was proved, and taken again, must be wrong too.
   */
  begin(
    gifts: readonly DoubtedGift[],
    { isNewRound, nowMs }: { readonly isNewRound: boolean; readonly nowMs: number },
  ): void {
    if (isNewRound) this.#doubtProofs();
    const doubts = this.#doubts = new Map<number, Doubt>();
    this.#own = null;
    this.#isOver = false;
    for (const { giver, isReader, ranges } of gifts) {
      for (const [stripe] of this.#stripes.split(ranges)) {
        const doubt = doubts.get(stripe) ??
          { freeMs: nowMs, readers: new Set(), passers: new Set() };
        doubts.set(stripe, doubt);
        const taken = this.#taken.get(stripe);
        const isTaken = (nodeId: NodeId | null) => nodeId === null || taken?.has(nodeId) === true;
        const origin = this.#origins.of(stripe);
        if (!isTaken(giver)) (isReader ? doubt.readers : doubt.passers).add(giver!);
        if (!isTaken(origin)) doubt.readers.add(origin!);
      }
    }
  }

  /** Nothing is doubted any more, or it is known what is wrong. */
  end(): void {
    this.#doubts = null;
    this.#own = null;
  }

  /** A fellow has read all of a stripe again, and found it to be what it had. */
  proved(stripe: number, by: NodeId): void {
    added(this.#proofs, stripe, by);
  }

  /** Rule 5. */
  distrust(nodeId: NodeId): void {
    for (const provers of this.#proofs.values()) provers.delete(nodeId);
  }

  /** All of the stripe that is read here is the mirror's. */
  ended(): void {
    if (this.#own !== null) this.#doubts?.delete(this.#own);
    this.#own = null;
  }

  /** Rule 4: the stripes that only others proved, and who did: they are taken again from those. */
  takeProved(): Map<number, ReadonlySet<NodeId>> {
    const proved = new Map<number, ReadonlySet<NodeId>>();
    for (const [stripe, { readers, passers }] of this.#doubts ?? []) {
      const all = this.#proversOf(stripe);
      const others = new Set(all.filter((nodeId) => !readers.has(nodeId) && !passers.has(nodeId)));
      const provers = others.size > 0 ? others : new Set(all);
      proved.set(stripe, provers);
      this.#taken.set(stripe, provers);
      this.#passed.set(stripe, new Set(all.filter((nodeId) => passers.has(nodeId))));
    }
    this.end();
    return proved;
  }

  /** What to do now; null: wait, or nothing. A stripe is taken to be read from now on. */
  next(nowMs: number): Step | null {
    const doubts = this.#doubts;
    if (doubts === null || this.#own !== null || this.#isOver) return null;
    let isOver = true;
    let over: number | null = null;
    for (const [stripe, doubt] of doubts) {
      if (this.#isProved(doubt, this.#proversOf(stripe))) continue;
      isOver = false;
      if (this.#isClaimed(stripe, doubt, nowMs)) {
        doubt.freeMs = nowMs;
        continue;
      }
      const before = this.#countBefore(stripe, nowMs);
      if (before === 0) return this.#read(stripe);
      // From the end, as in the first reading.
      if (hasWaited(nowMs - doubt.freeMs, before)) over = stripe;
    }
    this.#isOver = isOver;
    if (isOver) return { kind: "over" };
    return over === null ? null : this.#read(over);
  }

  /** When to look again, though nothing was heard; Infinity: there is nothing to wait for. */
  wakeMs(nowMs: number): number {
    const isWaiting = this.#doubts !== null && this.#own === null && !this.#isOver;
    return isWaiting ? nowMs + limits.takeOverMs / 4 : Infinity;
  }

  #read(stripe: number): Step {
    this.#own = stripe;
    return { kind: "read", stripe };
  }

  /** Rule 2: whether there is one for each who answers for a part, and it is another one. */
  #isProved({ readers }: Doubt, provers: readonly NodeId[]): boolean {
    const [one] = provers;
    return provers.length > 1 || one !== undefined && !readers.has(one);
  }

  #proversOf(stripe: number): NodeId[] {
    const untrue = this.#untrue.get(stripe);
    const provers = new Set(this.#proofs.get(stripe));
    const range = this.#stripes.range(stripe);
    for (const { nodeId, report } of this.#members.near) {
      const hasAll = report?.isWhole === true && this.#announcements.hasAnnounced(nodeId, range);
      if (hasAll) provers.add(nodeId);
    }
    return [...provers].filter((nodeId) => untrue?.has(nodeId) !== true);
  }

  /** Rule 3. */
  #isClaimed(stripe: number, doubt: Doubt, nowMs: number): boolean {
    return this.#members.near.some((member) => {
      const claim = member.claims.get(stripe);
      if (claim === undefined || claim.isEnded || !this.#mayRead(member, stripe, nowMs)) {
        return false;
      }
      if (nowMs - claim.sinceMs >= this.#patienceMs(member)) return false;
      return this.#isProved(doubt, [...this.#proversOf(stripe), member.nodeId]);
    });
  }

  /** How long a fellow may take for a stripe. */
  #patienceMs({ chunkMs }: Member): number {
    const usualMs = this.#stripes.length * (chunkMs ?? 0);
    return Math.max(limits.claimFirstMs, limits.claimSlowTimes * usualMs);
  }

  /** How many come before this node for a stripe. */
  #countBefore(stripe: number, nowMs: number): number {
    const at = stripe + (this.#round + 1) * limits.stripesMax;
    return this.#members.near.filter((member) =>
      this.#mayRead(member, stripe, nowMs) && isBefore(member.seed, this.#members.self, at)
    ).length;
  }

  /** Rule 1. */
  #mayRead(member: Member, stripe: number, nowMs: number): boolean {
    const { nodeId, report, isWithholding } = member;
    if (isWithholding || report?.isWhole !== false || report.reads === "nothing") return false;
    if (this.#untrue.get(stripe)?.has(nodeId) === true) return false;
    if (this.#announcements.originOf(nodeId, stripe) === nodeId) return false;
    return this.#members.isAlive(member, nowMs);
  }

  /** Rule 4. */
  #doubtProofs(): void {
    const isPassed = this.#passed.values().some(({ size }) => size > 0);
    if (!isPassed) this.#round++;
    for (const [stripe, provers] of isPassed ? this.#passed : this.#taken) {
      for (const nodeId of provers) added(this.#untrue, stripe, nodeId);
      if (provers.size > 0) this.#taken.delete(stripe);
    }
    this.#passed.clear();
  }
}

/** Rule 3: whether one that comes after so many has waited for long enough. */
function hasWaited(waitedMs: number, before: number): boolean {
  const times = waitedMs / limits.takeOverMs;
  return times >= 1 && Math.floor(2 ** (times - 1)) >= before;
}

function added(sets: Map<number, Set<NodeId>>, stripe: number, nodeId: NodeId): void {
  const set = sets.get(stripe);
  if (set === undefined) sets.set(stripe, new Set([nodeId]));
  else set.add(nodeId);
}
