// A terminal that a test types into and looks at, as a person does: a shell runs on it, so that
// jobs are stopped and go on. It knows of controls what pacsrv and a shell use.

import { rootPath } from "../../../scripts/std_source.ts";
import { WAIT_MS } from "./wait.ts";

const PYTHON = "/usr/bin/python3";
const BRIDGE = rootPath("tests/integration/support/pty_bridge.py");

/** What a terminal shows; lines that scrolled away are kept. */
class Screen {
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;
  columns: number;

  constructor(columns: number) {
    this.columns = columns;
  }

  /** The lines, without blanks at their ends. */
  get lines(): string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  print(text: string): void {
    // deno-lint-ignore no-control-regex
    for (const [piece] of text.matchAll(/\x1b\[[?\d;]*[A-Za-z]|\x1b.|[\x00-\x1f]|[^\x00-\x1f]/g)) {
      this.#take(piece);
    }
  }

  /** Breaks lines that are too long by now in two; the cursor stays at its character. */
  resize(columns: number): void {
    this.columns = columns;
    for (let i = 0; i < this.#lines.length; i++) {
      const line = this.#lines[i]!;
      if (line.length <= columns) continue;
      this.#lines.splice(i, 1, line.slice(0, columns), line.slice(columns));
      if (i < this.#row) this.#row++;
    }
  }

  #take(piece: string): void {
    switch (piece) {
      case "\r":
        this.#column = 0;
        return;
      case "\n":
        this.#row++;
        if (this.#row === this.#lines.length) this.#lines.push("");
        return;
      case "\b":
        this.#column = Math.max(0, this.#column - 1);
        return;
      case "\x1b[A":
        this.#row = Math.max(0, this.#row - 1);
        return;
      case "\x1b[J":
        this.#lines.splice(this.#row + 1);
        return this.#cut();
      case "\x1b[K":
        return this.#cut();
    }
    if (piece < " ") return;
    if (this.#column === this.columns) {
      this.#take("\r");
      this.#take("\n");
    }
    const line = this.#lines[this.#row]!.padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + piece + line.slice(this.#column + 1);
    this.#column++;
  }

  #cut(): void {
    this.#lines[this.#row] = this.#lines[this.#row]!.slice(0, this.#column);
  }
}

/** A shell on a terminal; disposing of it hangs up. */
export class PseudoTerminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #screen: Screen;
  readonly #read: Promise<void>;
  #printed = Promise.withResolvers<void>();

  constructor(options: { readonly cwd: string; readonly columns: number }) {
    const { cwd, columns } = options;
    this.#screen = new Screen(columns);
    this.#child = new Deno.Command(PYTHON, {
      args: [BRIDGE, String(columns), "bash", "--norc", "--noprofile", "--noediting", "-i"],
      cwd,
      env: { PS1: "$ ", TERM: "xterm", LC_ALL: "C", HISTFILE: "" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#read = this.#follow();
  }

  /** Why there can be none here, or undefined when there can. */
  static problem(): string | undefined {
    try {
      const { success } = new Deno.Command(PYTHON, { args: ["-c", "import pty"] }).outputSync();
      return success ? undefined : "python3 has no module pty";
    } catch {
      return "it needs python3";
    }
  }

  get lines(): string[] {
    return this.#screen.lines;
  }

  /** Types, as if at the keyboard. */
  async type(text: string): Promise<void> {
    await this.#tell({ type: text });
  }

  async resize(columns: number): Promise<void> {
    this.#screen.resize(columns);
    await this.#tell({ columns });
  }

  /** Waits until what the screen shows is as it should be; gives its lines. */
  async until(what: string, isSo: (lines: string[]) => boolean): Promise<string[]> {
    const late = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const { lines } = this;
      if (isSo(lines)) return lines;
      if (late.aborted) throw new Error(`Waited in vain for ${what}:\n${lines.join("\n")}`);
      const over = Promise.withResolvers<void>();
      late.addEventListener("abort", () => over.resolve(), { once: true });
      await Promise.race([this.#printed.promise, over.promise]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#read;
    await this.#child.status;
  }

  async #tell(command: unknown): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
  }

  async #follow(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#screen.print(text);
      this.#printed.resolve();
      this.#printed = Promise.withResolvers<void>();
    }
  }
}
