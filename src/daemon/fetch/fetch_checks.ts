/**
 * The checks of one fetch that read files, hash or ask: what is here, what the mirrors gave. What
 * follows from their results is decided in `core/fetch`.
 */

import { isNoLongerHere, type OfKind, unreachable } from "../../base/errors.ts";
import { type Root, UNKNOWN_ROOT } from "../../base/ids.ts";
import type { Candidate } from "../../core/fetch/candidates.ts";
import type { FetchEffect, FetchPolicyEvent } from "../../core/fetch/fetch_events.ts";
import { fileOffer } from "../discovery/offers.ts";
import { chunksOf, differenceOf } from "../../http/head_check.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchRequest, FileReader, UsedFiles } from "../../wire/fetching.ts";
import type { FetchHost } from "./fetch_host.ts";
import {
  findLocalCopy,
  hasSha256,
  isReadable,
  partialCopy,
  readerOf,
  readyToRead,
} from "./local_lookup.ts";
import { agreesWithMirror } from "./mirror_comparison.ts";
import type { FollowedSwarm } from "./followed_swarm.ts";
import type { MirrorTrack } from "./mirror_track.ts";
import { isUnproven } from "../trust/file_proofs.ts";
import { promote } from "./promote.ts";

/** What is to be checked. */
type CheckEffect = Extract<FetchEffect, {
  readonly kind: "look-up" | "check-here" | "check-peers" | "check-mirror" | "promote-mirror";
}>;

/** What the checks of a fetch work with. */
interface FetchChecksOptions {
  readonly track: MirrorTrack | null;
  readonly followed: FollowedSwarm;
  /** What the fetch uses. */
  readonly use: UsedFiles;
  /** Whether a copy that nothing proves does not count as here. */
  readonly mirrorsAlone: boolean;
  /** Whether the candidate of a key is followed now. */
  readonly isFollowed: (key: string) => boolean;
  readonly note: (what: string) => void;
  readonly tell: (event: FetchPolicyEvent) => void;
}

/** The checks of one fetch. */
export class FetchChecks {
  readonly #host: FetchHost;
  readonly #request: FetchRequest;
  readonly #options: FetchChecksOptions;
  /** Ends what it works on, such as hashing a whole file. */
  readonly #ending = new AbortController();
  /** Whether a file that is here is the one that the mirrors have under this name. */
  readonly #meant = new Map<Root, boolean>();
  /** Checks under way: they read files, which must not be put away meanwhile. */
  readonly #running = new Set<Promise<unknown>>();
  /** Says whether what is being promoted may get its place. */
  #mayPlace: PromiseWithResolvers<boolean> | null = null;

  constructor(host: FetchHost, request: FetchRequest, options: FetchChecksOptions) {
    this.#host = host;
    this.#request = request;
    this.#options = options;
  }

