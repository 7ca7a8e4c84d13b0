/** Has the mirrors (origins) of one fetch do what the policy says, and tells it what they do. */

import type { ChunkRange } from "../../base/geometry.ts";
import type { FetchEffect, FetchPolicyEvent } from "../../core/fetch/fetch_events.ts";
import type { ViewPart } from "../../core/fetch/readable_ranges.ts";
import type { FetchRequest, FileReader } from "../../wire/fetching.ts";
import type { Provider } from "../swarm/provider.ts";
import type { MirrorLoss } from "../swarm/swarm_events.ts";
import type { FetchHost } from "./fetch_host.ts";
import type { FollowedSwarm } from "./followed_swarm.ts";
import { FetchFlight, mayFly } from "./fetch_flight.ts";
import { MirrorImport } from "./mirror_import.ts";
import { MirrorTrack, type MirrorTrackOwner } from "./mirror_track.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";

/** What a mirror is to do. */
type MirrorEffect = Extract<FetchEffect, {
  readonly kind:
    | "read-mirror"
    | "mirror-ranges"
    | "import"
    | "reject-mirror"
    | "ban-mirror"
    | "mirror-is-bad"
    | "leave-place"
    | "share"
    | "mend"
    | "audit";
}>;

/** What the mirrors of a fetch work with. */
interface MirrorDriverOptions {
  readonly followed: FollowedSwarm;
  readonly mayImport: () => boolean;
  readonly journal: FetchRecorder;
  readonly path: string | undefined;
  /** The first byte that somebody waits for. */
  readonly from: number;
  /** Whether nodes are not believed, so that nothing is shared with them while it comes. */
  readonly mirrorsAlone: boolean;
  readonly tell: (event: FetchPolicyEvent) => void;
  /** Asks the network again. */
  readonly searchAgain: () => void;
}

/** The mirrors of one fetch. */
export class MirrorDriver implements MirrorTrackOwner {
  readonly track: MirrorTrack;
  readonly import: MirrorImport;
  /** Null where the file cannot be shared while it comes. */
  readonly flight: FetchFlight | null;
  readonly #host: FetchHost;
  readonly #options: MirrorDriverOptions;
  /** How far the track is to read, though peers may still be leaving the place where it writes. */
  #readTo = 0;
  #leaveSwarm: (() => void) | null = null;

  constructor(host: FetchHost, request: FetchRequest, options: MirrorDriverOptions) {
    this.#host = host;
    this.#options = options;
    const { journal, path, from, followed, mayImport, tell } = options;
    this.track = new MirrorTrack(host, request, {
      owner: this,
      journal,
      path,
      from,
      isShared: () => this.flight !== null && (this.flight.isForming || this.flight.isComing),
      isUndecided: () => this.flight?.isUndecided ?? false,
      readAhead: (chunk) => this.flight?.readAhead(chunk) ?? null,
    });
    const isShared = !options.mirrorsAlone &&
      mayFly(host, request, { from, hasOwnPath: path !== undefined });
    const { track } = this;
    this.flight = isShared ? new FetchFlight(host, request, { ...options, track }) : null;
    this.import = new MirrorImport(this.track, {
      into: () => mayImport() ? followed.swarm : null,
      tell,
    });
  }

  /** Whether it was this fetch that asked the mirror. */
  isOwn({ file }: Provider): boolean {
    return file === this.track.file;
  }

  /** Where chunks that the mirror gave are read. */
  part(sizeBytes: number): ViewPart {
    const unverified = this.track.unverified!;
    return {
      has: (range: ChunkRange) => unverified.has(range),
      reader: unverified.reader(sizeBytes),
    };
  }

  /** The mirror gives no more ranges to the swarm: it gave a wrong chunk, failed, or stalled. */
  leftSwarm(loss: MirrorLoss & { readonly provider: Provider }): FetchPolicyEvent {
    this.#leaveSwarm = null;
    const { label } = loss.provider;
    if (loss.kind === "mirror-wrong") {
      const why = `chunk ${loss.index} of mirror ${label} is not what the leaves say`;
      return { kind: "mirror-differs", why, culprit: label, hasLeftSwarm: true };
    }
    if (loss.error !== null) this.track.rangesFailed(loss.error);
    else {
      const what = `Mirror ${label} stalled: it is left, and asked again`;
      this.#options.journal.note(what, this.#host.clock.nowMs());
    }
    return { kind: "mirror-left-swarm" };
  }

  /** Does what the policy says; gives what that comes to, if it is told apart. */
  async apply(effect: MirrorEffect): Promise<FetchPolicyEvent | undefined> {
    const { followed } = this.#options;
    switch (effect.kind) {
      case "read-mirror":
        this.#readTo = effect.bytes;
        if (this.#options.path !== undefined) await followed.left();
        this.track.readTo(this.#readTo);
        return undefined;
      case "mirror-ranges":
        this.#leaveSwarm?.();
        this.#leaveSwarm = effect.isOn ? followed.swarm?.joinMirror(this.track.file) ?? null : null;
        return undefined;
      case "import":
        this.import.goOn(effect);
        return undefined;
      case "reject-mirror":
        await this.track.reject(effect.why, effect.culprit);
        return { kind: "mirror-rejected" };
      case "ban-mirror":
        this.track.ban(effect.culprit);
        return undefined;
      case "mirror-is-bad":
        this.#host.mirrors.failed(effect.label, this.#host.clock.nowMs());
        return undefined;
      case "leave-place":
        this.#readTo = 0;
        await this.track.leavePlace();
        return { kind: "place-left" };
      case "share":
        this.flight?.share(effect.isOn);
        return undefined;
      case "mend":
        return await this.flight!.mend();
      case "audit":
        return await this.flight!.audit();
    }
  }

  /** The file is complete: fellows, and other fetches that take over what came, get it from there. */
  land(reader: FileReader, { isOfMirror }: { readonly isOfMirror: boolean }): void {
    this.flight?.land(reader);
    if (isOfMirror) this.track.land(reader);
  }

  /** Lets time pass: who takes over what comes looks whether more does. */
  tick(): void {
    this.track.changes.tell();
  }

  /** The fetch is over. */
  leave(): void {
    this.track.leave();
  }

  /** Ends all of it; what the mirror brought is kept for a later fetch, or not. */
  async end(how: "suspend" | "discard"): Promise<void> {
    this.#leaveSwarm?.();
    this.#leaveSwarm = null;
    if (how === "suspend") this.flight?.close("the fetch has ended");
    await this.track.end(how);
  }

  // MirrorTrackOwner

  opened(sizeBytes: number): void {
    this.flight?.opened(sizeBytes);
    this.#options.tell({ kind: "mirror-opened", sizeBytes });
  }

  arrived(range: ChunkRange, provider: Provider): void {
    const { journal, tell } = this.#options;
    journal.received(provider, range, { sizeBytes: this.track.sizeBytes!, track: "mirror" });
    this.flight?.gave(provider, range);
    tell({ kind: "mirror-arrived", range });
  }

  restarted(reason: string): void {
    this.import.restarted();
    this.flight?.restarted(reason);
    this.#options.tell({ kind: "mirror-restarted", reason });
  }

  changed(): void {
    this.#options.tell({ kind: "mirror-changed" });
  }

  failed(error: Error): void {
    this.#options.tell({ kind: "failed", error });
  }
}
