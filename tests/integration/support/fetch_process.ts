// `pacsrv fetch --json` as a process: its events as they come, and its end.

import type { OfKind } from "../../../src/base/errors.ts";
import { assert, assertEquals } from "@std/assert";
import type { FetchEvent } from "../../../src/client/types.ts";
import { checkJsonLines } from "./json_page.ts";
import { type Outcome, PacsrvProcess } from "./process.ts";
import { WAIT_MS } from "./wait.ts";

type EventName = Exclude<FetchEvent["kind"], "data">;
/** An event as `--json` prints it: as in the client's types, but named by `event`. */
export type FetchEventLine<K extends EventName = EventName> = {
  [N in K]: Omit<OfKind<FetchEvent, N>, "kind"> & { readonly event: N };
}[K];
/** The last event of a fetch that went well. */
export type DoneEvent = FetchEventLine<"done"> & { readonly output: string | null };

/** A fetch on its way. */
export class FetchProcess implements AsyncDisposable {
  readonly process: PacsrvProcess;
  /** An old program prints what it printed then. */
  readonly #isOld: boolean;

  /** @param args What follows `pacsrv fetch`; `--json` is added. */
  constructor(
    args: readonly string[],
    options: ConstructorParameters<typeof PacsrvProcess>[1] = {},
  ) {
    this.process = new PacsrvProcess(["fetch", ...args, "--json"], options);
    this.#isOld = options.program !== undefined;
  }

  /** All events so far. */
  events(): FetchEventLine[] {
    return this.process.stdout.all.map((line) => JSON.parse(line));
  }

  /** The first event of this name. */
  async event<K extends EventName>(name: K, timeoutMs = WAIT_MS): Promise<FetchEventLine<K>> {
    const text = await this.process.stdout.matching(`"event":"${name}"`, { timeoutMs });
    return JSON.parse(text);
  }

  /** Waits until at least so much of the file is there. */
  async progressed(bytes: number, timeoutMs = WAIT_MS): Promise<void> {
    let at = 0;
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const text = await this.process.stdout.matching('"event":"progress"', {
        timeoutMs: Math.max(1, endMs - performance.now()),
        from: at,
      });
      if (JSON.parse(text).bytesDone >= bytes) return;
      at = this.process.stdout.all.indexOf(text, at) + 1;
    }
  }

  /** Waits for the end of a fetch that must go well; gives its last event. */
  async done(timeoutMs = 2 * WAIT_MS): Promise<DoneEvent> {
    const { code, stdout, stderr } = await this.process.ended(timeoutMs);
    assertEquals(code, 0, `${stderr}\n${stdout.slice(-2_000)}`);
    const last = JSON.parse(stdout.trim().split("\n").at(-1)!);
    assert(last.event === "done", `the last event is ${last.event}`);
    this.#check(stdout);
    return last;
  }

  /** Waits for the end, however it comes. */
  async ended(timeoutMs = 2 * WAIT_MS): Promise<Outcome> {
    const outcome = await this.process.ended(timeoutMs);
    this.#check(outcome.stdout);
    return outcome;
  }

  #check(stdout: string): void {
    if (!this.#isOld) checkJsonLines("fetch", stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** Bytes that came from each node of a finished fetch, by node id. */
export function bytesByNode(done: DoneEvent): Map<string, number> {
  return new Map(done.sources.map(({ nodeId, bytes }) => [nodeId, bytes]));
}

/** Bytes that came from all nodes together. */
export function bytesFetched(done: DoneEvent): number {
  return done.sources.reduce((sum, { bytes }) => sum + bytes, 0);
}
