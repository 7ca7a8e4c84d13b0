/**
 * Whether a node that gets a file waits for somebody who seeks it, who may be a fellow in a moment. Pure.
 *
 * Rules
 *  1. Who seeks the file is waited for, `crowdExpectMs` from the last time that anybody sought it.
 *  2. Whoever seeks it again and again and does not come is not waited for longer than twice that time: a
 *     client of this node waits as well. Nobody is expected then before it was quiet for `crowdExpectMs`.
 *  3. Fellows that all left may have all of it by now, and offer it: that is as if it was sought.
 */

import { limits } from "../../base/limits.ts";

/** What one node expects of one file. */
export class Expectation {
  #firstMs = -Infinity;
  #lastMs = -Infinity;

  /** Somebody seeks the file. */
  sought(nowMs: number): void {
    if (nowMs - this.#lastMs >= limits.crowdExpectMs) this.#firstMs = nowMs;
    this.#lastMs = nowMs;
  }

  /** Rule 3. */
  left(nowMs: number): void {
    this.#firstMs = this.#lastMs = nowMs;
  }

  isOn(nowMs: number): boolean {
    return nowMs - this.#lastMs < limits.crowdExpectMs &&
      nowMs - this.#firstMs < 2 * limits.crowdExpectMs;
  }
}
