/**
 * What is shown of how far a fetch is: not too often, with a rate from the start, and with a word
 * as soon as nothing comes. Time comes in through a clock; who fetches need not say anything then.
 */

import type { Clock } from "../../base/clock.ts";
import type { OfKind } from "../../base/errors.ts";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { FetchEvent } from "../../client/types.ts";
import { count } from "../terminal/text_format.ts";

type Progress = OfKind<FetchEvent, "progress">;

/** That nothing comes. */
interface Stall {
  /** How long nothing came. */
  readonly sinceMs: number;
  /** Who would have to give something, for people: "2 sources". */
  readonly waitingFor: string;
  /** Whether the daemon itself says nothing: it may be stopped, or its machine hangs. */
  readonly daemonSilent: boolean;
}

/** Progress as it is shown; while nothing comes, at a rate of 0. */
export interface ShownProgress extends Progress {
  /** Null while bytes come. */
  readonly stalled: Stall | null;
}

interface MeterOptions {
  /** The host of the URL, if that is where the file is; null: nowhere but at nodes. */
  readonly origin: string | null;
  /** Whether that is the only source. */
  readonly isDirect: boolean;
  /** For how long the daemon has said nothing; always 0 without one. */
  readonly silentMs: () => number;
}

/** The progress of one fetch. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #options: MeterOptions;
  #startMs: number;
  #startBytes = 0;
  #shownMs = -Infinity;
  #last: Progress | null = null;
  /** When bytes came last, and the rate by then. */
  #came = { atMs: 0, bytesPerSecond: 0 };

  constructor(clock: Clock, options: MeterOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#startMs = clock.nowMs();
  }

  /** A file begins to come, of which so much is here. */
  begin(bytesHad: number): void {
    this.#startMs = this.#clock.nowMs();
    this.#startBytes = bytesHad;
    this.#last = null;
    this.#came = { atMs: this.#startMs, bytesPerSecond: 0 };
  }

  /** What is to be shown of what a source tells; undefined: nothing yet. */
  progressed(progress: Progress): ShownProgress | undefined {
    const nowMs = this.#clock.nowMs();
    const now = this.#withRate(progress, nowMs);
    if (now.bytesDone !== (this.#last?.bytesDone ?? this.#startBytes)) {
      this.#came = { atMs: nowMs, bytesPerSecond: now.bytesPerSecond };
    }
    this.#last = now;
    return nowMs - this.#shownMs < limits.fetchProgressMs ? undefined : this.#shown(now, nowMs);
  }

  /** What is to be shown because nobody told anything for a while; undefined: nothing. */
  beat(): ShownProgress | undefined {
    const nowMs = this.#clock.nowMs();
    if (this.#last === null || nowMs - this.#shownMs < limits.fetchBeatMs) return undefined;
    return this.#shown(this.#last, nowMs);
  }

  #shown(progress: Progress, nowMs: number): ShownProgress {
    this.#shownMs = nowMs;
    const sinceMs = Math.round(nowMs - this.#came.atMs);
    const isStalled = progress.bytesDone < progress.bytesTotal && sinceMs >= this.#patienceMs;
    if (!isStalled) return { ...progress, stalled: null };
    const daemonSilent = this.#options.silentMs() >= limits.daemonSilentMs;
    const waitingFor = daemonSilent ? "the daemon" : this.#waitingFor(progress);
    const stalled = { sinceMs, waitingFor, daemonSilent };
    // The rate that a source tells fades slowly.
    return { ...progress, bytesPerSecond: 0, stalled };
  }

  /** A slow line brings a chunk now and then: only what is late at its rate stalls. */
  get #patienceMs(): number {
    const { bytesPerSecond } = this.#came;
    const chunkMs = bytesPerSecond > 0 ? CHUNK_BYTES / bytesPerSecond * 1000 : 0;
    return Math.max(limits.fetchStalledMs, 2 * chunkMs);
  }

  #waitingFor({ sources }: Progress): string {
    const { origin, isDirect } = this.#options;
    if (sources > 0 && !isDirect) return count(sources, "source");
    return origin ?? "a node that has the rest";
  }

  /** A node needs a while to tell a rate; until then it is what came since the file was found. */
  #withRate(progress: Progress, nowMs: number): Progress {
    const bytes = progress.bytesDone - this.#startBytes;
    const sinceMs = nowMs - this.#startMs;
    if (progress.bytesPerSecond > 0 || bytes <= 0 || sinceMs > limits.fetchRateKnownMs) {
      return progress;
    }
    return { ...progress, bytesPerSecond: Math.round(bytes / sinceMs * 1000) };
  }
}
