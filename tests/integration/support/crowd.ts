// A crowd: machines that want the same files at about the same time, each a real daemon with a gateway
// and a data directory of its own, linked over loopback, all with the same mirror behind one line. It
// says who had what when, whether it was right, and what the mirror gave to whom. How the daemons are
// started is the caller's: the tests and the benchmark do it in different ways.

import { makePackages, type Packages, REPOSITORY_PATH } from "../../../scripts/bench/packages.ts";
import { ask } from "./client.ts";
import { sha256Of } from "./files.ts";
import { MirrorProcess } from "./mirror_process.ts";
import { runTool } from "./tool.ts";
import { waitUntil } from "./wait.ts";

/** How many of those before it each machine is told of; more links form by themselves. */
const PEERS = 3;
/** Links that each must have before anything is asked. */
const LINKS_MIN = 2;
/** The mirror is done when it has given nothing for so long. */
const QUIET_MS = 250;
/** What one download may take. */
const FETCH_MS = 120_000;

/** A daemon that runs; disposing ends it. */
export interface CrowdDaemon extends AsyncDisposable {
  readonly pid: number;
  readonly id: string;
  /** HOST:PORT of its ports. */
  readonly node: string;
  readonly client: string;
  readonly gateway: string;
}

/** What a daemon is started with; its links beyond those to its peers are its own affair. */
export interface CrowdStart {
  readonly index: number;
  readonly dataDir: string;
  /** HOST:PORT of each. */
  readonly peers: readonly string[];
  readonly network: string;
  readonly args: readonly string[];
}

/** How a crowd is set up. */
export interface CrowdOptions<D extends CrowdDaemon> {
  /** An empty folder for everything. */
  readonly dir: string;
  readonly machines: number;
  /** Of the files, in bytes; the mirror has one of each. */
  readonly sizes: readonly number[];
  /** Of the mirror's line. */
  readonly bytesPerSecond: number;
  /** What tells a right file from a wrong one: pacman's databases, or that all hold one key. */
  readonly trust: "sync-db" | "key";
  readonly start: (start: CrowdStart) => Promise<D>;
  /** The name of their network; by default one that nobody else has. */
  readonly network?: string;
  /** The file with its key, where one is held; by default one that nobody else has. */
  readonly keyFile?: string;
  /** Which of those before it a machine is told of; by default the three before it. */
  readonly peersOf?: (index: number) => readonly number[];
  /** More addresses of nodes that a machine is told of, and more of its flags. */
  readonly each?: (
    index: number,
    before: readonly D[],
  ) => { readonly peers?: readonly string[]; readonly args?: readonly string[] };
  /** Links that each must have before anything is asked. */
  readonly linksMin?: number;
  /** Whether all ask at one URL, as a lab does; then the mirror cannot tell who asked. */
  readonly hasOneUrl?: boolean;
}

/** Who wants what, and when. */
export interface Wish {
  readonly machine: number;
  readonly file: number;
  /** After the first; 0 by default. */
  readonly afterMs?: number;
}

/** What came of a wish. */
export interface WishOutcome {
  readonly machine: number;
  readonly file: number;
  /** Of curl: 0 for an answer that is whole. */
  readonly exit: number;
  readonly status: number;
  readonly isRight: boolean;
  /** Of what came; empty when the answer was no file, or broke off. */
  readonly sha256: string;
  /** Since this machine asked. */
  readonly firstMs: number;
  readonly tookMs: number;
  /** Since the first of all asked. */
  readonly endedMs: number;
}

/** What came of all of them. */
export interface CrowdReport {
  readonly outcomes: readonly WishOutcome[];
  /** What the mirror gave over what is in the files that were wished for. */
  readonly copies: number;
  /** The same for each file. */
  readonly copiesByFile: ReadonlyMap<number, number>;
  /** The same for each machine; all bytes count for the crowd as a whole where it has one URL. */
  readonly copiesByMachine: readonly number[];
  readonly requests: number;
  /** The longest that one machine waited for one file. */
  readonly slowestMs: number;
  /** From the first wish until all had what they wanted. */
  readonly allMs: number;
}

/** Machines that wait for a rush; disposing ends all processes. */
export class Crowd<D extends CrowdDaemon = CrowdDaemon> implements AsyncDisposable {
  readonly mirror: MirrorProcess;
  readonly packages: Packages;
  /** The name of the network that all of them are in. */
  readonly network: string;
  readonly #dir: string;
  readonly #sha256s: readonly string[];
  readonly #cleanup: AsyncDisposableStack;
  readonly #daemons: D[];
  /** Starts one of them anew, and waits until it can take part. */
  readonly #startOne: (index: number) => Promise<D>;
  #downloads = 0;

