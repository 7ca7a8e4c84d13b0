// pacsrv as the benchmark runs it: its real commands, installed as a person would install them.

import type { HostPort } from "../../src/base/address.ts";
import { DaemonClient } from "../../src/client/daemon_client.ts";
import type { StatusReport } from "../../src/wire/reports.ts";
import { formatAddress } from "../../src/wire/host.ts";
import { denoArgs, pacsrvArgs } from "../deno_args.ts";
import { DENO_ARGS_VARIABLE, rootPath } from "../std_source.ts";
import { measure, type Measured } from "./measured.ts";
import { nextLine, type PipedProcess, runProcess, startProcess } from "./processes.ts";

/** A network of its own, so that no other node of this machine takes part. */
export const NETWORK = "pacsrv-bench";
const LOOPBACK = "127.0.0.1:0";

const INSTALL_MS = 300_000;
const READY_MS = 120_000;
/** How often the daemon is asked whether it has hashed everything. */
const POLL_MS = 10;
/** Linux counts processor time in hundredths of a second, whatever the kernel's own clock. */
const TICKS_PER_S = 100;

/** How to run pacsrv. */
export interface Product {
  /** The command and its first arguments. */
  readonly command: readonly string[];
  readonly isInstalled: boolean;
}

/** Installs pacsrv into `dir`; where that fails, it is run from the source. */
export async function installProduct(dir: string): Promise<Product> {
  const task = ["run", "-A", "--no-config", "--no-lock", rootPath("scripts/run.ts")];
  try {
    await runProcess(Deno.execPath(), [...task, "install", "--root", dir], {
      limitMs: INSTALL_MS,
      env: { [DENO_ARGS_VARIABLE]: JSON.stringify(denoArgs()) },
    });
    const product = { command: [`${dir}/bin/pacsrv`], isInstalled: true };
    await startOnce(product, dir);
    return product;
  } catch (error) {
    console.error(`Not installed, running from source: ${(error as Error).message}`);
    return { command: [Deno.execPath(), ...pacsrvArgs()], isInstalled: false };
  }
}

/** Has deno learn what it keeps of the source: what is measured is not the first start ever. */
async function startOnce(product: Product, dir: string): Promise<void> {
  const shares = [rootPath("README.md")];
  await using daemon = await DaemonProcess.start(product, { dataDir: `${dir}/data`, shares });
  await daemon.untilShared(1, { limitMs: READY_MS });
}

/** Where a fetch takes the file from. */
export type FetchFrom =
  | { readonly kind: "alone"; readonly peers: readonly HostPort[] }
  | { readonly kind: "directory"; readonly directory: HostPort }
  | { readonly kind: "daemon"; readonly client: HostPort };

/** What one `pacsrv fetch` took. */
export interface FetchRun extends Measured {
  /** From the event "found" to the event "done": without the start of the program. */
  readonly transferS: number;
  /** When these two came, in milliseconds since 1970. */
  readonly foundEpochMs: number;
  readonly doneEpochMs: number;
  /** How many peers gave bytes. */
  readonly sources: number;
}

/**
 * Runs `pacsrv fetch`.
 *
 * @param options.output Where the file goes; without it, into the daemon's store.
 * @throws {Error} when it fails.
 */
export async function fetchFile(
  product: Product,
  name: string,
  options: {
    readonly from: FetchFrom;
    readonly limitMs: number;
    readonly output?: string;
    /** Only these chunks. */
    readonly chunks?: string;
    readonly network?: string;
    /** The file with the network's key, for `--alone` in a network that has one. */
    readonly keyFile?: string;
    /** How many peers must have given bytes, where another number would spoil the figure. */
    readonly sources?: number;
  },
): Promise<FetchRun> {
  const { from, output, chunks, keyFile, network = NETWORK } = options;
  const how = from.kind === "daemon"
    ? ["--client", addressText(from.client)]
    : ["--alone", "--node", LOOPBACK, "--network", network, ...aloneFlags(from)];
  const measured = await measure([
    ...product.command,
    "fetch",
    name,
    "--json",
    ...how,
    ...(output === undefined ? [] : ["-o", output]),
    ...(chunks === undefined ? [] : ["--chunks", chunks]),
    ...(keyFile === undefined ? [] : ["--network-key-file", keyFile]),
  ], options);
  const events = measured.lines.map(([atS, text]) => ({ atS, ...JSON.parse(text) }));
  const found = events.find(({ event }) => event === "found");
  const done = events.find(({ event }) => event === "done");
  if (found === undefined || done === undefined) {
    throw new Error(`pacsrv fetch told neither "found" nor "done": ${JSON.stringify(events)}`);
  }
  const sources = done.sources.filter(({ bytes }: { bytes: number }) => bytes > 0).length;
  if (options.sources !== undefined && sources !== options.sources) {
    throw new Error(`The file came from ${sources} peers, not ${options.sources}`);
  }
  return {
    ...measured,
    transferS: done.atS - found.atS,
    foundEpochMs: measured.startEpochMs + found.atS * 1000,
    doneEpochMs: measured.startEpochMs + done.atS * 1000,
    sources,
  };
}

/** Runs a command that asks the daemon for something, such as `unshare`. */
export async function command(
  product: Product,
  args: readonly string[],
  options: { readonly limitMs: number },
): Promise<Measured> {
  return await measure([...product.command, ...args], options);
}

