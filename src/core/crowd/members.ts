/**
 * Who takes part in a crowd: the fellows that a node is connected with, and those that it only heard
 * of. What follows from it is decided in `crowd.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import type { FlightId, NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FellowReport, Reads } from "./crowd_events.ts";
import { isBefore, type WeightSeed, weightSeed, WHOLE_FILE } from "../nearness/rendezvous.ts";

/** A stripe that a fellow reads, or is going to. */
interface Claim {
  readonly sinceMs: number;
  /** Whether it says that it reads it no more, while what it read may still be on the way. */
  isEnded: boolean;
}

const NO_CLAIMS: ReadonlyMap<number, Claim> = new Map();

/** One fellow. */
export interface Member {
  readonly nodeId: NodeId;
  readonly seed: WeightSeed;
  address: HostPort | null;
  /** Whether this node is connected with it. */
  readonly isNear: boolean;
  /** When it, or anybody who passed on what it said, was heard last. */
  heardMs: number;
  /** What it said last; null before it said anything. */
  report: FellowReport | null;
  /** The stripes that it reads. */
  readonly claims: ReadonlyMap<number, Claim>;
  /** When something came of what it reads. */
  progressMs: number;
  /** How long it claimed stripes of which nothing came, since something came of it last. */
  waitedMs: number;
  /** Milliseconds that a chunk takes it, smoothed; null while nobody knows. */
  chunkMs: number | null;
  /** Whether it let a stripe stall, and has given nothing since. */
  isStalling: boolean;
  /** Whether it let a stripe lie that it was to read, though it reads nothing. */
  isIdling: boolean;
  /** Whether it was silent for too long, and was not heard since. */
  isSilent: boolean;
  /** When the connection with it came up. */
  joinedMs: number;
  /** Whether it gives nothing of what it announced. */
  isWithholding: boolean;
  /** Who told of it first; null: it came itself. */
  readonly toldBy: NodeId | null;
  /** Those that it says to be connected with, while this node is connected with it. */
  readonly links: Set<NodeId>;
}

/** The weight of a new sample of how long a chunk takes. */
const SAMPLE_WEIGHT = 0.2;

/** Those that are to read, and how many of all who can come before this node. */
interface ReaderCandidates {
  readonly reads: Reads;
  readonly members: readonly Member[];
  readonly selfRank: number;
}

/** One that only this class changes. */
type OwnMember = Member & { isNear: boolean; claims: Map<number, Claim> };

/** The fellows of one file. */
export class Members {
  readonly #flight: FlightId;
  readonly #self: WeightSeed;
  readonly #members = new Map<NodeId, Member>();
  #near: readonly Member[] = [];
  #hadAny = false;
  readonly #distrusted = new Set<NodeId>();
  /** How many of those that a fellow told of did not read what they were to. */
  readonly #idlersOf = new BoundedMap<NodeId, number>(limits.rememberedMax);
  /** Those that read something, so that their pace is known. */
  readonly #paced = new Set<Member>();
  /** Who reads a stripe, as far as they say. */
  readonly #claimants = new Map<number, Set<Member>>();
  /** Who began to read a stripe last, also when it has ended. */
  readonly #beganLast = new Map<number, NodeId>();

  /** As they were asked for last; null: they may be others now. */
  #candidates: ReaderCandidates | null = null;

  constructor(flight: FlightId, self: NodeId) {
    this.#flight = flight;
    this.#self = weightSeed(flight, self);
  }

