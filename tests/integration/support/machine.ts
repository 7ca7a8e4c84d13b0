// A machine of a fleet: a daemon with a gateway, and a pacman that downloads through it.

import { pacsrvArgs } from "../../../scripts/deno_args.ts";
import { type DaemonProcess, startDaemon } from "./daemon.ts";
import { sha256Of } from "./files.ts";
import { Pacman, type PacmanConfig } from "./pacman.ts";
import type { PacmanChroot } from "./pacman_chroot.ts";
import type { SigningKey } from "./repository.ts";
import { runTool } from "./tool.ts";
import { waitUntil } from "./wait.ts";

/** Any server, by where it is: `http://HOST:PORT`, and a path where it has one. */
export interface Server {
  readonly url: string;
}

/** How a machine is set up. */
export interface MachineOptions {
  /** Behind the gateway; none makes it one that only knows what peers have. */
  readonly mirrors?: readonly Server[];
  /** Addresses of nodes, as HOST:PORT. */
  readonly peers?: readonly string[];
  /** Names of the repositories; by default `core`. */
  readonly repositories?: readonly string[];
  /** Servers that pacman asks when the gateway does not help. */
  readonly behind?: readonly Server[];
  /** More of pacman.conf. */
  readonly pacman?: Partial<PacmanConfig>;
  /** Whose signatures pacman believes. */
  readonly key?: SigningKey;
  /** The system whose pacman it is; by default that of this machine. */
  readonly chroot?: PacmanChroot;
  /** Whether pacman asks the gateway by CacheServer, before its mirrors; by default by Server. */
  readonly isCacheServer?: boolean;
  /** Whether the daemon reads pacman's databases; it does by default. */
  readonly isTrusting?: boolean;
  /** Whether pacman's cache is shared in place. */
  readonly sharesCache?: boolean;
  /** More arguments of the daemon. */
  readonly args?: readonly string[];
  readonly logLevel?: "debug" | "info" | "warn" | "error";
}

/** A daemon and a pacman; disposing ends and removes both. */
export class Machine implements AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly pacman: Pacman;
  readonly #options: MachineOptions;

  private constructor(daemon: DaemonProcess, pacman: Pacman, options: MachineOptions) {
    this.daemon = daemon;
    this.pacman = pacman;
    this.#options = options;
  }

  static async start(options: MachineOptions = {}): Promise<Machine> {
    await using cleanup = new AsyncDisposableStack();
    // The daemon wants pacman's folders, and pacman's configuration the daemon's port.
    const { key, chroot } = options;
    const keys = key === undefined ? {} : { key };
    const pacman = cleanup.use(await Pacman.make({ repositories: {} }, { ...keys, chroot }));
    const daemon = cleanup.use(
      await startDaemon({
        peers: options.peers ?? [],
        shares: options.sharesCache === true ? [pacman.cacheDir] : [],
        args: [
          ...["--gateway", "127.0.0.1:0"],
          ...["--pacman-conf", pacman.confPath],
          ...(options.mirrors ?? []).flatMap(({ url }) => ["--mirror", `${url}/$repo/os/$arch`]),
          ...(options.isTrusting === false ? [] : ["--sync-db", pacman.syncDir]),
          ...options.args ?? [],
        ],
        ...(options.logLevel === undefined ? {} : { logLevel: options.logLevel }),
      }),
    );
    const machine = new Machine(daemon, pacman, options);
    await machine.useServers(`${machine.url}/$repo/os/$arch`);
    cleanup.move();
    return machine;
  }

  /** The gateway, as `http://HOST:PORT`. */
  get url(): string {
    return `http://${this.daemon.gateway}`;
  }

  /** Configures pacman with this server, and the mirrors behind it. */
  async useServers(...servers: readonly string[]): Promise<void> {
    const behind = (this.#options.behind ?? []).map(({ url }) => `${url}/$repo/os/$arch`);
    const { isCacheServer = false, repositories: names = ["core"] } = this.#options;
    const asked = isCacheServer ? behind : [...servers, ...behind];
    await this.pacman.configure({
      repositories: Object.fromEntries(names.map((name) => [name, asked])),
      ...(isCacheServer ? { cacheServers: servers } : {}),
      ...this.#options.pacman,
    });
  }

  /** Waits until the daemon has read so many packages in pacman's databases. */
  async knows(packages: number): Promise<void> {
    await waitUntil(async () => {
      const { syncDatabases } = await this.daemon.status();
      return syncDatabases.reduce((sum, read) => sum + read.packages, 0) === packages;
    }, { what: `${packages} packages to be known from the databases` });
  }

  /** What curl gets of the gateway for the path of a URL. */
  async curl(path: string, options: { readonly timeoutMs?: number } = {}): Promise<CurlOutcome> {
    return await curl(`${this.url}${path}`, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await this.pacman[Symbol.asyncDispose]();
  }
}

/** The XferCommand that fetches through a daemon: written to `path`, as pacman takes words only. */
export async function fetchCommand(path: string, { client }: DaemonProcess): Promise<string> {
  const words = [Deno.execPath(), ...pacsrvArgs(), "fetch", "--client", client];
  await Deno.writeTextFile(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  return `${path} %u -o %o`;
}

/** What came of one download. */
export interface CurlOutcome {
  /** Of curl: 0 for an answer that is whole, 18 for one that broke off, 28 for too late. */
  readonly exit: number;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  readonly bytes: number;
  /** To the first byte and in all. */
  readonly firstMs: number;
  readonly tookMs: number;
  /** Of the bytes that came. */
  readonly sha256: string;
}

/** Downloads a URL. */
export async function curl(
  url: string,
  options: { readonly timeoutMs?: number } = {},
): Promise<CurlOutcome> {
  const { timeoutMs = 30_000 } = options;
  const path = await Deno.makeTempFile({ prefix: "pacsrv-test-" });
  try {
    const format = "%{http_code} %{size_download} %{time_starttransfer} %{time_total}";
    const { code, stdout } = await runTool(
      "curl",
      ["-sS", "-o", path, "-w", format, "-m", String(timeoutMs / 1_000), url],
      { timeoutMs: timeoutMs + 10_000 },
    );
    const [status = 0, bytes = 0, first = 0, total = 0] = stdout.split(" ").map(Number);

    const sha256 = await sha256Of(path);
    return { exit: code, status, bytes, firstMs: first * 1_000, tookMs: total * 1_000, sha256 };
  } finally {
    await Deno.remove(path);
  }
}
