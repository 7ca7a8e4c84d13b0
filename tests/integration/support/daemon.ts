// A daemon as a process: started, asked and ended like a person would do it, through the command
// line. What is waited for is asked by the client that the commands use, since a process for each
// question takes long. It dials only the peers that it is given, so that a test decides who is linked
// with whom.

import type {
  AnswerItems,
  FileReport,
  PeerReport,
  StatusReport,
} from "../../../src/client/types.ts";
import { assertEquals } from "@std/assert";
import { ask } from "./client.ts";
import { FetchProcess } from "./fetch_process.ts";
import { type Outcome, PacsrvProcess, runPacsrv } from "./process.ts";
import { ServiceProcess } from "./service_process.ts";
import { WAIT_MS, waitUntil } from "./wait.ts";

/** How a daemon is started. */
export interface DaemonOptions {
  /** Where its data lies; by default a folder that is removed when the daemon is disposed of. */
  readonly dataDir?: string;
  /** Addresses of nodes, as HOST:PORT. */
  readonly peers?: readonly string[];
  /** Paths to share; the start does not wait until they are hashed, see `DaemonProcess.holds`. */
  readonly shares?: readonly string[];
  /** `--node` and `--client`; by default any free port on 127.0.0.1. */
  readonly node?: string;
  readonly client?: string;
  /** More arguments; a later flag of the same name is an error of usage. */
  readonly args?: readonly string[];
  /** A configuration file, which says the log level too. */
  readonly config?: string;
  /** Log level; everything by default, because tests wait for lines of the log. */
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** How many links it wants by itself; 0 by default: only those to its peers. */
  readonly linksMin?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Another program than this one's source, for the commands that ask it too; see `PacsrvProcess`. */
  readonly program?: readonly string[];
  /** The network namespace in which it runs, and the commands that ask it. */
  readonly namespace?: string;
}

/**
 * Starts a daemon and waits for its ready line.
 *
 * @throws {Error} with what it logged, when it does not get ready.
 */
export async function startDaemon(options: DaemonOptions = {}): Promise<DaemonProcess> {
  const ownDir = options.dataDir === undefined
    ? await Deno.makeTempDir({ prefix: "pacsrv-test-" })
    : undefined;
  const dataDir = options.dataDir ?? ownDir!;
  const process = new PacsrvProcess(
    [
      "daemon",
      ...["--data", dataDir],
      ...["--node", options.node ?? "127.0.0.1:0"],
      ...["--client", options.client ?? "127.0.0.1:0"],
      ...(options.config === undefined
        ? ["--log-level", options.logLevel ?? "debug"]
        : ["--config", options.config]),
      ...["--min-connections", String(options.linksMin ?? 0)],
      ...(options.peers ?? []).flatMap((peer) => ["--peer", peer]),
      ...(options.shares ?? []).flatMap((path) => ["--share", path]),
      ...options.args ?? [],
    ],
    {
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.program === undefined ? {} : { program: options.program }),
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    },
  );
  try {
    const line = await process.stdout.matching(/^ready /);
    const match =
      /^ready node=(\S+) client=(\S+) id=([0-9a-f]{32})(?: gateway=(\S+))?(?: metrics=(\S+))?(?: shared=\d+)?$/
        .exec(
          line,
        );
    if (match === null) throw new Error(`Not a ready line: ${line}`);
    const [, node, client, id, gateway = "", metrics = ""] = match;
    const addresses = { node: node!, client: client!, id: id!, gateway, metrics };
    const { program, namespace } = options;
    return new DaemonProcess(process, { ...addresses, dataDir, ownDir, program, namespace });
  } catch (error) {
    await process[Symbol.asyncDispose]();
    if (ownDir !== undefined) await Deno.remove(ownDir, { recursive: true });
    throw new Error(`The daemon is not ready:\n${process.stderr.text()}`, { cause: error });
  }
}

