// A directory with a thousand clients, asked one question after the other, beside Redis with the
// same content and the same questions. Every round fills a new server of both.

import { denoArgs } from "../deno_args.ts";
import type { BenchCase } from "./bench.ts";
import { type Asked, type LoadRun, SEVERAL } from "./directory_child.ts";
import {
  CLIENTS,
  FILES_EACH,
  isLookUp,
  makeCorpus,
  QUESTION_KINDS,
  type QuestionKind,
} from "./directory_corpus.ts";
import { type ServerProcess, startDirectory, startRedis } from "./directory_servers.ts";
import { runProcess } from "./processes.ts";
import type { Bar, Row, Table, Unit } from "./report.ts";
import { median, percentile, ratios } from "./statistics.ts";

const CHILD_MS = 300_000;
const SCRIPT = decodeURIComponent(new URL("directory_child.ts", import.meta.url).pathname);
/** No refresh falls into the time that is measured. */
const REFRESH_S = 3_600;
/** All questions come from one address. */
const QUERIES_PER_SECOND = 1_000_000;
const FILES = CLIENTS * FILES_EACH;
const LOOK_UPS = QUESTION_KINDS.filter(isLookUp);
const HALF: Bar = { kind: "at-least", value: 0.5 };

/** One round of one contestant. */
interface Round extends LoadRun {
  /** What Redis' own program in C reaches with one look-up again and again; 0 for the directory. */
  readonly plainRate: number;
}

export const directoryCase: BenchCase = {
  name: "directory",
  about: `a directory with ${CLIENTS} clients beside Redis: questions a second, memory`,
  tools: ["redis"],
  async run(bench) {
    await using cleanup = new AsyncDisposableStack();
    const workspace = cleanup.use(await bench.openWorkspace());
    const workFolder = await workspace.folder("memory", "redis");
    const args = [
      ...["--refresh", `${REFRESH_S}`],
      ...["--max-queries", `${QUERIES_PER_SECOND}`],
    ];
    const root = makeCorpus().clients[0]![0]!.file.root;
    const rounds = await bench.interleave<Round>({
      directory: async () => {
        await using server = await startDirectory(bench.product, args);
        return { ...await fillAndAsk("directory", server), plainRate: 0 };
      },
      redis: async () => {
        await using server = await startRedis(workFolder);
        const run = await fillAndAsk("redis", server);
        return { ...run, plainRate: await plainRate(server, `r:${root}`) };
      },
    });
    const directory = rounds["directory"]!;
    const redis = rounds["redis"]!;
    checkSame(directory[0]!.one, redis[0]!.one);
    return [rateTable(directory, redis), memoryTable(directory, redis)];
  },
};

/** The load generator does its work on a server, in a process of its own. */
async function fillAndAsk(kind: "directory" | "redis", server: ServerProcess): Promise<LoadRun> {
  const text = await runProcess(Deno.execPath(), [
    ...["run", "--quiet", "--allow-all", ...denoArgs(), SCRIPT],
    ...[kind, `${server.port}`, `${server.pid}`],
  ], { limitMs: CHILD_MS });
  return JSON.parse(text);
}

/** redis-benchmark over one connection: answers a second. */
async function plainRate({ port }: ServerProcess, key: string): Promise<number> {
  const text = await runProcess("redis-benchmark", [
    ...["-p", `${port}`, "-c", "1", "-n", "10000", "--csv"],
    ...["HGETALL", key],
  ], { limitMs: CHILD_MS });
  const match = /^"HGETALL [^"]*","([0-9.]+)"/m.exec(text);
  if (match === null) throw new Error(`redis-benchmark says no rate: ${text}`);
  return Number(match[1]);
}

/** Holds the answers of both to each other: they must name equally much. */
function checkSame(directory: Asked, redis: Asked): void {
  for (const kind of QUESTION_KINDS) {
    if (directory.found[kind] !== redis.found[kind]) {
      throw new Error(
        `The answers to ${kind} differ: the directory names ${directory.found[kind]}, ` +
          `Redis ${redis.found[kind]}`,
      );
    }
  }
}

