/**
 * Runs the policy of a fetch, the very one of the daemon, in a simulated world on virtual time:
 * carries out its effects, and checks at each one that nothing wrong is shown.
 */

import { Bitfield } from "../../src/base/bitfield.ts";
import { FetchFailure, type OfKind, unreachable } from "../../src/base/errors.ts";
import type { NodeId, Root } from "../../src/base/ids.ts";
import type { Candidate } from "../../src/core/fetch/candidates.ts";
import type {
  FetchEffect,
  FetchFacts,
  FetchPolicyEvent,
  FetchResult,
  LocalFile,
} from "../../src/core/fetch/fetch_events.ts";
import { FetchPolicy } from "../../src/core/fetch/fetch_policy.ts";
import { searchTimeMs } from "../../src/core/fetch/fetch_timeouts.ts";
import { ReadableRanges, type ViewPart } from "../../src/core/fetch/readable_ranges.ts";
import {
  applyToView,
  type PeersPlace,
  type ViewPlaces,
} from "../../src/core/fetch/view_effects.ts";
import { wantedChunks } from "../../src/core/fetch/wanted_range.ts";
import { PolicyLoop } from "../../src/daemon/fetch/policy_loop.ts";
import type { FetchRequest } from "../../src/wire/fetching.ts";
import { textOf } from "./fetch_log.ts";
import { SimMirrors } from "./fetch_mirrors.ts";
import { all, readerOf, SimReader } from "./fetch_reader.ts";
import { SimSwarm } from "./fetch_swarm.ts";
import { chunkOf, type Content, peerAt, type SimPeer, type World } from "./fetch_world.ts";
import { VirtualTime } from "./virtual_time.ts";

/** A node's own period. */
const TICK_MS = 250;
/** A fetch that takes longer than this has no bound. */
const RUN_MS_MAX = 20 * 60_000;
/** Steps of one fetch: more of them is a circle. */
const STEPS_MAX = 100_000;
/** What a busy machine takes to compare a chunk. */
const SLOW_IMPORT_MS = 12;
/** A chunk that no file has. */
const UNPROVED = 0xbad;

/** The policy, or one with a fault in it. */
export type PolicyClass = new (
  ...args: ConstructorParameters<typeof FetchPolicy>
) => FetchPolicy;

/** How a run ended. */
export interface FetchRunResult {
  readonly result: FetchResult | Error;
  /** What was brought, where the fetch got a file. */
  readonly content: Content | null;
  /** The chunks that a reader has at the end. */
  readonly read: ReadonlyMap<number, number>;
  readonly endMs: number;
  readonly log: readonly string[];
  /** What must never happen, and did. */
  readonly faults: readonly string[];
}

/** What a fetch has nothing of where mirrors alone are asked. */
const OF_NODES: ReadonlySet<FetchEffect["kind"]> = new Set<FetchEffect["kind"]>([
  "flood",
  "ask-directories",
  "ask-relays",
  "dial-nodes",
  "dial",
  "follow",
]);

/** Runs the fetch of a world to its end. */
export function runFetch(world: World, Policy: PolicyClass = FetchPolicy): FetchRunResult {
  return new FetchRun(world, Policy).run();
}

/** A policy whose steps are told, and which does not go in a circle. */
function watched(
  Policy: PolicyClass,
  request: FetchRequest,
  options: ConstructorParameters<typeof FetchPolicy>[1],
  say: (line: string) => void,
): FetchPolicy {
  let steps = 0;
  class Watched extends Policy {
    override step(
      event: FetchPolicyEvent,
      nowMs: number,
      facts: FetchFacts,
    ): readonly FetchEffect[] {
      if (++steps > STEPS_MAX) throw new Error(`It goes in a circle: ${event.kind}`);
      if (event.kind !== "tick" && event.kind !== "gained") say(`<- ${event.kind}`);
      const effects = super.step(event, nowMs, facts);
      for (const effect of effects) say(`   -> ${textOf(effect)}`);
      return effects;
    }
  }
  return new Watched(request, options);
}

/** Each node is at a host of its own. */
function hostOf(nodeId: NodeId): string {
  return `192.0.2.${Number.parseInt(nodeId.slice(-2), 16) || 1}`;
}

