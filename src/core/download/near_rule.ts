/**
 * Whether near sources are so slow that far ones are asked for the same: rule 8 of `download.ts`. What
 * a mirror is to peers (rules 6 and 9 of `core/fetch/mirror_plan.ts`), far sources are to near ones.
 */

import { limits } from "../../base/limits.ts";
import type { Source } from "./source.ts";

/** The judgement of one download. */
export class NearRule {
  /** Since when near sources have more than they can be asked for. */
  #busyMs: number | null = null;
  #areSlow = false;

  /** Looks at the usable sources; to be asked whenever there are others, and on ticks. */
  areSlow(
    { near, far, isBehind, nowMs }: {
      readonly near: readonly Source[];
      readonly far: readonly Source[];
      /** Whether near ones have more than they can be asked for just now. */
      readonly isBehind: boolean;
      readonly nowMs: number;
    },
  ): boolean {
    if (near.length === 0) {
      this.#busyMs = null;
      return this.#areSlow = false;
    }
    // Who gives all that it has is not slow, but has little.
    if (!isBehind) this.#busyMs = null;
    else this.#busyMs ??= nowMs;
    if (this.#busyMs === null || nowMs - this.#busyMs < limits.nearJudgeMs) return this.#areSlow;
    const enough = Math.min(rateOf(far) || Infinity, limits.nearBytesPerSecond);
    const percent = this.#areSlow ? limits.nearFasterPercent : 100;
    return this.#areSlow = rateOf(near) * 100 < enough * percent;
  }
}

/** Bytes a second of all of them, while something is asked of them. */
function rateOf(sources: readonly Source[]): number {
  return sources.reduce((sum, { rate }) => sum + (rate.bytesPerSecond ?? 0), 0);
}
