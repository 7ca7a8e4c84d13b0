// The processes of the demo: pacsrv daemons and pacsrv commands, run from source like any user's.
// It starts and ends them and reads their log; what they are for is told in demo.ts.

import { DaemonClient } from "../../src/client/daemon_client.ts";
import type { PeerReport, StatusReport } from "../../src/client/types.ts";
import { pacsrvArgs } from "../deno_args.ts";
import type { NodeName } from "./topology.ts";

/** A daemon that is asked to end ends within two seconds; then it is not asked any more. */
const STOP_MS = 3_000;
/** Between two looks at something that will soon be so. */
const LOOK_MS = 20;
/** Log lines kept of each daemon, to show when something goes wrong. */
const LOG_LINES_MAX = 200;

/** One line of a daemon's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly message: string };

/** A daemon of the demo. */
export class DemoDaemon {
  readonly name: NodeName;
  readonly log: LogLine[] = [];
  /** Where it listens for nodes and for clients, and its id. */
  readonly node: string;
  readonly client: string;
  readonly nodeId: string;
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #isEnded = false;

  private constructor(
    name: NodeName,
    process: Deno.ChildProcess,
    ready: { readonly node: string; readonly client: string; readonly nodeId: string },
    readings: { readonly log: AsyncIterable<string>; readonly rest: Promise<void> },
  ) {
    this.name = name;
    this.node = ready.node;
    this.client = ready.client;
    this.nodeId = ready.nodeId;
    this.#process = process;
    this.#reading = Promise.all([this.#readLog(readings.log), readings.rest]);
  }

  /**
   * Starts a daemon on two free ports of the loopback address and waits until it is ready.
   *
   * @throws {Error} with what it printed when it does not get ready.
   */
  static async start(name: NodeName, args: readonly string[]): Promise<DemoDaemon> {
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        ...pacsrvArgs(),
        "daemon",
        ...["--node", "127.0.0.1:0", "--client", "127.0.0.1:0", "--log-format", "json"],
        ...args,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const out = linesOf(process.stdout);
    const log = linesOf(process.stderr);
    const { value: line = "" } = await out.next();
    const ready = /^ready node=(\S+) client=(\S+) id=(\S+)(?: metrics=\S+)? shared=\d+$/.exec(line);
    if (ready === null) {
      const said = (await Array.fromAsync(log)).join("\n");
      await process.status;
      throw new Error(`The daemon ${name} does not start:\n${said}`);
    }
    const [, node, client, nodeId] = ready as unknown as [string, string, string, string];
    return new DemoDaemon(name, process, { node, client, nodeId }, { log, rest: drain(out) });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether it was ended by this program. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** A connection to its client port. */
  async connect(): Promise<DaemonClient> {
    const [host = "", port] = this.client.split(":");
    return await DaemonClient.connect({ host, port: Number(port) });
  }

  /** What `pacsrv status` shows. */
  async status(): Promise<StatusReport> {
    await using client = await this.connect();
    return await statusOf(client);
  }

  /** What `pacsrv peers` shows. */
  async peers(): Promise<PeerReport[]> {
    await using client = await this.connect();
    const peers = await Array.fromAsync(client.ask("peers", {}));
    return peers.filter(({ direction }) => direction === "in" || direction === "out");
  }

  /** `kill -9`: no last word, no goodbye. */
  kill(): void {
    this.#isEnded = true;
    this.#process.kill("SIGKILL");
  }

  /** Ends it, by force if need be, and waits until it is gone. */
  async stop(): Promise<void> {
    const signal = (name: Deno.Signal) => {
      try {
        this.#process.kill(name);
      } catch { /* It has ended already. */ }
    };
    if (!this.#isEnded) signal(Deno.build.os === "windows" ? "SIGKILL" : "SIGTERM");
    this.#isEnded = true;
    const timer = setTimeout(() => signal("SIGKILL"), STOP_MS);
    await this.#process.status;
    clearTimeout(timer);
    await this.#reading;
  }

  async #readLog(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      this.log.push(parseLogLine(line));
      if (this.log.length > LOG_LINES_MAX) this.log.shift();
    }
  }
}

/** The answer to `status` over a connection that is kept. */
export async function statusOf(client: DaemonClient): Promise<StatusReport> {
  const [status] = await Array.fromAsync(client.ask("status", {}));
  if (status === undefined) throw new Error("A daemon has no status");
  return status;
}

/** A pacsrv command on its way. */
export interface RunningCommand {
  /** Its exit code. */
  readonly ended: Promise<number>;
  /** Ends it, if it still runs, and waits until it is gone. */
  stop(): Promise<void>;
}

/** Runs a pacsrv command whose output goes where this program's own goes. */
export function runCommand(args: readonly string[]): RunningCommand {
  const process = new Deno.Command(Deno.execPath(), {
    args: [...pacsrvArgs(), ...args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const ended = process.status.then(({ code }) => code);
  return {
    ended,
    async stop() {
      try {
        process.kill("SIGTERM");
      } catch { /* It has ended already. */ }
      await ended;
    },
  };
}

/**
 * Looks until `look` gives something other than undefined.
 *
 * @throws what `signal` is aborted with.
 */
export async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function parseLogLine(line: string): LogLine {
  try {
    return JSON.parse(line);
  } catch {
    return { message: line }; // What the runtime itself says.
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

async function drain(lines: AsyncIterable<string>): Promise<void> {
  for await (const _ of lines);
}
