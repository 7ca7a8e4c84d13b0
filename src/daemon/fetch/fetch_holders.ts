/**
 * Which holders one fetch dials: those that answered its search by the reverse path, those that a
 * directory names, those that it sent away when it followed another candidate. How many dials there
 * are at a time is bounded in `holder_dials.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { type Candidate, candidateKey, type Candidates } from "../../core/fetch/candidates.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import type { Hit, MessageOf } from "../../wire/messages.ts";
import type { Holder } from "../../wire/structures.ts";
import { HolderBook, HolderDials, type HolderDialsHost } from "../discovery/holder_dials.ts";
import type { Searcher } from "../discovery/searches.ts";
import type { Swarm } from "../swarm/swarm.ts";

/** Sources with which a fetch seeks no more, and a holder is told not to pass the query on. */
export const SOURCES_ENOUGH = 8;

/** What this needs of its fetch. */
export interface FetchHoldersOwner {
  readonly candidates: Candidates;
  /** What is followed now. */
  current(): { readonly swarm: Swarm; readonly candidate: Candidate } | null;
  /** Hears what a holder that was dialled offers. */
  readonly offered: Searcher["offered"];
}

/** The holders of one fetch. */
export class FetchHolders {
  readonly #request: FetchRequest;
  readonly #owner: FetchHoldersOwner;
  readonly #book = new HolderBook();
  readonly #dials: HolderDials;
  /** Whether directories named holders that can be dialled, and others that cannot. */
  #namesDialable = false;
  #namesHidden = false;

  constructor(
    host: Omit<HolderDialsHost, "offered">,
    request: FetchRequest,
    owner: FetchHoldersOwner,
  ) {
    this.#request = request;
    this.#owner = owner;
    const { clock, log } = host;
    const { offered } = owner;
    this.#dials = new HolderDials({
      clock,
      log,
      dialHolder: (address, root, searcher) => host.dialHolder(address, root, searcher),
      offered,
    });
  }

  /** Whether directories named holders, and none that can be dialled. */
  get isHidden(): boolean {
    return this.#namesHidden && !this.#namesDialable;
  }

  /** Dials under way to holders that a directory named. */
  get listedDials(): number {
    return this.#dials.listedCount;
  }

  /** Whether one that a directory names would still be of use. */
  get areFew(): boolean {
    const { swarm } = this.#owner.current() ?? {};
    if (swarm === undefined) return true;
    return swarm.wantsSources && swarm.sourceCount + this.#dials.listedCount < SOURCES_ENOUGH;
  }

  /** Notes that `nodeId` offered the candidate of `key`. */
  note(key: string, nodeId: NodeId, address: HostPort): void {
    this.#book.note(key, nodeId, address);
  }

  forget(nodeId: NodeId): void {
    this.#book.forget(nodeId);
  }

  /** Dials whoever offered a candidate. */
  dialAll({ key, root }: Candidate): void {
    for (const [nodeId, address] of this.#book.of(key)) this.#dial(nodeId, { address, root });
  }

  /** Dials one that answered by the reverse path, if it says that it has what is sought. */
  hit(hit: Hit): void {
    const address = { host: hit.holderHost, port: hit.holderPort };
    for (const file of hit.offers) {
      const isOurs = this.#request.root === null
        ? file.name === this.#request.name
        : file.root === this.#request.root;
      if (isOurs) this.#dial(hit.nodeId, { address, root: file.root });
    }
  }

  /** Dials those that a directory named, as far as they are of use. */
  listed(holders: readonly Holder[]): void {
    for (const { root, sizeBytes, port } of holders) {
      if (!this.#owner.candidates.isOpen({ root, sizeBytes })) continue;
      if (port === 0) this.#namesHidden = true;
      else this.#namesDialable = true;
    }
    for (const holder of holders) this.#dialListed(holder);
  }

  /** Dials a holder unless it is a source already; `nodeId` is only a claim before that. */
  #dial(nodeId: NodeId, dial: { readonly address: HostPort; readonly root: Root }): void {
    const swarm = this.#owner.current()?.swarm;
    if (dial.address.port === 0 || !this.#isWelcome(nodeId)) return;
    this.#dials.answered(dial, { sourceCount: swarm?.sourceCount ?? 0 });
  }

  #dialListed({ nodeId, host, port, root, sizeBytes }: Holder): void {
    const { candidates } = this.#owner;
    const candidate = this.#owner.current()?.candidate;
    // While it is open which root is meant, all are asked; later, those of the one that is followed.
    const isOther = candidate !== undefined && candidate.root !== root &&
      candidates.isKept(candidate, performance.now());
    if (
      port === 0 || isOther || !this.areFew || !this.#isWelcome(nodeId) ||
      !candidates.isOpen({ root, sizeBytes })
    ) return;
    const read = (offer: MessageOf<"offer">) => this.#underSoughtName(offer);
    this.#dials.listed({ address: { host, port }, root }, { read });
  }

  #isWelcome(nodeId: NodeId): boolean {
    const isSource = this.#owner.current()?.swarm.hasSource(nodeId) ?? false;
    return !isSource && !this.#owner.candidates.isBanned(nodeId);
  }

  /**
   * A holder that has one file under two names offers it under either. Where a directory vouches
   * that the file goes by the name that is sought, that is good enough.
   */
  #underSoughtName(offer: MessageOf<"offer">): MessageOf<"offer"> {
    const { name } = this.#request;
    const { candidates } = this.#owner;
    if (name === "" || !candidates.isVouched(candidateKey(offer.file))) return offer;
    return { ...offer, file: { ...offer.file, name } };
  }
}