  private constructor(parts: {
    readonly mirror: MirrorProcess;
    readonly daemons: D[];
    readonly startOne: (index: number) => Promise<D>;
    readonly packages: Packages;
    readonly network: string;
    readonly dir: string;
    readonly sha256s: readonly string[];
    readonly cleanup: AsyncDisposableStack;
  }) {
    this.mirror = parts.mirror;
    this.#daemons = parts.daemons;
    this.#startOne = parts.startOne;
    this.packages = parts.packages;
    this.network = parts.network;
    this.#dir = parts.dir;
    this.#sha256s = parts.sha256s;
    this.#cleanup = parts.cleanup;
  }

  /** Makes the files, and starts the mirror and then one machine after the other. */
  static async start<D extends CrowdDaemon>(options: CrowdOptions<D>): Promise<Crowd<D>> {
    const { dir, machines, bytesPerSecond, trust } = options;
    await using cleanup = new AsyncDisposableStack();
    const packages = await makePackages(dir, options.sizes);
    const sha256s = await Promise.all(packages.all.map(({ path }) => sha256Of(path)));
    const mirror = cleanup.use(await MirrorProcess.start(packages.mirrorRoot, { bytesPerSecond }));
    const network = options.network ?? `crowd-${crypto.randomUUID().slice(0, 8)}`;
    const keyFile = options.keyFile ?? `${dir}/network.key`;
    if (options.keyFile === undefined) await writeKey(keyFile);
    const knowledge = trust === "sync-db"
      ? ["--sync-db", packages.syncFolder]
      : ["--network-key-file", keyFile];
    const daemons: D[] = [];
    const start = (index: number, peers: readonly number[]): Promise<D> => {
      const own = options.each?.(index, daemons) ?? {};
      const url = options.hasOneUrl === true ? mirror.url : mirror.urlFor(nameOf(index));
      return options.start({
        index,
        dataDir: `${dir}/data-${index}`,
        peers: [...peers.map((peer) => daemons[peer]!.node), ...own.peers ?? []],
        network,
        args: [
          ...["--gateway", "127.0.0.1:0", "--mirror", url],
          ...knowledge,
          ...own.args ?? [],
        ],
      });
    };
    const linksMin = options.linksMin ?? Math.min(LINKS_MIN, machines - 1);
    const ready = (daemon: D) =>
      waitUntil(async () => {
        const [status] = await ask(daemon, "status", {});
        const known = status!.syncDatabases.reduce((sum, read) => sum + read.packages, 0);
        return status!.links >= linksMin && (trust === "key" || known >= packages.all.length);
      }, { what: `${daemon.node} to have ${linksMin} links and to know all packages` });
    for (let index = 0; index < machines; index++) {
      const peers = options.peersOf?.(index) ?? lastOf(index);
      daemons.push(cleanup.use(await start(index, peers)));
    }
    for (const daemon of daemons) await ready(daemon);
    const startOne = async (index: number) => {
      // Those that knew it look for it elsewhere.
      const daemon = await start(index, [...daemons.keys()].filter((other) => other !== index));
      await ready(daemon);
      return daemon;
    };
    const parts = { mirror, daemons, startOne, packages, network, dir, sha256s };
    return new Crowd({ ...parts, cleanup: cleanup.move() });
  }

  get daemons(): readonly D[] {
    return this.#daemons;
  }

  /** Starts a machine again that has ended. */
  async restart(machine: number): Promise<void> {
    this.#daemons[machine] = this.#cleanup.use(await this.#startOne(machine));
  }

  /** The path of a file in URLs. */
  pathOf(file: number): string {
    return `/${REPOSITORY_PATH}/${this.packages.all[file]!.name}`;
  }

  /** The URL of a file at the mirror, the same for all machines. */
  urlOf(file: number): string {
    return `${this.mirror.url}${this.pathOf(file)}`;
  }

  /** The same as an expression, for what the mirror is told. */
  patternOf(file: number): RegExp {
    return new RegExp(`/${this.packages.all[file]!.name}$`);
  }

  /** Bytes of packages that the mirror has given to each machine since it was last told to forget. */
  async bytesByMachine(): Promise<number[]> {
    const bytes = this.daemons.map(() => 0);
    for (const answer of await this.mirror.answers()) {
      const index = indexOf(answer.machine);
      if (index !== undefined && answer.path.includes(".pkg.")) bytes[index]! += answer.bytes;
    }
    return bytes;
  }

  /** The machine that has got most from the mirror. */
  async busiest(): Promise<number> {
    const bytes = await this.bytesByMachine();
    return bytes.indexOf(Math.max(...bytes));
  }

  /** Copies of these files that the mirror has given since it was last told to forget. */
  async copiesOf(...files: readonly number[]): Promise<number> {
    let given = 0, size = 0;
    for (const file of files) {
      given += await this.mirror.bytesOf(this.patternOf(file));
      size += this.packages.all[file]!.sizeBytes;
    }
    return given / size;
  }

