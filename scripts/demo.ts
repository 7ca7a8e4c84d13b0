// The demo: a network of daemons on this machine, each of which knows only its neighbours, and a
// fetch that gets a real file through it although the only whole copy is killed on the way. All of
// it is the real program in processes of its own. It leaves nothing behind.
//
//     deno task demo
//
// Exit codes: 0 the file came and is right, 1 it did not, 2 usage, 129, 130 and 143 ended by SIGHUP,
// SIGINT and SIGTERM.

import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { messageOf } from "../src/base/errors.ts";
import { chunkCount } from "../src/base/geometry.ts";
import { formatTable } from "../src/cli/terminal/table.ts";
import { formatBytes } from "../src/cli/terminal/text_format.ts";
import { DemoDaemon, runCommand, type RunningCommand, statusOf, until } from "./demo/processes.ts";
import {
  type AllCounters,
  type Counters,
  giftTable,
  searchReport,
  speedText,
} from "./demo/summary.ts";
import {
  hopsBetween,
  LINKS,
  neighbours,
  type NodeName,
  NODES,
  PART_HOLDERS,
  picture,
  REQUESTER,
  toldOf,
  WHOLE_HOLDER,
} from "./demo/topology.ts";

/** The whole demo; it takes a few seconds where nothing else runs. */
const DEMO_MS = 58_000;
/** The whole holder is killed once so much of the file is there, and some of it came from there. */
const KILL_AT = 0.1;

const startMs = performance.now();

/** The file that travels. */
interface Original {
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly chunks: number;
  readonly sha256: string;
}

/** What became of the whole holder. */
interface Kill {
  /** How much of the file was there, 0 to 1. */
  readonly at: number;
  readonly counters: Counters;
}

/** Runs the demo; gives the exit code. */
export async function runDemo(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    console.error("Cannot run the demo: it takes no arguments");
    return 2;
  }
  using end = new End();
  try {
    await using stage = await Stage.open(end.signal);
    // What hangs must not keep the stage from being cleared.
    await Promise.race([tell(stage, end.signal), end.aborted]);
  } catch (error) {
    if (end.exitCode !== undefined) {
      console.log(`\nEnded by a signal; the daemons are stopped and their data is removed.`);
      return end.exitCode;
    }
    console.error(`\nThe demo failed: ${messageOf(error)}`);
    return 1;
  }
  console.log(`\nDone in ${seconds()} s; the daemons are stopped and their data is removed.`);
  return 0;
}

async function tell(stage: Stage, signal: AbortSignal): Promise<void> {
  const original = await readOriginal(await Deno.realPath(Deno.execPath()));
  say(
    `The file: ${original.path}, ${formatBytes(original.sizeBytes)} in ${original.chunks} chunks`,
  );

  await startDaemons(stage, original, signal);
  await fillPartHolders(stage, original, signal);

  const distances = [WHOLE_HOLDER, ...PART_HOLDERS].map((name) => hopsBetween(REQUESTER, name));
  say(`The file is at three nodes, ${distances.join(", ")} links away from ${REQUESTER}`);
  console.log(picture(original.chunks, cutOf(original)));

  const output = join(stage.dir, `fetched-${original.name}`);
  const before = await stage.counters();
  const args = ["fetch", original.name, "--client", stage.at(REQUESTER).client, "-o", output];
  say(`${REQUESTER} knows nobody but ${neighbours(REQUESTER)} and asks for the file`);
  console.log(`$ pacsrv ${args.join(" ")}`);
  const fetching = stage.run(args);
  const [code, kill] = await Promise.all([
    fetching.ended,
    killHolder(stage, original, { signal, ended: fetching.ended }),
  ]);
  if (code !== 0) throw new Error(`pacsrv fetch ended with exit code ${code}`);
  const after = await stage.counters(kill);

  await checkOutput(original, output);
  await reportGifts(stage, original, { kill, signal, before, after });
  await checkTopology(stage);
}

async function readOriginal(path: string): Promise<Original> {
  const { size: sizeBytes } = await Deno.stat(path);
  return {
    path,
    name: basename(path),
    sizeBytes,
    chunks: chunkCount(sizeBytes),
    sha256: await sha256(path),
  };
}

/** Where the file is cut in two for the holders of parts. */
function cutOf({ chunks }: Original): number {
  return Math.ceil(chunks / 2);
}

