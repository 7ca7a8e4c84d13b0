/**
 * One file at its mirrors: HTTP servers that have the same file. Which of them is asked, what is
 * known of the file from the first answer on, and who is not asked for it again.
 *
 * The rules:
 *
 * 1. The mirrors are asked in the order that they were given in. The one that gave last is asked
 *    first. Those that stalled lately in the middle of a file, however much they gave before, come
 *    after all others, the one that did so last behind the rest; and at the end those that failed.
 * 2. A mirror that says no (4xx), gives another file, or is banned is not asked for this file again.
 *    Where it was said how long the file is, a mirror with a longer or shorter one does not have it;
 *    as a length may be garbled, it is asked once more.
 * 3. One that breaks off is asked again for the rest, or the next one if it stalled; after
 *    `mirrorRetriesMax` times in a row with little to show for it, it is not asked for this file again.
 * 4. A mirror that sends another part than was asked for, or does not say which, is asked for the
 *    file from its first byte on where not much comes before what is wanted.
 * 5. One that answered a request for a part with the whole file is not asked again for what only a
 *    part is of use for.
 * 6. Once something was given, a round in which all failed is not the end: there is another after a
 *    pause, up to `mirrorRetriesMax` rounds.
 *
 * One request is `mirror_request.ts`, its body `mirror_body.ts`; what a reader does when that breaks
 * off is `resumable_read.ts`. What the bytes are for, and whether they are right, is not known here.
 */

import { UsageError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Pace } from "../base/rates/pace.ts";
import { MirrorBody } from "./mirror_body.ts";
import type { MirrorClient } from "./mirror_client.ts";
import { MirrorError, mostTelling } from "./mirror_error.ts";
import {
  ask,
  checkStatus,
  type Extent,
  extentOf,
  type MirrorAddress,
  mirrorAddress,
  type MirrorHead,
  type MirrorQuestion,
  type MirrorValidators,
  noRange,
  rangeHeaders,
} from "./mirror_request.ts";
import type { NamedMirrors } from "./named_mirrors.ts";
import { type ByteRange, type RangeSource, Retries } from "./resumable_read.ts";

/** What is known of a file before a mirror is asked. */
export interface MirrorFileOptions {
  /** A mirror whose file has another size does not have this file. */
  readonly sizeBytes?: number;
  /** Connections to mirrors that it leaves free for what matters more; by default none. */
  readonly slotsKeptFree?: number;
  /** Whether mirrors are to give nothing out of a cache; by default they may. */
  readonly isUncached?: boolean;
  /** Through whom the request came, as mirrors are told (Via); by default nobody is named. */
  readonly via?: readonly string[];
  /** Which are asked inside this machine's network, where a stranger named them; by default all. */
  readonly insideOnly?: NamedMirrors | undefined;
}

/** What a mirror says of its file, without the file. */
interface MirrorHeadFacts extends MirrorValidators {
  readonly mirror: string;
  /** Null when it does not say. */
  readonly sizeBytes: number | null;
}

/** One of the mirrors, as far as this file goes. */
interface MirrorState {
  /** As it was given. */
  readonly url: string;
  readonly address: MirrorAddress;
  /** Its ETag of the file; null before it gave one. */
  etag: string | null;
  /** Why it is not asked again; null while it is. */
  refusal: MirrorError | null;
  /** How it failed last; null while it did not. */
  error: MirrorError | null;
  /** Bodies in a row that broke off early. */
  breaks: number;
  /** Whether its file had another size than it has to have. */
  hadOtherSize: boolean;
  /** Whether it gave the whole file when it was asked for a part last. */
  ignoresRanges: boolean;
}

