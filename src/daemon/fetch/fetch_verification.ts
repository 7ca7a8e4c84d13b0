/**
 * Judges what one fetch was brought: whether what peers give is proved, which of peers and mirrors is
 * right where they differ, and whether what is complete is the file that is wanted.
 *
 * It has what is right shown and released, and what is wrong thrown away with those who gave it. How
 * the fetch goes on, and ends, is the affair of `fetch.ts`.
 */

import type { ChunkRange } from "../../base/geometry.ts";
import { type Root, UNKNOWN_ROOT } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { Candidate } from "../../core/fetch/candidates.ts";
import type { Mirrors } from "../../http/mirrors.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { adopt } from "./promote.ts";
import type { Hedging } from "./mirror_coordination.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import type { Followed, PeerTrack } from "./peer_track.ts";
import { isProved, needsMirror } from "./fetch_proof.ts";
import { lastOf } from "./fetch_range.ts";
import type { ReadableRanges } from "./readable_ranges.ts";
import { RunningSha256 } from "./file_reader.ts";
import type { Provider } from "../swarm/provider.ts";
import { findLocalCopy, hasSha256, isReadable, readerOf } from "./local_lookup.ts";
import { agreesWithMirror } from "./mirror_comparison.ts";
import type { Swarm } from "../swarm/swarm.ts";

/** What judging needs of the node. */
export interface JudgingHost {
  readonly store: ChunkStore;
  readonly mirrors: Mirrors;
  readonly log: Logger;
}

/** What it needs of its fetch. */
export interface JudgingOwner {
  /** Whether nothing counts any more: it has its file, or cannot go on. */
  readonly isOver: boolean;
  /** Resolves when something has changed. */
  woken(): Promise<void>;
  /** The file is here: nothing that comes from now on counts. */
  found(): void;
  failed(error: Error): void;
}

/** What turned out to be the file. */
export interface Found {
  readonly file: Pick<FileDefinition, "root" | "name" | "sizeBytes">;
  /** What brought in what peers gave of it. */
  readonly swarm: Swarm | undefined;
}

/** The judge of one fetch. */
export class Judging {
  readonly #host: JudgingHost;
  readonly #request: FetchRequest;
  readonly #owner: JudgingOwner;
  readonly #peers: PeerTrack;
  readonly #hedging: Hedging | null;
  readonly #view: ReadableRanges;
  readonly #journal: FetchRecorder;
  /** Ends what it works on. */
  readonly #signal: AbortSignal;
  #isProved = false;
  #isMirrorFalse = false;
  #hasWrongCopy = false;
  /** The SHA-256 of what is followed, while it comes. */
  #running: RunningSha256 | null = null;
  /** Which files that are here the mirrors have under this name. */
  readonly #meant = new Map<Root, boolean>();

  constructor(
    host: JudgingHost,
    request: FetchRequest,
    options: {
      readonly owner: JudgingOwner;
      readonly peers: PeerTrack;
      readonly hedging: Hedging | null;
      readonly view: ReadableRanges;
      readonly journal: FetchRecorder;
      readonly signal: AbortSignal;
    },
  ) {
    this.#host = host;
    this.#request = request;
    this.#owner = options.owner;
    this.#peers = options.peers;
    this.#hedging = options.hedging;
    this.#view = options.view;
    this.#journal = options.journal;
    this.#signal = options.signal;
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#isProved;
  }

  /** Whether what a mirror gave was not the file. */
  get isMirrorFalse(): boolean {
    return this.#isMirrorFalse;
  }

  /** Whether a file of this name is here that failed the check. */
  get hasWrongCopy(): boolean {
    return this.#hasWrongCopy;
  }

