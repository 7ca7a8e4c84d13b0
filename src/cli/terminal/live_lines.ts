/** Several last lines of a terminal, such as a bar for each of several files. */

import { StatusLine } from "./status_line.ts";
import { note } from "./terminal.ts";

/** Lines by their keys, in the order in which they came. */
export class LiveLines implements Disposable {
  readonly #status = new StatusLine();
  readonly #lines = new Map<string, (columns: number) => string>();

  /**
   * Shows a line, in the place of the one of its key.
   *
   * @param lineOf Makes it, for a terminal of so many columns; it has to take fewer.
   */
  set(key: string, lineOf: (columns: number) => string): void {
    this.#lines.set(key, lineOf);
    this.#draw();
  }

  remove(key: string): void {
    if (!this.#lines.delete(key)) return;
    if (this.#lines.size === 0) this.#status.clear();
    else this.#draw();
  }

  /** Writes a line above them; the text is escaped here. */
  print(text: string): void {
    note(text);
    if (this.#lines.size > 0) this.#draw();
  }

  [Symbol.dispose](): void {
    this.#status[Symbol.dispose]();
  }

  #draw(): void {
    const lines = [...this.#lines.values()];
    this.#status.show((columns) => lines.map((lineOf) => lineOf(columns)).join("\n"));
  }
}
