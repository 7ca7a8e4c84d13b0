/** Answers to the verbs `push` and `files`: what a person has this node do with one other node. */

import type { HostPort } from "../../base/address.ts";
import { chunkCount } from "../../base/geometry.ts";
import { EnvironmentError, FetchFailure, messageOf, UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import { formatAddress } from "../../wire/host.ts";
import type { PeerFileReport, PushReport } from "../../wire/reports.ts";
import type { Holder } from "../../wire/structures.ts";
import type { DirectoryAnswer } from "../directories/directories.ts";
import { askFiles, type QuestionAsker } from "./peer_questions.ts";
import { push, type PushHost } from "./pushes.ts";

/** What pushing needs of its node. */
export interface PushAnswerHost extends PushHost {
  readonly directories: {
    readonly size: number;
    findTakers(
      file: Pick<FileDefinition, "root" | "sizeBytes">,
      heard: (answer: DirectoryAnswer) => void,
    ): () => void;
  };
}

/**
 * Gives each of `files` to `peer`, or to the first node that takes it among those that directories
 * name.
 *
 * @throws {UsageError} when a file is not here whole, or must not be given away.
 * @throws {FetchFailure} at the end, when no directory named a node that takes one of them.
 */
export async function* answerPush(
  host: PushAnswerHost,
  files: readonly FileDefinition[],
  options: { readonly peer: HostPort | undefined; readonly signal: AbortSignal },
): AsyncGenerator<PushReport> {
  const { peer, signal } = options;
  const part = files.find(({ chunks, chunksHave }) => chunksHave < chunks);
  if (part !== undefined) {
    const { name, chunks, chunksHave } = part;
    throw new UsageError(`Cannot push ${name}: ${chunksHave} of ${chunks} chunks are here`, {
      hint: "Fetch the rest of it first.",
    });
  }
  const withheld = files.find((file) => !host.offerPolicy.isOfferable(file));
  if (withheld !== undefined) {
    throw new UsageError(`Cannot push ${withheld.name}: it is not what the databases say`, {
      hint: "Or its SHA-256 is not known yet: `pacsrv list` says which.",
    });
  }
  let untaken: FileDefinition | undefined;
  for (const file of files) {
    if (peer !== undefined) yield* push(host, file, { address: peer, signal });
    else if (!(yield* pushToTaker(host, file, signal))) untaken = file;
  }
  if (untaken === undefined || signal.aborted) return;
  const { name, root } = untaken;
  throw new FetchFailure(
    "failed",
    `Cannot push ${JSON.stringify(name)}, root ${root}: no directory names a peer for it`,
    { hint: "Name a peer: pacsrv push NAME HOST:PORT" },
  );
}

/**
 * The files that the node at `peer` offers.
 *
 * @throws {FetchFailure} when it does not tell them.
 */
export async function* answerFiles(
  asker: QuestionAsker,
  options: { readonly peer: HostPort; readonly signal: AbortSignal },
): AsyncGenerator<PeerFileReport> {
  const { peer, signal } = options;
  try {
    for await (const { file, sha256 } of askFiles(asker, peer, { signal })) {
      const { root, name, type, sizeBytes, chunksHave } = file;
      yield { name, root, sizeBytes, type, chunks: chunkCount(sizeBytes), chunksHave, sha256 };
    }
  } catch (cause) {
    const where = formatAddress(peer.host, peer.port);
    const hint = cause instanceof EnvironmentError ? cause.hint : undefined;
    throw new FetchFailure("failed", `Cannot list the files of ${where}: ${messageOf(cause)}`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/**
 * Asks the nodes that directories name one after the other until one takes the file; returns
 * whether there was any.
 */
async function* pushToTaker(
  host: PushAnswerHost,
  file: FileDefinition,
  signal: AbortSignal,
): AsyncGenerator<PushReport, boolean> {
  let result = "";
  for await (const address of takers(host, file, signal)) {
    for await (const report of push(host, file, { address, signal })) {
      yield report;
      result = report.result;
    }
    if (result === "done" || result === "failed") break;
  }
  return result !== "";
}

/** Addresses of nodes that would take the file, as directories name them; each once. */
async function* takers(
  host: PushAnswerHost,
  file: FileDefinition,
  signal: AbortSignal,
): AsyncGenerator<HostPort> {
  if (host.directories.size === 0) return;
  const waiting: Holder[] = [];
  const named = new Set<string>();
  let wake = () => {};
  let answers = 0;
  const end = host.directories.findTakers(file, ({ holders }) => {
    answers++;
    waiting.push(...holders.slice(0, limits.pushTakersMax));
    wake();
  });
  const untilMs = performance.now() + limits.pushTakersMs;
  try {
    while (named.size < limits.pushTakersMax && !signal.aborted) {
      const taker = waiting.shift();
      if (taker !== undefined) {
        const address = { host: taker.host, port: taker.port };
        const key = formatAddress(address.host, address.port);
        if (address.port === 0 || taker.nodeId === host.identity.nodeId || named.has(key)) continue;
        named.add(key);
        yield address;
        continue;
      }
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || answers >= host.directories.size) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, leftMs);
      await promise;
      clearTimeout(timer);
    }
  } finally {
    end();
  }
}