function rateTable(directory: readonly Round[], redis: readonly Round[]): Table {
  const questions = makeCorpus().questions.length;
  const pair = pairOf(directory, redis);
  const against = (what: string, of: (run: Round) => number, bar?: Bar): Row => ({
    what,
    unit: "x",
    values: ratios(directory.map(of), redis.map(of)),
    ...(bar && { bar }),
  });
  const all = (run: Round) => questions / run.one.wallS;
  const lookUps = (run: Round) => rateOf(run.one, LOOK_UPS);
  const several = (run: Round) => questions / run.several.wallS;
  const took = (asked: Asked) => QUESTION_KINDS.flatMap((kind) => [...asked.tookMs[kind]]);
  const below10: Bar = { kind: "below", value: 10 };
  return {
    title: `Directory: ${questions} questions about ${FILES} files of ${CLIENTS} clients`,
    rows: [
      ...pair("questions a second, one connection", "count", all),
      against("of the rate of Redis", all, HALF),
      ...pair("the same, look-ups without searches", "count", lookUps),
      against("of the rate of Redis, look-ups without searches", lookUps, HALF),
      ...QUESTION_KINDS.map((kind) =>
        against(`of the rate of Redis, ${kind}`, (run) => rateOf(run.one, [kind]))
      ),
      {
        what: "redis-benchmark (C): HGETALL of one root a second, one connection",
        unit: "count",
        values: redis.map(({ plainRate }) => plainRate),
      },
      ...pair("p50 of a question", "µs", (run) => 1000 * median(took(run.one))),
      ...pair("p99 of a question", "ms", (run) => percentile(took(run.one), 0.99), below10),
      ...pair("longest", "ms", (run) => Math.max(...took(run.one))),
      ...pair(`questions a second, ${SEVERAL} connections`, "count", several),
      against(`of the rate of Redis, ${SEVERAL} connections`, several),
      ...pair(
        `p99 of a question, ${SEVERAL} connections`,
        "ms",
        (run) => percentile(took(run.several), 0.99),
      ),
    ],
    notes: [
      "Each connection asks the next question when it has the answer to the one before. " +
      `${
        countOf(directory[0]!.one, (kind) => !isLookUp(kind))
      } of the questions are searches, the rest ` +
      "look-ups by name and by root, of metadata and of at most 16 holders; half of all are for " +
      "files that some 20 clients hold. Answers of both name equally much. Redis answers each " +
      "question with one command, where it takes several steps with a script of its own.",
    ],
  };
}

function memoryTable(directory: readonly Round[], redis: readonly Round[]): Table {
  const pair = pairOf(directory, redis);
  const below1k: Bar = { kind: "below", value: 1_024 };
  const each = (bytes: number, { emptyBytes }: Round) => (bytes - emptyBytes) / FILES;
  return {
    title: `Directory: memory for ${FILES} files of ${CLIENTS} clients`,
    rows: [
      ...pair("bytes an advertised file", "count", (run) => each(run.idleBytes, run), below1k),
      ...pair("the same, just after the last list", "count", (run) => each(run.filledBytes, run)),
      ...pair("resident, empty", "MB", (run) => run.emptyBytes / 1e6),
      ...pair("resident, just filled", "MB", (run) => run.filledBytes / 1e6),
      ...pair("resident, after all questions", "MB", (run) => run.askedBytes / 1e6),
      ...pair("resident, once idle", "MB", (run) => run.idleBytes / 1e6),
      ...pair("until all was listed", "s", (run) => run.loadS),
    ],
    notes: [
      "What is resident of the process, less what was of the empty one, over all files. What a " +
      "server needed to take the lists is in use for some half a minute more; then V8 has collected " +
      "it and given it back. The figure with the bar is from after all questions and that. Every " +
      "client comes over a connection of its own, listens on a port of its own and is dialled by " +
      "the directory; Redis is filled over one pipelined connection.",
    ],
  };
}

/** Makes the rows of both for one figure; the bar is the directory's. */
function pairOf(directory: readonly Round[], redis: readonly Round[]) {
  return (what: string, unit: Unit, of: (run: Round) => number, bar?: Bar): Row[] => [
    { what: `${what}: directory`, unit, values: directory.map(of), ...(bar && { bar }) },
    { what: `${what}: Redis`, unit, values: redis.map(of) },
  ];
}

/** Questions of these kinds a second, one after the other. */
function rateOf(asked: Asked, kinds: readonly QuestionKind[]): number {
  const tookMs = kinds.flatMap((kind) => [...asked.tookMs[kind]]);
  return 1000 * tookMs.length / tookMs.reduce((sum, took) => sum + took, 0);
}

function countOf(asked: Asked, isCounted: (kind: QuestionKind) => boolean): number {
  return QUESTION_KINDS.filter(isCounted)
    .reduce((sum, kind) => sum + asked.tookMs[kind].length, 0);
}
