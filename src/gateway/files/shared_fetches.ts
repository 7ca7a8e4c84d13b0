/**
 * The shared fetches of the gateway: one for each file that HTTP clients want now, and beside it at most
 * one that brings only the end of that file. It bounds how many there are and how often the network
 * is searched, and lets those end that nobody waits for.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { FetchFailure } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { PackageFile } from "../../base/package_index.ts";
import { type FetchingNode, SharedFetch } from "./shared_fetch.ts";

/** What a client wants. */
export interface SharedFetchRequest {
  readonly name: string;
  /** What the file has to be, if anybody can say. */
  readonly trusted: PackageFile | undefined;
  readonly mirrors: readonly string[];
  /** What mirrors are told of through whom the request came. */
  readonly via: readonly string[];
  /** The first byte that is wanted, as far as it is known. */
  readonly from: number;
  /** Until when the search may last, by the clock. */
  readonly searchUntilMs: number;
  readonly signal: AbortSignal;
}

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
  /** Files that are known to be nowhere. */
  readonly #missing = new TimedKeys({
    forMs: limits.gatewayMissingMs,
    max: limits.gatewayMissingMax,
  });
  /** Files of which no second tail is fetched: the first one was not kept. */
  readonly #tailed = new TimedKeys({ forMs: limits.gatewayTailMs, max: limits.gatewayTailedMax });
  /** Told when one began or ended. */
  readonly #changes = new Changes();
  #count = 0;

  constructor(node: FetchingNode, { clock }: { readonly clock: Clock }) {
    this.#node = node;
    this.#clock = clock;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * Joins the shared fetch of a file, or begins one. "missing": nobody had it a moment ago; "full":
   * there were too many in time; "elsewhere": it must be had from a mirror, past the shared fetches, because
   * they would get the same bytes again and again for who asks for one small part after another.
   */
  async join(wanted: SharedFetchRequest): Promise<Joined | "missing" | "full" | "elsewhere"> {
    for (;;) {
      const joined = this.find(wanted);
      if (joined !== undefined) return joined;
      const nowMs = this.#clock.nowMs();
      if (this.#missing.has(keyOf(wanted), nowMs)) return "missing";
      if (!this.#mayHaveTail(wanted, nowMs)) return "elsewhere";
      if (this.#mayBegin(wanted, nowMs)) return this.#begin(wanted, nowMs);
      if (nowMs >= wanted.searchUntilMs) return "full";
      const waitMs = Math.min(wanted.searchUntilMs - nowMs, this.#busyMs(nowMs));
      await this.#changes.next(this.#clock, { waitMs, signal: wanted.signal });
      wanted.signal.throwIfAborted();
    }
  }

  /** Joins the shared fetch of a file that is under way and gets to what is wanted of it. */
  find(wanted: Pick<SharedFetchRequest, "name" | "trusted" | "from">): Joined | undefined {
    const sharedFetches = this.#sharedFetches.get(keyOf(wanted)) ?? [];
    let best: SharedFetch | undefined;
    for (const sharedFetch of sharedFetches) {
      if (sharedFetch.isAborted || sharedFetch.from > wanted.from) continue;
      if (best === undefined || sharedFetch.from < best.from) best = sharedFetch;
    }
    return best === undefined ? undefined : { sharedFetch: best, leave: best.subscribe() };
  }

  /** The search of a shared fetch took too long for who left it last: nobody seems to have the file. */
  giveUp(wanted: Pick<SharedFetchRequest, "name" | "trusted">, sharedFetch: SharedFetch): void {
    if (sharedFetch.hasFound || sharedFetch.aloneSinceMs === null) return;
    sharedFetch.abort(new FetchFailure("notFound", `Nobody gave ${wanted.name} in time`));
    this.#missing.add(keyOf(wanted), this.#clock.nowMs());
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
    this.#missing.tick(nowMs);
    this.#tailed.tick(nowMs);
  }

  /** Gives all of them up; resolves when they have ended. */
  async stop(): Promise<void> {
    const sharedFetches = [...this.#sharedFetches.values()].flat();
    for (const sharedFetch of sharedFetches) sharedFetch.abort();
    await Promise.all(sharedFetches.map((sharedFetch) => sharedFetch.ended));
  }

  /** Whether a shared fetch may begin where this client begins: from the first byte always. */
  #mayHaveTail(wanted: SharedFetchRequest, nowMs: number): boolean {
    if (startOf(wanted) === 0) return true;
    const key = keyOf(wanted);
    if (this.#tailed.has(key, nowMs)) return false;
    return (this.#sharedFetches.get(key) ?? []).every((sharedFetch) => sharedFetch.from === 0);
  }

  #mayBegin({ mirrors }: SharedFetchRequest, nowMs: number): boolean {
    if (this.#count >= limits.gatewaySharedFetchesMax) return false;
    return (mirrors.length > 0 && this.#node.isAlone()) || this.#searches.take(nowMs);
  }

  /** How long nothing may begin, unless one ends before. */
  #busyMs(nowMs: number): number {
    return this.#count >= limits.gatewaySharedFetchesMax ? Infinity : this.#searches.waitMs(nowMs);
  }

  #begin(wanted: SharedFetchRequest, nowMs: number): Joined {
    const key = keyOf(wanted);
    const sharedFetch = new SharedFetch(this.#node, {
      name: wanted.name,
      root: null,
      sha256: wanted.trusted?.sha256 ?? null,
      sizeBytes: wanted.trusted?.sizeBytes ?? null,
      chunks: null,
      deliver: false,
      timeoutMs: 0,
      // Where nobody can be asked, what is not here is not there.
      searchMs: this.#node.isAlone() ? 1 : Math.max(1, Math.ceil(wanted.searchUntilMs - nowMs)),
      mirrors: wanted.mirrors,
      via: wanted.via,
    }, { from: startOf(wanted), clock: this.#clock });
    this.#sharedFetches.set(key, [...(this.#sharedFetches.get(key) ?? []), sharedFetch]);
    this.#count++;
    sharedFetch.ended.then(() => this.#ended(key, sharedFetch));
    this.#changes.tell();
    return { sharedFetch, leave: sharedFetch.subscribe() };
  }

  #ended(key: string, sharedFetch: SharedFetch): void {
    const nowMs = this.#clock.nowMs();
    this.#count--;
    const others = (this.#sharedFetches.get(key) ?? []).filter((other) => other !== sharedFetch);
    if (others.length > 0) this.#sharedFetches.set(key, others);
    else this.#sharedFetches.delete(key);
    if (sharedFetch.from > 0 && !sharedFetch.isKept) this.#tailed.add(key, nowMs);
    const { failure, isAborted } = sharedFetch;
    const isNowhere = failure instanceof FetchFailure && failure.exit === "notFound";
    if (isNowhere && !isAborted) this.#missing.add(key, nowMs);
    this.#changes.tell();
  }
}

/** Where a shared fetch begins: peers give the whole file anyway. */
function startOf({ mirrors, from }: SharedFetchRequest): number {
  return mirrors.length > 0 ? from : 0;
}

/** Keys that count for some time; the oldest goes when there are too many. */
class TimedKeys {
  readonly #forMs: number;
  readonly #untilMs: BoundedMap<string, number>;

  constructor({ forMs, max }: { readonly forMs: number; readonly max: number }) {
    this.#forMs = forMs;
    this.#untilMs = new BoundedMap(max);
  }

  add(key: string, nowMs: number): void {
    this.#untilMs.set(key, nowMs + this.#forMs);
  }

  has(key: string, nowMs: number): boolean {
    return (this.#untilMs.get(key) ?? -Infinity) > nowMs;
  }

  /** Drops what is over; the oldest come first. */
  tick(nowMs: number): void {
    for (const [key, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) break;
      this.#untilMs.delete(key);
    }
  }
}

/** Two repositories may have different files of one name. */
function keyOf({ name, trusted }: Pick<SharedFetchRequest, "name" | "trusted">): string {
  return `${name}/${trusted?.sha256 ?? ""}`;
}
