// The load generator of the case `directory`: fills one server and asks it, in a process of its own:
//
//   directory_child.ts directory|redis PORT PID
//
// PORT is the server's, on 127.0.0.1; PID is its process, whose resident memory is read. It prints
// one JSON object, a LoadRun.

import { DirectoryContestant } from "./directory_clients.ts";
import type { Asker, Contestant } from "./directory_contestant.ts";
import {
  makeCorpus,
  type Question,
  QUESTION_KINDS,
  type QuestionKind,
} from "./directory_corpus.ts";
import { RedisContestant } from "./directory_redis.ts";

/** What one server did. */
export interface LoadRun {
  /** From the first client's connection until all is listed and every client has been dialled. */
  readonly loadS: number;
  /** Resident memory of the server: empty, just filled, after all questions, and idle since. */
  readonly emptyBytes: number;
  readonly filledBytes: number;
  readonly askedBytes: number;
  readonly idleBytes: number;
  /** All questions over one connection, and over several. */
  readonly one: Asked;
  readonly several: Asked;
}

/** What all questions took, one after the other on each connection. */
export interface Asked {
  readonly wallS: number;
  /** Of each question of a kind, in milliseconds. */
  readonly tookMs: Readonly<Record<QuestionKind, readonly number[]>>;
  /** How much the answers of a kind named, all together. */
  readonly found: Readonly<Record<QuestionKind, number>>;
}

/** Connections of the second run. */
export const SEVERAL = 8;
/** Questions before the first that counts, so that no program is still being compiled. */
const WARMING_QUESTIONS = 2_000;
/** What an idle server gives back comes at once: its memory has fallen by this share then. */
const FALLEN_SHARE = 0.15;
const POLL_MS = 500;

if (import.meta.main) {
  const [kind, port, pid] = Deno.args;
  const run = kind === "redis"
    ? new RedisContestant(Number(port))
    : new DirectoryContestant(Number(port));
  console.log(JSON.stringify(await measureServer(run, Number(pid))));
}

async function measureServer(contestant: Contestant, pid: number): Promise<LoadRun> {
  await using _ = contestant;
  const corpus = makeCorpus();
  const emptyBytes = residentBytes(pid);
  const startMs = performance.now();
  await contestant.load(corpus);
  const loadS = (performance.now() - startMs) / 1000;
  const filledBytes = residentBytes(pid);
  await askAll(contestant, corpus.questions.slice(0, WARMING_QUESTIONS), 1);
  const one = await askAll(contestant, corpus.questions, 1);
  const several = await askAll(contestant, corpus.questions, SEVERAL);
  const askedBytes = residentBytes(pid);
  const idleBytes = await bytesOnceIdle(pid, contestant.idleMs);
  return { loadS, emptyBytes, filledBytes, askedBytes, idleBytes, one, several };
}

/** Asks everything over so many connections, which are open before the time begins. */
async function askAll(
  contestant: Contestant,
  questions: readonly Question[],
  connections: number,
): Promise<Asked> {
  await using cleanup = new AsyncDisposableStack();
  const askers: Asker[] = [];
  for (let i = 0; i < connections; i++) askers.push(cleanup.use(await contestant.connect()));
  const tookMs = ofKinds<number[]>(() => []);
  const found = ofKinds(() => 0);
  const next = questions.values();
  const startMs = performance.now();
  await Promise.all(askers.map(async (asker) => {
    for (const question of next) {
      const askedMs = performance.now();
      const named = await asker.ask(question);
      found[question.kind] += named;
      tookMs[question.kind].push(performance.now() - askedMs);
    }
  }));
  return { wallS: (performance.now() - startMs) / 1000, tookMs, found };
}

function ofKinds<T>(value: () => T): Record<QuestionKind, T> {
  return Object.fromEntries(QUESTION_KINDS.map((kind) => [kind, value()])) as Record<
    QuestionKind,
    T
  >;
}

/** Resident memory when the idle server has given memory back, or after `idleMs`. */
async function bytesOnceIdle(pid: number, idleMs: number): Promise<number> {
  const atFirst = residentBytes(pid);
  const endMs = performance.now() + idleMs;
  while (performance.now() < endMs && residentBytes(pid) > (1 - FALLEN_SHARE) * atFirst) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return residentBytes(pid);
}

function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  if (match === null) throw new Error(`/proc/${pid}/status tells no VmRSS`);
  return Number(match[1]) * 1024;
}
