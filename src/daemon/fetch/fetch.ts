/**
 * One fetch from request to end: tells the policy (`core/fetch/fetch_policy.ts`) what happens, and
 * carries out what it says. It decides nothing.
 */

import { FetchFailure, messageOf, type OfKind, unreachable } from "../../base/errors.ts";
import type { FetchRecord } from "../../base/fetch_record.ts";
import { type Root, UNKNOWN_ROOT } from "../../base/ids.ts";
import { candidateKey } from "../../core/fetch/candidates.ts";
import type {
  FetchEffect,
  FetchFacts,
  FetchPolicyEvent,
  FetchResult,
} from "../../core/fetch/fetch_events.ts";
import type { WaitingClient } from "../../core/fetch/client_hold.ts";
import { FetchPolicy } from "../../core/fetch/fetch_policy.ts";
import { searchTimeMs } from "../../core/fetch/fetch_timeouts.ts";
import { ReadableRanges, type ViewPart } from "../../core/fetch/readable_ranges.ts";
import { applyToView, type PeersPlace, type ViewPlaces } from "../../core/fetch/view_effects.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchObserver, FetchRequest, UsedFiles } from "../../wire/fetching.ts";
import type { Done, Hit, MessageOf } from "../../wire/messages.ts";
import type { FetchingReport } from "../../wire/reports.ts";
import type { Sought } from "../../wire/structures.ts";
import type { DirectoryAnswer } from "../directories/directories.ts";
import { fileOffer } from "../discovery/offers.ts";
import type { OfferingHolder, Searcher, Verdict } from "../discovery/searches.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { SwarmEvent, SwarmObserver } from "../swarm/swarm_events.ts";
import { isFar } from "../../core/nearness/nearness.ts";
import { FetchChoice } from "../../core/fetch/fetch_choice.ts";
import { FetchChecks } from "./fetch_checks.ts";
import type { FetchHost } from "./fetch_host.ts";
import type { FetchFigures } from "./fetch_recorder.ts";
import { FetchReport } from "./fetch_report.ts";
import { FetchProgress } from "./fetch_progress.ts";
import { FollowedSwarm } from "./followed_swarm.ts";
import { readerOf, showLocal, withheldCopy } from "./local_lookup.ts";
import { MirrorDriver } from "./mirror_driver.ts";
import { OpenSearches } from "./open_searches.ts";
import { PolicyLoop } from "./policy_loop.ts";

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
  /**
   * What this goes on with: bytes of this root that a fetch had, and the observer was shown, are not
   * here any more. Nothing else than the root is asked for then.
   */
  readonly again?: { readonly root: Root; readonly why: string };
  /** Whether others asked for it, and nobody of this machine: it asks no relay. */
  readonly isForOthers?: boolean;
  /** Whether the client would otherwise ask a mirror of its own, though the request names none. */
  readonly hasMirror?: boolean;
  /** Who waits for it and can never give back what it got; by default nobody is in a hurry. */
  readonly client?: WaitingClient;
  /**
   * Whether nodes are not believed what the file is: mirrors alone give it, and a copy that nothing
   * proves does not count as here. By default they are.
   */
  readonly mirrorsAlone?: boolean;
  /** Is told what must stay here for the observer; by default that may go once the fetch is over. */
  readonly use?: UsedFiles;
}

/** How a fetch that got its file ended. */
interface Outcome {
  readonly done: Done;
  /** Whether it is the file that the mirrors' part brought. */
  readonly isOfMirror: boolean;
}

/** A fetch in progress. */
export class Fetch implements Searcher, SwarmObserver, ViewPlaces {
  readonly request: FetchRequest;
  readonly #host: FetchHost;
  readonly #loop: PolicyLoop;
  readonly #report: FetchReport;
  readonly #view: ReadableRanges;
  readonly #progress: FetchProgress;
  readonly #searches: OpenSearches;
  readonly #followed: FollowedSwarm;
  /** Null when no mirror is named. */
  readonly #mirror: MirrorDriver | null;
  readonly #checks: FetchChecks;
  readonly #choice: FetchChoice;
  readonly #use: UsedFiles;
  /** Whether nobody else ends the use of what it uses. */
  readonly #ownsUse: boolean;
  readonly #outcome = Promise.withResolvers<Outcome>();

