/** How busy this node is, as directories and other nodes are told. What they make of it is theirs. */

import type { Load } from "../../wire/structures.ts";
import { RateMeter } from "../swarm/rate_meter.ts";

const U16_MAX = 0xffff;

/** Where the numbers come from. */
export interface LoadMeterHost {
  /** Requesters that are being served. */
  uploads(nowMs: number): number;
  /** File bytes given since the start. */
  bytesGiven(): number;
  /** Room for files that others ask this node to take, in bytes. */
  room(): number;
}

/** Measures the load of one node. */
export class LoadMeter {
  readonly #host: LoadMeterHost;
  readonly #uploadsMax: number;
  readonly #rate = new RateMeter();

  /** `uploadsMax` uploads at once are a full load; nothing is refused because of it. */
  constructor(host: LoadMeterHost, options: { readonly uploadsMax: number }) {
    this.#host = host;
    this.#uploadsMax = options.uploadsMax;
  }

  /** Takes a reading; called now and then. */
  tick(nowMs: number): void {
    this.#rate.add(this.#host.bytesGiven(), nowMs);
  }

  /** Whether as many are served as this node was meant for. */
  isFull(nowMs: number): boolean {
    return this.#host.uploads(nowMs) >= this.#uploadsMax;
  }

  load(nowMs: number): Load {
    return {
      uploads: Math.min(U16_MAX, this.#host.uploads(nowMs)),
      uploadsMax: Math.min(U16_MAX, Math.max(1, this.#uploadsMax)),
      bytesPerSecond: Math.round(this.#rate.bytesPerSecond),
      acceptBytes: Math.max(0, Math.floor(this.#host.room())),
    };
  }
}
