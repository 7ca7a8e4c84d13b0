/**
 * Answers to requests for packages and signatures: from a shared fetch, and where that cannot be had,
 * from a mirror past the node. It chooses status and headers; the bytes are `file_body.ts`.
 */

import { EnvironmentError, FetchFailure } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { PackageFile, PackageIndex } from "../../base/package_index.ts";
import type { PassThrough } from "../mirrors/pass_through.ts";
import type { Bodies } from "../server/bodies.ts";
import type { Exchange } from "../server/exchange.ts";
import { parseRange, type RangeSpec, resolveRange } from "../server/http_range.ts";
import { answerFailure, isPassedOn, notFoundAnswer, plainAnswer } from "../server/plain_answer.ts";
import { isRangeWanted } from "../server/preconditions.ts";
import { fileHeaders, rangedAnswer, wantedBytes } from "../server/ranged_answer.ts";
import type { SharedFetch } from "./shared_fetch.ts";
import type { Joined, SharedFetches } from "./shared_fetches.ts";

interface FileAnswersOptions {
  readonly sharedFetches: SharedFetches;
  readonly bodies: Bodies;
  readonly passThrough: PassThrough;
  /** What files have to be, as far as anybody can say. */
  readonly trust: PackageIndex | undefined;
  readonly log: Logger;
  /** How long a file that nobody seems to have is looked for. */
  readonly waitMs: number;
}

/** A request while its head is not answered. */
interface Waiting {
  readonly exchange: Exchange;
  readonly trusted: PackageFile | undefined;
  readonly range: RangeSpec;
  readonly joined: Joined;
}

/** Answers for files that peers may have. */
export class FileAnswers {
  readonly #parts: FileAnswersOptions;

  constructor(parts: FileAnswersOptions) {
    this.#parts = parts;
  }

  /** The answer to a GET or HEAD. */
  async answer(exchange: Exchange): Promise<Response> {
    return exchange.isHead ? await this.#head(exchange) : await this.#get(exchange);
  }

