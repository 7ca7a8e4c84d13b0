/**
 * The flights of the gateway: one for each file that HTTP clients want now, and beside it at most
 * one that brings only the end of that file. It bounds how many there are and how often the network
 * is searched, and lets those end that nobody waits for.
 */

import { FetchFailure } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { RateLimit } from "../base/rate_limit.ts";
import type { VouchedFile } from "../base/package_index.ts";
import { Flight } from "./shared_fetch.ts";
import type { GatewayHost } from "./gateway_host.ts";

/** What a client wants. */
export interface FlightRequest {
  readonly name: string;
  /** What the file has to be, if anybody can say. */
  readonly trusted: VouchedFile | undefined;
  readonly mirrors: readonly string[];
  /** What mirrors are told of through whom the request came. */
  readonly via: readonly string[];
  /** The first byte that is wanted, as far as it is known. */
  readonly from: number;
  /** Until when the search may last, by `performance.now()`. */
  readonly searchUntilMs: number;
  readonly signal: AbortSignal;
}

/** A flight that the caller rides until it calls `leave`. */
export interface Boarded {
  readonly flight: Flight;
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

/** All flights. */
export class Flights {
  readonly #host: GatewayHost;
  readonly #flights = new Map<string, Flight[]>();
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
   * place was free in time; "elsewhere": it must be had from a mirror, past the flights, because
   * they would get the same bytes again and again for who asks for one small part after another.
   */
  async board(wanted: FlightRequest): Promise<Boarded | "missing" | "full" | "elsewhere"> {
    for (;;) {
      const boarded = this.find(wanted);
      if (boarded !== undefined) return boarded;
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
  find(wanted: Pick<FlightRequest, "name" | "trusted" | "from">): Boarded | undefined {
    const flights = this.#flights.get(keyOf(wanted)) ?? [];
    let best: Flight | undefined;
    for (const flight of flights) {
      if (flight.isAborted || flight.from > wanted.from) continue;
      if (best === undefined || flight.from < best.from) best = flight;
    }
    return best === undefined ? undefined : { flight: best, leave: best.ride() };
  }

  /** The search of a flight took too long for whoever rode it last: nobody seems to have the file. */
  giveUp(wanted: Pick<FlightRequest, "name" | "trusted">, flight: Flight): void {
    if (flight.hasFound || flight.aloneSinceMs === null) return;
    flight.abort(new FetchFailure("notFound", `Nobody gave ${wanted.name} in time`));
    this.#noteMissing(keyOf(wanted));
  }

  /** Lets time pass: gives up what nobody waits for. */
  tick(nowMs: number): void {
    for (const flights of this.#flights.values()) {
      for (const flight of flights) {
        const { aloneSinceMs } = flight;
        if (aloneSinceMs === null) continue;
        // What nobody has begun to give is of no use to a client that comes back.
        const isNear = flight.hasFound || flight.request.mirrors.length > 0;
        if (nowMs - aloneSinceMs >= (isNear ? limits.gatewayAbandonedMs : 0)) flight.abort();
      }
    }
    dropPast(this.#missing, nowMs);
    dropPast(this.#tailed, nowMs);
  }

  /** Gives all of them up; resolves when they have ended. */
  async stop(): Promise<void> {
    const flights = [...this.#flights.values()].flat();
    for (const flight of flights) flight.abort();
    await Promise.all(flights.map((flight) => flight.ended));
  }

  #isMissing(key: string, nowMs: number): boolean {
    return (this.#missing.get(key) ?? -Infinity) > nowMs;
  }

  /** Whether a flight may begin where this client begins: from the first byte always. */
  #mayHaveTail(wanted: FlightRequest, nowMs: number): boolean {
    if (startOf(wanted) === 0) return true;
    const key = keyOf(wanted);
    if ((this.#tailed.get(key) ?? -Infinity) > nowMs) return false;
    return (this.#flights.get(key) ?? []).every((flight) => flight.from === 0);
  }

  #mayBegin({ mirrors }: FlightRequest, nowMs: number): boolean {
    if (this.#count >= limits.gatewayFlightsMax) return false;
    return (mirrors.length > 0 && this.#host.isAlone()) || this.#searches.take(nowMs);
  }

  #begin(wanted: FlightRequest, nowMs: number): Boarded {
    const key = keyOf(wanted);
    const flight = new Flight(this.#host, {
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
    this.#flights.set(key, [...(this.#flights.get(key) ?? []), flight]);
    this.#count++;
    flight.ended.then(() => this.#ended(key, flight));
    return { flight, leave: flight.ride() };
  }

  #ended(key: string, flight: Flight): void {
    this.#count--;
    const others = (this.#flights.get(key) ?? []).filter((other) => other !== flight);
    if (others.length > 0) this.#flights.set(key, others);
    else this.#flights.delete(key);
    if (flight.from > 0 && !flight.isKept) {
      noteUntil(this.#tailed, key, {
        untilMs: performance.now() + limits.gatewayTailMs,
        max: TAILED_MAX,
      });
    }
    if (flight.outcome?.kind !== "failed" || flight.isAborted) return;
    const { error } = flight.outcome;
    if (error instanceof FetchFailure && error.exit === "notFound") this.#noteMissing(key);
  }

  #noteMissing(key: string): void {
    noteUntil(this.#missing, key, { untilMs: performance.now() + MISSING_MS, max: MISSING_MAX });
  }
}

/** Where a flight begins: peers give the whole file anyway. */
function startOf({ mirrors, from }: FlightRequest): number {
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
function keyOf({ name, trusted }: Pick<FlightRequest, "name" | "trusted">): string {
  return `${name}/${trusted?.sha256 ?? ""}`;
}
