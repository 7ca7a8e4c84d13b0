/**
 * The policy of a crowd: nodes that get one file from their mirrors at the same time, and have each
 * part of it read from a mirror by one of them only. Who reads what, when another takes over, and what
 * is told to whom. Pure: events and the time come in, effects go out; the same for two nodes and for a
 * thousand.
 *
 * Rules
 *  1. A stripe is read by the fellow that comes first for it (`nearness/rendezvous.ts`), among those that
 *     can read and are alive. It claims the stripe before it asks its mirror, and tells chunks as they
 *     come.
 *  2. A node reads one run at a time: stripes that follow each other, for which it comes first. What
 *     it has not begun of them it leaves to a fellow that can read only now, and comes first. While
 *     fellows are still coming in (`formingMs`) it reads single stripes, that for which it weighs most
 *     first: it is still the first for it when it knows of the others. One that knows of none yet reads
 *     a run from there on.
 *  3. A fellow that has nothing to read takes over a stripe that nobody claims, the first there is, so
 *     that the file comes in order: at once (`takeOverBusyMs`) when all that come before it read
 *     something else; else the next in rank after `takeOverMs`, the one after that after twice that
 *     time, and those behind later and later, but however many they are, not by much. So nobody waits
 *     for a fellow that is busy, dead, or promises and does not give, and no two take over at once. One
 *     that was passed over so, though it reads nothing, is not waited for again until it claims
 *     something.
 *  4. Claims count while their fellow is alive and chunks of them come: `claimStalledMs`, or longer on
 *     a line so thin that a chunk takes that long elsewhere. What a fellow claims again and again
 *     without giving anything counts as one claim. A fellow that is not connected, and claims a stripe
 *     no more, may have read it: it counts on as long. Who comes first for a stripe waits for others
 *     no longer than `claimStalledMs` for the first of it.
 *  5. Of a stripe that comes much more slowly than others (`claimSlowTimes`), one that has nothing
 *     else to do reads the second half, by the same order of ranks.
 *  6. When two read the same stripe, the one that comes first goes on, and the other stops.
 *  7. A node that was asleep believes nothing that it knew of its own reading: it stops and looks anew.
 *  8. A mirror that gives no ranges is read from the beginning, by one, and only while no fellow alive
 *     can do better: one that can has `claimFirstMs` to begin, and when something of it comes, the
 *     other ends its stripe and stops.
 *  9. What is said of a fellow is passed on once, so that all know of all, connected or not, but not to
 *     those that say to be connected with it, or in a large crowd all would tell all of all; and when it
 *     falls silent or a connection ends, that its fellow is gone, to everybody. Of a fellow that is
 *     connected only what it says itself is believed; it is told what others say, and then says that it
 *     is there.
 * 10. What a node reads it announces at once; what came from others later, for when those are gone.
 *     A chunk is taken from the fellow that read it while it is there (`announcements.ts`).
 * 11. What only a silent fellow has counts as had by nobody; so does what only one has that gives
 *     nothing of what it is asked for, and what it does not give though it announced it.
 * 12. A node that begins, or that loses a fellow, reads nothing new for a moment (`crowdSettleMs`), in which
 *     it hears who else begins, and what others have of the one that is lost; nor while a new fellow
 *     has not said what it has and reads (`fellowIntroMs`).
 * 13. Of a large crowd only some read at a time (`readersMax`), the first stripes first: more would not
 *     make the line wider, and each would read so slowly that nobody could tell it from a dead one.
 * 14. Of a large crowd only those are to read that come first for the file as a whole
 *     (`crowdReadersMax`); it is not passed on what others say that read nothing. So what a node hears
 *     does not grow with the crowd.
 * 15. When the file turns out not to be right, what others gave of it is read a second time, together
 *     (`second_reading.ts`).
 */

