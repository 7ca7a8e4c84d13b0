// Runs a transcript: a text that shows commands and what they print, and holds the real program to
// it. Each transcript has a folder of its own, which is gone afterwards, with what it started.
//
//   # a remark
//   $ pacsrv list --client {a.client}    runs pacsrv; what is expected follows:
//   text                                 a line of stdout
//   ! text                               a line of stderr
//   [2]                                  the exit code, always there, ends it
//   $ eventually pacsrv ...              the same, again and again until it is as expected
//   $ daemon a --share files             starts a daemon and waits until it is ready; from then on
//                                        {a.node} and {a.client} are its addresses, {a.id} its id,
//                                        {a.shared} how many files it said that it shares
//   $ directory d --refresh 1            starts a directory; {d.directory} is its address
//   $ stop a                             ends it by SIGTERM; it must exit with 0
//   $ write FILE                         writes the lines after it that begin with "| "
//   $ make FILE BYTES                    writes bytes that are the same each time
//   $ same FILE FILE                     both have the same bytes
//   $ says TEXT                          prints the text, names in it replaced
//   $ ls DIR                             prints the names in a folder, sorted
//
// In expected lines <*> stands for any text within a line, and a line ... for any lines. {dir} is
// the folder, {closed} an address where nothing listens, {long} is 64 KiB of text.

import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { SOON_MS } from "../integration/support/wait.ts";
import { DaemonProcess, DirectoryProcess, type LineProcess, pacsrvCommand } from "./process.ts";

/** One command and what it is to do. */
export interface Step {
  /** Where it stands in the text, from 1. */
  readonly line: number;
  readonly words: readonly string[];
  readonly input: string;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly exit: number;
}

/** What a program printed, and how it ended. */
interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number;
}

const EVENTUALLY_MS = 20_000;

/**
 * Reads the text of a transcript.
 *
 * @throws {SyntaxError} for a line that has no place.
 */
export function parseTranscript(text: string): Step[] {
  const steps: Step[] = [];
  let open: { step: Step; needsExit: boolean } | undefined;
  const finish = (line: number) => {
    if (open?.needsExit) {
      throw new SyntaxError(`line ${line}: [EXIT] of the last command is missing`);
    }
    open = undefined;
  };
  text.split("\n").forEach((text, i) => {
    const line = i + 1;
    const fault = (what: string) => new SyntaxError(`line ${line}: ${what}: ${text}`);
    if (text.startsWith("# ")) return;
    if (text.startsWith("$ ")) {
      finish(line);
      const words = splitWords(text.slice(2));
      const step = { line, words, input: "", stdout: [], stderr: [], exit: 0 };
      steps.push(step);
      open = { step, needsExit: ["pacsrv", "eventually"].includes(words[0] ?? "") };
      return;
    }
    const exit = /^\[(\d+)\]$/.exec(text);
    if (open === undefined) {
      if (text.trim() !== "") throw fault("belongs to no command");
    } else if (exit !== null && open.needsExit) {
      replace({ exit: Number(exit[1]) });
      open = undefined;
    } else if (text.startsWith("| ")) replace({ input: `${open.step.input}${text.slice(2)}\n` });
    else if (text.startsWith("! ")) replace({ stderr: [...open.step.stderr, text.slice(2)] });
    else if (open.needsExit || text.trim() !== "") {
      replace({ stdout: [...open.step.stdout, text] });
    }
  });
  finish(text.split("\n").length);
  return steps;

  function replace(change: Partial<Step>): void {
    open!.step = { ...open!.step, ...change };
    steps[steps.length - 1] = open!.step;
  }
}

/** Words as a shell splits them; single and double quotes keep one together. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) =>
    match[1] ?? match[2] ?? match[3] ?? ""
  );
}

/** Runs a transcript; throws at the first step that does not do what it says. */
export async function runTranscript(text: string): Promise<void> {
  const steps = parseTranscript(text);
  const dir = await Deno.realPath(await Deno.makeTempDir());
  await using stage = new Stage(dir);
  for (const step of steps) {
    try {
      await stage.run(step);
    } catch (cause) {
      const { message } = cause as Error;
      throw new Error(`line ${step.line}: $ ${step.words.join(" ")}\n${message}`, { cause });
    }
  }
}

/** The folder, the names that stand for something, and the processes of one transcript. */
class Stage implements AsyncDisposable {
  readonly #dir: string;
  readonly #names: Map<string, string>;
  readonly #processes = new Map<string, LineProcess>();