  constructor(host: FetchHost, asked: FetchRequest, options: FetchOptions) {
    this.#host = host;
    const { observer, path, from = 0, isOfDatabase = false, hasMirror = false, again } = options;
    const { mirrorsAlone = false } = options;
    const request = again === undefined ? asked : { ...asked, root: again.root };
    this.request = request;
    // It is trusted by what was asked for, whatever it is pinned to now.
    const report = this.#report = new FetchReport(host, asked, {
      isOfDatabase,
      hasMirror,
      state: () => this.#state,
    });
    if (again !== undefined) report.note(`Had again, for what was here is not right: ${again.why}`);
    const { recorder, startMs } = report;
    const tell = (event: FetchPolicyEvent) => this.#loop.tell(event);
    const { root, name } = request;
    const sought: Sought = root === null
      ? { by: "name", value: name }
      : { by: "root", value: root };
    this.#searches = new OpenSearches(host, sought, {
      searcher: this,
      notReached: (dial) => tell({ kind: "not-reached", ...dial }),
      relayAnswered: (answer) => tell({ kind: "relay-answered", ...answer }),
    });
    const use = this.#use = options.use ?? host.store.keeping.use();
    this.#ownsUse = options.use === undefined;
    const followed = this.#followed = new FollowedSwarm(host, request, {
      observer: this,
      use,
      path,
      tell,
    });
    const mirror = this.#mirror = request.mirrors.length === 0
      ? null
      : new MirrorDriver(host, request, {
        followed,
        mayImport: () => this.#loop.policy.mayImport,
        journal: recorder,
        path,
        from,
        mirrorsAlone,
        tell,
        searchAgain: () => this.#searches.flood(),
      });
    const track = mirror?.track ?? null;
    const view = this.#view = new ReadableRanges(
      observer,
      () => recorder.releasedFirst(host.clock.nowMs()),
    );
    this.#checks = new FetchChecks(host, request, {
      track,
      followed,
      use,
      mirrorsAlone,
      isFollowed: (key) => this.#loop.policy.followed?.key === key,
      note: (what) => report.note(what),
      tell,
    });
    this.#choice = new FetchChoice(asked, {
      isOfDatabase,
      heard: () => this.#loop.policy.heard,
      here: (name) =>
        host.store.definitionsByName(name).filter(({ origin }) => origin !== "partial"),
      tell: (choice) => view.event(choice),
    });
    this.#progress = new FetchProgress({
      view,
      swarm: () => followed.swarm,
      queries: () => this.#loop.policy.queries,
      coming: (nowMs) => this.#loop.policy.coming(nowMs),
      mirror: track,
      crowd: mirror?.flight ?? null,
      startMs,
    });
    this.#loop = new PolicyLoop({
      clock: host.clock,
      policy: this.#newPolicy({
        sharesPlace: path !== undefined,
        ...(options.client === undefined ? {} : { client: options.client }),
        mayAskRelays: options.isForOthers !== true,
        mirrorsAlone,
      }),
      facts: this.#lookAround(),
      apply: (effect) => this.#apply(effect),
      broke: (error) => this.#outcome.reject(error),
    });
  }

  /** The root that it is about, as far as it is known just now. */
  get root(): Root | null {
    return this.#followed.last?.file.root ?? this.request.root;
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#loop.policy.isProved;
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
      const { done, isOfMirror } = await this.#outcome.promise;
      this.#land(done, { isOfMirror });
      this.#report.remember("done", done);
      return done;
    } catch (error) {
      // Of what nobody has there is nothing to tell, and many may ask for it.
      const isMiss = error instanceof FetchFailure && error.exit === "notFound";
      const isTold = !isMiss || this.#loop.policy.isHeardOf;
      if (isTold) this.#report.remember(messageOf(error), null);
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      await this.#end();
    }
  }

  /** Lets time pass: bounds, further searches, progress. */
  tick(nowMs: number): void {
    if (this.#loop.policy.isOver) return;
    this.#loop.guard(() => {
      this.#choice.following(this.#loop.policy.followed);
      this.#progress.tell(nowMs);
      this.#report.recorder.tick(nowMs);
    });
    this.#mirror?.tick();
    this.#look();
  }

  /** A complete file is here that was not. */
  appeared(root: Root, name: string): void {
    if (!this.#maySeekHere || name !== this.request.name) return;
    const definition = this.#host.store.definitionNamed(root, name);
    if (definition === undefined) return;
    const { nodeId } = this.#host;
    this.#loop.tell({ kind: "appeared", nodeId, file: fileOffer(definition) });
  }

  /** Whom it could ask has changed. */
  surroundingsChanged(): void {
    this.#look();
  }

  /** How it went until now, for `explain` while it runs. */
  soFar(): FetchRecord {
    return this.#report.record("still coming", null);
  }

  /** How far it is, and who gives. */
  fetching(): FetchingReport {
    const { last } = this.#progress;
    const { recorder, startMs } = this.#report;
    const { name } = this.request;
    const isComing = last?.kind === "progress";
    return {
      name: name || (this.#followed.swarm?.file.name ?? ""),
      root: this.root,
      elapsedMs: Math.round(this.#host.clock.nowMs() - startMs),
      bytesTotal: isComing ? last.bytesTotal : null,
      bytesDone: isComing ? last.bytesDone : 0,
      bytesPerSecond: isComing ? last.bytesPerSecond : 0,
      sources: recorder.sources(),
    };
  }

  /** The figures of that. */
  figures(): FetchFigures {
    return this.#report.figures();
  }

  // Searcher

  offered(
    holder: OfferingHolder,
    offers: readonly MessageOf<"offer">[],
    inFlight: readonly MessageOf<"in-flight">[] = [],
  ): Verdict {
    const { nodeId, address } = holder;
    const files = offers.map(({ file }) => file);
    const nowMs = this.#host.clock.nowMs();
    for (const { root, whole } of files) {
      this.#host.holders.heard(root, nodeId, { isWhole: whole, nowMs });
    }
    if (inFlight.length > 0) this.#loop.tell({ kind: "in-flight", nodeId, files: inFlight });
    this.#loop.tell({ kind: "offered", nodeId, address, files });
    const { policy, facts } = this.#loop;
    const answer = policy.answerTo(nodeId, files, facts);
    if (answer !== "want") {
      return this.#mirror?.flight?.offered(holder, inFlight) ?? { kind: answer };
    }
    const swarm = this.#followed.swarm!;
    if (!swarm.wantsSources && !swarm.makeRoom()) return { kind: "enough" };
    const offer = offers.find(({ file }) => candidateKey(file) === policy.followed!.key)!;
    return this.#followed.want(swarm, holder, offer);
  }

  hit(hit: Hit): void {
    this.#loop.tell({ kind: "hit", hit });
  }

  /** A near node takes what comes here, so that it will have what does not: as good as a HIT. */
  nearBegan(holder: OfferingHolder): void {
    this.#loop.tell({ kind: "near-began", ...holder });
  }

  listed({ files, holders }: DirectoryAnswer): void {
    this.#host.holders.listed(holders, this.#host.clock.nowMs());
    this.#loop.tell({ kind: "listed", files, holders });
  }

  through(): void {
    this.#look();
  }

  // SwarmObserver

  swarmEvent(event: SwarmEvent): void {
    switch (event.kind) {
      case "gained":
        return this.#gained(event);
      case "banned":
        return this.#loop.tell({ kind: "peer-banned", nodeId: event.nodeId });
      case "noted":
        return this.#report.note(`${event.provider.label}: ${event.what}`);
      case "mirror-wrong":
      case "mirror-failed":
        // What becomes of the mirrors of other fetches is not decided here.
        if (!this.#mirror?.isOwn(event.provider)) return;
        return this.#loop.tell(this.#mirror.leftSwarm(event));
      default:
        return this.#loop.tell(event);
    }
  }

  // ViewPlaces

  peersPlace(): PeersPlace | null {
    return this.#followed.place;
  }

  mirrorPlace(sizeBytes: number): ViewPart {
    return this.#mirror!.part(sizeBytes);
  }

  /** Whether a file of the name that comes to be on this machine is what is sought. */
  get #maySeekHere(): boolean {
    const { root, name, mirrors } = this.request;
    if (root !== null || name === "" || mirrors.length > 0) return false;
    return !this.#loop.policy.isOver && this.#loop.policy.followed === null;
  }

  #look(): void {
    this.#seekHere();
    this.#loop.tell({ kind: "tick" });
  }

  /** What is just being hashed on this machine is waited for as if another node had it. */
  #seekHere(): void {
    if (!this.#maySeekHere) return;
    const { nodeId } = this.#host;
    const files = this.#host.coming(this.request.name);
    if (files.length > 0) this.#loop.tell({ kind: "in-flight", nodeId, files });
  }

  #gained({ range, provider }: OfKind<SwarmEvent, "gained">): void {
    const { swarm } = this.#followed;
    if (swarm === null || this.#loop.policy.isOver) return;
    this.#report.recorder.received(provider, range, { sizeBytes: swarm.file.sizeBytes });
    this.#followed.gained();
    const { kind } = provider;
    const isOwn = kind === "mirror" && this.#mirror !== null && this.#mirror.isOwn(provider);
    const by = kind === "mirror" ? isOwn ? "own-mirror" : "other-mirror" : kind;
    this.#loop.tell({ kind: "gained", range, by });
  }

  #newPolicy(
    options: {
      readonly sharesPlace: boolean;
      readonly mayAskRelays: boolean;
      readonly mirrorsAlone: boolean;
      readonly client?: WaitingClient;
    },
  ): FetchPolicy {
    const { request } = this;
    const nowMs = this.#report.startMs;
    const searchMs = searchTimeMs(request, this.#host);
    const policy = new FetchPolicy(request, { nowMs, searchMs, ...options });
    if (request.sha256 !== null) {
      policy.exclude(this.#host.rejectedFiles.of(request.sha256, nowMs));
    }
    return policy;
  }

  /** What a report says of it just now. */
  get #state() {
    const { sizeBytes, queries, offers } = this.#loop.policy;
    const root = this.#followed.swarm?.file.root ?? this.request.root;
    const mirrors = this.#mirror?.track.file.bytesGiven ?? new Map<string, number>();
    return { root, sizeBytes, queries, offers, mirrors };
  }

  /** What the policy may look at while a step runs. */
  #lookAround(): FetchFacts {
    const { isAlone, links, overlay, directories, store } = this.#host;
    const followed = this.#followed, mirror = this.#mirror, searches = this.#searches;
    const { request } = this;
    const view = this.#view;
    return {
      get surroundings() {
        return {
          isAlone,
          linkCount: links.size,
          linksDialling: links.dialling,
          addressCount: overlay.addressCount,
          get peerFaults() {
            return links.faults;
          },
          directories: {
            size: directories.size,
            get faults() {
              return directories.errors;
            },
          },
          get withheldPath() {
            return withheldCopy(store, request)?.path ?? null;
          },
        };
      },
      get swarm() {
        return followed.swarm;
      },
      mirror: mirror?.track ?? null,
      crowd: mirror?.flight ?? null,
      get importedTo() {
        return mirror?.import.importedTo ?? 0;
      },
      get isHandedOut() {
        return view.isHandedOut;
      },
      get searchOutcome() {
        return searches.outcome;
      },
      get listedDials() {
        return searches.listedDials;
      },
      sha256Of: (root) => store.sha256(root),
      isFar: (host) => isFar(this.#host.nearnessOf(host)),
      isSource: (nodeId) => followed.swarm?.hasSource(nodeId) ?? false,
    };
  }

  #apply(effect: FetchEffect): void {
    switch (effect.kind) {
      case "flood":
        this.#mirror?.flight?.begin();
        return this.#searches.flood();
      case "ask-directories":
        return this.#searches.askDirectories();
      case "dial-nodes":
        return this.#host.dialNodes();
      case "ask-relays":
        return this.#searches.askRelays(effect.file);
      case "dial":
        return this.#searches.dial(effect, {
          sourceCount: this.#followed.swarm?.sourceCount ?? 0,
        });
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
      case "look-up":
      case "check-here":
      case "check-peers":
      case "check-mirror":
      case "promote-mirror":
        return this.#loop.begin(this.#checks.run(effect));
      case "place":
        // Nothing else may write there when it gets its place.
        return this.#loop.begin(this.#followed.left().then(() => this.#checks.mayPlace(true)));
      case "do-not-place":
        return this.#checks.mayPlace(false);
      case "show-peers":
      case "tell-peers":
      case "show-mirror":
      case "tell":
      case "release":
      case "release-proved":
      case "release-all":
      case "confirm":
      case "drop-peers":
      case "drop-mirror":
      case "notice":
        return applyToView(this.#view, effect, this);
      case "note":
        return this.#report.note(effect.what);
      case "log":
        return this.#host.log[effect.level](effect.what, effect.fields);
      case "threw-away":
        return this.#report.recorder.threwAway(effect.track);
      case "finish":
        return this.#finish(effect.result);
      case "fail":
        this.#checks.stop(effect.error);
        return this.#outcome.reject(effect.error);
      case "read-mirror":
      case "mirror-ranges":
      case "import":
      case "reject-mirror":
      case "ban-mirror":
      case "mirror-is-bad":
      case "leave-place":
      case "share":
      case "mend":
      case "audit":
        return this.#loop.begin(this.#mirror!.apply(effect));
      default:
        unreachable(effect);
    }
  }

  #rejected(effect: OfKind<FetchEffect, "rejected">): void {
    const { candidate, nodes, why, hadCome } = effect;
    const { key, name, root } = candidate;
    const { sha256 } = this.request;
    if (sha256 !== null && nodes.length > 0) {
      this.#host.rejectedFiles.note(sha256, { key, nodes }, this.#host.clock.nowMs());
    }
    const fields = { name, root, why, offeredBy: [...nodes] };
    this.#host.log.warn("a complete file failed its check", fields);
    this.#report.recorder.rejected(root);
    if (hadCome) this.#loop.begin(this.#followed.throwAway(candidate));
  }

  #finish(result: FetchResult): void {
    if (result.kind !== "local") this.#progress.tell(this.#host.clock.nowMs());
    const isOfMirror = result.kind === "promoted";
    this.#delivered(result).then(
      (done) => this.#outcome.resolve({ done, isOfMirror }),
      this.#outcome.reject,
    );
  }

  /** Puts away what was brought, and says so. */
  async #delivered(result: FetchResult): Promise<Done> {
    if (result.kind === "local") return await this.#deliverLocal(result.file);
    const { file, swarm } = this.#resultOf(result);
    this.#choice.took(file, result.kind);
    const done = this.#report.done(file, swarm);
    const path = this.#mirror?.track.unverified?.path;
    // What came of a part may still be read.
    if (result.kind === "part" && path !== undefined) this.#use.addPath(path);
    // What a mirror gave of a part may be of use again.
    await this.#mirror?.end(result.kind === "part" ? "suspend" : "discard");
    await this.#followed.leave("finish");
    if (result.kind === "swarm") this.#dropDeadVersions(file);
    if (result.kind !== "part") this.#report.log(done);
    return done;
  }

  /** What is here in part of another file of this name, and nobody offers, is never to be whole. */
  #dropDeadVersions({ root, name }: Pick<FileDefinition, "root" | "name">): void {
    if (this.request.root !== null || this.request.chunks !== null) return;
    const { store, log } = this.#host;
    for (const other of store.definitionsByName(name)) {
      if (other.origin !== "partial" || other.root === root) continue;
      if (this.#loop.policy.isOffered(other.root)) continue;
      store.discardWaiting(other.root);
      log.info("dropped a part of a version that nobody offers any more", {
        name,
        root: other.root,
      });
    }
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

  /** Others are given the file from where it is now. */
  #land({ root }: Done, how: { readonly isOfMirror: boolean }): void {
    const { store } = this.#host;
    const file = root === UNKNOWN_ROOT ? undefined : store.definition(root);
    if (file !== undefined) this.#mirror?.land(readerOf(store, file), how);
  }

  async #deliverLocal(
    file: Pick<FileDefinition, "root" | "name" | "sizeBytes">,
  ): Promise<Done> {
    const { request } = this;
    this.#use.add(file.root);
    const nowMs = this.#host.clock.nowMs();
    const { recorder: journal } = this.#report;
    const how = { request, view: this.#view, journal, nowMs };
    const bytesLocal = showLocal(this.#host.store, file, how);
    this.#choice.took(file, "local");
    await this.#mirror?.end("discard");
    // What a mirror gave was to compare, or came to be of no use.
    return { ...this.#report.done(file, null), mirrors: [], bytesLocal };
  }

  /** Ends all that is under way; what came is kept for a later fetch. */
  async #end(): Promise<void> {
    this.#loop.end();
    this.#searches.end();
    // What is just being hashed, or promoted, can neither be kept nor thrown away.
    await this.#checks.end();
    const ends = [this.#mirror?.end("suspend"), this.#followed.leave("suspend")];
    // What ended the fetch (a full disk, say) may strike again here; the first error counts.
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === "fulfilled") continue;
      this.#host.log.warn("cannot put the download away", { error: messageOf(end.reason) });
    }
    this.#mirror?.leave();
    if (this.#ownsUse) this.#use[Symbol.dispose]();
  }
}
