/**
 * How the peers that a person named stand: which of them has a link, why the others have none, and
 * since when; and which names stand for no peer. It dials nobody; `links.ts` tells it what happens.
 */

import type { HostPort } from "../../base/address.ts";
import { limits } from "../../base/limits.ts";
import type { Neighbours } from "../../core/overlay/neighbours.ts";
import { type Dialler, type LinkProblem, linkProblemOf } from "../../net/link_problem.ts";
import { formatAddress, plainHost } from "../../wire/host.ts";
import type { GivenPeerReport } from "../../wire/reports.ts";
import type { EmptyName } from "./srv_peers.ts";

/** What stands against a link, and since when. */
interface Standing extends LinkProblem {
  readonly sinceMs: number;
}

/** The peers that a person named. */
export class GivenPeers {
  readonly #dialler: Dialler;
  /** Null where nothing has failed yet, or since a link came up; by address. */
  #problems: Map<string, Standing | null>;
  #peers: readonly HostPort[];
  /** What stands against names that stand for no peer; null where nothing does yet. */
  #empty = new Map<string, Standing | null>();

  constructor(peers: readonly HostPort[], dialler: Omit<Dialler, "what">) {
    this.#dialler = { ...dialler, what: "node" };
    this.#peers = peers;
    this.#problems = new Map(peers.map((peer) => [keyOf(peer), null]));
  }

  /** Takes other peers for the given ones from now on; gives those that were added and removed. */
  replace(peers: readonly HostPort[]): { added: HostPort[]; removed: HostPort[] } {
    const before = this.#peers;
    const keys = new Set(peers.map(keyOf));
    const added = peers.filter((peer) => !this.has(peer));
    const removed = before.filter((peer) => !keys.has(keyOf(peer)));
    const problems = peers.map((peer) =>
      [keyOf(peer), this.#problems.get(keyOf(peer)) ?? null] as const
    );
    this.#peers = peers;
    this.#problems = new Map(problems);
    return { added, removed };
  }

  /** Takes these for the names that stand for no peer from now on. */
  replaceEmpty(names: readonly EmptyName[], nowMs: number): void {
    this.#empty = new Map(names.map(({ peer, problem }) => {
      const before = this.#empty.get(peer);
      return [peer, problem === null ? null : standingOf(problem, before, nowMs)];
    }));
  }

  has(address: HostPort): boolean {
    return this.#problems.has(keyOf(address));
  }

  /** No link came of a dial; gives the problem. */
  failed(address: HostPort, error: unknown, nowMs: number): LinkProblem {
    const problem = linkProblemOf(error, this.#dialler);
    this.#note(address, problem, nowMs);
    return problem;
  }

  /** A link came up. */
  linked(address: HostPort): void {
    if (this.has(address)) this.#problems.set(keyOf(address), null);
  }

  /** A link ended; `reason` is what the other side said, if it said anything. */
  ended(address: HostPort, reason: string | undefined, nowMs: number): void {
    this.#note(address, endOf(reason), nowMs);
  }

  /** All of them, in the order in which they were given, then the names that stand for none. */
  reports(neighbours: Neighbours, nowMs: number): GivenPeerReport[] {
    const pinned = new Map(neighbours.pinned().map((one) => [keyOf(one), one]));
    const peers = [...this.#problems].map(([peer, problem]): GivenPeerReport => {
      const { nodeId = null, isLinked = false, isDialled = false } = pinned.get(peer) ?? {};
      const isFailed = !isLinked && problem !== null;
      return {
        peer,
        nodeId,
        state: isLinked ? "linked" : isDialled && !isFailed ? "dialling" : "failed",
        problem: isLinked ? null : reportOf(problem, nowMs),
      };
    });
    const names = [...this.#empty].map(([peer, problem]): GivenPeerReport => ({
      peer,
      nodeId: null,
      state: problem === null ? "dialling" : "failed",
      problem: reportOf(problem, nowMs),
    }));
    return [...peers, ...names];
  }

  /** Why there is no link to some of them, for a fetch that found nobody. */
  faults(
    neighbours: Neighbours,
    nowMs: number,
  ): { readonly peer: string; readonly reason: string }[] {
    return this.reports(neighbours, nowMs)
      .flatMap(({ peer, problem }) => problem === null ? [] : { peer, reason: problem.text })
      .slice(0, limits.faultsToldMax);
  }

  #note(address: HostPort, problem: LinkProblem, nowMs: number): void {
    const key = keyOf(address);
    const before = this.#problems.get(key);
    if (before === undefined) return;
    this.#problems.set(key, standingOf(problem, before, nowMs));
  }
}

function standingOf(
  problem: LinkProblem,
  before: Standing | null | undefined,
  nowMs: number,
): Standing {
  return { ...problem, sinceMs: before?.code === problem.code ? before.sinceMs : nowMs };
}

function reportOf(problem: Standing | null, nowMs: number): GivenPeerReport["problem"] {
  return problem && { ...problem, sinceMs: Math.round(nowMs - problem.sinceMs) };
}

function endOf(reason: string | undefined): LinkProblem {
  switch (reason) {
    case "busy":
      return { code: "busy", text: "it has all the links that it wants" };
    case "shutting down":
      return { code: "stopped", text: "it was stopped" };
    case undefined:
      return { code: "ended", text: "the link broke" };
    default:
      return { code: "ended", text: `the link ended: ${reason}` };
  }
}

function keyOf({ host, port }: HostPort): string {
  return formatAddress(plainHost(host), port);
}
