/**
 * Which file a fetch follows when names are only labels. Pure: no I/O, no clock.
 *
 * Rules
 *  1. A candidate is a root together with a size: a root that comes with two sizes is two candidates,
 *     since at most one of them can be true.
 *  2. An offer that contradicts what the request trusts (name, root, size) is unfit and never asked.
 *  3. A candidate that a directory (tracker) names is listed, and leads over all that are not. To be
 *     listed is no offer: what no node offers does not lead.
 *  4. Of either kind, that leads for which most hosts vote; among equals, the one seen first. Ids cost
 *     nothing, addresses do: all nodes of one address (of an IPv6 /64) have one vote. Not so those of
 *     this machine, where tests and demonstrations run many: who can add nodes there is a user of it.
 *  5. A root does not bind the size: two hashes of its tree, 64 bytes, can pass for a last chunk. So a
 *     size that ends in a chunk of 64 bytes leads only while nobody offers another, listed or not.
 *  6. A candidate that failed its check is thrown away, and everyone who offered it is banned for
 *     this fetch: their other offers do not count either.
 *  7. Where a SHA-256 will tell in the end, a candidate whose holders give nothing more is set aside,
 *     once: it leads no more while another one is offered.
 *  8. A fetch follows the first that leads, and may still change to one that leads later for a short
 *     while; not at all when the request itself tells the right one, and always when nobody that may
 *     be believed offers it any more.
 *  9. A candidate that is lost is forgotten if all who offered it offer another one: there its file
 *     was replaced by that.
 * 10. Who is only beginning to get a file, and has nothing of it, has no vote.
 */

import { CHUNK_BYTES, chunkCount } from "../../base/geometry.ts";
import { HASH_BYTES, type NodeId, type Root } from "../../base/ids.ts";
import { Counts } from "../../base/counts.ts";
import { limits } from "../../base/limits.ts";
import { networkOf } from "../../base/rate_limit.ts";
import { isLoopback, plainHost } from "../../wire/host.ts";
import type { FileOffer, KnownFile } from "../../wire/structures.ts";

/** What a fetch knows for sure about the file that it wants. */
export interface Trust {
  /** The exact name; empty when any name will do. */
  readonly name: string;
  readonly root: Root | null;
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
}

/** One possible answer to what is sought. */
export interface Candidate {
  readonly key: string;
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  /** Those who offer it, at how many hosts they are, and at how many of these one has all of it. */
  readonly offerers: ReadonlySet<NodeId> & { readonly votes: number; readonly vouchers: number };
}

/** A file that goes by the same name. */
type Alternative = Pick<Candidate, "root" | "sizeBytes" | "offerers">;

/** Those who offer one file, and the hosts that vote for it (rule 4). */
class Offerers extends Set<NodeId> {
  readonly #hosts = new Map<NodeId, string>();
  readonly #votes = new Counts<string>();
  /** Those who have all of it: of a part nobody can say whose it is. */
  readonly #whole = new Set<NodeId>();