/** A daemon that is ready; disposing ends it by SIGKILL. */
export class DaemonProcess extends ServiceProcess {
  /** HOST:PORT of its two ports. */
  readonly node: string;
  readonly client: string;
  readonly id: string;
  /** HOST:PORT of its gateway; empty without `--gateway`. */
  readonly gateway: string;
  /** HOST:PORT of its port for monitors; empty without `--metrics`. */
  readonly metrics: string;
  readonly dataDir: string;
  readonly #ownDir: string | undefined;
  /** How its commands are run: an old daemon has an old client port. */
  readonly #program: { readonly program?: readonly string[]; readonly namespace?: string };

  constructor(
    process: PacsrvProcess,
    options: {
      readonly node: string;
      readonly client: string;
      readonly id: string;
      readonly gateway: string;
      readonly metrics: string;
      readonly dataDir: string;
      readonly ownDir: string | undefined;
      readonly program?: readonly string[] | undefined;
      readonly namespace?: string | undefined;
    },
  ) {
    super(process);
    this.node = options.node;
    this.client = options.client;
    this.id = options.id;
    this.gateway = options.gateway;
    this.metrics = options.metrics;
    this.dataDir = options.dataDir;
    this.#ownDir = options.ownDir;
    const { program, namespace } = options;
    this.#program = {
      ...(program === undefined ? {} : { program }),
      ...(namespace === undefined ? {} : { namespace }),
    };
  }

  /** Runs a client command against it. */
  async run(
    args: readonly string[],
    options: { readonly cwd?: string; readonly timeoutMs?: number } = {},
  ): Promise<Outcome> {
    return await runPacsrv([...args, "--client", this.client], { ...options, ...this.#program });
  }

  async status(): Promise<StatusReport> {
    return (await this.#ask("status"))[0]!;
  }

  async list(): Promise<FileReport[]> {
    return await this.#ask("list");
  }

  /** Its links, and whom it keeps out; not what it was told of and is not linked with. */
  async peers(): Promise<PeerReport[]> {
    return (await this.#ask("peers")).filter(isLinkOrBan);
  }

  /** Begins a fetch through it; see `FetchProcess`. */
  fetch(args: readonly string[], options: { readonly cwd?: string } = {}): FetchProcess {
    return new FetchProcess([...args, "--client", this.client], { ...options, ...this.#program });
  }

  /** Waits until it offers a file of this name, whole. */
  async holds(name: string, timeoutMs = WAIT_MS): Promise<FileReport> {
    return await waitUntil(
      async () => {
        const files = await this.#askSoon("list");
        return files.find((file) => file.name === name && file.have === "all");
      },
      { what: `${name} to be offered whole`, timeoutMs },
    );
  }

  /** Waits until it has exactly `count` links. */
  async linked(count: number, timeoutMs = WAIT_MS): Promise<void> {
    await waitUntil(
      async () => (await this.#askSoon("peers")).filter(isLinkOrBan).length === count,
      { what: `${count} links of ${this.node}`, timeoutMs },
    );
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    if (this.#ownDir !== undefined) await Deno.remove(this.#ownDir, { recursive: true });
  }

  /** By a command only where the daemon is not to be reached from here, or is an old one. */
  async #askSoon<V extends "list" | "peers">(verb: V): Promise<AnswerItems[V][]> {
    const { program, namespace } = this.#program;
    const isForeign = program !== undefined || namespace !== undefined;
    return isForeign ? await this.#ask(verb) : await ask(this, verb, {});
  }

  async #ask<V extends "status" | "list" | "peers">(verb: V): Promise<AnswerItems[V][]> {
    const { code, stdout, stderr } = await this.run([verb, "--json"]);
    assertEquals(code, 0, `${stderr}\n${this.process.stderr.text()}`);
    return stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }
}

/** Whether it is more than an address that a daemon was told of. */
function isLinkOrBan({ direction }: PeerReport): boolean {
  return !["none", "directory", "past"].includes(direction);
}