  /** What this node's own weights are made of. */
  get self(): WeightSeed {
    return this.#self;
  }

  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.values();
  }

  get size(): number {
    return this.#members.size;
  }

  /** Whether there was ever anybody. */
  get hadAny(): boolean {
    return this.#hadAny;
  }

  get(nodeId: NodeId): Member | undefined {
    return this.#members.get(nodeId);
  }

  /** Who, of all others, began to read a stripe last; null: nobody did. */
  beganLast(stripe: number): NodeId | null {
    return this.#beganLast.get(stripe) ?? null;
  }

  isDistrusted(nodeId: NodeId): boolean {
    return this.#distrusted.has(nodeId);
  }

  /** Those that this node is connected with. */
  get near(): readonly Member[] {
    return this.#near;
  }

  /** How long a chunk takes those who read. */
  paces(): number[] {
    return [...this.#paced].map(({ chunkMs }) => chunkMs!);
  }

  /** A connection with it is up, or ended. */
  setNear(member: Member, isNear: boolean): void {
    if (member.isNear === isNear) return;
    (member as OwnMember).isNear = isNear;
    member.links.clear();
    this.#near = [...this].filter((other) => other.isNear);
  }

  /** Whether it may be counted on: it was heard lately, or is one whom others hear. */
  isAlive({ isNear, heardMs }: Member, nowMs: number): boolean {
    return nowMs - heardMs < (isNear ? limits.fellowSilentMs : limits.farSilentMs);
  }

  /** Whether it may be expected to read stripes. */
  isReader(member: Member, nowMs: number): boolean {
    const { report, isStalling, isIdling, isWithholding } = member;
    return report !== null && report.reads !== "nothing" && !isStalling && !isIdling &&
      !isWithholding && this.isAlive(member, nowMs);
  }

  /** A fellow that is connected; undefined when it is not to be believed. */
  note(nodeId: NodeId, nowMs: number, toldBy: NodeId | null = null): Member | undefined {
    const known = this.#members.get(nodeId);
    if (known !== undefined || this.#distrusted.has(nodeId)) return known;
    const member: Member = {
      nodeId,
      seed: weightSeed(this.#flight, nodeId),
      address: null,
      isNear: false,
      heardMs: nowMs,
      report: null,
      claims: NO_CLAIMS,
      progressMs: -Infinity,
      waitedMs: 0,
      chunkMs: null,
      isStalling: false,
      isIdling: false,
      isSilent: false,
      joinedMs: -Infinity,
      isWithholding: false,
      toldBy,
      links: new Set(),
    };
    this.#members.set(nodeId, member);
    this.#hadAny = true;
    return member;
  }

  /** A fellow that others told of; undefined also when there are others that matter more. */
  noteFar(
    report: FellowReport,
    nowMs: number,
    toldBy: NodeId | null = null,
  ): Member | undefined {
    const known = this.#members.get(report.nodeId);
    if (known !== undefined) return known;
    if (report.reads === "nothing" && report.claims.length === 0) return undefined;
    const idlers = toldBy === null ? 0 : this.#idlersOf.get(toldBy) ?? 0;
    if (idlers >= limits.idlersToldMax) return undefined;
    // One that tells of many may have made them up: only others take the place of those.
    const toldOf = [...this].filter((member) => !member.isNear && member.toldBy === toldBy);
    const isOneTooMany = toldBy !== null && toldOf.length >= limits.farPerFellowMax;
    const isFull = this.#members.size - this.#near.length >= limits.farFellowsMax;
    if (!isFull && !isOneTooMany) return this.note(report.nodeId, nowMs, toldBy);
    const last = lastFar(isOneTooMany ? toldOf : this);
    if (last === undefined) return undefined;
    const isBusy = report.claims.length > 0 || last.report?.reads === "nothing";
    const seed = weightSeed(this.#flight, report.nodeId);
    if (!isBusy && !isBefore(seed, last.seed, WHOLE_FILE)) return undefined;
    this.remove(last.nodeId);
    return this.note(report.nodeId, nowMs, toldBy);
  }

  /** A connected fellow says that it is connected with another. */
  linked({ links }: Member, nodeId: NodeId): void {
    if (links.size < limits.fellowLinksMax) links.add(nodeId);
  }

  /** It is gone. */
  remove(nodeId: NodeId): void {
    const member = this.#members.get(nodeId);
    if (member === undefined) return;
    for (const stripe of [...member.claims.keys()]) this.#unclaim(member, stripe);
    this.setNear(member, false);
    this.#paced.delete(member);
    this.#members.delete(nodeId);
    this.#candidates = null;
  }

  /** It is not to be believed any more, nor is there anybody of whom only it told. */
  distrust(nodeId: NodeId): void {
    for (const { nodeId: told, toldBy, isNear } of [...this]) {
      if (toldBy === nodeId && !isNear) this.remove(told);
    }
    if (this.#distrusted.size < limits.rememberedMax) this.#distrusted.add(nodeId);
    this.remove(nodeId);
  }

  /** Whether fellows came in just now, so that others may follow. */
  isForming(nowMs: number): boolean {
    return this.#near.some(({ joinedMs }) => nowMs - joinedMs < limits.formingMs);
  }

  /** Until when new fellows are waited for that have not said what they have and read. */
  introducedMs(): number {
    let untilMs = -Infinity;
    for (const { report, joinedMs } of this.#near) {
      if (report === null) untilMs = Math.max(untilMs, joinedMs + limits.fellowIntroMs);
    }
    return untilMs;
  }

  /** Connected fellows that were silent for too long, and were not found so before. */
  fallSilent(nowMs: number): Member[] {
    const silent = this.#near.filter((member) => !member.isSilent && !this.isAlive(member, nowMs));
    for (const member of silent) member.isSilent = true;
    return silent;
  }

  /** Takes what is said of it, which is newer than what was said before. */
  reported(member: Member, report: FellowReport, nowMs: number): void {
    member.heardMs = nowMs;
    if (member.report?.reads !== report.reads) this.#candidates = null;
    member.report = report;
    for (const [stripe, claim] of [...member.claims]) {
      if (!report.claims.includes(stripe)) this.#endClaim(member, { stripe, claim, nowMs });
    }
    for (const stripe of report.claims) {
      const claim = member.claims.get(stripe);
      if (claim === undefined) this.#claim(member, stripe, nowMs);
      else claim.isEnded = false;
    }
  }

  /** So many chunks of a stripe came that it read. */
  progressed(member: Member, stripe: number, options: { readonly chunks: number; nowMs: number }) {
    const { chunks, nowMs } = options;
    if (member.isStalling) this.#candidates = null;
    member.isStalling = false;
    member.waitedMs = 0;
    const claim = member.claims.get(stripe);
    if (claim === undefined || chunks === 0) return;
    const sinceMs = Math.max(claim.sinceMs, member.progressMs);
    member.progressMs = nowMs;
    this.#paced.add(member);
    member.chunkMs = smoothed(member.chunkMs, (nowMs - sinceMs) / chunks);
  }

  /** Those who read a stripe and may be counted on; who lets it stall is found out here. */
  readersOf(
    stripe: number,
    options: { readonly stalledMs: number; readonly nowMs: number },
  ): Member[] {
    const { stalledMs, nowMs } = options;
    const claimants = this.#claimants.get(stripe);
    if (claimants === undefined) return [];
    return [...claimants].filter((member) => {
      if (!this.isAlive(member, nowMs) || member.isWithholding) return false;
      const farMs = member.isNear ? 0 : limits.claimFarMs;
      if (this.idleMs(member, stripe, nowMs) < stalledMs + farMs) return true;
      if (member.claims.get(stripe)!.isEnded) this.#unclaim(member, stripe);
      else if (!member.isStalling) {
        member.isStalling = true;
        this.#idles(member);
      }
      return false;
    });
  }

  /** For how long nothing came of one that claims a stripe. */
  idleMs({ claims, progressMs, waitedMs }: Member, stripe: number, nowMs: number): number {
    return nowMs - Math.max(claims.get(stripe)!.sinceMs, progressMs) + waitedMs;
  }

  /** Nobody is awaited who said to have read a stripe: all of it is there. */
  forgetEnded(stripe: number): void {
    for (const member of [...this.#claimants.get(stripe) ?? []]) {
      if (member.claims.get(stripe)!.isEnded) this.#unclaim(member, stripe);
    }
  }

  /**
   * How many that can read as this node does come before it for a stripe; no more than `max` + 1.
   * Where asked for, only those that read nothing.
   */
  countBefore(
    stripe: number,
    options: {
      readonly reads: Reads;
      readonly max: number;
      readonly nowMs: number;
      readonly areIdle?: boolean;
    },
  ): number {
    const { members, selfRank } = this.#choose(options.reads);
    // One that is not to read comes after all that are, and after others like it.
    let count = selfRank < limits.crowdReadersMax ? 0 : selfRank - limits.crowdReadersMax;
    for (const member of members) {
      if (count > options.max) break;
      if (!this.isReader(member, options.nowMs)) continue;
      if (options.areIdle === true && member.report!.claims.length > 0) continue;
      if (selfRank >= limits.crowdReadersMax || isBefore(member.seed, this.#self, stripe)) count++;
    }
    return count;
  }

  /** This node takes over a stripe: others that read nothing are not waited for again. */
  takenOver(stripe: number): void {
    if (this.#candidates === null) return;
    const { members, selfRank } = this.#candidates;
    const isAfterAll = selfRank >= limits.crowdReadersMax;
    const before = members.filter(({ seed }) => isAfterAll || isBefore(seed, this.#self, stripe));
    // Of those that it only heard of there may be many, all made up, and more behind them.
    const heardOf = [...this].filter(({ isNear }) => !isNear);
    for (const member of new Set([...before, ...heardOf])) {
      if (member.isIdling || member.report?.claims.length !== 0) continue;
      member.isIdling = true;
      this.#idles(member);
    }
  }

  /** One does not read what it was to: others may be in its place, and who told of it is noted. */
  #idles({ isNear, toldBy }: Member): void {
    this.#candidates = null;
    if (isNear || toldBy === null) return;
    this.#idlersOf.set(toldBy, (this.#idlersOf.get(toldBy) ?? 0) + 1);
  }

  /** Rule 14: of those that can read, the first. */
  #choose(reads: Reads): ReaderCandidates {
    if (this.#candidates?.reads === reads) return this.#candidates;
    const readers = [...this].filter(({ report, isIdling, isStalling }) =>
      report?.reads === reads && !isIdling && !isStalling
    );
    readers.sort((a, b) => isBefore(a.seed, b.seed, WHOLE_FILE) ? -1 : 1);
    const selfRank = readers.filter(({ seed }) => isBefore(seed, this.#self, WHOLE_FILE)).length;
    const isAmong = selfRank < limits.crowdReadersMax;
    const members = readers.slice(0, limits.crowdReadersMax - (isAmong ? 1 : 0));
    return this.#candidates = { reads, members, selfRank };
  }

  #claim(member: Member, stripe: number, nowMs: number): void {
    const own = member as OwnMember;
    if (own.claims === NO_CLAIMS) own.claims = new Map();
    if (own.isIdling) this.#candidates = null;
    own.isIdling = false;
    own.claims.set(stripe, { sinceMs: nowMs, isEnded: false });
    this.#beganLast.set(stripe, member.nodeId);
    const claimants = this.#claimants.get(stripe) ?? new Set();
    this.#claimants.set(stripe, claimants.add(member));
  }

  /** Of one that is not connected, what it read last is still on the way. */
  #endClaim(
    member: Member,
    options: { readonly stripe: number; readonly claim: Claim; readonly nowMs: number },
  ): void {
    const { stripe, claim, nowMs } = options;
    if (claim.isEnded) return;
    claim.isEnded = !member.isNear && member.report!.reads !== "nothing";
    if (claim.isEnded) return;
    if (member.progressMs < claim.sinceMs) member.waitedMs += nowMs - claim.sinceMs;
    this.#unclaim(member, stripe);
  }

  #unclaim(member: Member, stripe: number): void {
    (member as OwnMember).claims.delete(stripe);
    const claimants = this.#claimants.get(stripe);
    claimants?.delete(member);
    if (claimants?.size === 0) this.#claimants.delete(stripe);
  }
}

/** The one that matters least of those that are not connected and claim nothing. */
function lastFar(members: Iterable<Member>): Member | undefined {
  let last: Member | undefined;
  for (const member of members) {
    if (member.isNear || member.claims.size > 0) continue;
    if (member.report?.reads === "nothing") return member;
    if (last === undefined || isBefore(last.seed, member.seed, WHOLE_FILE)) last = member;
  }
  return last;
}

/** A mean that a sample changes a little. */
export function smoothed(mean: number | null, sample: number): number {
  return mean === null ? sample : mean + SAMPLE_WEIGHT * (sample - mean);
}