/** One file at its mirrors. Made by `Mirrors.file()`. */
export class MirrorFile implements RangeSource<MirrorBody> {
  readonly #client: MirrorClient;
  readonly #id: string;
  readonly #states: MirrorState[];
  readonly #bytesGiven = new Map<string, number>();
  /** Of the answers that are being read. */
  readonly #paces = new Set<Pace>();
  /** The mirror that gave last: it is asked first. */
  #last: MirrorState | null = null;
  /** Bytes that the file has to have; null when nobody said so. */
  readonly #wantedBytes: number | null;
  readonly #keptFree: number;
  readonly #insideOnly: NamedMirrors | undefined;
  /** Headers of every request. */
  readonly #headers: Readonly<Record<string, string>>;
  #sizeBytes: number | null;
  #lastModified: string | null = null;
  #givesParts = false;

  /** @throws {UsageError} when there are no URLs, too many, or one is none of http or https. */
  constructor(client: MirrorClient, urls: readonly string[], options: MirrorFileOptions = {}) {
    if (urls.length === 0 || urls.length > limits.mirrorsMax) {
      throw new UsageError(
        `Cannot use ${urls.length} mirrors: at least 1 and at most ${limits.mirrorsMax} are asked`,
      );
    }
    this.#client = client;
    this.#id = client.newFileId();
    this.#wantedBytes = this.#sizeBytes = options.sizeBytes ?? null;
    this.#keptFree = options.slotsKeptFree ?? 0;
    this.#insideOnly = options.insideOnly;
    const { via = [], isUncached = false } = options;
    this.#headers = {
      ...(via.length === 0 ? {} : { via: via.join(", ") }),
      ...(isUncached ? { "cache-control": "no-cache" } : {}),
    };
    this.#states = urls.map((url) => ({
      url,
      address: mirrorAddress(url),
      etag: null,
      refusal: null,
      error: null,
      breaks: 0,
      hadOtherSize: false,
      ignoresRanges: false,
    }));
  }

  /** Bytes that came, by label of the mirror, be they of use or not. */
  get bytesGiven(): ReadonlyMap<string, number> {
    return this.#bytesGiven;
  }

  /** Whether this node's own rate is why no more comes; whether anything waits for its turn now. */
  get isHeld(): boolean {
    return this.#paces.values().some(({ isHeld }) => isHeld);
  }

  get isWaiting(): boolean {
    return this.#paces.values().some(({ isWaiting }) => isWaiting);
  }

  /** The rate at which what is asked now is read, with all else from mirrors; null: there is none. */
  get bytesPerSecond(): number | null {
    const [pace] = this.#paces;
    return pace?.bytesPerSecond ?? null;
  }

  /** How much of it may be asked for at once, because of a rate; null: all of it. */
  get bytesAhead(): number | null {
    const [next] = this.#inOrder();
    return next === undefined ? null : this.#client.bytesAhead(next.address.url);
  }

  /** Whether one of the mirrors failed otherwise than by saying no (4xx). */
  get hasFailed(): boolean {
    return this.#states.some(({ error }) =>
      error !== null && (error.code !== "refused" || error.status >= 500)
    );
  }

  /** Whether a mirror has answered a request for a part of the file with that part. */
  get givesParts(): boolean {
    return this.#givesParts;
  }

  /** Whether the mirror that is asked next is known to give the whole file where a part is asked for. */
  get ignoresRanges(): boolean {
    return this.#inOrder()[0]?.ignoresRanges ?? false;
  }

  /** The label of the mirror that is asked next; null when none is asked any more. */
  get mirror(): string | null {
    return this.#inOrder()[0]?.address.label ?? null;
  }

  /** The URL of that mirror, as it was given. */
  get url(): string | null {
    return this.#inOrder()[0]?.url ?? null;
  }

  /** What the mirror that gave last says of the file; null before any gave something. */
  get validators(): (MirrorValidators & { readonly mirror: string }) | null {
    const last = this.#last;
    if (last === null) return null;
    return { mirror: last.address.label, etag: last.etag, lastModified: this.#lastModified };
  }

  /** Whether the mirror at this URL, as it was given, may be asked. */
  asks(url: string): boolean {
    return this.#states.some((state) => state.url === url && state.refusal === null);
  }

  /**
   * Has only a file with these validators count, as that which an earlier run began with.
   * `mirror` is whose ETag it is.
   */
  expect(
    known: {
      readonly mirror?: string;
      readonly sizeBytes?: number | null;
      readonly validators?: MirrorValidators | null;
    },
  ): void {
    this.#sizeBytes = known.sizeBytes ?? this.#sizeBytes;
    this.#lastModified = known.validators?.lastModified ?? this.#lastModified;
    for (const state of this.#states) {
      if (state.address.label === known.mirror) state.etag = known.validators?.etag ?? null;
    }
  }

  /** Forgets what the file was known by: whatever the mirrors give next is a new beginning. */
  forget(): void {
    this.#sizeBytes = this.#wantedBytes;
    this.#lastModified = null;
    for (const state of this.#states) {
      state.etag = null;
      if (state.refusal?.code === "changed") state.refusal = null;
    }
  }

  /** Does not ask this mirror for this file again. */
  ban(mirror: string): void {
    for (const state of this.#states) {
      if (state.address.label !== mirror) continue;
      // For good, even if it would be asked again after a new beginning.
      state.refusal = new MirrorError(
        "unusable",
        `Cannot use mirror ${mirror}: what it gave is not the file`,
        { mirror },
      );
    }
  }

  /**
   * Asks for a part of the file, from one mirror after the other.
   *
   * @throws {MirrorError} when none gives it: the most telling of their errors, 404 only if all of
   * them say so. With "no-range", it can be had from the first byte on.
   * @throws the reason of `signal`, when that is aborted, before or after the body began.
   */
  async open(
    range: ByteRange,
    options: { readonly signal: AbortSignal },
  ): Promise<MirrorBody> {
    const { clock, timeouts: { retryMs }, log } = this.#client;
    const retries = new Retries({ retriesMax: limits.mirrorRetriesMax - 1, retryMs, clock });
    for (;;) {
      try {
        return await this.#first((state) => this.#openAt(state, range, options));
      } catch (error) {
        const isWorthIt = error instanceof MirrorError && this.#isWorthAnotherRound;
        if (!isWorthIt || !retries.failed()) throw error;
        const { failures: round } = retries;
        log.debug("mirrors failed, asking again", { error: error.message, round });
        await retries.pause(options);
      }
    }
  }

  /**
   * Asks for the whole file, unless it is still the one with these validators; null then. `isSame` may
   * look at what a mirror says of the file that it calls the same.
   *
   * @throws as {@linkcode open} does.
   */
  async revalidate(
    known: MirrorValidators,
    options: {
      readonly signal: AbortSignal;
      readonly isSame?: (now: MirrorValidators) => boolean;
    },
  ): Promise<MirrorBody | null> {
    const { isSame } = options;
    const headers = {
      ...(known.etag === null ? {} : { "if-none-match": known.etag }),
      ...(known.lastModified === null ? {} : { "if-modified-since": known.lastModified }),
    };
    return await this.#first(async (state) => {
      const answer = await this.#ask(state, { method: "GET", headers }, options);
      if (answer.head.status !== 304) return this.#body(state, { offset: 0 }, answer);
      end(answer);
      if (isSame?.(answer.head) !== false) return null;
      const anew = await this.#ask(state, { method: "GET", headers: {} }, options);
      return this.#body(state, { offset: 0 }, anew);
    });
  }

  /**
   * Asks what the mirrors say of the file, without having it sent.
   *
   * @throws as {@linkcode open} does.
   */
  async head(options: { readonly signal: AbortSignal }): Promise<MirrorHeadFacts> {
    return await this.#first(async (state) => {
      const asked = await this.#ask(state, { method: "HEAD", headers: {} }, options);
      end(asked);
      const { head } = asked;
      checkStatus(state.address.label, head, [200]);
      const { etag, lastModified, contentBytes } = head;
      const mirror = state.address.label;
      return { mirror, sizeBytes: contentBytes, etag, lastModified };
    });
  }

  /** Whether a mirror that is not out of question failed in a way that may pass. */
  get #isWorthAnotherRound(): boolean {
    return this.#states.some(({ refusal, error }) =>
      refusal === null && error !== null &&
      (error.isMirrorBad && this.#bytesGiven.size > 0 || error.code === "other-size")
    );
  }

  async #first<T>(work: (state: MirrorState) => Promise<T>): Promise<T> {
    const errors: MirrorError[] = [];
    for (const state of this.#inOrder()) {
      try {
        return await work(state);
      } catch (error) {
        errors.push(this.#failed(state, error));
      }
    }
    throw this.#mostTelling(errors);
  }

  async #openAt(
    state: MirrorState,
    range: ByteRange,
    options: { readonly signal: AbortSignal },
  ): Promise<MirrorBody> {
    const { etag } = state;
    const headers = rangeHeaders(range, { etag, lastModified: this.#lastModified });
    if (state.ignoresRanges && range.needsRange === true && headers.range !== undefined) {
      throw noRange(state.address.label, range.offset);
    }
    const asks = async (headers: Readonly<Record<string, string>>) =>
      this.#body(state, range, await this.#ask(state, { method: "GET", headers }, options));
    try {
      return await asks(headers);
    } catch (error) {
      const hasNoRange = error instanceof MirrorError && error.code === "no-range";
      const mayBeWhole = range.needsRange !== true && range.offset <= limits.mirrorSkipBytes;
      if (!hasNoRange || !mayBeWhole) throw error;
      // It gave something else than the part: from its first byte on it may be the file.
      return await asks({});
    }
  }

  /** Waits for a slot among the connections, and for the head of an answer. */
  async #ask(
    state: MirrorState,
    question: MirrorQuestion,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<OpenAnswer> {
    const { closing, slots, clock, timeouts: { answerMs } } = this.#client;
    const abort = new AbortController();
    const held = new DisposableStack();
    try {
      for (const one of [signal, closing]) {
        one.throwIfAborted();
        const stop = () => abort.abort(one.reason);
        one.addEventListener("abort", stop, { once: true });
        held.defer(() => one.removeEventListener("abort", stop));
      }
      held.defer(await slots.take({ signal: abort.signal, keptFree: this.#keptFree }));
      const asked = { ...question, headers: { ...this.#headers, ...question.headers } };
      const head = await ask(state.address, asked, {
        clients: this.#client,
        insideOnly: this.#insideOnly,
        abort,
        answerMs,
        clock,
      });
      return { head, release: () => held.dispose(), abort };
    } catch (error) {
      held.dispose();
      throw error;
    }
  }

  #body(state: MirrorState, range: ByteRange, { head, release, abort }: OpenAnswer): MirrorBody {
    try {
      const extent = extentOf(head, range, {
        mirror: state.address.label,
        sizeBytes: this.#sizeBytes,
        checkSame: (sizeBytes) => {
          this.#checkSame(state, head, sizeBytes);
          // Noted also of an answer that is of no use.
          if (head.hasRange) state.ignoresRanges = head.status === 200;
        },
      });
      return this.#given(state, { head, release, abort, extent });
    } catch (error) {
      end({ head, release, abort });
      throw error;
    }
  }

  #given(
    state: MirrorState,
    { head, release, abort, extent }: OpenAnswer & { readonly extent: Extent },
  ): MirrorBody {
    const { label } = state.address;
    this.#client.answered(label);
    this.#last = state;
    this.#givesParts ||= head.hasRange && head.status === 206;
    this.#sizeBytes ??= extent.sizeBytes;
    this.#lastModified ??= head.lastModified;
    state.etag ??= head.etag;
    let came = 0;
    const url = URL.parse(head.response.url) ?? state.address.url;
    const pace = this.#client.paceOf(url, this.#id);
    this.#paces.add(pace);
    if (extent.isEmpty) end({ head, release, abort });
    return new MirrorBody({
      client: this.#client,
      mirror: label,
      head,
      extent,
      sizeBytes: this.#sizeBytes,
      abort,
      pace,
      came: (bytes) => {
        came += bytes;
        this.#bytesGiven.set(label, (this.#bytesGiven.get(label) ?? 0) + bytes);
      },
      ended: (error) => {
        release();
        this.#paces.delete(pace);
        if (error !== null) this.#broke(state, { error, came });
        else if (came > 0) state.breaks = 0;
      },
    });
  }

  /** Parts of two files must not become one. */
  #checkSame(state: MirrorState, head: MirrorHead, sizeBytes: number | null): void {
    const mirror = state.address.label;
    const wanted = this.#wantedBytes;
    if (wanted !== null && sizeBytes !== null && sizeBytes !== wanted) {
      throw new MirrorError(
        "other-size",
        `Cannot get it from mirror ${mirror}: its file has ${sizeBytes} bytes, not ${wanted}`,
        { mirror },
      );
    }
    const differs = (what: string, known: unknown, now: unknown) => {
      if (known === null || now === null || known === now) return;
      throw new MirrorError(
        "changed",
        `Cannot use mirror ${mirror}: its file has ${what} ${now}, expected ${known}`,
        { mirror },
      );
    };
    differs("size", this.#sizeBytes, sizeBytes);
    differs("ETag", state.etag, head.etag);
    differs("date", this.#lastModified, head.lastModified);
  }

  /** Notes that a mirror failed before it gave anything; rethrows what is not its fault. */
  #failed(state: MirrorState, error: unknown): MirrorError {
    if (!(error instanceof MirrorError)) throw error;
    const mirror = state.address.label;
    state.error = error;
    if (error.isMirrorBad) this.#client.failed(mirror, this.#client.clock.nowMs());
    else if (error.code === "other-size" && !state.hadOtherSize) state.hadOtherSize = true;
    else if (error.code !== "no-range" && !knowsNoHead(error)) state.refusal = error;
    this.#client.log.debug("a mirror does not give it", { mirror, error: error.message });
    return error;
  }

  #broke(
    state: MirrorState,
    { error, came }: { readonly error: MirrorError; readonly came: number },
  ) {
    const mirror = state.address.label;
    state.error = error;
    this.#client.log.debug("a mirror broke off", { mirror, error: error.message, bytes: came });
    if (error.code === "silent") this.#client.stalled(mirror, this.#client.clock.nowMs());
    state.breaks = came >= limits.mirrorSampleBytes ? 1 : state.breaks + 1;
    if (state.breaks < limits.mirrorRetriesMax) return;
    this.#client.failed(mirror, this.#client.clock.nowMs());
    state.refusal = error;
  }

  /** Those that may be asked, best first. */
  #inOrder(): MirrorState[] {
    const nowMs = this.#client.clock.nowMs();
    const rank = (state: MirrorState): number => {
      const { label } = state.address;
      if (this.#client.isBad(label, nowMs)) return Infinity;
      // Behind all that did not, those that stalled first before those that did so last.
      return this.#client.stalledMs(label, nowMs) ?? (state === this.#last ? -2 : -1);
    };
    return this.#states.filter(({ refusal }) => refusal === null)
      .map((state) => ({ state, rank: rank(state) }))
      .sort((a, b) => a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0)
      .map(({ state }) => state);
  }

  /** The most telling of these errors and of why the other mirrors were not asked. */
  #mostTelling(errors: readonly MirrorError[]): MirrorError {
    const refusals = this.#states.flatMap(({ refusal }) => refusal ?? []);
    return mostTelling([...refusals.filter((refusal) => !errors.includes(refusal)), ...errors])!;
  }
}

/** Whether a mirror does not know the method: it may give the file. */
export function knowsNoHead({ status }: MirrorError): boolean {
  return status === 405 || status === 501;
}

/** An answer under way. */
interface OpenAnswer {
  readonly head: MirrorHead;
  /** Gives the connection's slot back; to be called when the answer has ended. */
  release(): void;
  readonly abort: AbortController;
}

/** Ends an answer whose body is of no use. */
function end({ head, release, abort }: OpenAnswer): void {
  release();
  if (head.response.body === null) return;
  head.response.body.cancel().catch(() => {});
  abort.abort(new DOMException("The answer is of no use", "AbortError"));
}
