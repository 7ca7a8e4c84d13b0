/**
 * `pacsrv fetch --match`: all files that match a pattern, a few at a time. Which they are is what a
 * search finds; each is then fetched by its name alone.
 */

import { join } from "node:path";
import { type ExitName, FetchFailure, UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LeftOut } from "../../client/types.ts";
import { DaemonClient } from "../../client/daemon_client.ts";
import { type Arguments, refuseMisuse } from "../arguments/arguments.ts";
import { noMatch } from "../../client/not_found.ts";
import { givenClient, hintingAtSame } from "../settings/same_daemon.ts";
import { clientFlags, commandLine } from "../terminal/command_words.ts";
import { Interrupt, Interrupted } from "../terminal/interrupt.ts";
import { exitOf } from "../terminal/exits.ts";
import { count } from "../terminal/text_format.ts";
import { type FetchPlan, readFetchPlan } from "./fetch_plan.ts";
import type { FetchUi } from "./fetch_ui.ts";
import { type MatchCounts, MatchUi } from "./match_ui.ts";
import { OpenOutputs } from "./open_outputs.ts";

/** Fetches one file to its end; throws why there is none. */
type FetchFile = (
  args: Arguments,
  plan: FetchPlan,
  surroundings: {
    readonly signal: AbortSignal;
    readonly outputs: OpenOutputs;
    readonly openUi: () => FetchUi;
  },
) => Promise<void>;

/** What makes no sense for several files, or for those that only a daemon can find. */
const ONE_FILE = ["root", "sha256", "size", "chunks"];
const NO_DAEMON = ["alone", "peer", "directory", "node"];

/**
 * Fetches all files that match `--match`.
 *
 * @throws {UsageError} when flags do not go together, or more files match than are got unasked.
 * @throws {FetchFailure} when nothing matches, or files failed: with their exit, where it is one.
 * @throws {Interrupted} when a signal came.
 */
export async function fetchMatching(args: Arguments, fetchFile: FetchFile): Promise<ExitName> {
  const plan = await readMatchPlan(args);
  const { output = ".", request } = plan;
  using outputs = new OpenOutputs();
  using interrupt = new Interrupt({
    timeoutMs: request.timeoutMs,
    atOnce: () => outputs[Symbol.dispose](),
  });
  const { signal } = interrupt;
  using ui = new MatchUi(plan.style);
  const names = await toldNames(args, { client: plan.client, signal, ui });
  const exits: Exclude<ExitName, "done">[] = [];
  const one = async (name: string) => {
    const path = join(output, name);
    try {
      const plan = readFetchPlan(args, name);
      if (await isThere(path)) return await ui.skipped(name, path);
      await fetchFile(args, plan, { signal, outputs, openUi: () => ui.file(name) });
      ui.fetched();
    } catch (error) {
      if (signal.aborted) return;
      exits.push(exitOfFailure(error));
      await ui.failed(name, error);
    }
  };
  await eachOf(names, { atOnce: limits.matchFetchesAtOnce, signal }, one);
  if (signal.aborted) {
    await ui.cutShort(names, signal.reason);
    throw ended(signal.reason, ui.counts);
  }
  await ui.finished();
  const [first] = exits;
  if (first === undefined) return "done";
  const exit = exits.every((exit) => exit === first) ? first : "failed";
  throw new FetchFailure(
    exit,
    `${exits.length} of ${count(names.length, "file")} could not be fetched`,
  );
}

/** What is common to all of them. */
async function readMatchPlan(args: Arguments): Promise<FetchPlan> {
  const given = (names: readonly string[]) => names.find((name) => args.isGiven(name));
  const ofOne = given(ONE_FILE), ofNone = given(NO_DAEMON);
  const output = args.text("output");
  refuseMisuse([
    [args.positionals.length > 0, "--match with a name: the pattern says which files are meant"],
    [ofOne !== undefined, `--match with --${ofOne}: that is of one file`],
    [ofNone !== undefined, `--match with --${ofNone}: the daemon finds what matches`],
    [
      output !== undefined && !await isDirectory(output),
      `-o ${output} with --match: it is no directory`,
      "Name a directory that exists: each file goes there under its own name.",
    ],
  ]);
  return readFetchPlan(args, "of any name");
}

/** The names that match, once they are told; or why there are none, told as well. */
async function toldNames(
  args: Arguments,
  { client, signal, ui }: Pick<FetchPlan, "client"> & {
    readonly signal: AbortSignal;
    readonly ui: MatchUi;
  },
): Promise<readonly string[]> {
  const glob = args.text("match")!;
  const leftOut: LeftOut[] = [];
  try {
    ui.searching(glob);
    const names = await namesThatMatch(glob, { client, signal, leftOut });
    if (names.length > limits.matchedFilesMax && !args.has("all")) {
      throw tooMany(glob, names.length, givenClient(args));
    }
    await ui.matched(names, leftOut);
    return names;
  } catch (error) {
    await ui.foundNone(hintingAtSame(error, args));
    throw error;
  }
}

/** The names that a search finds, in order, each once; `leftOut` gets what it does not tell. */
async function namesThatMatch(
  glob: string,
  { client: address, signal, leftOut }: Pick<FetchPlan, "client"> & {
    readonly signal: AbortSignal;
    readonly leftOut: LeftOut[];
  },
): Promise<readonly string[]> {
  await using client = await DaemonClient.connect(address, { signal });
  const names = new Set<string>();
  const missing = ({ more, why, hint }: LeftOut) => void leftOut.push({ more, why, hint });
  for await (const { name } of client.ask("search", { glob }, { signal, leftOut: missing })) {
    names.add(name);
  }
  if (names.size > 0) return [...names].sort();
  throw await noMatch(client, glob, { signal });
}

function tooMany(glob: string, matched: number, client: string | undefined): UsageError {
  return new UsageError(
    `Cannot fetch what matches ${JSON.stringify(glob)}: ${matched} files do, and more than ` +
      `${limits.matchedFilesMax} are got with --all only`,
    { hint: `\`${commandLine("search", clientFlags(client), glob)}\` shows them.` },
  );
}

/** A signal, with what is there by then; or the time that was over. */
function ended(reason: Error, { matched, fetched, skipped }: MatchCounts): Error {
  const there = fetched + skipped;
  const are = `${there} of ${count(matched, "file")} ${there === 1 ? "is" : "are"} there`;
  const kept = `${are}; the same command gets the rest`;
  return reason instanceof Interrupted ? new Interrupted(reason.signal, { kept }) : reason;
}

/** Does `work` for all items, so many at once, until `signal` is aborted. Never rejects by itself. */
async function eachOf<T>(
  items: readonly T[],
  { atOnce, signal }: { readonly atOnce: number; readonly signal: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    for (const item of rest) {
      if (signal.aborted) return;
      await work(item);
    }
  });
  await Promise.all(workers);
}

/** How the command would end by it: a signal ends all files at once, and is none of one. */
function exitOfFailure(error: unknown): Exclude<ExitName, "done"> {
  return error instanceof Interrupted ? "failed" : exitOf(error) as Exclude<ExitName, "done">;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isDirectory === true;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).catch(() => undefined) !== undefined;
}