/** Starts all daemons, each told only of neighbours, and waits until links and shares are there. */
async function startDaemons(stage: Stage, original: Original, signal: AbortSignal): Promise<void> {
  say(`Starting ${NODES.length} daemons; each is told of neighbours only, by --peer`);
  for (const name of NODES) {
    signal.throwIfAborted();
    await stage.start(name, [
      // No links but those to the nodes it is told of, and those that they open.
      ...["--min-connections", "0"],
      ...toldOf(name).flatMap((other) => ["--peer", stage.at(other).node]),
      ...(name === WHOLE_HOLDER ? ["--share", original.path] : []),
    ]);
  }
  for (const name of NODES) {
    await until(
      async () => (await stage.at(name).status()).links === neighbours(name).length || undefined,
      signal,
    );
  }
  console.log(
    formatTable(
      [{ title: "NODE" }, { title: "LISTENS ON" }, { title: "TOLD OF" }, { title: "LINKED WITH" }],
      NODES.map((name) => [
        name,
        stage.at(name).node,
        toldOf(name).join(", ") || "nobody",
        neighbours(name).join(", "),
      ]),
    ).trimEnd(),
  );
  say(`${WHOLE_HOLDER} shares the file where it lies: nothing is copied`);
  await until(
    async () => {
      const { files } = await stage.at(WHOLE_HOLDER).status();
      return files.shared === 1 && files.hashing === 0 ? true : undefined;
    },
    signal,
  );
}

/** Has two nodes fetch a part each, through the network, into their stores. */
async function fillPartHolders(
  stage: Stage,
  original: Original,
  signal: AbortSignal,
): Promise<void> {
  const cutAt = cutOf(original);
  const parts = [`0-${cutAt - 1}`, `${cutAt}-${original.chunks - 1}`];
  say(`${PART_HOLDERS.join(" and ")} fetch one half each; both offer it to others from then on`);
  const commands = PART_HOLDERS.map((name, i) => {
    const args = ["fetch", original.name, "--chunks", parts[i]!, "--client", stage.at(name).client];
    console.log(`$ pacsrv ${args.join(" ")}`);
    return stage.run([...args, "--quiet"]);
  });
  for (const command of commands) {
    const code = await command.ended;
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`pacsrv fetch --chunks ended with exit code ${code}`);
  }
}

/** Kills the whole holder in the middle of the transfer; undefined when that was over before. */
async function killHolder(
  stage: Stage,
  original: Original,
  { signal, ended }: { readonly signal: AbortSignal; readonly ended: Promise<unknown> },
): Promise<Kill | undefined> {
  const holder = stage.at(WHOLE_HOLDER);
  await using requester = await stage.at(REQUESTER).connect();
  await using client = await holder.connect();
  let isOver = false;
  ended.then(() => isOver = true);
  while (!isOver && !signal.aborted) {
    const [{ transfers }, { counters }] = await Promise.all([
      statusOf(requester),
      statusOf(client),
    ]);
    const transfer = transfers[0];
    const source = transfer?.sources.find(({ nodeId }) => nodeId === holder.nodeId);
    const at = (transfer?.bytesDone ?? 0) / original.sizeBytes;
    if (source === undefined || source.bytes === 0 || at < KILL_AT || at >= 1) continue;
    holder.kill();
    return { at, counters };
  }
  return undefined;
}

async function checkOutput(original: Original, output: string): Promise<void> {
  const found = await sha256(output);
  if (found !== original.sha256) {
    throw new Error(`What came is another file: SHA-256 ${found}, not ${original.sha256}`);
  }
  say(`What came is the file, byte for byte: SHA-256 ${found}`);
}

async function reportGifts(
  stage: Stage,
  original: Original,
  { kill, signal, before, after }: {
    readonly kill: Kill | undefined;
    readonly signal: AbortSignal;
    readonly before: AllCounters;
    readonly after: AllCounters;
  },
): Promise<void> {
  const line = await until(
    () => stage.at(REQUESTER).log.find(({ message }) => message === "fetched"),
    signal,
  );
  // "PEER BYTES, PEER BYTES"
  const from = String(line.from).split(", ").map((gift) => gift.split(" "));
  const cutAt = cutOf(original);
  const about = new Map<NodeName, string>([
    [WHOLE_HOLDER, kill === undefined ? "whole" : `whole; killed at ${percent(kill.at)}`],
    [PART_HOLDERS[0], `chunks 0-${cutAt - 1}`],
    [PART_HOLDERS[1], `chunks ${cutAt}-${original.chunks - 1}`],
  ]);
  if (kill === undefined) {
    say(`${WHOLE_HOLDER} was to be killed on the way, but the fetch was over before`);
  } else {
    say(
      `${WHOLE_HOLDER}, the only whole copy, got a kill -9 when ${percent(kill.at)} were there; ` +
        `the others went on`,
    );
  }
  const gifts = NODES.flatMap((name) => {
    const { node: address } = stage.at(name);
    const [, bytes] = from.find(([peer]) => peer === address) ?? [];
    if (bytes === undefined && !about.has(name)) return [];
    return [{ name, address, bytes: Number(bytes ?? 0), about: about.get(name) ?? "" }];
  });
  const speed = speedText(original.sizeBytes, Number(line.elapsedMs));
  say(`Who gave how much (${speed}; nothing is slowed down for the show)`);
  console.log(giftTable(gifts, original.sizeBytes));
  const sum = gifts.reduce((sum, { bytes }) => sum + bytes, 0);
  if (sum !== original.sizeBytes) {
    throw new Error(`${sum} bytes came from the nodes, not ${original.sizeBytes}`);
  }
  const search = { queries: Number(line.queriesSent), offers: Number(line.offersReceived) };
  say("What the search cost");
  console.log(searchReport(before, after, search));
}

