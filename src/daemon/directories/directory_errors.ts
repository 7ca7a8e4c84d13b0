/**
 * What stands against the answers of one directory, and what the log says of it: now and then, though a
 * directory is asked again and again. Why there is no answer is also told in the words of a fetch
 * that ended without it.
 */

import { EnvironmentError, messageOf, PeerFault } from "../../base/errors.ts";
import type { Denied } from "../../net/directory_connection.ts";
import { RefusedError } from "../../net/handshake.ts";
import { type LinkProblem, linkProblemOf } from "../../net/link_problem.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { ProblemReport } from "../../wire/reports.ts";
import type { NodeContext } from "../discovery/node_context.ts";

/** A directory that has not answered the last question. */
export interface DirectoryError {
  /** HOST:PORT as it was given. */
  readonly directory: string;
  readonly reason: string;
  /** Whether it failed; else it only has not answered yet, or refuses for now. */
  readonly isFailed: boolean;
}

/** Another client of this node speaks to the same instance. */
export class DuplicateError extends Error {
  override readonly name = "DuplicateError";
  /** HOST:PORT of the directory as that client knows it. */
  readonly label: string;

  constructor(label: string) {
    super(`It is the directory at ${label}`);
    this.label = label;
  }
}

/** The errors of one directory. */
export class DirectoryErrors {
  readonly #context: NodeContext;
  readonly #label: string;
  /** What stands against an answer; null since the last one. */
  #last: Omit<DirectoryError, "directory"> | null = { reason: "no answer yet", isFailed: false };
  /** Why it does not answer, and since when; null since it last did. */
  #problem: LinkProblem & { readonly sinceMs: number } | null = null;
  /** How it was last listed, or that it is idle, as the log has it; empty since a failure. */
  #logged = "";

  /** `label` is HOST:PORT of the directory as it was given. */
  constructor(context: NodeContext, label: string) {
    this.#context = context;
    this.#label = label;
  }

  /** Why the last question or batch was not answered; undefined when it was. */
  get last(): DirectoryError | undefined {
    return this.#last === null ? undefined : { directory: this.#label, ...this.#last };
  }

  /** Why it does not answer; null when it did last time. */
  problem(nowMs: number): ProblemReport | null {
    if (this.#problem === null) return null;
    return { ...this.#problem, sinceMs: Math.round(nowMs - this.#problem.sinceMs) };
  }

  /** It answered, if only by refusing. */
  answered(answer: object): void {
    this.#problem = null;
    this.#last = isDenied(answer)
      ? { reason: `it refuses: ${answer.limit}`, isFailed: false }
      : null;
  }

  /** It could not be had, or did not answer. */
  failed(error: unknown): void {
    const problem = this.#problemOf(error);
    this.#last = { reason: problem.text, isFailed: true };
    const nowMs = this.#context.clock.nowMs();
    const sinceMs = this.#problem?.code === problem.code ? this.#problem.sinceMs : nowMs;
    this.#problem = { ...problem, sinceMs };
  }

  logListed({ instance, reach }: MessageOf<"listed">): void {
    if (!this.#isNews(`${instance} ${reach}`)) return;
    const fields = { directory: this.#label, instance, reach };
    this.#context.log.info("listed at a directory", fields);
  }

  logDenied({ limit, bound, message }: Denied, what: "batch" | "question"): void {
    const { log, throttle } = this.#context;
    if (!throttle.isFirst(`directory ${this.#label} denied ${what}`)) return;
    log.warn("a directory refuses", { directory: this.#label, limit, bound, reason: message });
  }

  logFailed(error: unknown): void {
    if (error instanceof DuplicateError) return this.#logIdle(error);
    this.#logged = "";
    const { log, throttle } = this.#context;
    const isAway = error instanceof EnvironmentError;
    const fields = {
      directory: this.#label,
      error: isAway ? this.#problemOf(error).text : messageOf(error),
    };
    // Not by the text, which the other side may make new each time.
    if (!throttle.isFirst(`directory ${this.#label} ${faultKind(error)}`)) return;
    if (isAway) log.info("cannot reach a directory", fields);
    else if (error instanceof PeerFault) log.warn("a directory breaks the protocol", fields);
    else log.warn("cannot use a directory", fields);
  }

  #problemOf(error: unknown): LinkProblem {
    return linkProblemOf(error, { ...this.#context.identity, what: "directory" });
  }

  #logIdle({ label }: DuplicateError): void {
    if (!this.#isNews(`same as ${label}`)) return;
    const fields = { directory: this.#label, sameAs: label };
    this.#context.log.info("a directory has two addresses: one is used", fields);
  }

  #isNews(state: string): boolean {
    const isNews = this.#logged !== state;
    this.#logged = state;
    return isNews;
  }
}

/** Whether a directory refused. */
export function isDenied(answer: object): answer is Denied {
  return "kind" in answer && answer.kind === "denied";
}

function faultKind(error: unknown): string {
  if (error instanceof EnvironmentError || error instanceof PeerFault) return error.code;
  if (error instanceof RefusedError) return `refused ${error.refusal}`;
  return "other";
}