import type { Bitfield } from "../../base/bitfield.ts";
import { type OfKind, unreachable } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { FlightId, NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { Announcements, Origins } from "./announcements.ts";
import { Asking } from "./asking.ts";
import type {
  CrowdEffect,
  CrowdEvent,
  FellowAddress,
  FellowMessage,
  FellowReport,
} from "./crowd_events.ts";
import { FellowTalk, isGone, isReading } from "./fellow_talk.ts";
import { type Member, Members } from "./members.ts";
import { OwnReading } from "./own_reading.ts";
import { SecondReading } from "./second_reading.ts";
import { Stripes } from "../nearness/stripes.ts";

/** The policy of one file that a crowd brings in. */
export class Crowd {
  readonly stripes: Stripes;
  readonly #nodeId: NodeId;
  readonly #have: Bitfield;
  readonly #members: Members;
  readonly #announcements: Announcements;
  readonly #reading: OwnReading;
  readonly #asking: Asking;
  /** Who read what is here. */
  readonly #origins = new Origins();
  readonly #again: SecondReading;
  readonly #talk: FellowTalk;
  readonly #dialled = new Set<NodeId>();
  #lastMs: number;
  #wakeMs: number;
  #effects: CrowdEffect[] = [];

  constructor(options: {
    readonly flight: FlightId;
    readonly nodeId: NodeId;
    readonly sizeBytes: number;
    /** The chunks that are here: read here, changed by the caller before it tells. */
    readonly have: Bitfield;
    readonly nowMs: number;
  }) {
    const { flight, nodeId, sizeBytes, have, nowMs } = options;
    const stripes = this.stripes = new Stripes(sizeBytes);
    const members = this.#members = new Members(flight, nodeId);
    const announcements = this.#announcements = new Announcements(stripes, have);
    this.#nodeId = nodeId;
    this.#have = have;
    this.#again = new SecondReading({ stripes, members, announcements, origins: this.#origins });
    const emit = (effect: CrowdEffect) => void this.#effects.push(effect);
    const talk = this.#talk = new FellowTalk({ nodeId, members, announcements, emit, nowMs });
    this.#asking = new Asking({ members, announcements, emit });
    const parts = { stripes, members, announcements, have, talk, emit, nowMs };
    this.#reading = new OwnReading(parts);
    this.#lastMs = this.#wakeMs = nowMs;
    this.#noteOrigins([...have.ranges()], nodeId);
  }

  get #report(): FellowReport {
    return this.#talk.report;
  }

  /** When a "tick" is due, at the latest. */
  get wakeMs(): number {
    return this.#wakeMs;
  }

  /** Fellows that this node is connected with. */
  get nearCount(): number {
    return this.#members.near.length;
  }

  /** The stripes that this node reads now. */
  get claims(): readonly number[] {
    return this.#report.claims;
  }

  /** Who read a chunk from a mirror, as far as is known. */
  originOf(chunk: number): NodeId | null {
    return this.#origins.of(this.stripes.of(chunk));
  }

  /** Who read a chunk that a fellow has, as far as that one says. */
  originAt(nodeId: NodeId, chunk: number): NodeId | null {
    return this.#announcements.originOf(nodeId, this.stripes.of(chunk));
  }

  /** How many chunks a fellow that is connected has. */
  chunksAt(nodeId: NodeId): number {
    return this.#announcements.chunksAt(nodeId);
  }

  /** Whether a node gave nothing that is not true, as far as is known. */
  isTrusted(nodeId: NodeId): boolean {
    return !this.#members.isDistrusted(nodeId);
  }

  /** Takes what happened into account; says what is to be done now, in order. */
  step(event: CrowdEvent, nowMs: number): readonly CrowdEffect[] {
    const effects: CrowdEffect[] = this.#effects = [];
    this.#wakeUp(nowMs);
    this.#take(event, nowMs);
    // What came, here or at others, leaves nothing more to read.
    const isNews = event.kind !== "gained" &&
      !(event.kind === "heard" && event.message.kind === "announce");
    if (isNews) this.#reading.goOn(nowMs);
    this.#readAgain(nowMs);
    this.#talk.tellDue();
    const readMs = Math.min(
      this.#reading.plan.wakeMs(this.#report.reads),
      this.#again.wakeMs(nowMs),
    );
    this.#wakeMs = Math.min(this.#talk.dueMs, readMs);
    return effects;
  }

  #take(event: CrowdEvent, nowMs: number): void {
    switch (event.kind) {
      case "joined":
        return this.#joined(event, nowMs);
      case "left":
        return this.#left(event.nodeId, nowMs);
      case "heard":
        return this.#heard(event, nowMs);
      case "gained":
        return this.#gained(event, nowMs);
      case "lost":
        return this.#lost(event.ranges);
      case "read-ended":
        return this.#reading.ended(nowMs);
      case "reads":
        return this.#reading.reads(event.reads, nowMs);
      case "whole":
        return this.#whole();
      case "distrusted":
        return this.#distrust(event.nodeId, nowMs);
      case "refused":
        this.#announcements.refused(event.nodeId, event.ranges);
        return this.#reading.plan.lookSoon();
      case "withholds":
        return this.#withholds(event, nowMs);
      case "passed-wrong":
        return this.#passedWrong(nowMs);
      case "doubted":
        return this.#again.begin(event.gifts, { isNewRound: event.isNewRound, nowMs });
      case "proved":
        return this.#proved(event.stripe);
      case "replaced":
        return this.#replaced(event.range);
      case "doubt-ended":
        return this.#doubtEnded();
      case "retake":
        return this.#retake(nowMs);
      case "tick":
        return this.#tick(nowMs);
      default:
        return unreachable(event);
    }
  }

  /** Rule 7. */
  #wakeUp(nowMs: number): void {
    const sleptMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.#talk.goOn(nowMs);
    if (sleptMs < limits.fellowSilentMs) return;
    this.#reading.until(0);
    // Those who were not heard meanwhile may still be heard.
    for (const member of this.#members) member.heardMs += sleptMs;
  }

  /** Rule 11. */
  #tick(nowMs: number): void {
    for (const member of this.#members.fallSilent(nowMs)) {
      this.#announcements.setCounted(member.nodeId, false);
      this.#isGone(member, nowMs);
    }
  }

  // Fellows

  #joined({ nodeId, address }: OfKind<CrowdEvent, "joined">, nowMs: number): void {
    const member = this.#members.note(nodeId, nowMs);
    if (member === undefined) {
      this.#effects.push({ kind: "close", nodeId, why: "it is not to be believed" });
      return;
    }
    this.#members.setNear(member, true);
    member.isSilent = false;
    member.heardMs = nowMs;
    member.joinedMs = nowMs;
    member.address = address ?? member.address;
    this.#announcements.joined(nodeId);
    // Its own report comes last of what a newcomer has to know before it reads anything.
    for (const [origin, ranges] of this.#byOrigin()) this.#talk.announce([nodeId], origin, ranges);
    this.#talk.tell([nodeId], { kind: "report", report: this.#report });
    // Of itself too: after a restart it does not know what it said last.
    for (const { report, nodeId: other } of this.#members) {
      if (report === null) continue;
      if (other === nodeId || isReading(report)) {
        this.#talk.tell([nodeId], { kind: "report", report });
      }
    }
    this.#introduce(member);
  }

  /** Tells a newcomer of the others, and the others of it. */
  #introduce({ nodeId, address }: Member): void {
    const others: FellowAddress[] = this.#members.near
      .filter((member) => member.nodeId !== nodeId)
      .map((member) => ({ nodeId: member.nodeId, address: member.address }));
    for (let at = 0; at < others.length; at += limits.fellowsPerMessageMax) {
      const fellows = others.slice(at, at + limits.fellowsPerMessageMax);
      this.#talk.tell([nodeId], { kind: "fellows", fellows });
    }
    this.#talk.tellNear({ kind: "fellows", fellows: [{ nodeId, address }] }, nodeId);
  }

  #left(nodeId: NodeId, nowMs: number): void {
    const member = this.#members.get(nodeId);
    if (member === undefined || !member.isNear) return;
    this.#dialled.delete(nodeId);
    this.#members.setNear(member, false);
    member.isWithholding = false;
    this.#announcements.left(nodeId);
    this.#again.distrust(nodeId);
    this.#isGone(member, nowMs);
  }

  /** Rules 9 and 12. */
  #isGone(member: Member, nowMs: number): void {
    const { report, nodeId } = member;
    this.#asking.mayAskOthers(nodeId, nowMs);
    this.#talk.hurry();
    this.#reading.plan.settle(nowMs);
    if (report === null || report.isWhole) {
      if (!member.isNear) this.#members.remove(nodeId);
      return;
    }
    const sequence = report.sequence + 1;
    this.#members.reported(member, { ...report, sequence, reads: "nothing", claims: [] }, nowMs);
    this.#talk.passOn(member, null);
  }

  #heard({ from, message }: OfKind<CrowdEvent, "heard">, nowMs: number): void {
    const member = this.#members.get(from);
    if (member === undefined || !member.isNear) return;
    member.heardMs = nowMs;
    member.isSilent = false;
    this.#announcements.setCounted(from, !member.isWithholding);
    switch (message.kind) {
      case "report":
        return this.#reported(member, message.report, nowMs);
      case "fellows":
        for (const fellow of message.fellows) {
          this.#members.linked(member, fellow.nodeId);
          this.#heardOf(fellow);
        }
        return;
      case "announce":
        return this.#announced(member, message, nowMs);
      default:
        return unreachable(message);
    }
  }

  #reported(from: Member, report: FellowReport, nowMs: number): void {
    if (report.nodeId === this.#nodeId) {
      // Rule 9: somebody says that this node is gone, or knows it from before.
      const isAhead = report.sequence >= this.#report.sequence;
      if (isAhead && this.#isBelieved(report, this.#report)) {
        this.#talk.say({}, report.sequence + 1);
      }
      return;
    }
    const member = this.#members.noteFar(report, nowMs, from.nodeId);
    if (member === undefined) return;
    const before = member.report;
    const isNews = before === null || report.sequence > before.sequence;
    if (member !== from) {
      if (report.sequence === before?.sequence) this.#talk.heardToo(member, from.nodeId);
      if (isGone(report)) from.links.delete(member.nodeId);
      if (!isNews || !this.#isBelieved(report, before)) return;
      if (member.isNear) return this.#talk.tell([member.nodeId], { kind: "report", report });
    } else if (report.sequence === before?.sequence) return;
    this.#members.reported(member, report, nowMs);
    this.#closeIfWhole(member);
    const matters = isReading(report) || before !== null && isReading(before);
    if (isNews && matters) this.#talk.passOn(member, from.nodeId);
    const isLess = report.reads === "nothing" ||
      before?.claims.some((stripe) => !report.claims.includes(stripe));
    if (isLess) this.#reading.plan.lookSoon();
    else if (before === null || before.reads === "nothing") this.#reading.makeWay(member);
    this.#reading.yieldTo(member, nowMs);
  }

  /** Rule 9: a liar could outdo all that a fellow will ever say. */
  #isBelieved({ sequence }: FellowReport, before: FellowReport | null): boolean {
    return before === null || sequence <= before.sequence + limits.sequenceLeapMax;
  }

  #heardOf({ nodeId, address }: FellowAddress): void {
    // Of two that hear of each other one dials: which one does not matter, if both agree.
    if (address === null || this.#nodeId >= nodeId || this.#dialled.has(nodeId)) return;
    if (this.#members.isDistrusted(nodeId) || this.#members.get(nodeId)?.isNear) return;
    if (this.nearCount >= limits.fellowsSoughtMax) return;
    if (this.#dialled.size >= limits.rememberedMax) return;
    this.#dialled.add(nodeId);
    this.#effects.push({ kind: "dial", nodeId, address });
  }

  /** Rule 11. */
  #withholds({ nodeId, isOn }: OfKind<CrowdEvent, "withholds">, nowMs: number): void {
    const member = this.#members.get(nodeId);
    if (member === undefined || !member.isNear || member.isWithholding === isOn) return;
    member.isWithholding = isOn;
    this.#announcements.setCounted(nodeId, !isOn);
    if (!isOn) return;
    this.#asking.mayAskOthers(nodeId, nowMs);
    this.#reading.plan.lookSoon();
  }

  #passedWrong(nowMs: number): void {
    for (const { nodeId } of this.#members.near) this.#announcements.refused(nodeId);
    this.#asking.mayOnlyAskAll(nowMs);
    this.#reading.plan.lookSoon();
  }

  #distrust(nodeId: NodeId, nowMs: number): void {
    const isNear = this.#members.get(nodeId)?.isNear ?? false;
    this.#members.distrust(nodeId);
    this.#announcements.left(nodeId);
    this.#announcements.forget(nodeId);
    this.#again.distrust(nodeId);
    this.#reading.plan.settle(nowMs);
    if (isNear) this.#effects.push({ kind: "close", nodeId, why: "it gave what is not true" });
    this.#asking.mayOnlyAskAll(nowMs);
  }

  // What is here, and what fellows have

  #gained({ range, origin }: OfKind<CrowdEvent, "gained">, nowMs: number): void {
    this.#announcements.gained(range);
    this.#noteOrigins([range], origin);
    this.#talk.gained(range, origin);
    const last = this.stripes.of(range.first + range.count - 1);
    if (this.#have.hasRange(this.stripes.range(last))) this.#talk.hurry(origin);
    if (origin !== this.#nodeId) return;
    this.#reading.gained(range, nowMs);
  }

  #lost(ranges: readonly ChunkRange[]): void {
    for (const [stripe] of this.stripes.split(ranges)) this.#origins.forget(stripe);
    this.#announcements.recount();
    this.#reading.plan.lookSoon();
  }

  #noteOrigins(ranges: readonly ChunkRange[], origin: NodeId | null): void {
    for (const [stripe] of this.stripes.split(ranges)) this.#origins.note(stripe, origin);
  }

  /** What is here, by who read it. */
  #byOrigin(): Map<NodeId | null, ChunkRange[]> {
    const byOrigin = new Map<NodeId | null, ChunkRange[]>();
    for (const [stripe, part] of this.stripes.split(this.#have.ranges())) {
      const origin = this.#origins.of(stripe);
      const ranges = byOrigin.get(origin) ?? [];
      ranges.push(part);
      byOrigin.set(origin, ranges);
    }
    return byOrigin;
  }

  /** Rule 10. */
  #announced(
    { nodeId, claims }: Member,
    { origin, ranges }: OfKind<FellowMessage, "announce">,
    nowMs: number,
  ): void {
    if (origin !== null && this.#members.isDistrusted(origin)) return;
    if (origin === nodeId) {
      for (const { stripe, isAgain } of this.#announcements.allRead(nodeId, ranges)) {
        // Who reads it again has it from others, or has lost it since, and claims it.
        if (isAgain || claims.has(stripe)) this.#again.proved(stripe, nodeId);
      }
    }
    const news = this.#announcements.announced(nodeId, origin, ranges);
    const reader = origin === null ? undefined : this.#members.get(origin);
    if (reader !== undefined) {
      for (const [stripe, chunks] of news) {
        this.#members.progressed(reader, stripe, { chunks, nowMs });
      }
      if (news.size > 0) this.#reading.makeWayForBetter(reader);
    }
    this.#asking.mayAsk(nodeId, nowMs, ranges);
  }

  // Reading

  #whole(): void {
    this.#reading.until(0);
    this.#talk.say({ isWhole: true, reads: "nothing" });
    for (const member of this.#members.near) this.#closeIfWhole(member);
  }

  /** Two that have all of it are of no more use to each other. */
  #closeIfWhole({ nodeId, isNear, report }: Member): void {
    if (!isNear || !this.#report.isWhole || !report?.isWhole) return;
    this.#effects.push({ kind: "close", nodeId, why: "both have all of it" });
  }

  #readAgain(nowMs: number): void {
    const next = this.#again.next(nowMs);
    if (next === null) return;
    const stripe = next.kind === "over" ? null : next.stripe;
    if (stripe !== null) this.#talk.say({ claims: [stripe] });
    this.#effects.push({ kind: "read-again", stripe });
  }

  #proved(stripe: number): void {
    this.#again.ended();
    this.#origins.set(stripe, this.#nodeId);
    // What it read is told of first, as in the first reading.
    this.#talk.announceNear(this.#nodeId, [this.stripes.range(stripe)]);
    this.#talk.say({ claims: [] });
  }

  #replaced(range: ChunkRange): void {
    for (const [stripe] of this.stripes.split([range])) this.#origins.set(stripe, this.#nodeId);
    this.#talk.announceNear(this.#nodeId, [range]);
  }

  /** What only others proved is taken again, and of none but those. */
  #retake(nowMs: number): void {
    const proved = this.#again.takeProved();
    for (const { nodeId } of this.#members.near) {
      const elsewhere = [...proved].filter(([, provers]) => !provers.has(nodeId));
      const ranges = elsewhere.map(([stripe]) => this.stripes.range(stripe));
      if (ranges.length > 0) this.#announcements.refused(nodeId, ranges);
    }
    this.#asking.mayOnlyAskAll(nowMs);
    const ranges = [...proved.keys()].map((stripe) => this.stripes.range(stripe));
    if (ranges.length > 0) this.#effects.push({ kind: "lose", ranges });
  }

  #doubtEnded(): void {
    this.#again.end();
    if (this.#report.claims.length > 0) this.#talk.say({ claims: [] });
  }
}
