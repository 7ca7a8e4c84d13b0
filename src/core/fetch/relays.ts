/**
 * When a fetch asks linked nodes to fetch its file for it. Such a relay is no proxy: it gets the file
 * as anybody does, if its owner allows that, and then is one holder more, whom this node can reach.
 *
 * Rules
 *  1. Relays are asked where some holders are unreached (`unreached_holders.ts`), nobody else gives the
 *     file, no mirror does, and the request sets no time of its own for its search. Who can be reached
 *     has `relayAfterMs` to show that.
 *  2. They are asked for what is followed, else for the file that most of the unreached have.
 *  3. While one of them may bring it, the fetch does not give up, and dials it every `relayDialMs`: it
 *     offers the file as soon as it has a part. That may take `relayMs`; then they may be asked again,
 *     `relayRoundsMax` times in all.
 *  4. A fetch for others asks nobody: a request goes to neighbours, and no further.
 */

import type { HostPort } from "../../base/address.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Candidate } from "./candidates.ts";
import { note, type Turn } from "./fetch_events.ts";
import type { RelayAnswer, RelayView } from "./fetch_failures.ts";
import type { UnreachedHolders } from "./unreached_holders.ts";

/** The relays of one fetch. */
export class Relays {
  /** The last answer of each, by its address. */
  readonly #answers = new Map<string, Omit<RelayView, "peer">>();
  #askedMs = -Infinity;
  /** What is awaited of them; null when nothing is. */
  #awaited: {
    readonly root: Root;
    readonly nodes: Map<NodeId, HostPort>;
    toMs: number;
    dialledMs: number;
  } | null = null;

  /** How often they may still be asked. */
  #roundsLeft: number;

  constructor({ searchMs }: FetchRequest, { mayAsk }: { readonly mayAsk: boolean }) {
    this.#roundsLeft = mayAsk && searchMs === 0 ? limits.relayRoundsMax : 0;
  }

  get view(): RelayView[] {
    return [...this.#answers].map(([peer, answer]) => ({ peer, ...answer }));
  }

  /** Whether a node was asked. */
  has(nodeId: NodeId): boolean {
    return this.#awaited?.nodes.has(nodeId) ?? false;
  }

  /** Rule 3. */
  isAwaited(nowMs: number): boolean {
    return this.#awaited !== null && nowMs < this.#awaited.toMs;
  }

  /** Rules 1 and 2. */
  tick(
    turn: Turn,
    { unreached, followed }: {
      readonly unreached: UnreachedHolders;
      readonly followed: Candidate | null;
    },
  ): void {
    const { nowMs, facts } = turn;
    if (this.#isGiven(turn)) return void (this.#awaited = null);
    this.#dial(turn);
    if (nowMs - this.#askedMs < limits.relayMs || this.#roundsLeft === 0) return;
    if (facts.surroundings.linkCount === 0 || facts.mirror?.refusal === null) return;
    if (nowMs - unreached.sinceMs < limits.relayAfterMs) return;
    const file = unreached.fileOfMost(followed);
    if (file === undefined) return;
    this.#askedMs = nowMs;
    this.#roundsLeft--;
    this.#awaited = { root: file.root, nodes: new Map(), toMs: nowMs, dialledMs: nowMs };
    note(turn, `Asks linked nodes to pass on root ${file.root}`);
    turn.emit({ kind: "ask-relays", file });
  }

  /** One of them answered. */
  answered(
    turn: Turn,
    { nodeId, address, answer, agoMs }: RelayAnswer,
  ): void {
    const peer = formatAddress(address.host, address.port);
    if (this.#answers.size < limits.relaysAskedMax) this.#answers.set(peer, { answer, agoMs });
    note(
      turn,
      agoMs === null
        ? `${peer} answers: ${answer}`
        : `${peer} is not asked: ${Math.ceil(agoMs / 1000)} s ago it answered: ${answer}`,
    );
    // With "busy" it may be getting this very file, for another node.
    const mayBring = answer === "accepted" || answer === "have" || answer === "busy";
    if (!mayBring || this.#awaited === null) return;
    this.#awaited.nodes.set(nodeId, address);
    this.#awaited.toMs = turn.nowMs + limits.relayMs;
  }

  /** Rule 3. */
  #dial({ nowMs, emit }: Turn): void {
    const awaited = this.#awaited;
    if (awaited === null || nowMs - awaited.dialledMs < limits.relayDialMs) return;
    if (!this.isAwaited(nowMs)) return;
    awaited.dialledMs = nowMs;
    for (const [nodeId, address] of awaited.nodes) {
      emit({ kind: "dial", nodeId, address, root: awaited.root, isListed: false });
    }
  }

  #isGiven({ facts: { swarm } }: Turn): boolean {
    return swarm !== null && swarm.sourceCount > 0 && !swarm.needsSources;
  }
}