  /** A file that is here already, and is the one that is meant. */
  async findLocal(): Promise<FileDefinition | undefined> {
    const { file, hasWrongCopy } = await findLocalCopy(this.#host.store, this.#request, {
      signal: this.#signal,
      isMeant: (file) => this.#isMeant(file),
    });
    this.#hasWrongCopy = hasWrongCopy;
    return file;
  }

  /** Another candidate is followed, whose bytes may be shown. */
  followed({ swarm, candidate }: Followed): void {
    this.#isProved = false;
    this.#stopHashing();
    const { sha256, chunks } = this.#request;
    const { store } = this.#host;
    if (sha256 !== null && chunks === null && store.sha256(candidate.root) === undefined) {
      this.#running = new RunningSha256(readerOf(store, swarm.file));
    }
    const mirrorBytes = this.#hedging?.track.sizeBytes ?? null;
    // A mirror that has another size is dealt with next; until then its bytes stay as they are.
    if (mirrorBytes === null || mirrorBytes === swarm.file.sizeBytes) this.#showPeers(swarm);
    this.#hedging?.followed({ swarm, candidate });
    this.assess();
  }

  /** The candidate is not followed any more. */
  replaced(reason: string): void {
    this.#isProved = false;
    this.#stopHashing();
    this.#hedging?.followed(null);
    this.#view.dropPeers(reason);
  }

  /** Chunks came of what is followed. */
  gained(range: ChunkRange, provider: Provider): void {
    const { swarm } = this.#peers.current!;
    const { sizeBytes } = swarm.file;
    const hedging = this.#hedging;
    // The mirror of another fetch of the same file says nothing to this one.
    const isMirrors = hedging !== null && provider.kind === "mirror" && hedging.isOwn(provider);
    if (isMirrors) hedging.heard();
    this.#running?.gained(swarm.download.have);
    if (hedging?.isApart || this.#view.sizeBytes !== sizeBytes) return;
    this.#view.gained(range);
    if (this.#isProved) return this.#view.released(range);
    if (isMirrors) this.#view.released(hedging.safe(range, sizeBytes));
    this.assess();
  }

  /** Looks whether what peers give is proved by now. */
  assess(): void {
    const { current, candidates } = this.#peers;
    const hedging = this.#hedging;
    if (this.#isProved || this.#owner.isOver || current === null || hedging?.isApart) return;
    if (this.#view.sizeBytes !== current.swarm.file.sizeBytes) return;
    const sha256 = this.#host.store.sha256(current.candidate.root);
    const found = { candidate: current.candidate, candidates, sha256, hedging };
    if (isProved(this.#request, found)) this.#prove(current.swarm);
  }

  /** Mirror and candidate differ; `culprit` is the mirror whose bytes are others. */
  disagreed(why: string, culprit: string | undefined): void {
    const { current } = this.#peers;
    if (this.#owner.isOver || current === null) return;
    this.#journal.note(`Mirror and peers disagree: ${why}`, performance.now());
    this.#host.log.info("mirror and peers disagree", { name: this.#request.name, why });
    const { root, sha256 } = this.#request;
    const isSure = root !== null || sha256 !== null && this.#isProved;
    if (isSure) {
      this.#isMirrorFalse = true;
      // At once: it would be asked again before the rest is done.
      if (culprit !== undefined) this.#hedging!.track.ban(culprit);
      this.#told(this.#keepPeers(current, { why, culprit }));
    } else if (sha256 === null) this.#told(this.#reject(current.candidate, why));
    else {
      this.#view.dropPeers(why);
      this.#hedging!.goApart();
    }
  }

  /** What peers gave is complete. */
  async takePeers(complete: Followed): Promise<Found | undefined> {
    const { swarm, candidate } = complete;
    await this.#peers.settle();
    while (this.#peers.current === complete && this.#needsMirror()) await this.#owner.woken();
    if (this.#peers.current !== complete || this.#owner.isOver) return undefined;
    const isRight = await this.#isRight(swarm);
    if (this.#owner.isOver) return undefined;
    if (!isRight) {
      await this.#reject(candidate, "it does not have the SHA-256 that is wanted");
      return undefined;
    }
    this.#prove(swarm);
    this.#owner.found();
    return { file: swarm.file, swarm };
  }

  /** All that was wanted of the mirror is here. */
  async takeMirrors(hedging: Hedging): Promise<Found | undefined> {
    const { track } = hedging;
    const { sha256, root, name } = this.#request;
    const unverified = track.unverified!;
    const sizeBytes = track.sizeBytes!;
    const signal = this.#signal;
    // It must not begin anew while it is hashed.
    hedging.pause();
    if (track.isWholeFile && sha256 !== null) {
      const found = await unverified.sha256({ signal });
      if (found !== sha256) {
        return await this.#leaveMirrors(hedging, `its SHA-256 is ${found}, expected ${sha256}`);
      }
      this.#journal.note("The SHA-256 of what the mirror gave is right", performance.now());
    }
    const { candidate, swarm } = this.#peers.current ?? {};
    const last = lastOf(track.firstChunk, track.nextChunk);
    if (!track.isWholeFile) {
      this.#view.released(last);
      await this.#peers.bar(true);
      this.#owner.found();
      return { file: { root: UNKNOWN_ROOT, name, sizeBytes }, swarm };
    }
    if (root === null) {
      this.#isProved ||= !hedging.isApart;
      this.#view.released(last);
      await this.#peers.bar(true);
    }
    // Nothing is followed when it gets its place: that would be left over beside the file.
    const placing = () => this.#peers.bar(true);
    const adopted = await adopt(unverified, { root, placing, signal });
    if ("otherRoot" in adopted) {
      return await this.#leaveMirrors(hedging, `its root is ${adopted.otherRoot}`);
    }
    const { file } = adopted;
    this.#view.releasedAll();
    this.#owner.found();
    if (candidate !== undefined && file.root !== candidate.root) {
      await this.#peers.reject(candidate, `the right file has root ${file.root}`);
      return { file, swarm: undefined };
    }
    return { file, swarm };
  }

  /**
   * The copy here of a candidate that others offer: under another name, or because another fetch
   * has just brought it. Undefined, and the candidate thrown away, when that is not what was sought.
   */
  async takeHere(candidate: Candidate): Promise<FileDefinition | undefined> {
    const { store } = this.#host;
    const { sha256, root } = this.#request;
    const file = store.definition(candidate.root);
    if (file === undefined || !store.isComplete(file.root) || !isReadable(store, file)) {
      // It cannot be read just now: another turn may find it readable, or gone.
      await this.#peers.lookAgain();
      return undefined;
    }
    const isRight = file.sizeBytes === candidate.sizeBytes &&
      await hasSha256(store, file, { sha256, signal: this.#signal });
    const isSame = await this.#hedging?.isSameAs(readerOf(store, file)) ?? null;
    const isMirrors = isSame ?? await this.#isMeant(file);
    if (isRight && (isMirrors || sha256 !== null || root !== null)) {
      if (!isMirrors) {
        this.#view.dropMirror("the right file is here, the mirror gave another one");
        this.#journal.threwAway("mirror");
      }
      return file;
    }
    const why = isRight
      ? "a file of this root is here, and a mirror gives another one"
      : "a file of this root is here, and it is not what is sought";
    await this.#reject(candidate, why);
    return undefined;
  }

  /** Ends what goes on behind. */
  end(): void {
    this.#stopHashing();
  }

  /** Whether a file that is here is the one of that name at the mirrors, as far as they say. */
  async #isMeant(file: FileDefinition): Promise<boolean> {
    const { root, sha256 } = this.#request;
    if (this.#hedging === null || root !== null || sha256 !== null) return true;
    let isMeant = this.#meant.get(file.root);
    if (isMeant === undefined) {
      const { file: mirrorFile, firstChunk } = this.#hedging.track;
      isMeant = await agreesWithMirror(readerOf(this.#host.store, file), {
        file: mirrorFile,
        mirrors: this.#host.mirrors,
        firstChunk,
        signal: this.#signal,
      });
      this.#meant.set(file.root, isMeant);
      if (!isMeant) {
        const what = `A file of this name is here, root ${file.root}; the mirror has another one`;
        this.#journal.note(what, performance.now());
      }
    }
    return isMeant;
  }

  #needsMirror(): boolean {
    return !this.#owner.isOver && !this.#isProved && needsMirror(this.#request, this.#hedging);
  }

  /** Whether the complete file has the SHA-256 that is wanted, if one is. */
  async #isRight({ download, file }: Swarm): Promise<boolean> {
    const { sha256 } = this.#request;
    if (sha256 === null || !download.have.isFull) return true;
    const how = { sha256, signal: this.#signal, running: this.#running };
    if (!await hasSha256(this.#host.store, file, how)) return false;
    this.#journal.note("The SHA-256 of what peers gave is right", performance.now());
    return true;
  }

  /** Whatever peers give, and gave, of what is followed may be given away from now on. */
  #prove(swarm: Swarm): void {
    const isApart = this.#hedging?.isApart ?? false;
    if (isApart) {
      this.#view.dropMirror("peers gave the right file, the mirror did not");
      this.#journal.threwAway("mirror");
    }
    this.#showPeers(swarm);
    if (isApart) { for (const range of swarm.download.have.ranges()) this.#view.gained(range); }
    if (!this.#isProved) {
      this.#journal.note(`What peers give is proved, root ${swarm.file.root}`, performance.now());
    }
    this.#isProved = true;
    this.#view.releasedAll();
  }

  #showPeers({ file, download: { have } }: Swarm): void {
    const reader = readerOf(this.#host.store, file);
    this.#view.show(file.sizeBytes, { peers: { has: (range) => have.hasRange(range), reader } });
  }

  /** The candidate is right, so the mirror is not. */
  async #keepPeers(
    followed: Followed,
    { why, culprit }: { readonly why: string; readonly culprit: string | undefined },
  ): Promise<void> {
    await this.#hedging!.track.reject(why, culprit);
    if (this.#owner.isOver || this.#peers.current !== followed) return;
    const { swarm } = followed;
    this.#showPeers(swarm);
    for (const range of swarm.download.have.ranges()) this.#view.gained(range);
    this.assess();
    if (this.#isProved) this.#view.releasedAll();
  }

  /** What the mirror gave is not the file: the next one is asked, and peers go on. */
  async #leaveMirrors(hedging: Hedging, why: string): Promise<undefined> {
    this.#isMirrorFalse = true;
    await hedging.track.reject(why);
    hedging.resume();
    return undefined;
  }

  async #reject(candidate: Candidate, why: string): Promise<void> {
    this.#isProved = false;
    this.#stopHashing();
    this.#view.dropPeers(why);
    this.#hedging?.followed(null);
    await this.#peers.reject(candidate, why);
    this.#peers.follow();
  }

  #stopHashing(): void {
    this.#running?.stop();
    this.#running = null;
  }

  #told(work: Promise<void>): void {
    work.catch((error) => this.#owner.failed(error as Error));
  }
}