/** Holds the daemons to it that none has a link that was not drawn. */
async function checkTopology(stage: Stage): Promise<void> {
  for (const name of NODES) {
    if (stage.at(name).isEnded) continue;
    const allowed = neighbours(name).map((other) => stage.at(other).nodeId);
    const stranger = (await stage.at(name).peers()).find(({ nodeId }) => !allowed.includes(nodeId));
    if (stranger !== undefined) {
      throw new Error(`${name} is linked with ${stranger.nodeId} as well`);
    }
  }
  say(`No node had any link but the ${LINKS.length} that are drawn`);
}

/** All that the demo started, and must end. */
class Stage implements AsyncDisposable {
  readonly dir: string;
  readonly #signal: AbortSignal;
  readonly #daemons = new Map<NodeName, DemoDaemon>();
  readonly #starting = new Set<Promise<unknown>>();
  readonly #commands: RunningCommand[] = [];

  private constructor(dir: string, signal: AbortSignal) {
    this.dir = dir;
    this.#signal = signal;
  }

  static async open(signal: AbortSignal): Promise<Stage> {
    return new Stage(await Deno.makeTempDir({ prefix: "pacsrv-demo-" }), signal);
  }

  async start(name: NodeName, args: readonly string[]): Promise<void> {
    const starting = DemoDaemon.start(name, ["--data", join(this.dir, name), ...args])
      .then((daemon) => this.#daemons.set(name, daemon));
    this.#starting.add(starting);
    await starting;
  }

  /** A daemon that was started. */
  at(name: NodeName): DemoDaemon {
    const daemon = this.#daemons.get(name);
    if (daemon === undefined) throw new Error(`There is no daemon ${name} yet`);
    return daemon;
  }

  run(args: readonly string[]): RunningCommand {
    this.#signal.throwIfAborted();
    const command = runCommand(args);
    this.#commands.push(command);
    return command;
  }

  /** The counters of all daemons; of the killed one, those that it had last. */
  async counters(kill?: Kill): Promise<AllCounters> {
    const counters = new Map<NodeName, Counters>();
    for (const [name, daemon] of this.#daemons) {
      if (!daemon.isEnded) counters.set(name, (await daemon.status()).counters);
      else if (kill !== undefined) counters.set(name, kill.counters);
    }
    return counters;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const command of this.#commands) await command.stop();
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#daemons.values()].map((daemon) => daemon.stop()));
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** What ends the demo before its time: a signal, or taking too long. */
class End implements Disposable {
  readonly signal: AbortSignal;
  /** Rejects when the demo is to end. */
  readonly aborted: Promise<never>;
  exitCode: number | undefined;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #listeners: [Deno.Signal, () => void][];

  constructor() {
    this.signal = this.#controller.signal;
    const { promise, reject } = Promise.withResolvers<never>();
    this.aborted = promise;
    promise.catch(() => {});
    this.signal.addEventListener("abort", () => reject(this.signal.reason));
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`it took more than ${DEMO_MS / 1000} s`)),
      DEMO_MS,
    );
    const signals: [Deno.Signal, number][] = Deno.build.os === "windows"
      ? [["SIGINT", 130]]
      : [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]];
    this.#listeners = signals.map(([signal, exitCode]) => [signal, () => {
      this.exitCode ??= exitCode;
      this.#controller.abort(new Error(`ended by ${signal}`));
    }]);
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const bytes of file.readable) hash.update(bytes);
  return hash.digest("hex");
}

/** A step of the demo, with the time since its start. */
function say(text: string): void {
  console.log(`\n[${seconds().padStart(4)} s] ${text}`);
}

function seconds(): string {
  return ((performance.now() - startMs) / 1000).toFixed(1);
}

function percent(part: number): string {
  return `${Math.round(part * 100)}%`;
}

if (import.meta.main) Deno.exit(await runDemo(Deno.args));
