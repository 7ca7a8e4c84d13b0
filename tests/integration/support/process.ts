// pacsrv as a process of its own: its lines as they come, its end, each waited for with a bound.
// What the lines mean is not known here.

import { pacsrvArgs } from "../../../scripts/deno_args.ts";
import { WAIT_MS, within } from "./wait.ts";

/** What a finished process left. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The lines of one output, as they come. */
export class Lines {
  readonly all: string[] = [];
  /** Resolves at the end of the output. */
  readonly ended: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #isEnded = false;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.ended = this.#read(stream);
  }

  /**
   * The first line that matches, among those that came and those that will.
   *
   * @throws {Error} with the last lines when none comes in time, or the output ends.
   */
  async matching(
    pattern: RegExp | string,
    options: { readonly timeoutMs?: number; readonly from?: number } = {},
  ): Promise<string> {
    const { timeoutMs = WAIT_MS, from = 0 } = options;
    let at = from;
    const late = Promise.withResolvers<void>();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      late.resolve();
    }, timeoutMs);
    try {
      for (;;) {
        for (; at < this.all.length; at++) {
          if (isMatch(this.all[at]!, pattern)) return this.all[at]!;
        }
        if (isLate || this.#isEnded) {
          const why = isLate ? `within ${timeoutMs} ms` : "before the end";
          throw new Error(`No line matches ${pattern} ${why}:\n${this.all.slice(-60).join("\n")}`);
        }
        const more = Promise.withResolvers<void>();
        this.#waiting.add(more.resolve);
        await Promise.race([more.promise, late.promise]);
        this.#waiting.delete(more.resolve);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** All lines so far that match. */
  matches(pattern: RegExp | string): string[] {
    return this.all.filter((line) => isMatch(line, pattern));
  }

  text(): string {
    return this.all.map((line) => `${line}\n`).join("");
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.all.push(...lines);
      this.#wake();
    }
    if (rest !== "") this.all.push(rest);
    this.#isEnded = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

/** A running pacsrv; disposing ends it by SIGKILL. */
export class PacsrvProcess implements AsyncDisposable {
  readonly stdout: Lines;
  readonly stderr: Lines;
  readonly #child: Deno.ChildProcess;

  constructor(
    args: readonly string[],
    options: {
      readonly cwd?: string;
      readonly env?: Readonly<Record<string, string>>;
      /** The words that run it, where that is another program than this one's source. */
      readonly program?: readonly string[];
      /** The network namespace that it runs in; see `hosts.ts`. */
      readonly namespace?: string;
    } = {},
  ) {
    const program = options.program ?? [Deno.execPath(), ...pacsrvArgs()];
    const command = [...program, ...args];
    if (options.namespace !== undefined) command.unshift("ip", "netns", "exec", options.namespace);
    this.#child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { NO_COLOR: "1", ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.stdout = new Lines(this.#child.stdout);
    this.stderr = new Lines(this.#child.stderr);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a signal; a process that has ended is let be. */
  kill(signal: Deno.Signal = "SIGKILL"): void {
    try {
      this.#child.kill(signal);
    } catch { /* It has ended by itself. */ }
  }

  /**
   * Waits for the end; gives the exit code and all output.
   *
   * @throws {Error} when it does not end in time; it is killed then.
   */
  async ended(timeoutMs = WAIT_MS): Promise<Outcome> {
    try {
      const what = "the end of pacsrv";
      const { code } = await within(this.#child.status, { what, timeoutMs });
      await Promise.all([this.stdout.ended, this.stderr.ended]);
      return { code, stdout: this.stdout.text(), stderr: this.stderr.text() };
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw new Error(`${(error as Error).message}; it said:\n${this.stderr.text()}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.#child.status;
    await Promise.all([this.stdout.ended, this.stderr.ended]);
  }
}

/** Runs one command to its end; killed, and an error, when it takes longer than `timeoutMs`. */
export async function runPacsrv(
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly program?: readonly string[];
    readonly namespace?: string;
    readonly timeoutMs?: number;
  } = {},
): Promise<Outcome> {
  await using process = new PacsrvProcess(args, options);
  return await process.ended(options.timeoutMs);
}

function isMatch(line: string, pattern: RegExp | string): boolean {
  return typeof pattern === "string" ? line.includes(pattern) : pattern.test(line);
}
