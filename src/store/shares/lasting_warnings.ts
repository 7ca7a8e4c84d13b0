/**
 * Warnings of what lasts: what cannot be shared is found again at every look, and told once. It is told
 * again when it was put right meanwhile, or when it has another cause.
 */

import { limits } from "../../base/limits.ts";
import type { OnWarning } from "../files/stored_file.ts";

/** What was told, by what it is about. */
export class LastingWarnings {
  readonly #warn: OnWarning;
  readonly #told = new Map<string, string>();
  #isFull = false;

  constructor(warn: OnWarning) {
    this.#warn = warn;
  }

  /** @param about A path, or another name of what is wrong. */
  warn(about: string, message: string, fields: Parameters<OnWarning>[1]): void {
    if (this.#told.get(about) === message) return;
    if (!this.#told.has(about) && this.#told.size >= limits.lastingWarningsMax) {
      if (!this.#isFull) this.#warn("There is more that cannot be shared, and is not told", fields);
      this.#isFull = true;
      return;
    }
    this.#told.set(about, message);
    this.#warn(message, fields);
  }

  /** It is right now. */
  clear(about: string): void {
    if (this.#told.delete(about)) this.#isFull = false;
  }
}
