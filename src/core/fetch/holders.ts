/**
 * Which holders one fetch dials. How many dials run at a time is bounded by
 * `daemon/discovery/holder_dials.ts`.
 *
 * Rules
 *  1. A holder that is a source already, or is banned for this fetch, is not dialled.
 *  2. One that answered by the reverse path is dialled if it says that it has what is sought.
 *  3. Those that a directory (tracker) names are dialled in its order while few sources are there,
 *     for a root that could count. While it is open which root is meant, all are asked; later, those
 *     of the one that is followed.
 *  4. Those that offered a candidate before it was followed were sent away: they are dialled when
 *     it is. A bounded number of them is remembered.
 *  5. A near node that takes the file from here is dialled: what it gets elsewhere can be had there.
 *  6. Of those that a directory names the near ones are dialled first.
 */

import type { HostPort } from "../../base/address.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Hit } from "../../wire/messages.ts";
import type { FileOffer, Holder } from "../../wire/structures.ts";
import { type Candidate, candidateKey, type Candidates } from "./candidates.ts";
import type { FetchFacts, Turn } from "./fetch_events.ts";
import { UnreachedHolders } from "./unreached_holders.ts";

/** The holders of one fetch. */
export class Holders {
  readonly #request: FetchRequest;
  readonly #candidates: Candidates;
  /** Those to which no connection comes about. */
  readonly unreached = new UnreachedHolders();
  /** Addresses of holders by candidate. */
  readonly #byCandidate = new Map<string, Map<NodeId, HostPort>>();

  constructor(request: FetchRequest, candidates: Candidates) {
    this.#request = request;
    this.#candidates = candidates;
  }

  /**
   * Whether one that a directory names would still be of use. `dialledNow` counts the dials of this
   * step, which the facts do not show yet.
   */
  areFew({ swarm, listedDials }: FetchFacts, dialledNow = 0): boolean {
    if (swarm === null) return true;
    const sources = swarm.sourceCount + listedDials + dialledNow;
    return swarm.wantsSources && sources < limits.sourcesEnough;
  }

  /** Notes that `nodeId` offered the candidate of `key`; port 0 cannot be dialled. */
  note(key: string, nodeId: NodeId, address: HostPort): void {
    if (address.port === 0) return;
    const holders = this.#byCandidate.get(key) ?? new Map<NodeId, HostPort>();
    this.#byCandidate.set(key, holders);
    if (holders.size < limits.sourcesMax) holders.set(nodeId, address);
  }

  /** Forgets a node altogether. */
  forget(nodeId: NodeId): void {
    for (const holders of this.#byCandidate.values()) holders.delete(nodeId);
  }

  /** Rule 4. */
  dialAll(turn: Turn, { key, root }: Candidate): void {
    for (const [nodeId, address] of this.#byCandidate.get(key) ?? []) {
      this.#dial(turn, nodeId, { address, root });
    }
  }

  /** Rule 2. Returns whether it has what is sought. */
  hit(turn: Turn, hit: Hit): boolean {
    let hasOurs = false;
    const address = { host: hit.holderHost, port: hit.holderPort };
    for (const file of hit.offers) {
      const isOurs = this.#request.root === null
        ? file.name === this.#request.name
        : file.root === this.#request.root;
      if (!isOurs || !this.#candidates.isOpen(file)) continue;
      if (!this.#isWelcome(turn, hit.nodeId)) continue;
      this.unreached.heard(turn, { nodeId: hit.nodeId, address, file, byHit: true });
      this.#dial(turn, hit.nodeId, { address, root: file.root });
      hasOurs = true;
    }
    return hasOurs;
  }

  /** Rule 3. */
  listed(turn: Turn, named: readonly Holder[], followed: Candidate | null): void {
    // Rule 6.
    const holders = named.toSorted((a, b) =>
      Number(turn.facts.isFar(a.host)) - Number(turn.facts.isFar(b.host))
    );
    for (const { nodeId, host, port, root, sizeBytes, chunksHave } of holders) {
      if (!this.#candidates.isOpen({ root, sizeBytes }) || !this.#isWelcome(turn, nodeId)) continue;
      const whole = chunksHave === chunkCount(sizeBytes);
      const file = {
        root,
        name: this.#request.name || root,
        type: "",
        sizeBytes,
        chunksHave,
        whole,
      };
      this.unreached.heard(turn, { nodeId, address: { host, port }, file, byHit: false });
    }
    const isSettled = followed !== null && this.#candidates.isKept(followed, turn.nowMs);
    let dialled = 0;
    for (const { nodeId, host, port, root, sizeBytes } of holders) {
      const isOther = isSettled && followed.root !== root;
      if (port === 0 || isOther || !this.#candidates.isOpen({ root, sizeBytes })) continue;
      if (!this.areFew(turn.facts, dialled) || !this.#isWelcome(turn, nodeId)) continue;
      dialled++;
      turn.emit({ kind: "dial", nodeId, address: { host, port }, root, isListed: true });
    }
  }

  /** Rule 5. */
  nearBegan(
    turn: Turn,
    nodeId: NodeId,
    holder: { readonly address: HostPort; readonly root: Root },
  ): void {
    this.#dial(turn, nodeId, holder);
  }

  /**
   * A holder that has one file under two names offers it under either. Where a directory says that
   * the file goes by the name that is sought, that is good enough.
   */
  underSoughtName(file: FileOffer): FileOffer {
    const { name } = this.#request;
    return name === "" || !this.#candidates.isListed(candidateKey(file)) ? file : { ...file, name };
  }

  /** A holder was dialled in vain. */
  notReached(
    turn: Turn,
    { nodeId, address, reason }: {
      readonly nodeId: NodeId;
      readonly address: HostPort;
      readonly reason: string;
    },
  ): void {
    if (this.#isWelcome(turn, nodeId)) this.unreached.failed(turn, nodeId, address, reason);
  }

  /** Dials a holder; `nodeId` is only a claim before that. */
  #dial(
    turn: Turn,
    nodeId: NodeId,
    { address, root }: { readonly address: HostPort; readonly root: Root },
  ): void {
    if (address.port === 0 || !this.#isWelcome(turn, nodeId)) return;
    turn.emit({ kind: "dial", nodeId, address, root, isListed: false });
  }

  /** Rule 1. */
  #isWelcome({ facts }: Turn, nodeId: NodeId): boolean {
    return !facts.isSource(nodeId) && !this.#candidates.isBanned(nodeId);
  }
}
