/**
 * What the queries of a person have in common, which anybody in the network may answer: how answers
 * are heard, who said what, and how long they are waited for. What is made of them is in
 * `name_query.ts` and `holder_query.ts`.
 */

import { type Clock, sleep } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Hit, MessageOf } from "../../wire/messages.ts";
import type { FileOffer, Holder, KnownFile } from "../../wire/structures.ts";
import type { DirectoryAnswer } from "./directory_answers.ts";
import type { OfferingHolder, Searcher, Verdict } from "./searches.ts";

/** Provenance of what this node itself has. */
export const HERE = "here";
/** Provenance of what a node said that answered the query, over the links. */
const FLOOD = "flood";

/** Who said it, for reports: "here", "flood", then the directories in order. */
export function provenance(from: ReadonlySet<string>): string[] {
  const directories = [...from].filter((one) => one !== HERE && one !== FLOOD).sort();
  return [...[HERE, FLOOD].filter((one) => from.has(one)), ...directories];
}

/** A query that collects answers; it fetches nothing. */
export abstract class NetworkQuery implements Searcher {
  readonly #clock: Clock;
  #answeredMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#answeredMs = clock.nowMs();
  }

  /** When the query began, or the last answer came. */
  get answeredMs(): number {
    return this.#answeredMs;
  }

  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict {
    for (const { file } of offers) this.offer(file, holder, { from: FLOOD });
    return { kind: "more" };
  }

  hit({ nodeId, holderHost: host, holderPort: port, offers }: Hit): void {
    for (const file of offers) {
      this.offer(file, { nodeId, address: { host, port } }, { from: FLOOD });
    }
  }

  listed({ directory, files, holders }: DirectoryAnswer): void {
    for (const file of files) this.known(file, directory);
    for (const holder of holders) this.named(holder, directory);
  }

  /** A node, which may be this one, has a file. */
  abstract offer(
    file: FileOffer,
    holder: OfferingHolder,
    options: { readonly from: string },
  ): void;

  /** A directory knows a file. */
  protected abstract known(file: KnownFile, directory: string): void;

  /** A directory names a holder. */
  protected abstract named(holder: Holder, directory: string): void;

  /** To be called when an answer says anything that was asked. */
  protected answered(): void {
    this.#answeredMs = this.#clock.nowMs();
  }
}

/**
 * Resolves when no answer has come for `limits.queryIdleMs`, the time is out, or the signal says
 * so.
 */
export async function waitForIdle(
  answers: Pick<NetworkQuery, "answeredMs">,
  options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, timeoutMs, signal } = options;
  const endMs = clock.nowMs() + timeoutMs;
  while (!signal.aborted) {
    const leftMs = Math.min(endMs, answers.answeredMs + limits.queryIdleMs) - clock.nowMs();
    if (leftMs <= 0) return;
    await sleep(clock, leftMs, { signal }).catch(() => {});
  }
}

/** The order of texts by their code units, the same on every machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
