/**
 * The shared fetches of the gateway: one for each file that HTTP clients want now, and beside it at most
 * one that brings only the end of that file. It bounds how many there are and how often the network
 * is searched, and lets those end that nobody waits for.
 */

import { TimedMap } from "../../base/bounded_map.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { FetchFailure } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { PackageFile } from "../../base/package_index.ts";
import { kindOf } from "../server/request_path.ts";
import { type FetchingNode, SharedFetch, type SoughtFile } from "./shared_fetch.ts";

/** What a client wants. */
export interface SharedFetchRequest {
  readonly name: string;
  /** What the file has to be, if anybody can say. */
  readonly trusted: PackageFile | undefined;
  readonly mirrors: readonly string[];
  /** Whether nodes are not believed what the file is; by default they are. */
  readonly mirrorsAlone?: boolean;
  /** What mirrors are told of through whom the request came. */
  readonly via: readonly string[];
  /** The first byte that is wanted, as far as it is known. */
  readonly from: number;
  /** How long the network is searched at most. */
  readonly searchMs: number;
  /** Until when the client may wait for that to begin, by the clock. */
  readonly untilMs: number;
  readonly signal: AbortSignal;
}

/** What tells one shared fetch from another. */
type SoughtFetch = Pick<SharedFetchRequest, "name" | "trusted" | "mirrorsAlone">;

/** A shared fetch to which the caller is subscribed until it calls `leave`. */
export interface Joined {
  readonly sharedFetch: SharedFetch;
  leave(): void;
}

