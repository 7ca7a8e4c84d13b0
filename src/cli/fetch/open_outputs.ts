/** The outputs that one command writes at a time. */

import type { FetchOutput } from "./fetch_output.ts";

/** Disposed of, what is not complete is gone. */
export class OpenOutputs implements Disposable {
  readonly #outputs = new Set<FetchOutput>();

  add(output: FetchOutput): void {
    this.#outputs.add(output);
  }

  [Symbol.dispose](): void {
    for (const output of this.#outputs) output.discard();
  }
}
