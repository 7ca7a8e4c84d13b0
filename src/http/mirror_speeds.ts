/** How fast mirrors give, by host: measured, and remembered for a while. Asks nobody. */

import { BoundedMap } from "../base/bounded_map.ts";
import { limits } from "../base/limits.ts";

interface Speed {
  bytesPerSecond: number;
  /** When it was measured last. */
  atMs: number;
}

/** Weight of a new measurement against what was known before. */
const WEIGHT = 0.5;

/** The speeds of all mirrors that a node has asked. */
export class MirrorSpeeds {
  /** The one measured last stands last; the one longest not asked goes. */
  readonly #speeds = new BoundedMap<string, Speed>(limits.mirrorHostsMax);

  /** Takes a measurement: `bytes` in `ms`, from all connections to it together. */
  note(mirror: string, bytes: number, ms: number, nowMs: number): void {
    const measured = bytes * 1000 / Math.max(ms, 1);
    const known = this.of(mirror, nowMs);
    const bytesPerSecond = known === undefined ? measured : known + WEIGHT * (measured - known);
    this.#speeds.set(mirror, { bytesPerSecond, atMs: nowMs });
  }

  /** Bytes a second that it gives; undefined when that was not measured, or too long ago. */
  of(mirror: string, nowMs: number): number | undefined {
    const speed = this.#speeds.get(mirror);
    if (speed === undefined || nowMs - speed.atMs > limits.hedgeSpeedMs) return undefined;
    return speed.bytesPerSecond;
  }
}

/**
 * Measures how fast a mirror gives over all connections to it together: from the first bytes of a
 * body on, for as long as somebody reads without a rest.
 */
export class MirrorMeter {
  readonly #mirror: string;
  readonly #speeds: MirrorSpeeds;
  /** Bodies that are being read. */
  #bodies = 0;
  #bytes = 0;
  #busyMs = 0;
  #sinceMs = 0;

  constructor(mirror: string, speeds: MirrorSpeeds) {
    this.#mirror = mirror;
    this.#speeds = speeds;
  }

  /** Measures one more body. */
  body(): BodyMeter {
    return new BodyMeter(this);
  }

  begin(nowMs: number): void {
    if (this.#bodies++ === 0) this.#sinceMs = nowMs;
  }

  add(bytes: number, nowMs: number): void {
    this.#bytes += bytes;
    if (this.#run(nowMs) >= limits.mirrorMeasureMs || this.#bytes >= limits.mirrorMeasureBytes) {
      this.#sample(nowMs);
    }
  }

  end(nowMs: number): void {
    this.#run(nowMs);
    if (--this.#bodies > 0) return;
    if (this.#bytes >= limits.mirrorSampleBytes) this.#sample(nowMs);
  }

  #run(nowMs: number): number {
    this.#busyMs += nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    return this.#busyMs;
  }

  #sample(nowMs: number): void {
    this.#speeds.note(this.#mirror, this.#bytes, this.#busyMs, nowMs);
    this.#bytes = 0;
    this.#busyMs = 0;
  }
}

/** The part of a {@linkcode MirrorMeter} that is about one body. */
export class BodyMeter {
  readonly #meter: MirrorMeter;
  #state: "new" | "measured" | "left" = "new";
  #lastMs: number | null = null;

  constructor(meter: MirrorMeter) {
    this.#meter = meter;
  }

  /** Somebody waits for bytes. */
  reading(nowMs: number): void {
    if (this.#state === "measured" && nowMs - this.#lastMs! > limits.mirrorRestMs) {
      this.end(this.#lastMs!);
    }
  }

  /** Bytes came. Those that come first only begin the measurement: they waited for the head. */
  add(bytes: number, nowMs: number): void {
    if (this.#state === "new") {
      this.#state = "measured";
      this.#meter.begin(nowMs);
    } else if (this.#state === "measured") this.#meter.add(bytes, nowMs);
    this.#lastMs = nowMs;
  }

  /** Nothing more comes, or what comes tells nothing. */
  end(nowMs: number): void {
    if (this.#state === "measured") this.#meter.end(nowMs);
    this.#state = "left";
  }
}
