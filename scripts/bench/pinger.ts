// Starts a process that pings a daemon over a link of its own, and reads what it measured.

import type { HostPort } from "../../src/base/address.ts";
import { denoArgs } from "../deno_args.ts";
import { nextLine, type PipedProcess, startProcess } from "./processes.ts";

const INTERVAL_MS = 5;
const LIMIT_MS = 30_000;
const SCRIPT = decodeURIComponent(new URL("ping_child.ts", import.meta.url).pathname);

/** One ping: when it was sent, since 1970, and how long the answer took. */
export interface Ping {
  readonly sentEpochMs: number;
  readonly roundTripMs: number;
}

/** A stretch of time in milliseconds since 1970. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Pings one daemon every 5 ms. */
export class Pinger implements AsyncDisposable {
  readonly #process: PipedProcess;

  private constructor(process: PipedProcess) {
    this.#process = process;
  }

  /** Starts it; resolves when it is linked. */
  static async start({ port }: HostPort): Promise<Pinger> {
    const process = startProcess(Deno.execPath(), [
      ...["run", "--quiet", "--allow-all", ...denoArgs(), SCRIPT],
      ...[`${port}`, `${INTERVAL_MS}`],
    ]);
    const line = await nextLine(process, { what: "the pinger", limitMs: LIMIT_MS });
    if (line !== "linked") throw new Error(`The pinger is not linked: ${line}`);
    return new Pinger(process);
  }

  /** Ends it; gives all that it sent, in order. */
  async stop(): Promise<Ping[]> {
    await this.#process.closeInput();
    const line = await nextLine(this.#process, { what: "the pinger", limitMs: LIMIT_MS });
    const samples: [number, number][] = JSON.parse(line);
    return samples.map(([sentEpochMs, roundTripMs]) => ({ sentEpochMs, roundTripMs }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
  }
}

/** The round trips of the pings that were sent within a stretch of time. */
export function roundTripsIn(pings: readonly Ping[], { fromMs, toMs }: Span): number[] {
  return pings.filter(({ sentEpochMs }) => sentEpochMs >= fromMs && sentEpochMs <= toMs)
    .map(({ roundTripMs }) => roundTripMs);
}