  /** Waits until the mirror gives nothing more: also what nobody waits for any longer counts. */
  async quiet(): Promise<void> {
    let lastBytes = -1;
    await waitUntil(async () => {
      const bytes = await this.mirror.bytesOf(/\.pkg\./);
      const isQuiet = bytes === lastBytes;
      lastBytes = bytes;
      return isQuiet;
    }, { what: "the mirror to have given all", everyMs: QUIET_MS });
  }

  /** How many links a machine has. */
  async linksOf(machine: number): Promise<number> {
    const [status] = await ask(this.daemons[machine]!, "status", {});
    return status!.links;
  }

  /** Sends a signal to a machine's daemon; nothing if it has ended. */
  signal(machine: number, signal: Deno.Signal): void {
    try {
      Deno.kill(this.daemons[machine]!.pid, signal);
    } catch { /* It has ended. */ }
  }

  /** All machines want one file, each so much later than the one before. */
  everybody(file: number, apartMs = 0): Wish[] {
    return this.daemons.map((_, machine) => ({ machine, file, afterMs: machine * apartMs }));
  }

  /** Has the wishes come true through the gateways; what the mirror gave before is forgotten. */
  async rush(wishes: readonly Wish[], options: { limitMs?: number } = {}): Promise<CrowdReport> {
    await this.mirror.forget();
    const startMs = performance.now();
    const downloads = await Promise.all(
      wishes.map((wish) => this.#download(wish, { startMs, limitMs: options.limitMs ?? FETCH_MS })),
    );
    await this.quiet();
    const outcomes: WishOutcome[] = [];
    for (const { output, ...outcome } of downloads) {
      // After all of them: hashing would take time from those that still load.
      const isWhole = outcome.exit === 0 && outcome.status === 200;
      const sha256 = isWhole ? await sha256Of(output) : "";
      outcomes.push({ ...outcome, sha256, isRight: sha256 === this.#sha256s[outcome.file] });
      await Deno.remove(output).catch(() => {});
    }
    return await this.#report(outcomes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  async #download(
    { machine, file, afterMs = 0 }: Wish,
    { startMs, limitMs }: { readonly startMs: number; readonly limitMs: number },
  ): Promise<Omit<WishOutcome, "isRight" | "sha256"> & { readonly output: string }> {
    const output = `${this.#dir}/download-${this.#downloads++}`;
    if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
    const format = "%{http_code} %{time_starttransfer} %{time_total}";
    const url = `http://${this.daemons[machine]!.gateway}${this.pathOf(file)}`;
    const { code, stdout } = await runTool(
      "curl",
      ["-sS", "--noproxy", "*", "-o", output, "-w", format, "-m", String(limitMs / 1_000), url],
      { timeoutMs: limitMs + 10_000 },
    );
    const endedMs = performance.now() - startMs;
    const [status = 0, firstS = 0, totalS = 0] = stdout.split(" ").map(Number);
    const times = { firstMs: firstS * 1_000, tookMs: totalS * 1_000, endedMs };
    return { machine, file, exit: code, status, ...times, output };
  }

  async #report(outcomes: readonly WishOutcome[]): Promise<CrowdReport> {
    const answers = (await this.mirror.answers()).filter(({ path }) => path.includes(".pkg."));
    const files = [...new Set(outcomes.map(({ file }) => file))];
    const sizeOf = (file: number) => this.packages.all[file]!.sizeBytes;
    const bytes = files.reduce((sum, file) => sum + sizeOf(file), 0);
    const given = (those: typeof answers) => those.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      outcomes,
      copies: given(answers) / bytes,
      copiesByFile: new Map(files.map((file) => [
        file,
        given(answers.filter(({ path }) => path === this.pathOf(file))) / sizeOf(file),
      ])),
      copiesByMachine: this.daemons.map((_, index) =>
        given(answers.filter(({ machine }) => machine === nameOf(index))) / bytes
      ),
      requests: answers.length,
      slowestMs: Math.max(...outcomes.map(({ tookMs }) => tookMs)),
      allMs: Math.max(...outcomes.map(({ endedMs }) => endedMs)),
    };
  }
}

/** Makes the file of a network key that nobody else has. */
export async function writeKey(path: string): Promise<void> {
  await Deno.writeTextFile(path, crypto.randomUUID(), { mode: 0o600 });
}

function lastOf(index: number): number[] {
  return Array.from({ length: Math.min(PEERS, index) }, (_, i) => index - 1 - i);
}

/** What the mirror knows a machine by. */
function nameOf(index: number): string {
  return `m${index}`;
}

function indexOf(name: string): number | undefined {
  return name === "" ? undefined : Number(name.slice(1));
}