  async #get(exchange: Exchange): Promise<Response> {
    const trusted = this.#trusted(exchange);
    const known = answerFromTrust(exchange, trusted);
    if (known !== undefined) return known;
    const range = parseRange(exchange.headers.get("range"));
    const joined = await this.#join(exchange, trusted, firstByte(range, trusted));
    if (typeof joined === "string") {
      const isNowhere = joined === "missing" || exchange.mirrors.length === 0;
      return isNowhere ? notFoundAnswer() : await this.#past(exchange, trusted);
    }
    try {
      return await this.#answer({ exchange, trusted, range, joined });
    } finally {
      joined.leave();
    }
  }

  #join(
    { path: { name }, mirrors, via, signal, beganMs }: Exchange,
    trusted: PackageFile | undefined,
    from: number,
  ): ReturnType<SharedFetches["join"]> {
    const searchUntilMs = beganMs + this.#parts.waitMs;
    const wanted = { name, trusted, mirrors, via, from, searchUntilMs, signal };
    return this.#parts.sharedFetches.join(wanted);
  }

  /** What the database of the repository says of the file, be it a package or a signature. */
  #trusted({ path }: Exchange): PackageFile | undefined {
    return this.#parts.trust?.find(path.name, path.repository ?? undefined);
  }

  async #answer(waiting: Waiting): Promise<Response> {
    const { exchange, joined: { sharedFetch } } = waiting;
    const late = await this.#headReady(waiting);
    if (late === "elsewhere") return await this.#past(exchange, waiting.trusted);
    if (late !== undefined) return this.#tooLate(waiting);
    if (sharedFetch.failure !== null) return await this.#failed(waiting, sharedFetch.failure);
    const sizeBytes = sharedFetch.sizeBytes ?? 0;
    if (isTooBig(exchange, sizeBytes)) {
      sharedFetch.abort();
      return exchange.mirrors.length > 0
        ? plainAnswer(502, `Cannot give a signature of ${sizeBytes} bytes: that is none`)
        : notFoundAnswer();
    }
    return this.#send(exchange, sharedFetch, sizeBytes);
  }

  #send(exchange: Exchange, sharedFetch: SharedFetch, sizeBytes: number): Response {
    return rangedAnswer(exchange, this.#parts.bodies, {
      sizeBytes,
      validators: { etag: sharedFetch.etag, lastModified: null },
      source: sharedFetch.source,
      open: () => sharedFetch,
    });
  }

  /**
   * What can be said of a file without having all of it sent here: of one that comes already, of
   * one at the mirrors, or of one that is found.
   */
  async #head(exchange: Exchange): Promise<Response> {
    const { path: { name }, mirrors } = exchange;
    const trusted = this.#trusted(exchange);
    const known = answerFromTrust(exchange, trusted);
    if (known !== undefined) return known;
    const coming = this.#parts.sharedFetches.find({ name, trusted, from: 0 });
    if (coming === undefined && mirrors.length > 0) {
      const answer = await this.#parts.passThrough.answer(exchange);
      if (answer.status < 400 && fits(answer, trusted)) {
        // The tag that a GET has, not the mirror's own.
        if (trusted !== undefined) answer.headers.set("etag", tagOf(trusted));
        return answer;
      }
    }
    const joined = coming ?? await this.#join(exchange, trusted, 0);
    if (typeof joined === "string") return notFoundAnswer();
    const { sharedFetch } = joined;
    try {
      while (!(sharedFetch.isOver || sharedFetch.hasFound && sharedFetch.sizeBytes !== null)) {
        const isInTime = await this.#nextChange(exchange, sharedFetch);
        if (!isInTime) return this.#tooLate({ exchange, trusted, joined });
      }
      const { failure } = sharedFetch;
      if (failure !== null) return answerFailure(failure, { hasMirrors: mirrors.length > 0 });
      return this.#send(exchange, sharedFetch, sharedFetch.sizeBytes ?? 0);
    } finally {
      joined.leave();
      // Nobody asked for the file itself.
      if (coming === undefined && sharedFetch.aloneSinceMs !== null) sharedFetch.abort();
    }
  }

  /**
   * Resolves when the head can be sent: what is wanted first may be shown, or it is known how the
   * shared fetch ended. With why not, when that took too long.
   */
  async #headReady(waiting: Waiting): Promise<"too-late" | "elsewhere" | undefined> {
    const { exchange, joined: { sharedFetch } } = waiting;
    while (!isReady(waiting)) {
      if (await this.#nextChange(exchange, sharedFetch)) continue;
      if (!sharedFetch.bytes.hasAny) return "too-late";
      // Slow, but it comes: what is not checked yet can still be broken off.
      if (isBegun(waiting)) return undefined;
      // It comes, but the part that this client wants may come last.
      return exchange.mirrors.length > 0 ? "elsewhere" : undefined;
    }
    return undefined;
  }

  /** Waits for a change; false, at once, when this client has waited long enough for the head. */
  async #nextChange(
    { beganMs, clock, mirrors, signal }: Exchange,
    { changes, hasFound }: SharedFetch,
  ): Promise<boolean> {
    const isSought = mirrors.length === 0 && !hasFound;
    const waitMs = beganMs + (isSought ? this.#parts.waitMs : limits.gatewayHoldMs) - clock.nowMs();
    if (waitMs <= 0) return false;
    await changes.next(clock, { waitMs, signal });
    signal.throwIfAborted();
    return true;
  }

  #tooLate({ exchange, trusted, joined }: Omit<Waiting, "range">): Response {
    joined.leave();
    if (exchange.mirrors.length > 0) {
      return plainAnswer(504, `Cannot get ${exchange.path.name}: no mirror has answered yet`);
    }
    // What was found comes in behind: the next request finds it here.
    this.#parts.sharedFetches.giveUp({ name: exchange.path.name, trusted }, joined.sharedFetch);
    return notFoundAnswer();
  }

  /**
   * What a mirror gives past the node, under the tag by which the file is known here: a client that
   * has begun with one answer goes on with the other.
   */
  async #past(exchange: Exchange, trusted: PackageFile | undefined): Promise<Response> {
    const { passThrough } = this.#parts;
    if (trusted === undefined) return await passThrough.answer(exchange);
    const headers = withoutConditions(exchange.headers, trusted);
    const answer = await passThrough.answer({ ...exchange, headers });
    if (!answer.ok) return answer;
    if (!fits(answer, trusted)) {
      await answer.body?.cancel();
      return plainAnswer(502, `Cannot get ${trusted.name}: the mirror has a file of another size`);
    }
    answer.headers.set("etag", tagOf(trusted));
    return answer;
  }

  #failed(
    { exchange, trusted }: Omit<Waiting, "range" | "joined">,
    error: Error,
  ): Response | Promise<Response> {
    const hasMirrors = exchange.mirrors.length > 0;
    if (!(error instanceof FetchFailure)) {
      const fields = { name: exchange.path.name, error: error.message };
      const { log } = this.#parts;
      if (error instanceof EnvironmentError) log.warn("cannot keep a file for the gateway", fields);
      else log.error("the gateway failed", fields);
    }
    if (hasMirrors && isPassedOn(error)) return this.#past(exchange, trusted);
    return answerFailure(error, { hasMirrors });
  }
}

