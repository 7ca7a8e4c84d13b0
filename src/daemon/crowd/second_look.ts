/** What the policy of a crowd has a mending do, while it finds out what is wrong; see `core/crowd`. */

import type { ChunkRange } from "../../base/geometry.ts";

/** What is to be read again, one stripe after the other. */
export class SecondLook {
  #stripe: number | null | undefined;
  readonly #lose: ChunkRange[] = [];
  #came = Promise.withResolvers<void>();

  /** Resolves when there is something to take. */
  get came(): Promise<void> {
    return this.#came.promise;
  }

  /** Takes the stripe that is to be read again; null: all is proved; undefined: wait. */
  take(): number | null | undefined {
    const stripe = this.#stripe;
    this.#stripe = undefined;
    this.#came = Promise.withResolvers();
    return stripe;
  }

  /** Takes the chunks that are to count as missing where others gave them. */
  takeLost(): ChunkRange[] {
    return this.#lose.splice(0);
  }

  readAgain(stripe: number | null): void {
    this.#stripe = stripe;
    this.#came.resolve();
  }

  lose(ranges: readonly ChunkRange[]): void {
    this.#lose.push(...ranges);
  }
}
