/**
 * What the queries of a person have in common, which anybody in the network may answer: how answers
 * are heard, who said what, what they leave out, and how long they are waited for. What is made of
 * them is in `name_query.ts` and `holder_query.ts`.
 */

import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Hit, MessageOf } from "../../wire/messages.ts";
import type { LeftOut } from "../../wire/reports.ts";
import type { FileOffer, Holder, KnownFile } from "../../wire/structures.ts";
import type { DirectoryAnswer } from "./directory_answers.ts";
import { FilesInFlight } from "./files_in_flight.ts";
import { ReachBook } from "./reach_book.ts";
import type { SearchRoom } from "./search_room.ts";
import type { OfferingHolder, OpenSearch, Searcher, Verdict } from "./searches.ts";

/** Provenance of what this node itself has. */
export const HERE = "here";
/** Provenance of what a node said that answered the query, over the links. */
export const FLOOD = "flood";

/** A holder that told a part only, with its id. */
const SHORT_BYTES = 200;
const MEBIBYTES = Math.floor(limits.searchBytesMax / 2 ** 20);

/** Who said it, for reports: "here", "flood", then the directories in order. */
export function provenance(from: ReadonlySet<string>): string[] {
  const directories = [...from].filter((one) => one !== HERE && one !== FLOOD).sort();
  return [...[HERE, FLOOD].filter((one) => from.has(one)), ...directories];
}

/** A query that collects answers; it fetches nothing. */
export abstract class NetworkQuery implements Searcher, Disposable {
  /** What nodes are just getting. */
  protected readonly inFlight: FilesInFlight;
  /** Where all that is kept takes its room. */
  protected readonly room: SearchRoom;
  /** Tells of answers that have ended. */
  readonly ends = new Changes();
  /** How connections with those who answered come about. */
  readonly reach = new ReachBook();
  readonly #clock: Clock;
  readonly #narrower: string;
  #answeredMs: number;
  /** Answers that come in several messages and have not ended. */
  #underWay = 0;
  /** Holders that have more than they told, and how much; null: nobody knows. */
  readonly #short = new Map<NodeId, number | null>();
  /** Directories that know more than they named. */
  readonly #shortDirectories = new Set<string>();
  /** Offers that had no room. */
  #leftOut = 0;

  /** `narrower` is what a person can do to have less left out. */
  constructor(
    options: { readonly clock: Clock; readonly room: SearchRoom; readonly narrower: string },
  ) {
    const { clock, room, narrower } = options;
    this.#narrower = narrower;
    this.#clock = clock;
    this.room = room;
    this.inFlight = new FilesInFlight(room);
    this.#answeredMs = clock.nowMs();
  }

  [Symbol.dispose](): void {
    this.room[Symbol.dispose]();
  }

  /** When the query began, or the last answer came. */
  get answeredMs(): number {
    return this.#answeredMs;
  }

  /** Whether some answer has begun and not ended. */
  get isUnderWay(): boolean {
    return this.#underWay > 0;
  }

  /** Whether what is new has no room: who answers need not go on. */
  get isFull(): boolean {
    return this.room.isFull;
  }

  offered(
    holder: OfferingHolder,
    offers: readonly MessageOf<"offer">[],
    inFlight: readonly MessageOf<"in-flight">[] = [],
  ): Verdict {
    this.reach.called(holder.nodeId);
    for (const { file } of offers) this.offer(file, holder, { from: FLOOD });
    for (const flying of inFlight) {
      // Who has it whole gives it to those who are still getting it.
      const isWhole = this.hasWhole(holder, flying) ||
        offers.some(({ file: { name, sizeBytes, whole } }) =>
          whole && name === flying.name && sizeBytes === flying.sizeBytes
        );
      if (!isWhole) this.flying(flying, holder, { from: FLOOD });
    }
    return { kind: "more" };
  }

  /** An answer begins that comes in several messages; to be disposed of at its end. */
  begun(): Disposable {
    this.#underWay++;
    return {
      [Symbol.dispose]: () => {
        this.#underWay--;
        this.ends.tell();
      },
    };
  }