  /** At how many hosts somebody has all of it. */
  get vouchers(): number {
    return new Set(Array.from(this.#whole, (node) => this.#hosts.get(node))).size;
  }

  /** How many hosts vote. */
  get votes(): number {
    return this.#votes.size;
  }

  /** Counts one more, up to `limits.offerersMax`; its vote is that of its host, if that is known. */
  offered(
    node: NodeId,
    host: string | undefined,
    { isWhole }: { readonly isWhole: boolean } = { isWhole: false },
  ): this {
    if (isWhole && this.has(node)) this.#whole.add(node);
    if (this.has(node) || this.size >= limits.offerersMax) return this;
    if (isWhole) this.#whole.add(node);
    const voter = host === undefined || isLoopback(host) ? node : networkOf(plainHost(host));
    this.#hosts.set(node, voter);
    this.#votes.add(voter, 1);
    return this.add(node);
  }

  override delete(node: NodeId): boolean {
    const voter = this.#hosts.get(node);
    if (voter !== undefined) this.#votes.add(voter, -1);
    this.#hosts.delete(node);
    this.#whole.delete(node);
    return super.delete(node);
  }
}

/** What became of an offer: it counts, or why not. */
type OfferVerdict = "counted" | "unfit" | "banned" | "rejected" | "too-many";

/** The candidates of one fetch. */
export class Candidates {
  readonly #trust: Trust;
  readonly #byKey = new Map<string, Candidate & { readonly offerers: Offerers }>();
  readonly #rejected = new Set<string>();
  /** Keys that a directory named, whether anybody offers them or not. */
  readonly #listed = new Set<string>();
  readonly #banned = new Set<NodeId>();
  readonly #setAside = new Set<string>();
  /** What goes by the same name and has another size than the request says. */
  readonly #otherSizes = new Map<string, Alternative & { readonly offerers: Offerers }>();
  #unfit = 0;
  #firstOfferMs: number | null = null;

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  /** Offers that contradicted the request. */
  get unfit(): number {
    return this.#unfit;
  }

  /** Whether anything that was offered turned out to be false. */
  get anyFalse(): boolean {
    return this.#rejected.size > 0 || this.#banned.size > 0;
  }

  isBanned(node: NodeId): boolean {
    return this.#banned.has(node);
  }

  /** Takes an offer of `node`, at `host`, into account. */
  add(offer: FileOffer, node: NodeId, nowMs: number, host?: string): OfferVerdict {
    if (!this.#fits(offer)) {
      this.#unfit++;
      this.#noteOtherSize(offer, node, host);
      return "unfit";
    }
    const key = candidateKey(offer);
    if (this.#rejected.has(key)) return "rejected";
    if (this.#banned.has(node)) return "banned";
    const known = this.#byKey.get(key);
    // Rule 10: it only repeats what others say.
    if (offer.chunksHave === 0 && offer.sizeBytes > 0) return "counted";
    const how = { isWhole: offer.chunksHave >= chunkCount(offer.sizeBytes) };
    if (known !== undefined) known.offerers.offered(node, host, how);
    else if (this.#byKey.size >= limits.candidatesMax) return "too-many";
    else {
      const { root, name, sizeBytes } = offer;
      this.#byKey.set(key, {
        key,
        root,
        name,
        sizeBytes,
        offerers: new Offerers().offered(node, host, how),
      });
    }
    this.#firstOfferMs ??= nowMs;
    return "counted";
  }

  /** What another fetch found out to be wrong: these candidates and nodes do not count. */
  exclude(wrong: {
    readonly keys: ReadonlySet<string>;
    readonly nodes: ReadonlySet<NodeId>;
  }): void {
    for (const key of wrong.keys) this.#rejected.add(key);
    for (const node of wrong.nodes) this.#banned.add(node);
  }

  /** A directory names this file for what is sought. */
  list(file: KnownFile): void {
    const { sha256 } = this.#trust;
    const isSame = sha256 === null || file.sha256 === null || file.sha256 === sha256;
    if (!isSame || !this.#fits({ ...file, chunksHave: 0 })) return;
    if (this.#listed.size < limits.candidatesMax) this.#listed.add(candidateKey(file));
  }

  isListed(key: string): boolean {
    return this.#listed.has(key);
  }

  /** Whether an offer of this root and size could count. */
  isOpen(file: { readonly root: Root; readonly sizeBytes: number }): boolean {
    const { root, sizeBytes } = this.#trust;
    return (root === null || file.root === root) &&
      (sizeBytes === null || file.sizeBytes === sizeBytes) &&
      !this.#rejected.has(candidateKey(file));
  }

  /** Whether anybody offers a file of this root. */
  isOffered(root: Root): boolean {
    return [...this.#byKey.values()].some((candidate) => candidate.root === root);
  }

  /** The candidate to follow now; undefined when there is none. */
  leader(): Candidate | undefined {
    let leader: Candidate | undefined;
    for (const candidate of this.#byKey.values()) {
      if (leader === undefined || this.#leads(candidate, leader)) leader = candidate;
    }
    return leader;
  }

  /** Whether the request itself says enough to tell this candidate from every other. */
  isCertain({ sizeBytes }: Pick<Candidate, "sizeBytes">): boolean {
    const { root, sha256 } = this.#trust;
    if (sha256 !== null) return true;
    if (root === null) return false;
    return this.#trust.sizeBytes !== null || !isForgeableSize(sizeBytes);
  }

  /** How long it takes from now until the leader is the one to end with. */
  unsettledMs(nowMs: number): number {
    return this.#firstOfferMs === null ? 0 : this.#firstOfferMs + limits.candidateSettleMs - nowMs;
  }

  /** Whether the fetch stays with `followed`, no matter who offers another file. */
  isKept(followed: Candidate, nowMs: number): boolean {
    return this.isCertain(followed) || nowMs - (this.#firstOfferMs ?? 0) > limits.candidateKeptMs;
  }

  /** Rule 7: whether another candidate leads from now on. */
  setAside({ key }: Candidate): boolean {
    if (this.#trust.sha256 === null || this.#setAside.has(key)) return false;
    const isOther = [...this.#byKey.keys()].some((one) => one !== key && !this.#setAside.has(one));
    if (isOther) this.#setAside.add(key);
    return isOther;
  }

  /** Whether `followed` may be given up for `leader`. */
  mayReplace(followed: Candidate, leader: Candidate, nowMs: number): boolean {
    if (followed.offerers.size === 0 || !this.#byKey.has(followed.key)) return true;
    if (this.#setAside.has(followed.key)) return !this.#setAside.has(leader.key);
    return !this.isKept(followed, nowMs) && this.#leads(leader, followed);
  }

  /** Whether somebody offers another candidate who never offered this one. */
  isElsewhere({ key, offerers }: Candidate): boolean {
    return [...this.#byKey.values()]
      .some((other) => other.key !== key && !other.offerers.isSubsetOf(offerers));
  }

  /** Rule 9: forgets a lost candidate; false when it was not replaced by another. */
  forgetReplaced({ key, offerers }: Candidate): boolean {
    const isReplaced = [...this.#byKey.values()]
      .some((other) => other.key !== key && offerers.isSubsetOf(other.offerers));
    return isReplaced && this.#byKey.delete(key);
  }

  /** Other files of the name than the one that is taken, those that most nodes offer first. */
  othersThan(taken: { readonly root: Root; readonly sizeBytes: number }): Alternative[] {
    const takenKey = candidateKey(taken);
    return [...this.#byKey, ...this.#otherSizes]
      .filter(([key]) => key !== takenKey)
      .map(([, candidate]) => candidate)
      .sort((a, b) => b.offerers.votes - a.offerers.votes);
  }

  /** Whether nobody offers anything but this. */
  isOnlyOne({ key }: Candidate): boolean {
    return this.#byKey.size === 1 && this.#byKey.has(key);
  }

  /** Hosts whose nodes offer a file. */
  offerersOf(file: { readonly root: Root; readonly sizeBytes: number }): number {
    return this.#byKey.get(candidateKey(file))?.offerers.votes ?? 0;
  }

  /** Throws a candidate away; returns the nodes that are banned with it. */
  reject(key: string): NodeId[] {
    this.#rejected.add(key);
    const offerers = [...this.#byKey.get(key)?.offerers ?? []];
    this.#byKey.delete(key);
    for (const node of offerers) this.ban(node);
    return offerers;
  }

  /** Lets nothing that `node` offers count any more. */
  ban(node: NodeId): void {
    this.#banned.add(node);
    for (const [key, candidate] of this.#byKey) {
      if (candidate.offerers.delete(node) && candidate.offerers.size === 0) {
        this.#byKey.delete(key);
      }
    }
  }

  #noteOtherSize({ root, name, sizeBytes }: FileOffer, node: NodeId, host?: string): void {
    const isOther = this.#trust.root === null && name === this.#trust.name &&
      sizeBytes <= limits.fetchBytesMax;
    if (!isOther) return;
    const key = candidateKey({ root, sizeBytes });
    const known = this.#otherSizes.get(key);
    if (known !== undefined) known.offerers.offered(node, host);
    else if (this.#otherSizes.size < limits.candidatesMax) {
      this.#otherSizes.set(key, { root, sizeBytes, offerers: new Offerers().offered(node, host) });
    }
  }

  #leads(candidate: Candidate, leader: Candidate): boolean {
    const isForgeable = isForgeableSize(candidate.sizeBytes);
    if (isForgeable !== isForgeableSize(leader.sizeBytes)) return !isForgeable;
    const isAside = this.#setAside.has(candidate.key);
    if (isAside !== this.#setAside.has(leader.key)) return !isAside;
    const isListed = this.#listed.has(candidate.key);
    if (isListed !== this.#listed.has(leader.key)) return isListed;
    return candidate.offerers.votes > leader.offerers.votes;
  }

  #fits(offer: Pick<FileOffer, "name" | "root" | "sizeBytes" | "chunksHave">): boolean {
    const { name, root, sizeBytes } = this.#trust;
    return (name === "" || root !== null || offer.name === name) &&
      (root === null || offer.root === root) &&
      (sizeBytes === null || offer.sizeBytes === sizeBytes) &&
      offer.sizeBytes <= limits.fetchBytesMax &&
      offer.chunksHave <= chunkCount(offer.sizeBytes);
  }
}

/** Whether the last chunk of a file of this size could be two hashes of a bigger file's tree. */
function isForgeableSize(sizeBytes: number): boolean {
  return sizeBytes % CHUNK_BYTES === 2 * HASH_BYTES;
}

/** Identity of a candidate: root and size. */
export function candidateKey(offer: { readonly root: Root; readonly sizeBytes: number }): string {
  return `${offer.root}:${offer.sizeBytes}`;
}