function isReady(waiting: Waiting): boolean {
  const { joined: { sharedFetch } } = waiting;
  if (sharedFetch.isOver) return true;
  // Its end is near, and with it the entity tag.
  if (sharedFetch.isHere || isCheckNear(sharedFetch)) return false;
  return isBegun(waiting);
}

/** Whether the file is so small that it is better known to be right before anything is said of it. */
function isCheckNear({ request, from, sizeBytes, bytes }: SharedFetch): boolean {
  if (request.sha256 === null || from > 0 || bytes.areAll) return false;
  return sizeBytes !== null && sizeBytes <= limits.gatewayCheckedBytes;
}

/** Whether the first byte that the client wants may be shown to it. */
function isBegun({ exchange, range, joined: { sharedFetch } }: Waiting): boolean {
  const { sizeBytes } = sharedFetch;
  if (sizeBytes === null || !sharedFetch.isSizeCertain) return false;
  const isPart = isRangeWanted(exchange.headers, { etag: sharedFetch.etag, lastModified: null });
  const resolved = resolveRange(isPart ? range : { kind: "whole" }, sizeBytes);
  if (resolved.kind === "unsatisfiable") return true;
  return sharedFetch.releasedEnd(resolved.start, { max: 1 }) > resolved.start;
}

/** What can be answered without the file itself. */
function answerFromTrust(
  exchange: Exchange,
  trusted: PackageFile | undefined,
): Response | undefined {
  if (trusted === undefined) return undefined;
  const validators = { etag: tagOf(trusted), lastModified: null };
  const { sizeBytes } = trusted;
  const headers = fileHeaders(validators, null);
  const wanted = wantedBytes(exchange, { sizeBytes, validators, headers });
  return wanted instanceof Response ? wanted : undefined;
}

/** What is left to ask a mirror for when the conditions were judged by what the file has to be. */
function withoutConditions(headers: Headers, trusted: PackageFile): Headers {
  const left = new Headers(headers);
  const validators = { etag: tagOf(trusted), lastModified: null };
  if (!isRangeWanted(headers, validators)) left.delete("range");
  for (const name of ["if-range", "if-none-match", "if-modified-since"]) left.delete(name);
  return left;
}

/** Whether what a mirror says of a file can be true. */
function fits({ status, headers }: Response, trusted: PackageFile | undefined): boolean {
  const size = status === 206
    ? /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] ?? null
    : headers.get("content-length");
  return trusted === undefined || size === null || Number(size) === trusted.sizeBytes;
}

/** The first byte that a client wants, as far as that is known before the size of the file is. */
function firstByte(range: RangeSpec, trusted: PackageFile | undefined): number {
  if (range.kind === "from") return range.first;
  if (range.kind === "whole" || trusted === undefined) return 0;
  return Math.max(0, trusted.sizeBytes - range.length);
}

function tagOf({ sha256 }: PackageFile): string {
  return `"${sha256}"`;
}

function isTooBig({ path }: Exchange, sizeBytes: number): boolean {
  return path.kind === "signature" && sizeBytes > limits.signatureBytesMax;
}
