/** How busy this node is, as directories and other nodes are told. What they make of it is theirs. */

import type { Load } from "../../wire/structures.ts";
import { RateMeter } from "../swarm/rate_meter.ts";
import type { Uploads } from "./uploads.ts";

const U16_MAX = 0xffff;

interface LoadMeterOptions {
  readonly uploads: Pick<Uploads, "active" | "bytesSent">;
  /** So many uploads at once are a full load; nothing is refused because of it. */
  readonly uploadsMax: number;
  /** Room for files that others ask this node to take, in bytes. */
  readonly room: () => number;
}

/** Measures the load of one node. */
export class LoadMeter {
  readonly #options: LoadMeterOptions;
  readonly #rate = new RateMeter();

  constructor(options: LoadMeterOptions) {
    this.#options = options;
  }

  /** Takes a reading; called now and then. */
  tick(nowMs: number): void {
    this.#rate.add(this.#options.uploads.bytesSent, nowMs);
  }

  /** Whether as many are served as this node was meant for. */
  isFull(nowMs: number): boolean {
    const { uploads, uploadsMax } = this.#options;
    return uploads.active(nowMs) >= uploadsMax;
  }

  load(nowMs: number): Load {
    const { uploads, uploadsMax, room } = this.#options;
    return {
      uploads: Math.min(U16_MAX, uploads.active(nowMs)),
      uploadsMax: Math.min(U16_MAX, Math.max(1, uploadsMax)),
      bytesPerSecond: Math.round(this.#rate.bytesPerSecond),
      acceptBytes: Math.max(0, Math.floor(room())),
    };
  }
}