  /** Checks what the policy says, and gives what comes of it. */
  async run(effect: CheckEffect): Promise<FetchPolicyEvent> {
    const running = this.#check(effect);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Ends the checks that are under way. */
  stop(reason: Error): void {
    this.#ending.abort(reason);
  }

  /** Ends the checks that are under way; resolves when none is any more. */
  async end(): Promise<void> {
    this.#ending.abort();
    this.mayPlace(false);
    await Promise.allSettled(this.#running);
  }

  /** The answer to the root of what is being promoted. */
  mayPlace(isIt: boolean): void {
    this.#mayPlace?.resolve(isIt);
    this.#mayPlace = null;
  }

  #check(effect: CheckEffect): Promise<FetchPolicyEvent> {
    switch (effect.kind) {
      case "look-up":
        return this.#lookUp(effect);
      case "check-here":
        return this.#here(effect.candidate, effect);
      case "check-peers":
        return this.#peers(effect.key);
      case "check-mirror":
        return this.#mirror();
      case "promote-mirror":
        return this.#promote();
      default:
        unreachable(effect);
    }
  }

  /** Looks for a complete file of this machine that fits. */
  async #lookUp(options: { readonly comparesWithMirror: boolean }): Promise<FetchPolicyEvent> {
    const { file, hasWrongCopy } = await findLocalCopy(this.#host.store, this.#request, {
      signal: this.#ending.signal,
      use: this.#options.use,
      isMeant: (file) => this.#isMeant(file, options),
      note: this.#options.note,
    });
    return {
      kind: "looked-up",
      file,
      hasWrongCopy,
      part: file === undefined ? this.#part : undefined,
    };
  }

  /** What is here in part of the very file: some of it may have rotted. */
  get #part(): OfKind<FetchPolicyEvent, "looked-up">["part"] {
    const { store, nodeId } = this.#host;
    const file = partialCopy(store, this.#request);
    return file === undefined ? undefined : { nodeId, file: fileOffer(file) };
  }

  /** Checks the copy here of a candidate that others offer. */
  async #here(
    candidate: Candidate,
    options: { readonly comparesWithMirror: boolean },
  ): Promise<FetchPolicyEvent> {
    try {
      return await this.#hereNow(candidate, options);
    } catch (error) {
      if (!isNoLongerHere(error)) throw error;
      this.#options.note(`The copy that is here is not used: ${error.message}`);
      return notHere(candidate);
    }
  }

  async #hereNow(
    candidate: Candidate,
    options: { readonly comparesWithMirror: boolean },
  ): Promise<FetchPolicyEvent> {
    const { store } = this.#host;
    const kind = "here-checked";
    this.#options.use.add(candidate.root);
    await readyToRead(store, candidate.root, this.#ending.signal);
    const file = store.definition(candidate.root);
    if (file === undefined || !isReadable(store, file)) {
      return notHere(candidate);
    }
    const { sha256 } = this.#request;
    const isRight = file.sizeBytes === candidate.sizeBytes &&
      await hasSha256(store, file, { sha256, signal: this.#ending.signal });
    const isMirrors = await this.#isMirrors(file, options);
    return { kind, candidate, file, isRight, isMirrors };
  }

  /** Whether what the swarm of a candidate brought has the SHA-256 that is wanted. */
  async #peers(key: string): Promise<FetchPolicyEvent> {
    const { followed, isFollowed } = this.#options;
    try {
      const isRight = await followed.isRight(this.#ending.signal);
      return { kind: "peers-checked", key, isRight };
    } catch (error) {
      // What was left meanwhile can be gone.
      if (isFollowed(key)) throw error;
      return { kind: "peers-checked", key, isRight: false };
    }
  }

  /** The SHA-256 of what the mirrors gave. */
  async #mirror(): Promise<FetchPolicyEvent> {
    const sha256 = await this.#options.track!.unverified!.sha256({ signal: this.#ending.signal });
    return { kind: "mirror-checked", sha256 };
  }

  /**
   * Makes what the mirrors gave a file of the store, unless {@linkcode mayPlace} says no once its
   * root was told.
   */
  async #promote(): Promise<FetchPolicyEvent> {
    let root = UNKNOWN_ROOT;
    const file = await promote(this.#options.track!.unverified!, {
      signal: this.#ending.signal,
      mayPlace: (found) => {
        root = found;
        this.#options.use.add(found);
        // Nobody would answer.
        if (this.#ending.signal.aborted) return Promise.resolve(false);
        const answer = this.#mayPlace = Promise.withResolvers<boolean>();
        this.#options.tell({ kind: "mirror-rooted", root });
        return answer.promise;
      },
    });
    if (file === undefined) return { kind: "mirror-not-promoted", root };
    return { kind: "mirror-promoted", file };
  }

  /** Whether a file that is here is the one of that name at the mirrors, as far as they say. */
  async #isMeant(
    file: FileDefinition,
    { comparesWithMirror }: { readonly comparesWithMirror: boolean },
  ): Promise<boolean> {
    const { store, offerPolicy } = this.#host;
    if (this.#options.mirrorsAlone && isUnproven(offerPolicy, file)) return false;
    if (!comparesWithMirror) return true;
    let isMeant = this.#meant.get(file.root);
    if (isMeant === undefined) {
      const { file: mirrorFile, firstChunk } = this.#options.track!;
      isMeant = await agreesWithMirror(readerOf(store, file), {
        file: mirrorFile,
        mirrors: this.#host.mirrors,
        firstChunk,
        signal: this.#ending.signal,
      });
      this.#meant.set(file.root, isMeant);
      if (!isMeant) {
        this.#options.note(
          `A file of this name is here, root ${file.root}; the mirror has another one`,
        );
        // Only nodes vouched for it, and they are contradicted.
        if (isUnproven(offerPolicy, file)) store.remove(file.root);
      }
    }
    return isMeant;
  }

  /** Whether a file that is here is that of the mirrors, as far as they give or say anything of it. */
  async #isMirrors(
    file: FileDefinition,
    options: { readonly comparesWithMirror: boolean },
  ): Promise<boolean> {
    const reader = readerOf(this.#host.store, file);
    const isSame = await this.#isAsMirrorGave(reader);
    if (isSame !== null) return isSame;
    const isMeant = await this.#isMeant(file, options);
    // It may have begun to give meanwhile.
    return isMeant && (await this.#isAsMirrorGave(reader) ?? true);
  }

  /**
   * Whether a file that is here has the same chunks as the mirror gave; null when it gave none. It goes
   * on giving meanwhile, and that is released as well: all of it is compared.
   */
  async #isAsMirrorGave(reader: FileReader): Promise<boolean | null> {
    const { track } = this.#options;
    if (track === null) return null;
    let { beginnings } = track;
    // The chunk behind the last one that was compared.
    let done = track.firstChunk;
    for (;;) {
      const { unverified, sizeBytes, firstChunk, nextChunk } = track;
      if (unverified === null || sizeBytes === null || nextChunk === firstChunk) return null;
      if (track.beginnings !== beginnings) {
        beginnings = track.beginnings;
        done = firstChunk;
      }
      if (done === nextChunk) return true;
      const range = { first: done, count: nextChunk - done };
      const given = chunksOf(unverified.reader(sizeBytes), range);
      if (await differenceOf(given, chunksOf(reader, range)) !== undefined) return false;
      done = nextChunk;
    }
  }
}

function notHere(candidate: Candidate): FetchPolicyEvent {
  return { kind: "here-checked", candidate, file: undefined, isRight: false, isMirrors: false };
}
