/**
 * One fetch from request to end: tells the policy (`core/fetch/fetch_policy.ts`) what happens, and
 * carries out what it says. It decides nothing.
 */

import { FetchFailure, messageOf, unreachable } from "../../base/errors.ts";
import type { FetchRecord } from "../../base/fetch_record.ts";
import { UNKNOWN_ROOT } from "../../base/ids.ts";
import { candidateKey } from "../../core/fetch/candidates.ts";
import type {
  FetchEffect,
  FetchEvent,
  FetchFacts,
  FetchResult,
} from "../../core/fetch/fetch_events.ts";
import { FetchPolicy } from "../../core/fetch/fetch_policy.ts";
import { searchTimeMs } from "../../core/fetch/fetch_timeouts.ts";
import { ReadableRanges } from "../../core/fetch/readable_ranges.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchObserver, FetchRequest } from "../../wire/fetching.ts";
import type { Done, Hit, MessageOf } from "../../wire/messages.ts";
import type { DirectoryAnswer } from "../directories/directories.ts";
import { HolderDials } from "../discovery/holder_dials.ts";
import type { OfferingHolder, Searcher, Verdict } from "../discovery/searches.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { SwarmEvent, SwarmObserver } from "../swarm/swarm_events.ts";
import { FetchChecks } from "./fetch_checks.ts";
import type { FetchHost } from "./fetch_host.ts";
import { doneOf, type FetchEnd, logDone, recordOf, rememberFetch } from "./fetch_outcome.ts";
import { FetchProgress } from "./fetch_progress.ts";
import { FollowedSwarm } from "./followed_swarm.ts";
import { readerOf, showLocal } from "./local_lookup.ts";
import { MirrorDriver } from "./mirror_driver.ts";
import { OpenSearches } from "./open_searches.ts";
import { PolicyLoop } from "./policy_loop.ts";
import { FetchRecorder } from "./fetch_recorder.ts";

/** How a fetch is done, besides what is asked for. */
export interface FetchOptions {
  readonly observer: FetchObserver;
  /** Where the data is written; by default, the store's own place. */
  readonly path?: string;
  /**
   * The first byte that somebody waits for: a mirror is asked for what follows only, and then the
   * file may end up not being kept.
   */
  readonly from?: number;
  /** Whether size and SHA-256 of the request are those of a repository's database. */
  readonly isOfDatabase?: boolean;
  /** Whether the client would otherwise ask a mirror of its own, though the request names none. */
  readonly hasMirror?: boolean;
}

/** A fetch in progress. */
export class Fetch implements Searcher, SwarmObserver {
  readonly request: FetchRequest;
  readonly #host: FetchHost;
  readonly #options: FetchOptions;
  readonly #startMs: number;
  readonly #policy: FetchPolicy;
  readonly #facts: FetchFacts;
  readonly #loop: PolicyLoop;
  readonly #view: ReadableRanges;
  readonly #journal: FetchRecorder;
  readonly #progress: FetchProgress;
  readonly #searches: OpenSearches;
  readonly #dials: HolderDials;
  readonly #followed: FollowedSwarm;
  /** Null when no mirror is named. */
  readonly #mirror: MirrorDriver | null;
  readonly #checks: FetchChecks;
  /** Ends what the fetch itself works on, such as hashing a whole file. */
  readonly #ending = new AbortController();
  readonly #outcome = Promise.withResolvers<Done>();