/** A daemon as a process of its own. */
export class DaemonProcess implements AsyncDisposable {
  readonly pid: number;
  readonly node: HostPort;
  readonly client: HostPort;
  readonly id: string;
  /** From the start of the process to its ready line. */
  readonly readyMs: number;
  readonly #process: PipedProcess;
  readonly #gateway: string | undefined;

  private constructor(process: PipedProcess, line: string, readyMs: number) {
    const match =
      /^ready node=(\S+) client=(\S+) id=([0-9a-f]{32})(?: gateway=(\S+))?(?: shared=\d+)?$/.exec(
        line,
      );
    if (match === null) throw new Error(`The daemon is not ready: ${line} ${process.errorText()}`);
    this.#process = process;
    this.pid = process.pid;
    this.node = loopbackPort(match[1]!);
    this.client = loopbackPort(match[2]!);
    this.id = match[3]!;
    this.#gateway = match[4];
    this.readyMs = readyMs;
  }

  /** Starts one on free ports of loopback; resolves with its ready line. */
  static async start(
    product: Product,
    options: {
      readonly dataDir: string;
      readonly shares?: readonly string[];
      readonly peers?: readonly HostPort[];
      readonly network?: string;
      /** More flags. */
      readonly args?: readonly string[];
    },
  ): Promise<DaemonProcess> {
    const { dataDir, shares = [], peers = [], network = NETWORK, args = [] } = options;
    const [program, ...first] = product.command;
    const startMs = performance.now();
    const process = startProcess(program!, [
      ...first,
      "daemon",
      ...["--data", dataDir, "--node", LOOPBACK, "--client", LOOPBACK, "--network", network],
      ...["--log-level", "warn"],
      ...shares.flatMap((path) => ["--share", path]),
      ...peerFlags(peers),
      ...args,
    ]);
    try {
      const line = await nextLine(process, { what: "pacsrv daemon", limitMs: READY_MS });
      return new DaemonProcess(process, line, performance.now() - startMs);
    } catch (error) {
      await process.end();
      throw error;
    }
  }

  /** The root of its gateway, without a slash at the end. */
  get gatewayUrl(): string {
    if (this.#gateway === undefined) throw new Error("The daemon was started without a gateway");
    return `http://${this.#gateway}`;
  }

  /** A connection to its client port. */
  async connect(): Promise<DaemonClient> {
    return await DaemonClient.connect(this.client);
  }

  /** Resolves when it shares `files` files and has none left to hash. */
  async untilShared(files: number, options: { readonly limitMs: number }): Promise<void> {
    await this.#until(
      ({ files: { hashing, shared } }) => hashing === 0 && shared >= files,
      { what: `hashed ${files} files`, ...options },
    );
  }

  /** Resolves when it has put `files` fetched files into its store. */
  async untilDownloaded(files: number, options: { readonly limitMs: number }): Promise<void> {
    await this.#until((status) => status.files.downloaded >= files, {
      what: `put ${files} files into its store`,
      ...options,
    });
  }

  /** Resolves when it has at least `links` links. */
  async untilLinked(links: number): Promise<void> {
    await this.#until((status) => status.links >= links, {
      what: `${links} links`,
      limitMs: READY_MS,
    });
  }

  /** Resolves when it has read databases with at least `packages` packages. */
  async untilTrusting(packages: number, options: { readonly limitMs: number }): Promise<void> {
    await this.#until(
      ({ syncDatabases }) => syncDatabases.reduce((sum, one) => sum + one.packages, 0) >= packages,
      { what: `read the databases of ${packages} packages`, ...options },
    );
  }

  /** Takes a file that it fetched out of its store again. */
  async forget(product: Product, name: string): Promise<void> {
    await command(product, ["unshare", name, "--client", addressText(this.client)], {
      limitMs: 60_000,
    });
  }

  /** User and system time since its start, of all its threads. */
  cpuS(): number {
    // The fields after the name, which may contain anything, in parentheses.
    const stat = Deno.readTextFileSync(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  }

  /** The most memory that was resident since the start or the last {@linkcode resetPeak}. */
  peakBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(status);
    if (match === null) throw new Error(`/proc/${this.pid}/status tells no VmHWM`);
    return Number(match[1]) * 1024;
  }

  /** Begins to count the peak anew. */
  resetPeak(): void {
    Deno.writeTextFileSync(`/proc/${this.pid}/clear_refs`, "5");
  }

  async #until(
    holds: (status: StatusReport) => boolean,
    { what, limitMs }: { readonly what: string; readonly limitMs: number },
  ): Promise<void> {
    await using client = await this.connect();
    const endMs = performance.now() + limitMs;
    for (;;) {
      const askedMs = performance.now();
      for await (const status of client.ask("status", {})) if (holds(status)) return;
      const answeredMs = performance.now();
      if (answeredMs > endMs) throw new Error(`The daemon has not ${what} within ${limitMs} ms`);
      // To answer must not be most of what it does.
      const pauseMs = Math.max(POLL_MS, 5 * (answeredMs - askedMs));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
  }
}

/** `HOST:PORT`. */
export function addressText({ host, port }: HostPort): string {
  return formatAddress(host, port);
}

function aloneFlags(from: Exclude<FetchFrom, { kind: "daemon" }>): string[] {
  return from.kind === "alone"
    ? peerFlags(from.peers)
    : ["--directory", addressText(from.directory)];
}

function peerFlags(peers: readonly HostPort[]): string[] {
  return peers.flatMap((peer) => ["--peer", addressText(peer)]);
}

function loopbackPort(address: string): HostPort {
  return { host: "127.0.0.1", port: Number(address.slice(address.lastIndexOf(":") + 1)) };
}