  through(): void {
    this.ends.tell();
  }

  /** A holder has so much more than it told until now: 0 for nothing, null for an unknown number. */
  short({ nodeId }: OfferingHolder, more: number | null): void {
    this.answered();
    if (more === 0) this.#short.delete(nodeId);
    else if (this.#short.has(nodeId) || this.room.take(SHORT_BYTES)) this.#short.set(nodeId, more);
  }

  /** What the answers do not have though it is there, as far as that is known. */
  leftOut(): LeftOut[] {
    const out: LeftOut[] = [];
    const hint = this.#narrower;
    if (this.#leftOut > 0) {
      const why =
        `the daemon keeps ${MEBIBYTES} MiB of one search, and files of one name up to a ` +
        "bound";
      out.push({ more: this.#leftOut, why, hint });
    }
    const counts = [...this.#short.values()];
    if (counts.length > 0) {
      const more = counts.includes(null) ? null : counts.reduce<number>((a, b) => a + b!, 0);
      const who = counts.length === 1 ? "one node" : `${counts.length} nodes`;
      const why = `${who} told only a part`;
      out.push({
        more,
        why,
        hint: `${hint} \`pacsrv files HOST:PORT\` lists all of one node.`.trim(),
      });
    }
    for (const directory of [...this.#shortDirectories].sort()) {
      out.push({ more: null, why: `directory ${directory} names only a part`, hint });
    }
    return out;
  }

  /** A node, which may be this one, is just getting a file. */
  flying(
    offer: MessageOf<"in-flight">,
    holder: OfferingHolder,
    { from }: { readonly from: string },
  ): void {
    if (!this.mayBeSought(offer)) return;
    this.answered();
    if (!this.inFlight.add(offer, holder, from)) this.refused();
  }

  /** Whether a file of this name answers the query: an answer may name anything. */
  protected abstract mayBeSought(file: { readonly name: string }): boolean;

  /** Whether this holder was heard to have the whole of such a file. */
  protected hasWhole(
    _holder: OfferingHolder,
    _file: { readonly name: string; readonly sizeBytes: number },
  ): boolean {
    return false;
  }

  hit({ nodeId, holderHost: host, holderPort: port, offers }: Hit): void {
    this.reach.heard(nodeId, { host, port });
    for (const file of offers) {
      this.offer(file, { nodeId, address: { host, port } }, { from: FLOOD });
    }
    // A HIT has room for few: a holder that filled one may have more.
    if (offers.length >= limits.hitOffersMax) {
      this.short({ nodeId, address: { host, port } }, null);
    }
  }

  listed({ directory, files, holders, isCut }: DirectoryAnswer): void {
    for (const file of files) this.known(file, directory);
    for (const holder of holders) {
      const { nodeId, host, port } = holder;
      this.reach.heard(nodeId, { host, port });
      this.named(holder, directory);
    }
    if (isCut) this.#shortDirectories.add(directory);
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

  /** To be called for what had no room. */
  protected refused(): void {
    this.#leftOut++;
  }
}

/**
 * Resolves when all have answered, no answer has come for `limits.queryIdleMs`, the time is out, or
 * the signal says so. An answer that is under way has `limits.listingMs` from the beginning to end.
 */
export async function waitForIdle(
  answers: Pick<NetworkQuery, "answeredMs" | "isUnderWay" | "ends">,
  options: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly search: Pick<OpenSearch, "outcome">;
  },
): Promise<void> {
  const { clock, timeoutMs, signal, search } = options;
  const startMs = clock.nowMs();
  while (!signal.aborted) {
    if (search.outcome !== null && !answers.isUnderWay) return;
    const endMs = answers.isUnderWay
      ? startMs + Math.max(timeoutMs, limits.listingMs)
      : Math.min(startMs + timeoutMs, answers.answeredMs + limits.queryIdleMs);
    const waitMs = endMs - clock.nowMs();
    if (waitMs <= 0) return;
    await answers.ends.next(clock, { waitMs, signal });
  }
}

/** The order of texts by their code units, the same on every machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
