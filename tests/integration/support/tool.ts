// Programs of the system that the tests build and judge with: pacman, repo-add, bsdtar, gpg, curl.
// Every run has a bound. A program that is missing is an error that says what to install.

import { Lines, type Outcome } from "./process.ts";
import { WAIT_MS, within } from "./wait.ts";

/** The Debian packages of the programs, by command. */
const PACKAGES: Readonly<Record<string, string>> = {
  pacman: "pacman-package-manager",
  "repo-add": "pacman-package-manager",
  bsdtar: "libarchive-tools",
  zstd: "zstd",
  gpg: "gnupg",
  gpgconf: "gnupg",
  curl: "curl",
  debootstrap: "debootstrap",
  promtool: "prometheus",
  nsenter: "util-linux",
  unshare: "util-linux",
  "dpkg-shlibdeps": "dpkg-dev",
};

/** How a program is started. */
export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** A program under way, with all that it starts in its turn; disposing kills all of them. */
export class ToolProcess implements AsyncDisposable {
  readonly stdout: Lines;
  readonly stderr: Lines;
  readonly #command: string;
  readonly #child: Deno.ChildProcess;

  /** @throws {Error} when the program is not installed. */
  constructor(command: string, args: readonly string[], options: ToolOptions = {}) {
    this.#command = command;
    try {
      this.#child = new Deno.Command(command, {
        args: [...args],
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        env: { LC_ALL: "C", NO_COLOR: "1", ...options.env },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        detached: true,
      }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      const debian = PACKAGES[command] ?? command;
      throw new Error(`This test needs the program ${command}; install ${debian}, or run .ci/run.`);
    }
    this.stdout = new Lines(this.#child.stdout);
    this.stderr = new Lines(this.#child.stderr);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a signal to it and to all that it started, as a terminal does at ^C. */
  kill(signal: Deno.Signal): void {
    try {
      Deno.kill(-this.#child.pid, signal);
    } catch { /* It has ended by itself. */ }
  }

  /**
   * Waits for the end.
   *
   * @throws {Error} when it does not end in time; it is killed then.
   */
  async ended(timeoutMs = WAIT_MS): Promise<Outcome> {
    try {
      const what = `the end of ${this.#command}`;
      const { code } = await within(this.#child.status, { what, timeoutMs });
      await Promise.all([this.stdout.ended, this.stderr.ended]);
      return { code, stdout: this.stdout.text(), stderr: this.stderr.text() };
    } catch (error) {
      await this[Symbol.asyncDispose]();
      const said = `${this.stdout.text()}${this.stderr.text()}`;
      throw new Error(`${(error as Error).message}; it said:\n${said}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.#child.status;
    await Promise.all([this.stdout.ended, this.stderr.ended]);
  }
}

/** Runs a program to its end, whatever its exit code. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<Outcome> {
  await using process = new ToolProcess(command, args, options);
  return await process.ended(options.timeoutMs);
}

/**
 * Runs a program that must do what it is told; gives what it printed.
 *
 * @throws {Error} with what it said, when its exit code is not 0.
 */
export async function tool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await runTool(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit code ${code}\n${stderr}`);
  return stdout;
}
