// What a daemon and a directory have in common as processes: a log, signals, an end in order.

import { assertEquals } from "@std/assert";
import type { PacsrvProcess } from "./process.ts";
import { WAIT_MS } from "./wait.ts";

/** A command that runs until it is told to end; disposing ends it by SIGKILL. */
export class ServiceProcess implements AsyncDisposable {
  readonly process: PacsrvProcess;

  constructor(process: PacsrvProcess) {
    this.process = process;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** All lines of its log so far. */
  get log(): readonly string[] {
    return this.process.stderr.all;
  }

  /** The first line of the log that matches, among those that came and those that will. */
  async logged(pattern: RegExp | string, timeoutMs = WAIT_MS): Promise<string> {
    return await this.process.stderr.matching(pattern, { timeoutMs });
  }

  /** Sends a signal. */
  kill(signal: Deno.Signal = "SIGKILL"): void {
    this.process.kill(signal);
  }

  /** Ends it by SIGTERM; it must exit with 0. */
  async stop(): Promise<void> {
    this.kill("SIGTERM");
    const { code, stderr } = await this.process.ended();
    assertEquals(code, 0, stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}
