/**
 * The shared fetches of the gateway: one for each file that HTTP clients want now, and beside it at most
 * one that brings only the end of that file. It bounds how many there are and how often the network
 * is searched, and lets those end that nobody waits for.
 */

import { FetchFailure } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { PackageFile } from "../../base/package_index.ts";
import { SharedFetch } from "./shared_fetch.ts";
import type { GatewayHost } from "../gateway_host.ts";

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
  /** Until when the search may last, by `performance.now()`. */
  readonly searchUntilMs: number;
  readonly signal: AbortSignal;
}

/** A shared fetch that the caller rides until it calls `leave`. */
export interface Joined {
  readonly sharedFetch: SharedFetch;
  leave(): void;
}

/** Pause between two looks at whether a place or a search is free. */
const LOOK_MS = 25;
/** How long nobody is asked again for a file that nobody had. */
const MISSING_MS = 1_000;
/** Names of such files; the oldest goes. */
const MISSING_MAX = 4_096;
/** Files whose tail was fetched; the oldest goes. */
const TAILED_MAX = 4_096;

/** All shared fetches. */
export class SharedFetches {
  readonly #host: GatewayHost;
  readonly #sharedFetches = new Map<string, SharedFetch[]>();
  readonly #searches = new RateLimit(
    limits.gatewaySearchesPerSecondMax,
    limits.gatewaySearchesBurstMax,
  );
  /** Until when each file is known to be nowhere. */
  readonly #missing = new Map<string, number>();
  /** Until when no second tail of a file is fetched: the first one was not kept. */
  readonly #tailed = new Map<string, number>();
  #count = 0;

  constructor(host: GatewayHost) {
    this.#host = host;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * Finds the flight of a file, or begins one. "missing": nobody had it a moment ago; "full": no
   * place was free in time; "elsewhere": it must be had from a mirror, past the shared fetches, because
   * they would get the same bytes again and again for who asks for one small part after another.
   */
  async join(wanted: SharedFetchRequest): Promise<Joined | "missing" | "full" | "elsewhere"> {
    for (;;) {
      const joined = this.find(wanted);
      if (joined !== undefined) return joined;
      const nowMs = performance.now();
      if (this.#isMissing(keyOf(wanted), nowMs)) return "missing";
      if (!this.#mayHaveTail(wanted, nowMs)) return "elsewhere";
      if (this.#mayBegin(wanted, nowMs)) return this.#begin(wanted, nowMs);
      if (nowMs >= wanted.searchUntilMs) return "full";
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      wanted.signal.throwIfAborted();
    }
  }

  /** The flight of a file that is under way and gets to what is wanted of it. */
  find(wanted: Pick<SharedFetchRequest, "name" | "trusted" | "from">): Joined | undefined {
    const sharedFetches = this.#sharedFetches.get(keyOf(wanted)) ?? [];
    let best: SharedFetch | undefined;
    for (const sharedFetch of sharedFetches) {
      if (sharedFetch.isAborted || sharedFetch.from > wanted.from) continue;
      if (best === undefined || sharedFetch.from < best.from) best = sharedFetch;
    }
    return best === undefined ? undefined : { sharedFetch: best, leave: best.ride() };
  }

  /** The search of a shared fetch took too long for whoever rode it last: nobody seems to have the file. */
  giveUp(wanted: Pick<SharedFetchRequest, "name" | "trusted">, sharedFetch: SharedFetch): void {
    if (sharedFetch.hasFound || sharedFetch.aloneSinceMs === null) return;
    sharedFetch.abort(new FetchFailure("notFound", `Nobody gave ${wanted.name} in time`));
    this.#noteMissing(keyOf(wanted));
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
    dropPast(this.#missing, nowMs);
    dropPast(this.#tailed, nowMs);
  }

  /** Gives all of them up; resolves when they have ended. */
  async stop(): Promise<void> {
    const sharedFetches = [...this.#sharedFetches.values()].flat();
    for (const sharedFetch of sharedFetches) sharedFetch.abort();
    await Promise.all(sharedFetches.map((sharedFetch) => sharedFetch.ended));
  }

  #isMissing(key: string, nowMs: number): boolean {
    return (this.#missing.get(key) ?? -Infinity) > nowMs;
  }

  /** Whether a shared fetch may begin where this client begins: from the first byte always. */
  #mayHaveTail(wanted: SharedFetchRequest, nowMs: number): boolean {
    if (startOf(wanted) === 0) return true;
    const key = keyOf(wanted);
    if ((this.#tailed.get(key) ?? -Infinity) > nowMs) return false;
    return (this.#sharedFetches.get(key) ?? []).every((sharedFetch) => sharedFetch.from === 0);
  }

  #mayBegin({ mirrors }: SharedFetchRequest, nowMs: number): boolean {
    if (this.#count >= limits.gatewaySharedFetchesMax) return false;
    return (mirrors.length > 0 && this.#host.isAlone()) || this.#searches.take(nowMs);
  }

  #begin(wanted: SharedFetchRequest, nowMs: number): Joined {
    const key = keyOf(wanted);
    const sharedFetch = new SharedFetch(this.#host, {
      name: wanted.name,
      root: null,
      sha256: wanted.trusted?.sha256 ?? null,
      sizeBytes: wanted.trusted?.sizeBytes ?? null,
      chunks: null,
      deliver: false,
      timeoutMs: 0,
      // Where nobody can be asked, what is not here is not there.
      searchMs: this.#host.isAlone() ? 1 : Math.max(1, Math.ceil(wanted.searchUntilMs - nowMs)),
      mirrors: wanted.mirrors.slice(0, limits.mirrorsMax),
      via: wanted.via,
    }, { from: startOf(wanted) });
    this.#sharedFetches.set(key, [...(this.#sharedFetches.get(key) ?? []), sharedFetch]);
    this.#count++;
    sharedFetch.ended.then(() => this.#ended(key, sharedFetch));
    return { sharedFetch, leave: sharedFetch.ride() };
  }

  #ended(key: string, sharedFetch: SharedFetch): void {
    this.#count--;
    const others = (this.#sharedFetches.get(key) ?? []).filter((other) => other !== sharedFetch);
    if (others.length > 0) this.#sharedFetches.set(key, others);
    else this.#sharedFetches.delete(key);
    if (sharedFetch.from > 0 && !sharedFetch.isKept) {
      noteUntil(this.#tailed, key, {
        untilMs: performance.now() + limits.gatewayTailMs,
        max: TAILED_MAX,
      });
    }
    if (sharedFetch.outcome?.kind !== "failed" || sharedFetch.isAborted) return;
    const { error } = sharedFetch.outcome;
    if (error instanceof FetchFailure && error.exit === "notFound") this.#noteMissing(key);
  }

  #noteMissing(key: string): void {
    noteUntil(this.#missing, key, { untilMs: performance.now() + MISSING_MS, max: MISSING_MAX });
  }
}

/** Where a shared fetch begins: peers give the whole file anyway. */
function startOf({ mirrors, from }: SharedFetchRequest): number {
  return mirrors.length > 0 ? from : 0;
}

/** Notes something of a file for some time; the oldest entry goes when there are too many. */
function noteUntil(
  notes: Map<string, number>,
  key: string,
  { untilMs, max }: { readonly untilMs: number; readonly max: number },
): void {
  notes.delete(key);
  notes.set(key, untilMs);
  if (notes.size <= max) return;
  for (const oldest of notes.keys()) {
    notes.delete(oldest);
    break;
  }
}

/** Drops what is over; the oldest entries come first. */
function dropPast(notes: Map<string, number>, nowMs: number): void {
  for (const [key, untilMs] of notes) {
    if (untilMs > nowMs) break;
    notes.delete(key);
  }
}

/** Two repositories may have different files of one name. */
function keyOf({ name, trusted }: Pick<SharedFetchRequest, "name" | "trusted">): string {
  return `${name}/${trusted?.sha256 ?? ""}`;
}