  constructor(host: FetchHost, request: FetchRequest, options: FetchOptions) {
    this.#host = host;
    this.request = request;
    this.#options = options;
    const { observer, path, from = 0 } = options;
    const nowMs = this.#startMs = host.clock.nowMs();
    const tell = (event: FetchEvent) => this.#loop.tell(event);
    const journal = this.#journal = new FetchRecorder(nowMs);
    this.#view = new ReadableRanges(observer, () => journal.releasedFirst(host.clock.nowMs()));
    const { root, name, sha256 } = request;
    this.#searches = new OpenSearches(
      host,
      root === null ? { by: "name", value: name } : { by: "root", value: root },
      this,
    );
    this.#dials = new HolderDials({
      clock: host.clock,
      log: host.log,
      dialHolder: (address, root, searcher) => host.dialHolder(address, root, searcher),
      offered: (holder, offers) => this.offered(holder, offers),
    });
    this.#followed = new FollowedSwarm(host, request, { observer: this, path, tell });
    this.#mirror = request.mirrors.length === 0 ? null : new MirrorDriver(host, request, {
      followed: this.#followed,
      mayImport: () => this.#policy.mayImport,
      journal,
      path,
      from,
      tell,
    });
    const track = this.#mirror?.track ?? null;
    this.#checks = new FetchChecks(host, request, {
      track,
      signal: this.#ending.signal,
      note: (what) => journal.note(what, host.clock.nowMs()),
    });
    this.#policy = new FetchPolicy(request, {
      nowMs,
      searchMs: searchTimeMs(request, host),
      sharesPlace: path !== undefined,
    });
    if (sha256 !== null) this.#policy.exclude(host.rejectedFiles.of(sha256, nowMs));
    this.#progress = new FetchProgress({
      swarm: () => this.#followed.swarm,
      queries: () => this.#policy.queries,
      mirror: track,
      startMs: nowMs,
    });
    this.#facts = this.#lookAround();
    this.#loop = new PolicyLoop({
      clock: host.clock,
      policy: this.#policy,
      facts: this.#facts,
      apply: (effect) => this.#apply(effect),
      broke: (error) => this.#outcome.reject(error),
    });
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#policy.isProved;
  }

  /**
   * Runs the fetch to its end. Where only a part of the file came, and nobody knows its root, that
   * of the outcome is `UNKNOWN_ROOT`: nothing is kept.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  async run(signal: AbortSignal): Promise<Done> {
    const stop = () => {
      const { reason } = signal;
      const isNotFound = reason instanceof FetchFailure && reason.exit === "notFound";
      this.#loop.tell({ kind: "stopped", isNotFound });
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      this.#loop.tell({ kind: "start" });
      if (signal.aborted) stop();
      const done = await this.#outcome.promise;
      rememberFetch(this.#host, this.#journal, this.#asOf("done", done));
      return done;
    } catch (error) {
      // Of what nobody has there is nothing to tell, and many may ask for it.
      const isMiss = error instanceof FetchFailure && error.exit === "notFound";
      if (!isMiss || this.#policy.offers > 0) {
        rememberFetch(this.#host, this.#journal, this.#asOf(messageOf(error), null));
      }
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      await this.#end();
    }
  }

  /** Lets time pass: bounds, further searches, progress. */
  tick(nowMs: number): void {
    if (this.#policy.isOver) return;
    this.#loop.guard(() => this.#progress.tell(this.#view, nowMs));
    this.#loop.tell({ kind: "tick" });
  }

  /** Whom it could ask has changed. */
  surroundingsChanged(): void {
    this.#loop.tell({ kind: "tick" });
  }

  /** How it went until now, for `explain` while it runs. */
  soFar(): FetchRecord {
    return recordOf(this.#host, this.#journal, this.#asOf("still coming", null));
  }

  // Searcher

  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict {
    const { nodeId, address } = holder;
    const files = offers.map(({ file }) => file);
    this.#loop.tell({ kind: "offered", nodeId, address, files });
    const answer = this.#policy.answerTo(nodeId, files, this.#facts);
    if (answer !== "want") return { kind: answer };
    const swarm = this.#followed.swarm!;
    if (!swarm.wantsSources && !swarm.makeRoom()) return { kind: "enough" };
    const offer = offers.find(({ file }) => candidateKey(file) === this.#policy.followed!.key)!;
    return this.#followed.want(swarm, holder, offer);
  }

  hit(hit: Hit): void {
    this.#loop.tell({ kind: "hit", hit });
  }

  listed({ files, holders }: DirectoryAnswer): void {
    this.#loop.tell({ kind: "listed", files, holders });
  }

  // SwarmObserver

  swarmEvent(event: SwarmEvent): void {
    switch (event.kind) {
      case "gained":
        return this.#gained(event);
      case "banned":
        return this.#loop.tell({ kind: "peer-banned", nodeId: event.nodeId });
      case "noted":
        return this.#note(`${event.provider.label}: ${event.what}`);
      case "mirror-wrong":
      case "mirror-failed":
        // What becomes of the mirrors of other fetches is not decided here.
        if (!this.#mirror?.isOwn(event.provider)) return;
        return this.#loop.tell(this.#mirror.leftSwarm(event));
      default:
        return this.#loop.tell(event);
    }
  }

  #gained({ range, provider }: Extract<SwarmEvent, { readonly kind: "gained" }>): void {
    const { swarm } = this.#followed;
    if (swarm === null || this.#policy.isOver) return;
    this.#journal.received(provider, range, { sizeBytes: swarm.file.sizeBytes });
    this.#followed.gained();
    const { kind } = provider;
    const isOwn = kind === "mirror" && this.#mirror !== null && this.#mirror.isOwn(provider);
    const by = kind === "mirror" ? isOwn ? "own-mirror" : "other-mirror" : kind;
    this.#loop.tell({ kind: "gained", range, by });
  }

  /** What the policy may look at while a step runs. */
  #lookAround(): FetchFacts {
    const { isAlone, links, overlay, directories, store } = this.#host;
    const followed = this.#followed, mirror = this.#mirror, dials = this.#dials;
    return {
      get surroundings() {
        return {
          isAlone,
          linkCount: links.size,
          linksDialling: links.dialling,
          addressCount: overlay.addressCount,
          directories: {
            size: directories.size,
            get faults() {
              return directories.errors;
            },
          },
        };
      },
      get swarm() {
        return followed.swarm;
      },
      mirror: mirror?.track ?? null,
      get importedTo() {
        return mirror?.import.importedTo ?? 0;
      },
      get listedDials() {
        return dials.listedCount;
      },
      sha256Of: (root) => store.sha256(root),
      isSource: (nodeId) => followed.swarm?.hasSource(nodeId) ?? false,
    };
  }

  #apply(effect: FetchEffect): void {
    switch (effect.kind) {
      case "look-up":
        return this.#loop.begin(this.#checks.lookUp(effect));
      case "flood":
        return this.#searches.flood();
      case "ask-directories":
        return this.#searches.askDirectories();
      case "dial":
        return this.#dial(effect);
      case "follow":
        return this.#followed.follow(effect.candidate);
      case "start-swarm":
        return this.#followed.start();
      case "hash-as-it-comes":
        return this.#followed.hashAsItComes();
      case "leave":
        return this.#loop.begin(this.#followed.leave(effect.how).then(() => ({ kind: "left" })));
      case "rejected":
        return this.#rejected(effect);
      case "check-peers":
        return this.#loop.begin(this.#checkPeers(effect));
      case "check-mirror":
        return this.#loop.begin(this.#checks.mirror());
      case "promote-mirror":
        return this.#loop.begin(this.#checks.promote((event) => this.#loop.tell(event)));
      case "place":
        // Nothing else may write there when it gets its place.
        return this.#loop.begin(this.#followed.left().then(() => this.#checks.mayPlace(true)));
      case "do-not-place":
        return this.#checks.mayPlace(false);
      case "check-here":
        return this.#loop.begin(this.#checks.here(effect.candidate, effect));
      case "show-peers":
        return this.#showPeers();
      case "tell-peers":
        return this.#tellPeers();
      case "show-mirror":
        return this.#view.show(effect.sizeBytes, { mirror: this.#mirror!.part(effect.sizeBytes) });
      case "tell":
        return this.#view.gained(effect.range, { isMirrors: effect.isMirrors });
      case "release":
        return this.#view.release(effect.range);
      case "release-proved":
        return this.#view.releaseProved(effect.range);
      case "release-all":
        return this.#view.releaseAll();
      case "confirm":
        return this.#view.confirmed(effect.range);
      case "drop-peers":
        return this.#view.dropPeers(effect.reason);
      case "drop-mirror":
        return this.#view.dropMirror(effect.reason);
      case "notice":
        return this.#view.event(effect.notice);
      case "note":
        return this.#note(effect.what);
      case "threw-away":
        return this.#journal.threwAway(effect.track);
      case "finish":
        return this.#finish(effect.result);
      case "fail":
        this.#ending.abort(effect.error);
        return this.#outcome.reject(effect.error);
      case "read-mirror":
      case "mirror-ranges":
      case "import":
      case "reject-mirror":
      case "ban-mirror":
      case "mirror-is-bad":
      case "leave-place":
        return this.#loop.begin(this.#mirror!.apply(effect));
      default:
        unreachable(effect);
    }
  }

  #dial({ address, root, isListed }: Extract<FetchEffect, { readonly kind: "dial" }>): void {
    const dial = { address, root };
    if (isListed) this.#dials.listed(dial);
    else this.#dials.answered(dial, { sourceCount: this.#followed.swarm?.sourceCount ?? 0 });
  }

  async #checkPeers({ key }: { readonly key: string }): Promise<FetchEvent> {
    try {
      const isRight = await this.#followed.isRight(this.#ending.signal);
      return { kind: "peers-checked", key, isRight };
    } catch (error) {
      // What was left meanwhile can be gone.
      if (this.#policy.followed?.key === key) throw error;
      return { kind: "peers-checked", key, isRight: false };
    }
  }

  #rejected(effect: Extract<FetchEffect, { readonly kind: "rejected" }>): void {
    const { candidate, nodes, why, hadCome } = effect;
    const { key, name, root } = candidate;
    const { sha256 } = this.request;
    if (sha256 !== null && nodes.length > 0) {
      this.#host.rejectedFiles.note(sha256, { key, nodes }, this.#host.clock.nowMs());
    }
    const fields = { name, root, why, offeredBy: [...nodes] };
    this.#host.log.warn("a complete file failed its check", fields);
    this.#journal.rejected(root);
    if (hadCome) this.#loop.begin(this.#followed.throwAway(candidate));
  }

  #showPeers(): void {
    const { swarm } = this.#followed;
    if (swarm === null) return;
    const { file, download: { have } } = swarm;
    const reader = readerOf(this.#host.store, file);
    this.#view.show(file.sizeBytes, { peers: { has: (range) => have.hasRange(range), reader } });
  }

  #tellPeers(): void {
    for (const range of this.#followed.swarm?.download.have.ranges() ?? []) {
      this.#view.gained(range);
    }
  }

  #note(what: string): void {
    this.#journal.note(what, this.#host.clock.nowMs());
  }

  #finish(result: FetchResult): void {
    if (result.kind !== "local") this.#progress.tell(this.#view, this.#host.clock.nowMs());
    this.#delivered(result).then(this.#outcome.resolve, this.#outcome.reject);
  }

  /** Puts away what was brought, and says so. */
  async #delivered(result: FetchResult): Promise<Done> {
    if (result.kind === "local") return await this.#deliverLocal(result.file);
    const { file, swarm } = this.#resultOf(result);
    const done = this.#done(file, swarm);
    // What a mirror gave of a part may be of use again.
    await this.#mirror?.end(result.kind === "part" ? "suspend" : "discard");
    await this.#followed.leave("finish");
    if (result.kind !== "part") logDone(this.#host.log, done);
    return done;
  }

  /** The file that a fetch got, and the swarm that brought some of it. */
  #resultOf(
    result: Exclude<FetchResult, { readonly kind: "local" }>,
  ): { readonly file: Pick<FileDefinition, "root" | "name" | "sizeBytes">; swarm: Swarm | null } {
    const { last } = this.#followed;
    switch (result.kind) {
      case "swarm":
        return { file: this.#followed.swarm!.file, swarm: this.#followed.swarm };
      case "part": {
        const { name } = this.request;
        return { file: { root: UNKNOWN_ROOT, name, sizeBytes: result.sizeBytes }, swarm: last };
      }
      case "promoted":
        return { file: result.file, swarm: last?.file.root === result.file.root ? last : null };
    }
  }

  async #deliverLocal(
    file: Pick<FileDefinition, "root" | "name" | "sizeBytes">,
  ): Promise<Done> {
    const { request } = this;
    const nowMs = this.#host.clock.nowMs();
    const how = { request, view: this.#view, journal: this.#journal, nowMs };
    const bytesLocal = showLocal(this.#host.store, file, how);
    await this.#mirror?.end("discard");
    // What a mirror gave was to compare, or came to be of no use.
    return { ...this.#done(file, null), mirrors: [], bytesLocal };
  }

  #done(
    file: Pick<FileDefinition, "root" | "name" | "sizeBytes">,
    swarm: Swarm | null,
  ): Done {
    return doneOf(file, {
      swarm,
      mirrors: this.#mirror?.track.file.bytesGiven ?? new Map(),
      peers: this.#policy,
      elapsedMs: this.#host.clock.nowMs() - this.#startMs,
    });
  }

  #asOf(outcome: string, done: Done | null): FetchEnd {
    const { isOfDatabase = false, hasMirror = false } = this.#options;
    return {
      outcome,
      done,
      request: this.request,
      isOfDatabase,
      hasMirror,
      root: this.#followed.swarm?.file.root ?? this.request.root,
      sizeBytes: this.#policy.sizeBytes,
      nowMs: this.#host.clock.nowMs(),
      unixMs: this.#host.clock.unixMs(),
    };
  }

  /** Ends all that is under way; what came is kept for a later fetch. */
  async #end(): Promise<void> {
    this.#loop.stop();
    this.#searches.end();
    this.#checks.mayPlace(false);
    const ends = [this.#mirror?.end("suspend"), this.#followed.leave("suspend")];
    // What ended the fetch (a full disk, say) may strike again here; the first error counts.
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === "fulfilled") continue;
      this.#host.log.warn("cannot put the download away", { error: messageOf(end.reason) });
    }
  }
}
