/**
 * What those who wait for a fetch are shown: the bytes of the candidate that is followed, or those of the
 * mirrors, and which file they were told of. When what is shown has to be another is not decided here.
 */

import type { Root } from "../../base/ids.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Candidate } from "./candidates.ts";
import type { Turn } from "./fetch_events.ts";
import { type MirrorSide, rootOf } from "./mirror_side.ts";
import type { PeerSide } from "./peer_side.ts";

/** What is shown of one fetch. */
export class ShownFile {
  readonly #request: FetchRequest;
  readonly #peers: PeerSide;
  readonly #mirror: MirrorSide | null;
  #sizeBytes: number | null = null;
  #toldBytes: number | null = null;
  #candidate: Candidate | null = null;

  constructor(
    request: FetchRequest,
    sides: { readonly peers: PeerSide; readonly mirror: MirrorSide | null },
  ) {
    this.#request = request;
    this.#peers = sides.peers;
    this.#mirror = sides.mirror;
  }

  /** Bytes of what is shown. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  /** Bytes of the file that was told to be found. */
  get toldBytes(): number | null {
    return this.#toldBytes;
  }

  /** The candidate whose bytes are shown, or were when it was left. */
  get candidate(): Candidate | null {
    return this.#candidate;
  }

  /** No candidate is followed any more. */
  forgetCandidate(): void {
    this.#candidate = null;
  }

  /** The mirror's bytes are to be shown: those who wait hear of the file. */
  showMirror(turn: Turn): void {
    const { sizeBytes, isOpen } = turn.facts.mirror!;
    this.#mirror!.show(turn);
    if (sizeBytes === null || !isOpen) return;
    this.#sizeBytes = sizeBytes;
    if (this.#toldBytes === sizeBytes) return;
    const root = rootOf(this.#request, this.#peers.followed);
    this.found(turn, { root, name: this.#request.name, sizeBytes, sources: 0, bytesHad: 0 });
  }

  showPeers(turn: Turn, candidate: Candidate): void {
    const { key, sizeBytes } = candidate;
    const wasShown = this.#candidate?.key === key && this.#sizeBytes === sizeBytes;
    turn.emit({ kind: "show-peers" });
    this.#sizeBytes = sizeBytes;
    this.#candidate = candidate;
    // What came while something else was shown is told now.
    if (!wasShown && turn.facts.swarm?.hasBegun) turn.emit({ kind: "tell-peers" });
  }

  dropPeers(turn: Turn, reason: string): void {
    turn.emit({ kind: "drop-peers", reason });
    this.#candidate = null;
  }

  found(
    turn: Turn,
    found: {
      readonly root: Root;
      readonly name: string;
      readonly sizeBytes: number;
      readonly sources: number;
      readonly bytesHad: number;
    },
  ): void {
    this.#toldBytes = found.sizeBytes;
    turn.emit({ kind: "notice", notice: { kind: "found", ...found } });
  }
}
