/**
 * When one fetch has known nodes dialled: those that a person named, and those that were met before.
 *
 * Rules
 *  1. A fetch that has no link, or has lost its sources, has them dialled at once and again every
 *     `dialRoundMs`: they may just be back.
 *  2. While the first of these rounds is under way, for up to `dialMs` or what the request says, there is
 *     somebody to wait for.
 *  3. The first link that comes of it has all the time of a search.
 */

import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Surroundings } from "./fetch_failures.ts";

/** What the links of the node are like. */
type Links = Pick<Surroundings, "linkCount" | "linksDialling" | "addressCount">;

/** The rounds of one fetch. */
export class DialRounds {
  readonly #request: Pick<FetchRequest, "searchMs">;
  #firstMs: number | null = null;
  #lastMs = -Infinity;
  /** Whether there is a link, or was one. */
  #wasLinked = false;

  constructor(request: Pick<FetchRequest, "searchMs">) {
    this.#request = request;
  }

  /** Rule 2. */
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