class FetchRun implements ViewPlaces {
  readonly #world: World;
  readonly #time = new VirtualTime();
  readonly #policy: FetchPolicy;
  readonly #loop: PolicyLoop;
  readonly #mirrors: SimMirrors | null;
  readonly #view: ReadableRanges;
  readonly #reader: SimReader;
  readonly #facts: FetchFacts;
  readonly #log: string[] = [];
  readonly #faults: string[] = [];
  readonly #complete = new Set<Content>();
  /** What came of each root, and is kept. */
  readonly #kept = new Map<Root, Bitfield>();
  #swarm: SimSwarm | null = null;
  #leaving: Root | null = null;
  #importedTo: number;
  #isImporting = false;
  #result: FetchResult | Error | null = null;

  constructor(world: World, Policy: PolicyClass) {
    this.#world = world;
    const { request, isAlone, sharesPlace, here } = world;
    const tell = (event: FetchPolicyEvent) => this.#tell(event);
    this.#mirrors = world.mirrors.length === 0 ? null : new SimMirrors(world, this.#time, tell);
    this.#policy = watched(Policy, request, {
      nowMs: 0,
      searchMs: searchTimeMs(request, { isAlone }),
      sharesPlace,
      mirrorsAlone: world.mirrorsAlone,
      ...(world.client === null ? {} : { client: world.client }),
    }, (line) => this.#say(line));
    this.#reader = new SimReader(world, this.#mirrors, this.#faults);
    this.#view = new ReadableRanges(this.#reader.observer, () => {});
    this.#importedTo = this.#mirrors?.firstChunk ?? 0;
    if (here !== null) this.#complete.add(here);
    this.#facts = this.#lookAround();
    this.#loop = new PolicyLoop({
      clock: this.#time.clock,
      policy: this.#policy,
      facts: this.#facts,
      apply: (effect) => this.#apply(effect),
      broke: (error) => this.#result = error as Error,
    });
  }

  run(): FetchRunResult {
    const { peers, stopsMs, comesHere } = this.#world;
    this.#tell({ kind: "start" });
    for (const peer of peers) {
      this.#time.at(peer.offersMs, () => this.#offers(peer));
    }
    if (stopsMs < Infinity) {
      this.#time.at(stopsMs, () => this.#tell({ kind: "stopped", isNotFound: false }));
    }
    if (comesHere !== null) {
      this.#time.at(comesHere.atMs, () => this.#complete.add(comesHere.content));
    }
    const tick = () => {
      this.#tell({ kind: "tick" });
      this.#time.later(TICK_MS, tick);
    };
    this.#time.later(TICK_MS, tick);
    this.#time.runUntil(() => this.#result !== null, RUN_MS_MAX);
    return this.#ended();
  }

  #ended(): FetchRunResult {
    const result = this.#result ?? new Error("The fetch has not ended within its bound");
    if (!(result instanceof Error)) this.#reader.ended(result, this.#contentOf(result));
    else if (!(result instanceof FetchFailure)) this.#faults.push(result.message);
    return {
      result,
      content: result instanceof Error ? null : this.#contentOf(result),
      read: this.#reader.read,
      endMs: this.#time.nowMs,
      log: this.#log,
      faults: this.#faults,
    };
  }

  #contentOf(result: FetchResult): Content | null {
    if (result.kind === "swarm") return this.#swarm!.content;
    if (result.kind === "part") return null;
    return this.#byRoot(result.file.root);
  }

  #byRoot(root: Root): Content {
    return this.#world.contents.find((content) => content.root === root)!;
  }

  #tell(event: FetchPolicyEvent): void {
    this.#loop.tell(event);
  }

  #say(what: string): void {
    if (this.#log.length < 2_000) this.#log.push(`${this.#time.nowMs.toFixed(1)} ${what}`);
  }

  #lookAround(): FetchFacts {
    const swarm = () => this.#swarm;
    const importedTo = () => this.#importedTo;
    const view = this.#view;
    const { isAlone, linkCount, peers } = this.#world;
    const hasListed = peers.some(({ isListed }) => isListed);
    return {
      searchOutcome: null,
      surroundings: {
        isAlone,
        linkCount,
        linksDialling: 0,
        addressCount: 0,
        peerFaults: [],
        directories: { size: hasListed ? 1 : 0, faults: [] },
        withheldPath: null,
      },
      get swarm() {
        return swarm();
      },
      mirror: this.#mirrors,
      crowd: null,
      get importedTo() {
        return importedTo();
      },
      get isHandedOut() {
        return view.isHandedOut;
      },
      listedDials: 0,
      isFar: () => false,
      isSource: (nodeId) => swarm()?.hasSource(nodeId) ?? false,
      // What is complete here was hashed once.
      sha256Of: (root) => [...this.#complete].find((content) => content.root === root)?.sha256,
    };
  }

  #offers(before: SimPeer): void {
    const peer = peerAt(before, this.#time.nowMs);
    if (peer === null || this.#policy.isOver) return;
    const { content, nodeId, port } = peer;
    if (peer.isListed && port > 0) return this.#list(peer);
    const address = { host: hostOf(nodeId), port };
    const files = [fileOf(this.#world, content)];
    this.#tell({ kind: "offered", nodeId, address, files });
    const answer = this.#policy.answerTo(nodeId, files, this.#facts);
    if (answer === "want" && this.#swarm!.wantsSources) this.#swarm!.join(peer);
  }

  #list({ content, nodeId, port }: SimPeer): void {
    const { root, sizeBytes, sha256, chunks } = content;
    const { name } = this.#world.request;
    this.#tell({
      kind: "listed",
      files: [{ root, name, type: "zst", sizeBytes, sha256, whole: 1, part: 0 }],
      holders: [
        {
          root,
          sizeBytes,
          nodeId,
          host: hostOf(nodeId),
          port,
          chunksHave: chunks,
          loadPermille: 0,
        },
      ],
    });
  }

  #apply(effect: FetchEffect): void {
    const isOfNodes = OF_NODES.has(effect.kind);
    if (this.#world.mirrorsAlone && isOfNodes) this.#faults.push(`it does not ${effect.kind}`);
    switch (effect.kind) {
      case "look-up":
        return this.#later(2, () => this.#lookUp(effect));
      case "flood":
        // Those that come late hear of it, and offer again.
        for (const peer of this.#world.peers) {
          if (this.#time.nowMs > peer.offersMs) this.#time.later(15, () => this.#offers(peer));
        }
        return;
      case "ask-directories":
      case "ask-relays":
      case "dial-nodes":
      case "note":
      case "log":
      case "threw-away":
      case "hash-as-it-comes":
      case "mirror-is-bad":
        return;
      case "dial":
        return this.#later(10, () => this.#dialled(effect.address.port));
      case "follow":
        return this.#follow(effect.candidate);
      case "start-swarm":
        return this.#swarm?.start();
      case "leave":
        return this.#leave(effect.how);
      case "rejected":
        if (effect.hadCome) this.#kept.delete(effect.candidate.root);
        return;
      case "read-mirror":
        return this.#mirrors!.readTo(effect.bytes);
      case "mirror-ranges":
        return this.#ranges(effect.isOn);
      case "import":
        if (effect.isFromFirst) this.#importedTo = this.#mirrors!.firstChunk;
        return this.#import();
      case "reject-mirror":
        return this.#mirrors!.reject(
          effect.culprit,
          () => this.#tell({ kind: "mirror-rejected" }),
        );
      case "ban-mirror":
        return this.#mirrors!.ban(effect.culprit);
      case "leave-place":
        return this.#mirrors!.leavePlace(() => this.#tell({ kind: "place-left" }));
      case "check-peers": {
        const { content } = this.#swarm!;
        return this.#later(content.chunks, () => {
          const isRight = content.sha256 === this.#world.request.sha256;
          if (isRight) this.#complete.add(content);
          this.#tell({ kind: "peers-checked", key: effect.key, isRight });
        });
      }
      case "check-mirror":
        return this.#later(5, () => {
          const sha256 = this.#mirrors!.whole?.sha256 ?? "of nothing";
          this.#tell({ kind: "mirror-checked", sha256 });
        });
      case "promote-mirror":
        return this.#later(5, () => {
          const root = this.#mirrors!.whole?.root ?? "f".repeat(64) as Root;
          this.#tell({ kind: "mirror-rooted", root });
        });
      case "place":
        return this.#later(3, () => {
          const content = this.#mirrors!.whole;
          if (content === null) return this.#fail("what is of no file became one");
          this.#complete.add(content);
          this.#tell({ kind: "mirror-promoted", file: localOf(this.#world, content) });
        });
      case "do-not-place": {
        const root = this.#mirrors!.whole?.root ?? "f".repeat(64) as Root;
        return this.#later(1, () => this.#tell({ kind: "mirror-not-promoted", root }));
      }
      case "check-here":
        return this.#later(5, () => this.#checkHere(effect));
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
      case "share":
      case "mend":
      case "audit":
        return this.#fail(`no fellows are simulated: ${effect.kind}`);
      case "finish":
        this.#result = this.#delivered(effect.result);
        return this.#stop();
      case "fail":
        this.#result = effect.error;
        return this.#stop();
      default:
        unreachable(effect);
    }
  }

  #lookUp({ comparesWithMirror }: OfKind<FetchEffect, "look-up">): void {
    const { request, mirrorsAlone } = this.#world;
    let hasWrongCopy = false;
    // What is here nothing proves.
    if (mirrorsAlone) return this.#tell({ kind: "looked-up", file: undefined, hasWrongCopy });
    for (const content of this.#complete) {
      if (request.root !== null && request.root !== content.root) continue;
      if (request.sizeBytes !== null && request.sizeBytes !== content.sizeBytes) continue;
      if (request.sha256 !== null && request.sha256 !== content.sha256) hasWrongCopy = true;
      else if (!comparesWithMirror || this.#isMirrors(content)) {
        return this.#tell({ kind: "looked-up", file: localOf(this.#world, content), hasWrongCopy });
      }
    }
    this.#tell({ kind: "looked-up", file: undefined, hasWrongCopy });
  }

  /** Whether the mirrors' first chunks are those of a content, as far as they say. */
  #isMirrors(content: Content): boolean {
    const mirror = this.#mirrors?.first ?? null;
    if (mirror === null || mirror.answersMs > 2_000) return true;
    const first = this.#mirrors!.firstChunk;
    return mirror.content.sizeBytes === content.sizeBytes &&
      chunkOf(mirror.content, first) === chunkOf(content, first);
  }

  /** Whether a content has the chunks that the mirrors gave; null when they gave none. */
  #isAsMirrorGave(content: Content): boolean | null {
    const mirrors = this.#mirrors;
    if (mirrors === null || mirrors.nextChunk === mirrors.firstChunk) return null;
    if (mirrors.sizeBytes !== content.sizeBytes) return false;
    const count = mirrors.nextChunk - mirrors.firstChunk;
    return all(
      { first: mirrors.firstChunk, count },
      (index) => mirrors.chunk(index) === chunkOf(content, index),
    );
  }

  #checkHere(
    { candidate, comparesWithMirror }: OfKind<FetchEffect, "check-here">,
  ): void {
    const content = this.#byRoot(candidate.root);
    const { sha256 } = this.#world.request;
    this.#tell({
      kind: "here-checked",
      candidate,
      file: localOf(this.#world, content),
      isRight: content.sizeBytes === candidate.sizeBytes &&
        (sha256 === null || sha256 === content.sha256),
      isMirrors: this.#isAsMirrorGave(content) ??
        (!comparesWithMirror || this.#isMirrors(content)),
    });
  }

  #follow(candidate: Candidate): void {
    const content = this.#byRoot(candidate.root);
    if (this.#complete.has(content)) return this.#tell({ kind: "is-here", candidate });
    if (content.sizeBytes !== candidate.sizeBytes) {
      return this.#tell({ kind: "impossible", candidate });
    }
    if (this.#leaving === content.root || this.#leaving !== null && this.#world.sharesPlace) {
      this.#tell({ kind: "occupied" });
      return this.#later(3, () => this.#tell({ kind: "freed" }));
    }
    if (this.#swarm !== null) this.#fail("a swarm is followed before the last one was left");
    this.#swarm = new SimSwarm(content, this.#kept.get(content.root), {
      time: this.#time,
      unit: () => this.#world.random.unit(),
      wanted: wantedChunks(this.#world.request, content.sizeBytes),
      tell: (event) => this.#swarm !== null && this.#swarmTells(content, event),
    });
    this.#tell({ kind: "joined" });
  }

  #swarmTells(content: Content, event: FetchPolicyEvent): void {
    if (this.#swarm?.content === content) this.#tell(event);
  }

  #leave(how: "suspend" | "discard"): void {
    const swarm = this.#swarm;
    if (swarm === null) return;
    swarm.end();
    this.#swarm = null;
    this.#leaving = swarm.content.root;
    if (how === "suspend") this.#kept.set(swarm.content.root, swarm.have);
    else this.#kept.delete(swarm.content.root);
    this.#later(2, () => {
      this.#leaving = null;
      this.#tell({ kind: "left" });
    });
  }

  #dialled(port: number): void {
    const peer = this.#world.peers.find((one) => one.port === port);
    if (peer !== undefined) this.#offers({ ...peer, isListed: false });
  }

  #ranges(isOn: boolean): void {
    const swarm = this.#swarm;
    if (swarm === null) return;
    if (!isOn) return swarm.joinMirror(null);
    let label = "";
    swarm.joinMirror({
      give: () => {
        const mirror = this.#mirrors!.forRange();
        label = mirror?.label ?? "";
        return mirror;
      },
      gave: (index) => this.#mirrors!.shown.add(`${index} ${chunkOf(swarm.content, index)}`),
      fail: (wrong) => {
        if (wrong !== null) {
          const why = `chunk ${wrong} of mirror ${label} is not what the leaves say`;
          return this.#tell({ kind: "mirror-differs", why, culprit: label, hasLeftSwarm: true });
        }
        this.#mirrors!.rangesFailed();
        this.#tell({ kind: "mirror-left-swarm" });
      },
    });
  }

  #import(): void {
    const mirrors = this.#mirrors!;
    if (this.#isImporting) return;
    this.#isImporting = true;
    this.#later(this.#world.seed % 2 === 0 ? SLOW_IMPORT_MS : 0.1, () => {
      this.#isImporting = false;
      const swarm = this.#swarm;
      const index = this.#importedTo;
      if (!this.#policy.mayImport || swarm === null || index >= mirrors.nextChunk) return;
      if (!swarm.hasBegun || mirrors.sizeBytes !== swarm.content.sizeBytes) return;
      if (!swarm.feed(index, mirrors.chunk(index), chunkOf(swarm.content, index))) {
        const culprit = mirrors.culpritOf(index);
        const why = `chunk ${index} of mirror ${culprit} is not in the leaves`;
        return this.#tell({ kind: "mirror-differs", why, culprit, hasLeftSwarm: false });
      }
      this.#importedTo = index + 1;
      this.#tell({ kind: "imported", range: { first: index, count: 1 } });
      this.#import();
    });
  }

  // ViewPlaces

  peersPlace(): PeersPlace | null {
    if (this.#swarm === null) return null;
    const { content, have } = this.#swarm;
    return {
      has: (range) => have.hasRange(range),
      reader: readerOf(content.sizeBytes, (index) => chunkOf(content, index)),
      ranges: have.ranges(),
    };
  }

  mirrorPlace(sizeBytes: number): ViewPart {
    const mirrors = this.#mirrors!;
    // What fellows bring lies there too, and nobody has proved it.
    return {
      has: () => true,
      reader: readerOf(sizeBytes, (index) => mirrors.has(index) ? mirrors.chunk(index) : UNPROVED),
    };
  }

  /** The file, unless it has not the chunks that are wanted. */
  #delivered(result: FetchResult): FetchResult | Error {
    try {
      if (result.kind === "local") this.#showLocal(result.file);
      return result;
    } catch (error) {
      return error as FetchFailure;
    }
  }

  #showLocal({ root, sizeBytes }: LocalFile): void {
    const content = this.#byRoot(root);
    const reader = readerOf(sizeBytes, (index) => chunkOf(content, index));
    const wanted = wantedChunks(this.#world.request, sizeBytes);
    this.#reader.isLocal = true;
    this.#view.show(sizeBytes, { peers: { has: () => true, reader }, mirror: null });
    this.#view.gained(wanted);
    this.#view.release(wanted);
  }

  #later(ms: number, run: () => void): void {
    this.#time.later(ms, run);
  }

  #stop(): void {
    this.#loop.end();
    this.#swarm?.joinMirror(null);
    this.#mirrors?.end();
  }

  #fail(what: string): void {
    this.#faults.push(what);
  }
}

function fileOf({ request: { name } }: World, { root, sizeBytes, chunks }: Content) {
  return { root, name, type: "zst", sizeBytes, chunksHave: chunks, whole: true };
}

function localOf({ request: { name } }: World, { root, sizeBytes }: Content): LocalFile {
  return { root, name, sizeBytes };
}