  constructor(dir: string) {
    this.#dir = dir;
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    this.#names = new Map([
      ["dir", dir],
      ["closed", `127.0.0.1:${listener.addr.port}`],
      ["long", "#".repeat(65_537)],
    ]);
  }

  async run(step: Step): Promise<void> {
    const [verb, ...args] = step.words.map((word) => this.#fill(word));
    switch (verb) {
      case "pacsrv":
        return this.#compare(step, await this.#pacsrv(args));
      case "eventually":
        return await this.#eventually(step, args.slice(1));
      case "daemon":
        return await this.#startDaemon(args[0]!, args.slice(1));
      case "directory":
        return await this.#startDirectory(args[0]!, args.slice(1));
      case "stop":
        return await this.#stop(args[0]!);
      case "write":
        return await this.#write(args[0]!, new TextEncoder().encode(this.#fill(step.input)));
      case "make":
        return await this.#write(args[0]!, pattern(Number(args[1])));
      case "same": {
        const [a, b] = await Promise.all(args.map((path) => Deno.readFile(join(this.#dir, path))));
        assertEquals(a!.length, b!.length);
        return assert(a!.every((byte, i) => byte === b![i]), "the files differ");
      }
      case "says":
        return assertEquals(args, step.stdout);
      case "ls": {
        const names = [...Deno.readDirSync(join(this.#dir, args[0]!))].map(({ name }) => name);
        return assertEquals(names.sort(), step.stdout);
      }
      default:
        throw new SyntaxError(`There is no command ${verb}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes.values()) await process[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #pacsrv(args: readonly string[]): Promise<Outcome> {
    const { stdout, stderr, code } = await pacsrvCommand(this.#dir, args).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { stdout: decode(stdout), stderr: decode(stderr), exit: code };
  }

  async #eventually(step: Step, args: readonly string[]): Promise<void> {
    const endMs = performance.now() + EVENTUALLY_MS;
    for (;;) {
      const outcome = await this.#pacsrv(args);
      try {
        return this.#compare(step, outcome);
      } catch (error) {
        if (performance.now() > endMs) throw error;
      }
    }
  }

  async #startDaemon(name: string, args: readonly string[]): Promise<void> {
    const daemon = await DaemonProcess.start(this.#dir, { name, args });
    this.#processes.set(name, daemon);
    this.#names.set(`${name}.node`, daemon.node);
    this.#names.set(`${name}.client`, daemon.client);
    this.#names.set(`${name}.gateway`, daemon.gateway);
    this.#names.set(`${name}.id`, daemon.id);
    this.#names.set(`${name}.shared`, daemon.shared);
  }

  async #startDirectory(name: string, args: readonly string[]): Promise<void> {
    const directory = await DirectoryProcess.start(this.#dir, { args });
    this.#processes.set(name, directory);
    this.#names.set(`${name}.directory`, directory.address);
    this.#names.set(`${name}.id`, directory.id);
  }

  async #stop(name: string): Promise<void> {
    const stopped = this.#processes.get(name)!;
    this.#processes.delete(name);
    const startMs = performance.now();
    stopped.process.kill("SIGTERM");
    const { code, stderr } = await stopped.ended();
    assertEquals(code, 0, stderr);
    const tookMs = performance.now() - startMs;
    assert(tookMs < SOON_MS, `the end took ${tookMs} ms`);
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const whole = join(this.#dir, path);
    await Deno.mkdir(dirname(whole), { recursive: true });
    await Deno.writeFile(whole, bytes);
  }

  #compare(step: Step, outcome: Outcome): void {
    const shown = `stdout:\n${outcome.stdout}stderr:\n${outcome.stderr}exit: ${outcome.exit}`;
    const expect = (lines: readonly string[]) => lines.map((line) => this.#fill(line));
    assert(matchesLines(outcome.stdout, expect(step.stdout)), `another stdout\n${shown}`);
    assert(matchesLines(outcome.stderr, expect(step.stderr)), `another stderr\n${shown}`);
    assertEquals(outcome.exit, step.exit, `another exit code\n${shown}`);
  }

  #fill(text: string): string {
    return text.replace(
      /\{([a-z]+(?:\.[a-z]+)?)\}/g,
      (whole, name) => this.#names.get(name) ?? whole,
    );
  }
}

/** Whether `text` is `lines`, with their wildcards. */
export function matchesLines(text: string, lines: readonly string[]): boolean {
  const escape = (part: string) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = lines.map((line) =>
    line === "..." ? "(?:.*\n)*?" : `${line.split("<*>").map(escape).join(".*")}\n`
  ).join("");
  return new RegExp(`^${pattern}$`).test(text);
}

/** Bytes that look like a real file's: no two chunks are the same. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 0x9e3779b9;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ state >>> 15, 0x85ebca6b) + i | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
