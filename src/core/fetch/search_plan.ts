/**
 * When one fetch searches: floods its query and asks the directories (trackers), again and again
 * while more holders are wanted. It says when; the policy's effects say
 * what to do.
 *
 * Rules
 *  1. A fetch begins with a flood, which asks the directories as well.
 *  2. While a holder that a flood finds would be of use, it floods every `floodAgainMs`; every
 *     `floodWhileDelayedMs` where nobody offers the file, and a mirror's time has not come; and every
 *     `floodForComingMs` where others are just getting it.
 *  3. When all sources are lost it floods at once, but not within `floodInNeedMs` of the last flood.
 *  4. While a holder that a directory names would be of use, it asks them every `askAgainMs`.
 */

import { limits } from "../../base/limits.ts";

/** What is to be asked now. */
export type SearchStep = "flood" | "ask-directories" | "nothing";

/** The searches of one fetch. */
export class SearchPlan {
  #queries = 0;
  #floodedMs = -Infinity;
  #askedMs = -Infinity;

  /** Queries that were flooded. */
  get queries(): number {
    return this.#queries;
  }

  /** Rule 1: floods, whatever was asked before. */
  flood(nowMs: number): "flood" {
    this.#floodedMs = this.#askedMs = nowMs;
    this.#queries++;
    return "flood";
  }

  /** Rule 3: all sources are lost. */
  inNeed(nowMs: number): SearchStep {
    return nowMs - this.#floodedMs >= limits.floodInNeedMs ? this.flood(nowMs) : "nothing";
  }

  /** Rules 2 and 4: lets time pass. */
  tick(
    nowMs: number,
    wants: {
      /** How often to look for another holder that the flood finds; Infinity: it is of no use. */
      readonly fromFloodMs: number;
      /** The same for one that a directory names. */
      readonly fromDirectories: boolean;
    },
  ): SearchStep {
    if (nowMs - this.#floodedMs > wants.fromFloodMs) return this.flood(nowMs);
    if (!wants.fromDirectories || nowMs - this.#askedMs <= limits.askAgainMs) return "nothing";
    this.#askedMs = nowMs;
    return "ask-directories";
  }
}
