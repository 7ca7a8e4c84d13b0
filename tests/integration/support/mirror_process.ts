// A mirror in a process of its own, behind one line that all its connections share: what the test
// itself does, and what it waits for, does not disturb how fast the mirror gives.

import { rootPath } from "../../../scripts/std_source.ts";
import { denoArgs } from "../../../scripts/deno_args.ts";
import type { GivenAnswer, MirrorOrder } from "./mirror_child.ts";
import type { FaultRule, MirrorFault } from "./mirror_faults.ts";
import { Lines } from "./process.ts";
import { waitUntil, within } from "./wait.ts";

const CHILD = "tests/integration/support/mirror_child.ts";

/** Serves files; disposing ends it. */
export class MirrorProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #stdout: Lines;
  readonly #stderr: Lines;
  #url = "";
  #answers = 0;
  #lastOrder: Promise<unknown> = Promise.resolve();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#stdout = new Lines(child.stdout);
    this.#stderr = new Lines(child.stderr);
  }

  /**
   * Serves what is below `root`, on a free port.
   *
   * @param options.bytesPerSecond Of all connections together; without it, as fast as they take it.
   */
  static async start(
    root: string,
    options: { readonly bytesPerSecond?: number } = {},
  ): Promise<MirrorProcess> {
    const permissions = ["--no-prompt", "--allow-net", "--allow-read", "--allow-env"];
    const mirror = new MirrorProcess(
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", ...denoArgs(), ...permissions, rootPath(CHILD), root],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
    try {
      mirror.#url = await mirror.#next();
      const { bytesPerSecond } = options;
      if (bytesPerSecond !== undefined) await mirror.misbehave({ bytesPerSecond });
      return mirror;
    } catch (error) {
      await mirror[Symbol.asyncDispose]();
      throw new Error(`The mirror does not run:\n${mirror.#stderr.text()}`, { cause: error });
    }
  }

  /** `http://HOST:PORT`. */
  get url(): string {
    return this.#url;
  }

  /** The same for one machine: what asks there is counted under its name. */
  urlFor(machine: string): string {
    return `${this.#url}/~${machine}`;
  }

  /** Everything that was asked since it began, or was told to forget. */
  async answers(): Promise<GivenAnswer[]> {
    return await this.#order({ kind: "requests" });
  }

  /** Bytes of bodies that it gave of the paths that match. */
  async bytesOf(path: RegExp): Promise<number> {
    return await this.#order({ kind: "given", path: path.source });
  }

  /** Waits until it has given so many bytes of the paths that match. */
  async gave(path: RegExp, bytes: number): Promise<void> {
    await waitUntil(async () => await this.bytesOf(path) >= bytes, {
      what: `${bytes} bytes of ${path} to be given`,
      everyMs: 5,
    });
  }

  /** Forgets what was counted. */
  async forget(): Promise<void> {
    await this.#order({ kind: "forget" });
  }

  /** Misbehaves from now on, for what the rule says; returns the end of it. */
  async misbehave(fault: MirrorFault, rule: FaultRule = {}): Promise<() => Promise<void>> {
    const { path, ...others } = rule;
    const plain = path === undefined ? others : { ...others, path: path.source };
    const id: number = await this.#order({ kind: "misbehave", fault, rule: plain });
    return () => this.#order({ kind: "behave", fault: id });
  }

  /** Dies: no connection is accepted, those that there are break. */
  async die(): Promise<void> {
    await this.#order({ kind: "die" });
  }

  /** Comes back on the same port. */
  async comeBack(): Promise<void> {
    await this.#order({ kind: "come-back" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch { /* It has ended by itself. */ }
    await this.#child.status;
    await Promise.all([this.#stdout.ended, this.#stderr.ended]);
  }

  /** One order after the other: the answers have no numbers. */
  async #order<T>(order: MirrorOrder): Promise<T> {
    const before = this.#lastOrder;
    const answer = (async () => {
      await before.catch(() => {});
      await this.#stdin.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
      return await this.#next<T>();
    })();
    this.#lastOrder = answer;
    return await within(answer, { what: `the mirror to answer ${order.kind}` });
  }

  async #next<T>(): Promise<T> {
    const text = await this.#stdout.matching("", { from: this.#answers });
    this.#answers++;
    return JSON.parse(text);
  }
}
