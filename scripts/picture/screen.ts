// A terminal as far as pacsrv uses one: text, line ends, and the few sequences that move the cursor
// or clear. It keeps lines of text; colours and other looks are passed over.

/** A screen that text is written to. */
export class Screen {
  readonly #columns: number;
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** What is on it, without the spaces and empty lines at the ends. */
  get lines(): readonly string[] {
    const lines = this.#lines.map((line) => line.trimEnd());
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** Takes what a program prints. A sequence must not be cut in two. */
  write(text: string): void {
    // deno-lint-ignore no-control-regex
    for (const [token] of text.matchAll(/\x1b\[[?0-9;]*[A-Za-z]|\x1b.|[^\x1b]/gsu)) {
      if (token.startsWith("\x1b[")) this.#move(token);
      else if (token === "\r") this.#column = 0;
      else if (token === "\n") this.#goTo(this.#row + 1);
      else if (token >= " ") this.#put(token);
    }
  }

  #put(character: string): void {
    if (this.#column >= this.#columns) {
      this.#goTo(this.#row + 1);
      this.#column = 0;
    }
    const line = this.#lines[this.#row]!.padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column++;
  }

  #move(sequence: string): void {
    const count = Number(sequence.slice(2, -1) || NaN);
    switch (sequence.at(-1)) {
      case "A":
        this.#row = Math.max(0, this.#row - (count || 1));
        return;
      case "G":
        this.#column = (count || 1) - 1;
        return;
      case "J":
        this.#lines.length = this.#row + 1;
        this.#clearLine();
        return;
      case "K":
        this.#clearLine();
    }
  }

  #clearLine(): void {
    this.#lines[this.#row] = this.#lines[this.#row]!.slice(0, this.#column);
  }

  #goTo(row: number): void {
    this.#row = row;
    while (this.#lines.length <= row) this.#lines.push("");
  }
}
