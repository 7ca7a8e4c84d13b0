// The real pacman on a machine of its own: a root directory with its own configuration, databases,
// cache and keys. It touches nothing of the machine that the test runs on. It is the pacman of that
// machine, or the newer one of a chroot.

import { assert, assertEquals } from "@std/assert";
import { sha256Of, TempDir } from "./files.ts";
import type { PacmanChroot } from "./pacman_chroot.ts";
import type { Outcome } from "./process.ts";
import type { BuiltPackage, SigningKey } from "./repository.ts";
import { runTool, tool, ToolProcess } from "./tool.ts";

/** How long one run of pacman may take: much longer than it should. */
const RUN_MS = 60_000;

/** What stands in pacman.conf. */
export interface PacmanConfig {
  /** Repositories and where they are, each as the value of `Server`; `$repo` and `$arch` as usual. */
  readonly repositories: Readonly<Record<string, readonly string[]>>;
  /** The same for `CacheServer`, which pacman knows from 6.1 on. */
  readonly cacheServers?: readonly string[];
  /** By default what this pacman takes: 1 download at a time. */
  readonly parallelDownloads?: number;
  readonly xferCommand?: string;
  /** By default nothing is signed. */
  readonly sigLevel?: string;
}

/** A machine with pacman; disposing removes it. */
export class Pacman implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #chroot: PacmanChroot | undefined;
  /** What stands in its configuration of the user and the sandbox of its downloads. */
  readonly #sandbox: readonly string[];

  private constructor(
    dir: TempDir,
    { chroot, sandbox }: {
      readonly chroot: PacmanChroot | undefined;
      readonly sandbox: readonly string[];
    },
  ) {
    this.#dir = dir;
    this.#chroot = chroot;
    this.#sandbox = sandbox;
  }

  /**
   * @param options.key Whose signatures it believes.
   * @param options.chroot The system whose pacman it is; by default that of this machine.
   * @throws {Error} when there is no pacman.
   */
  static async make(
    config: PacmanConfig,
    options: { readonly key?: SigningKey; readonly chroot?: PacmanChroot | undefined } = {},
  ): Promise<Pacman> {
    const { chroot } = options;
    const dir = await (chroot?.folder() ?? TempDir.make());
    const pacman = new Pacman(dir, { chroot, sandbox: await sandboxLines(chroot) });
    for (const folder of ["root", "cache", "hooks", "db/local", "db/sync"]) {
      await pacman.#dir.folder(...folder.split("/"));
    }
    const gnupg = `${pacman.#dir.path}/gnupg`;
    if (options.key === undefined) await Deno.mkdir(gnupg, { mode: 0o700 });
    else await options.key.trustIn(gnupg);
    await pacman.configure(config);
    return pacman;
  }

  /** Where it keeps the databases of the repositories: for `--sync-db`. */
  get syncDir(): string {
    return `${this.#dir.path}/db/sync`;
  }

  /** Its configuration. */
  get confPath(): string {
    return `${this.#dir.path}/pacman.conf`;
  }

  /** Where it keeps packages. */
  get cacheDir(): string {
    return `${this.#dir.path}/cache`;
  }

  /** Writes its configuration anew. */
  async configure(config: PacmanConfig): Promise<void> {
    const lines = [
      "[options]",
      "Architecture = x86_64",
      "NoProgressBar",
      `SigLevel = ${config.sigLevel ?? "Never"}`,
      ...(config.parallelDownloads === undefined
        ? []
        : [`ParallelDownloads = ${config.parallelDownloads}`]),
      ...(config.xferCommand === undefined ? [] : [`XferCommand = ${config.xferCommand}`]),
      ...this.#sandbox,
    ];
    for (const [name, servers] of Object.entries(config.repositories)) {
      lines.push(
        `[${name}]`,
        ...(config.cacheServers ?? []).map((server) => `CacheServer = ${server}`),
        ...servers.map((server) => `Server = ${server}`),
      );
    }
    await Deno.writeTextFile(this.confPath, `${lines.join("\n")}\n`);
  }

  /** Starts pacman. */
  start(args: readonly string[]): ToolProcess {
    const [command, ...words] = [...(Deno.uid() === 0 ? [] : ["fakeroot"]), ...this.#in("pacman")];
    const at = (name: string) => this.#inside(name);
    return new ToolProcess(command!, [
      ...words,
      ...["--root", at("root"), "--dbpath", at("db"), "--cachedir", at("cache")],
      ...["--config", at("pacman.conf"), "--gpgdir", at("gnupg"), "--hookdir", at("hooks")],
      ...["--logfile", at("log"), "--noconfirm"],
      ...args,
    ]);
  }

  /** Runs it to its end. */
  async run(...args: readonly string[]): Promise<Outcome> {
    await using process = this.start(args);
    return await process.ended(RUN_MS);
  }

  /** Runs what must go well. */
  async must(...args: readonly string[]): Promise<Outcome> {
    const outcome = await this.run(...args);
    assertEquals(outcome.code, 0, `${outcome.stdout}\n${outcome.stderr}`);
    return outcome;
  }

  /** Holds it to have these very packages installed, and their files to be right. */
  async assertInstalled(packages: readonly BuiltPackage[]): Promise<void> {
    const { stdout } = await this.must("-Q", ...packages.map(({ name }) => name));
    assertEquals(
      stdout.trim().split("\n").sort(),
      packages.map(({ name, version }) => `${name} ${version}`).sort(),
    );
    for (const { name, payload } of packages) {
      const sha256 = await sha256Of(`${this.#dir.path}/root/${payload.path}`);
      assertEquals(sha256, payload.sha256, `${name} has another content than its repository's`);
    }
  }

  /** Holds its cache to have these very packages, and nothing that is unfinished. */
  async assertCached(packages: readonly BuiltPackage[]): Promise<void> {
    for (const { fileName, sha256 } of packages) {
      assertEquals(await sha256Of(`${this.cacheDir}/${fileName}`), sha256, fileName);
    }
    for await (const { name } of Deno.readDir(this.cacheDir)) {
      assert(!name.endsWith(".part"), `${name} was left in the cache`);
    }
  }

  /** Takes all packages out of the cache and what is installed off, as on a new machine. */
  async clear(): Promise<void> {
    for (const folder of ["root", "cache", "db/local"]) {
      await Deno.remove(`${this.#dir.path}/${folder}`, { recursive: true });
      await this.#dir.folder(...folder.split("/"));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [command, ...words] = this.#in("gpgconf");
    await tool(command!, [...words, "--homedir", this.#inside("gnupg"), "--kill", "all"]);
    await this.#dir[Symbol.asyncDispose]();
  }

  /** A program of the system whose pacman it is. */
  #in(command: string): string[] {
    return this.#chroot === undefined ? [command] : ["chroot", this.#chroot.path, command];
  }

  /** The path of something of this machine, as its pacman has it. */
  #inside(name: string): string {
    const path = `${this.#dir.path}/${name}`;
    return this.#chroot?.inside(path) ?? path;
  }
}

/** What pacman.conf says of the sandbox: what people have of it in a chroot, else none. */
async function sandboxLines(chroot: PacmanChroot | undefined): Promise<string[]> {
  if (chroot !== undefined) return [`DownloadUser = ${chroot.downloadUser}`];
  // The sandbox of pacman 7 needs a user `alpm` and a kernel that this machine may not have.
  return isAtLeast(await pacmanVersion(), [7, 0]) ? ["DisableSandbox"] : [];
}

/** Whether this machine's pacman knows CacheServer. */
export async function knowsCacheServer(): Promise<boolean> {
  return isAtLeast(await pacmanVersion(), [6, 1]);
}

/** Major, minor and so on. */
async function pacmanVersion(): Promise<number[]> {
  const { stdout, stderr } = await runTool("pacman", ["--version"]);
  const match = /Pacman v([\d.]+)/.exec(stdout);
  if (match === null) throw new Error(`No version of pacman: ${stdout}${stderr}`);
  return match[1]!.split(".").map(Number);
}

function isAtLeast(version: readonly number[], [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version;
  return a > major || (a === major && b >= minor);
}
