/**
 * When one fetch searches: floods its query and asks the directories (trackers), again and again
 * while more holders are wanted, and has known nodes dialled where there is nobody to ask. It says
 * when; the policy's effects say what to do.
 *
 * Rules
 *  1. A fetch begins with a flood, which asks the directories as well.
 *  2. While a holder that a flood finds would be of use, it floods every `floodAgainMs`; every
 *     `floodWhileDelayedMs` where nobody offers the file, and a mirror's time has not come; and every
 *     `floodForComingMs` where others are just getting it.
 *  3. When all sources are lost it floods at once, but not within `floodInNeedMs` of the last flood.
 *  4. While a holder that a directory names would be of use, it asks them every `askAgainMs`.
 *  5. A fetch that has no link, or has lost its sources, has the nodes dialled that a person named or
 *     that were met before, at once and again every `dialRoundMs`: they may just be back.
 *  6. While the first of these rounds is under way, for up to `dialMs` or what the request says, there is
 *     somebody to wait for.
 *  7. The first link that comes of it has all the time of a search.
 */

import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Surroundings } from "./fetch_failures.ts";

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

/** What the links of the node are like. */
type Links = Pick<Surroundings, "linkCount" | "linksDialling" | "addressCount">;

/** The rounds of dials of one fetch: rules 5 to 7. */
export class DialRounds {
  readonly #request: Pick<FetchRequest, "searchMs">;
  #firstMs: number | null = null;
  #lastMs = -Infinity;
  /** Whether there is a link, or was one. */
  #wasLinked = false;

  constructor(request: Pick<FetchRequest, "searchMs">) {
    this.#request = request;
  }

  /** Rule 6. */
  isLinking({ linkCount, linksDialling }: Links, nowMs: number): boolean {
    if (this.#firstMs === null || linkCount > 0 || linksDialling === 0) return false;
    const { searchMs } = this.#request;
    return nowMs - this.#firstMs < Math.min(limits.dialMs, searchMs > 0 ? searchMs : Infinity);
  }

  /**
   * Lets time pass: whether nodes are to be dialled now, or a link has come of the rounds.
   *
   * @param how.isLost Whether the sources of what is followed are lost.
   */
  tick(
    { linkCount, addressCount }: Links,
    { isLost, nowMs }: { readonly isLost: boolean; readonly nowMs: number },
  ): { readonly dials: boolean; readonly isLinked: boolean } {
    const isLinked = linkCount > 0 && !this.#wasLinked && this.#firstMs !== null;
    this.#wasLinked ||= linkCount > 0;
    const isOfUse = addressCount > 0 && (linkCount === 0 || isLost);
    const dials = isOfUse && nowMs - this.#lastMs >= limits.dialRoundMs;
    if (dials) {
      this.#firstMs ??= nowMs;
      this.#lastMs = nowMs;
    }
    return { dials, isLinked };
  }
}
