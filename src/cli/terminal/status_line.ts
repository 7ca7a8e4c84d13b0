/**
 * The last line of a terminal, drawn again and again: after a change, when the terminal gets another
 * size, and when the process goes on after it was stopped. Whatever else is printed takes its place.
 *
 * The cursor rests at its beginning. So a terminal that breaks the line in two when it gets narrower
 * leaves the cursor at the first part, and all of it is cleared from there.
 *
 * Whether the process is in the foreground of its terminal is not to be had from the runtime with the
 * permissions that this program has: a job in the background is for `--quiet`.
 */

import { onSignals } from "./signals.ts";
import { clearStatus, drawStatus, terminalColumns } from "./terminal.ts";

/** A line that is drawn until it is disposed of. */
export class StatusLine implements Disposable {
  readonly #listening = onSignals(["SIGCONT", "SIGWINCH"], () => this.#draw());
  #lineOf: ((columns: number) => string) | null = null;

  /**
   * Draws a line in place of the last one.
   *
   * @param lineOf Makes it, for a terminal of so many columns; it has to take fewer.
   */
  show(lineOf: (columns: number) => string): void {
    this.#lineOf = lineOf;
    this.#draw();
  }

  /** Takes the line away, until the next one. */
  clear(): void {
    this.#lineOf = null;
    clearStatus();
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
    this.clear();
  }

  #draw(): void {
    if (this.#lineOf !== null) drawStatus(this.#lineOf(terminalColumns()));
  }
}
