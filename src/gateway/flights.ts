/**
 * The flights of the gateway: one for each file that HTTP clients want now. It bounds how many
 * there are and how often the network is searched, and lets those end that nobody waits for.
 */

import { FetchFailure } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { RateLimit } from "../base/rate_limit.ts";
import type { VouchedFile } from "../base/trust.ts";
import { Flight } from "./flight.ts";
import type { GatewayHost } from "./gateway_host.ts";

/** What a client wants. */
export interface FlightRequest {
  readonly name: string;
  /** What the file has to be, if anybody can say. */
  readonly trusted: VouchedFile | undefined;
  readonly mirrors: readonly string[];
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
   * place was free in time.
   */
  async board(wanted: FlightRequest): Promise<Boarded | "missing" | "full"> {
    for (;;) {
      const boarded = this.find(wanted);
      if (boarded !== undefined) return boarded;
      const nowMs = performance.now();
      if (this.#isMissing(keyOf(wanted), nowMs)) return "missing";
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
      if (flight.from > wanted.from) continue;
      if (best === undefined || flight.from < best.from) best = flight;
    }
    return best === undefined ? undefined : { flight: best, leave: best.ride() };
  }

  /** The search of a flight took too long for whoever rode it last: nobody seems to have the file. */
  giveUp(wanted: Pick<FlightRequest, "name" | "trusted">, flight: Flight): void {
    if (flight.hasFound || flight.aloneSinceMs === null) return;
    flight.abort();
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
    for (const [key, untilMs] of this.#missing) {
      if (untilMs > nowMs) break;
      this.#missing.delete(key);
    }
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
    }, { from: wanted.mirrors.length > 0 ? wanted.from : 0 });
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
    if (flight.outcome?.kind !== "failed" || flight.isAborted) return;
    const { error } = flight.outcome;
    if (error instanceof FetchFailure && error.exit === "notFound") this.#noteMissing(key);
  }

  #noteMissing(key: string): void {
    this.#missing.delete(key);
    this.#missing.set(key, performance.now() + MISSING_MS);
    if (this.#missing.size <= MISSING_MAX) return;
    for (const oldest of this.#missing.keys()) {
      this.#missing.delete(oldest);
      break;
    }
  }
}

/** Two repositories may have different files of one name. */
function keyOf({ name, trusted }: Pick<FlightRequest, "name" | "trusted">): string {
  return `${name}/${trusted?.sha256 ?? ""}`;
}
