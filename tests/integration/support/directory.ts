// A directory as a process: started, asked and ended like a person would do it. What is waited for is
// asked by what the command asks it with, since a process for each question takes long.

import { assertEquals } from "@std/assert";
import { parseAddress } from "../../../src/cli/arguments/address.ts";
import { askDirectoryStatus, type DirectoryStatus } from "../../../src/client/directory_status.ts";
import { PacsrvProcess, runPacsrv } from "./process.ts";
import { ServiceProcess } from "./service_process.ts";
import { WAIT_MS, waitUntil } from "./wait.ts";

/** How a directory is started. */
export interface DirectoryOptions {
  /** `--listen`; by default any free port on 127.0.0.1. */
  readonly listen?: string;
  /** Seconds between two refreshes of a client; 1 by default, so that no test waits for long. */
  readonly refresh?: number;
  readonly replicas?: number;
  readonly maxQueries?: number;
  /** Name and key file of the network; also used to ask it how it is doing. */
  readonly network?: readonly string[];
  /** More arguments; a later flag of the same name is an error of usage. */
  readonly args?: readonly string[];
  /** Log level; everything by default, because tests wait for lines of the log. */
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** Another program than this one's source; see `PacsrvProcess`. */
  readonly program?: readonly string[];
}

/**
 * Starts a directory and waits for its ready line.
 *
 * @throws {Error} with what it logged, when it does not get ready.
 */
export async function startDirectory(options: DirectoryOptions = {}): Promise<DirectoryProcess> {
  const { replicas, maxQueries, network = [] } = options;
  const process = new PacsrvProcess([
    "directory",
    ...["--listen", options.listen ?? "127.0.0.1:0"],
    ...["--refresh", String(options.refresh ?? 1)],
    ...["--log-level", options.logLevel ?? "debug"],
    ...(replicas === undefined ? [] : ["--replicas", String(replicas)]),
    ...(maxQueries === undefined ? [] : ["--max-queries", String(maxQueries)]),
    ...network,
    ...options.args ?? [],
  ], options.program === undefined ? {} : { program: options.program });
  try {
    const line = await process.stdout.matching(/^ready /);
    const match = /^ready directory=(\S+) id=([0-9a-f]{32})(?: metrics=(\S+))?$/.exec(line);
    if (match === null) throw new Error(`Not a ready line: ${line}`);
    const [, address, id, metrics = ""] = match;
    return new DirectoryProcess(process, { address: address!, id: id!, metrics, network });
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw new Error(`The directory is not ready:\n${process.stderr.text()}`, { cause: error });
  }
}

/** A directory that is ready; disposing ends it by SIGKILL. */
export class DirectoryProcess extends ServiceProcess {
  /** HOST:PORT at which it listens. */
  readonly address: string;
  /** Its instance. */
  readonly id: string;
  /** HOST:PORT of its port for monitors; empty without `--metrics`. */
  readonly metrics: string;
  readonly #network: readonly string[];

  constructor(
    process: PacsrvProcess,
    options: {
      readonly address: string;
      readonly id: string;
      readonly metrics: string;
      readonly network: readonly string[];
    },
  ) {
    super(process);
    this.address = options.address;
    this.id = options.id;
    this.metrics = options.metrics;
    this.#network = options.network;
  }

  /** Asks it how it is doing, by a process of its own. */
  async status(): Promise<DirectoryStatus> {
    const { code, stdout, stderr } = await runPacsrv(
      ["status", "--directory", this.address, "--json", ...this.#network],
    );
    assertEquals(code, 0, `${stderr}\n${this.process.stderr.text()}`);
    return JSON.parse(stdout);
  }

  /** Waits until what it says of itself is as wanted. */
  async reports(
    what: string,
    isSo: (status: DirectoryStatus) => boolean,
    timeoutMs = WAIT_MS,
  ): Promise<DirectoryStatus> {
    return await waitUntil(async () => {
      const status = await this.#statusSoon();
      return isSo(status) && status;
    }, { what, timeoutMs });
  }

  /** By a command only where its network has a key. */
  async #statusSoon(): Promise<DirectoryStatus> {
    const [flag, network = "pacsrv", ...others] = this.#network;
    if (others.length > 0 || !["--network", undefined].includes(flag)) return await this.status();
    const options = { what: "directory", defaults: { host: "127.0.0.1", port: 0 } };
    const address = parseAddress(this.address, options);
    return await askDirectoryStatus({ address, network, networkKey: undefined });
  }
}