/** All shared fetches. */
export class SharedFetches {
  readonly #node: FetchingNode;
  readonly #clock: Clock;
  readonly #sharedFetches = new Map<string, SharedFetch[]>();
  readonly #searches = new RateLimit(
    limits.gatewaySearchesPerSecondMax,
    limits.gatewaySearchesBurstMax,
  );
  /** Those that found a file here a moment ago, by its key. */
  readonly #found = new TimedMap<SharedFetch>({
    forMs: limits.gatewayFoundMs,
    max: limits.gatewaySharedFetchesMax,
  });
  /** Files that are known to be nowhere. */
  readonly #missing = new TimedMap<true>({
    forMs: limits.gatewayMissingMs,
    max: limits.gatewayMissingMax,
  });
  /** Files of which no second tail is fetched: the first one was not kept. */
  readonly #tailed = new TimedMap<true>({
    forMs: limits.gatewayTailMs,
    max: limits.gatewayTailedMax,
  });
  /** Told when one began or ended, or nobody else waits before one who waits. */
  readonly #changes = new Changes();
  readonly #packages = new Lane(limits.gatewaySharedFetchesMax);
  /** A package waits for its signature, so that never waits for packages. */
  readonly #signatures = new Lane(limits.gatewaySignatureFetchesMax);

  constructor(node: FetchingNode, { clock }: { readonly clock: Clock }) {
    this.#node = node;
    this.#clock = clock;
  }

  /** How many there are. */
  get count(): number {
    return this.#packages.count + this.#signatures.count;
  }

  /**
   * Joins the shared fetch of a file, or begins one. "missing": nobody had it a moment ago; "full":
   * there were too many in time; "elsewhere": it must be had from a mirror, past the shared fetches, because
   * they would get the same bytes again and again for who asks for one small part after another.
   */
  async join(wanted: SharedFetchRequest): Promise<Joined | "missing" | "full" | "elsewhere"> {
    const lane = this.#laneOf(wanted);
    try {
      for (;;) {
        const joined = this.find(wanted);
        if (joined !== undefined) return joined;
        const nowMs = this.#clock.nowMs();
        if (this.#missing.get(keyOf(wanted), nowMs) || this.#isNowhere(wanted)) return "missing";
        if (!this.#mayHaveTail(wanted, nowMs)) return "elsewhere";
        if (this.#mayBegin(wanted, nowMs)) {
          lane.queue.delete(wanted);
          return this.#begin(wanted);
        }
        if (nowMs >= wanted.untilMs) return "full";
        lane.queue.add(wanted);
        // Who is behind others is told when it is the first.
        const busyMs = this.#isNext(wanted) ? this.#busyMs(lane, nowMs) : Infinity;
        const waitMs = Math.min(wanted.untilMs - nowMs, busyMs);
        await this.#changes.next(this.#clock, { waitMs, signal: wanted.signal });
        wanted.signal.throwIfAborted();
      }
    } finally {
      const wasNext = this.#isNext(wanted);
      if (lane.queue.delete(wanted) && wasNext) this.#changes.tell();
    }
  }

  /** Whether the file may be here whole. */
  mayBeHere(wanted: Pick<SharedFetchRequest, "name" | "trusted">): boolean {
    return this.#node.mayBeHere(fileOf(wanted));
  }

  /**
   * Joins the shared fetch of a file that is under way and gets to what is wanted of it, or found it
   * here just now.
   */
  find(wanted: SoughtFetch & Pick<SharedFetchRequest, "from">): Joined | undefined {
    const sharedFetches = this.#sharedFetches.get(keyOf(wanted)) ?? [];
    let best: SharedFetch | undefined;
    for (const sharedFetch of sharedFetches) {
      if (sharedFetch.isAborted || sharedFetch.from > wanted.from) continue;
      if (best === undefined || sharedFetch.from < best.from) best = sharedFetch;
    }
    best ??= this.#foundHere(keyOf(wanted));
    return best === undefined ? undefined : { sharedFetch: best, leave: best.subscribe() };
  }

  /** The search of a shared fetch took too long for who left it last: nobody seems to have the file. */
  giveUp(wanted: SoughtFetch, sharedFetch: SharedFetch): void {
    if (sharedFetch.hasFound || sharedFetch.aloneSinceMs === null) return;
    sharedFetch.abort(new FetchFailure("notFound", `Nobody gave ${wanted.name} in time`));
    this.#missing.set(keyOf(wanted), true, this.#clock.nowMs());
  }

  /** Lets time pass: gives up what nobody waits for. */
  tick(nowMs: number): void {
    for (const sharedFetches of this.#sharedFetches.values()) {
      for (const sharedFetch of sharedFetches) {
        const { aloneSinceMs } = sharedFetch;
        if (aloneSinceMs === null) continue;
        // What nobody has begun to give is of no use to a client that comes back.
        const isNear = sharedFetch.hasFound || sharedFetch.request.mirrors.length > 0;
        if (nowMs - aloneSinceMs >= (isNear ? limits.gatewayAbandonedMs : 0)) sharedFetch.abort();
      }
    }
    this.#found.tick(nowMs);
    this.#missing.tick(nowMs);
    this.#tailed.tick(nowMs);
  }

  /** Gives all of them up; resolves when they have ended. */
  async stop(): Promise<void> {
    const sharedFetches = [...this.#sharedFetches.values()].flat();
    for (const sharedFetch of sharedFetches) sharedFetch.abort();
    await Promise.all(sharedFetches.map((sharedFetch) => sharedFetch.ended));
  }

  /** Many clients that want a file which is here need no fetch each. */
  #foundHere(key: string): SharedFetch | undefined {
    const sharedFetch = this.#found.get(key, this.#clock.nowMs());
    if (sharedFetch === undefined) return undefined;
    const { request, root } = sharedFetch;
    return root !== null && this.#node.mayBeHere({ ...request, root }) ? sharedFetch : undefined;
  }

  /** Whether a shared fetch may begin where this client begins: from the first byte always. */
  #mayHaveTail(wanted: SharedFetchRequest, nowMs: number): boolean {
    if (startOf(wanted) === 0) return true;
    const key = keyOf(wanted);
    if (this.#tailed.get(key, nowMs)) return false;
    return (this.#sharedFetches.get(key) ?? []).every((sharedFetch) => sharedFetch.from === 0);
  }

  /** Whether nobody can be asked for what is not here; the next client may find that changed. */
  #isNowhere(wanted: SharedFetchRequest): boolean {
    const isNowhere = wanted.mirrors.length === 0 && this.#node.isAlone() &&
      !this.mayBeHere(wanted);
    if (isNowhere) this.#node.seekLinks();
    return isNowhere;
  }

  #mayBegin(wanted: SharedFetchRequest, nowMs: number): boolean {
    if (this.#laneOf(wanted).isFull) return false;
    // Nobody is searched for.
    if (wanted.mirrorsAlone || this.mayBeHere(wanted)) return true;
    if (wanted.mirrors.length > 0 && this.#node.isAlone()) return true;
    return this.#isNext(wanted) && this.#searches.take(nowMs);
  }

  /** Whether the next search is for this: nobody who waits came before, and signatures go first. */
  #isNext(wanted: SharedFetchRequest): boolean {
    const lane = this.#laneOf(wanted);
    if (!lane.isFirst(wanted)) return false;
    const { queue, isFull } = this.#signatures;
    return lane === this.#signatures || queue.size === 0 || isFull;
  }

  /** How long nothing may begin, unless one ends before. */
  #busyMs(lane: Lane, nowMs: number): number {
    return lane.isFull ? Infinity : this.#searches.waitMs(nowMs);
  }

  #laneOf({ name }: Pick<SharedFetchRequest, "name">): Lane {
    return kindOf(name) === "signature" ? this.#signatures : this.#packages;
  }

  #begin(wanted: SharedFetchRequest): Joined {
    const key = keyOf(wanted);
    const sharedFetch = new SharedFetch(this.#node, {
      ...fileOf(wanted),
      chunks: null,
      deliver: false,
      timeoutMs: 0,
      // Nobody is waited for where nobody can be asked.
      searchMs: this.#node.isAlone() ? 1 : wanted.searchMs,
      mirrors: wanted.mirrors,
      mirrorDelayMs: null,
      background: false,
      via: wanted.via,
    }, {
      from: startOf(wanted),
      mirrorsAlone: wanted.mirrorsAlone ?? false,
      clock: this.#clock,
      holdMs: wanted.mirrors.length > 0 ? null : wanted.searchMs,
    });
    this.#sharedFetches.set(key, [...(this.#sharedFetches.get(key) ?? []), sharedFetch]);
    const lane = this.#laneOf(wanted);
    lane.count++;
    sharedFetch.ended.then(() => {
      lane.count--;
      this.#ended(key, sharedFetch);
    });
    this.#changes.tell();
    return { sharedFetch, leave: sharedFetch.subscribe() };
  }

  #ended(key: string, sharedFetch: SharedFetch): void {
    const nowMs = this.#clock.nowMs();
    const others = (this.#sharedFetches.get(key) ?? []).filter((other) => other !== sharedFetch);
    if (others.length > 0) this.#sharedFetches.set(key, others);
    else this.#sharedFetches.delete(key);
    if (sharedFetch.from > 0 && !sharedFetch.isKept) this.#tailed.set(key, true, nowMs);
    const { failure, isAborted, isHere, isKept } = sharedFetch;
    this.#found.delete(key);
    if (isHere && isKept) this.#found.set(key, sharedFetch, nowMs);
    const isNowhere = failure instanceof FetchFailure && failure.exit === "notFound";
    if (isNowhere && !isAborted) this.#missing.set(key, true, nowMs);
    this.#changes.tell();
  }
}

/** Which file is wanted. */
function fileOf({ name, trusted }: Pick<SharedFetchRequest, "name" | "trusted">): SoughtFile {
  const { sha256 = null, sizeBytes = null } = trusted ?? {};
  return { name, root: null, sha256, sizeBytes };
}

/** Where a shared fetch begins: peers give the whole file anyway. */
function startOf({ mirrors, from }: SharedFetchRequest): number {
  return mirrors.length > 0 ? from : 0;
}

/** Shared fetches of one kind, and who waits until one of them may begin. */
class Lane {
  count = 0;
  /** In the order in which they came. */
  readonly queue = new Set<SharedFetchRequest>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get isFull(): boolean {
    return this.count >= this.#max;
  }

  /** Whether nobody who waits came before. */
  isFirst(wanted: SharedFetchRequest): boolean {
    for (const first of this.queue) return first === wanted;
    return true;
  }
}

/**
 * Two repositories may have different files of one name; and who does not believe nodes is not given
 * what they say.
 */
function keyOf({ name, trusted, mirrorsAlone = false }: SoughtFetch): string {
  return `${name}/${mirrorsAlone ? "mirrors" : trusted?.sha256 ?? ""}`;
}
