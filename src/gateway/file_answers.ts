/**
 * Answers to requests for packages and signatures: from a flight, and where that cannot be had,
 * from a mirror past the node. It chooses status and headers; the bytes are `file_body.ts`.
 */

import { EnvironmentError, FetchFailure, messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { VouchedFile } from "../base/package_index.ts";
import { answerFailure, isPassedOn } from "./failure_answer.ts";
import type { Bodies } from "./bodies.ts";
import { changeOf } from "./databases/wait_for_change.ts";
import type { Exchange } from "./exchange.ts";
import { fileHeaders } from "./file_headers.ts";
import type { Boarded, Flights } from "./shared_fetches.ts";
import type { Flight } from "./shared_fetch.ts";
import type { GatewayHost } from "./gateway_host.ts";
import { parseRange, type RangeSpec, resolveRange } from "./http_range.ts";
import type { PassThrough } from "./pass_through.ts";
import { notFoundAnswer, plainAnswer, unsatisfiableAnswer } from "./plain_answer.ts";
import { isNotModified, isRangeWanted } from "./preconditions.ts";
import { rangedAnswer } from "./ranged_answer.ts";

/** What the answers need. */
export interface FileAnswersHost {
  readonly host: GatewayHost;
  readonly flights: Flights;
  readonly bodies: Bodies;
  readonly passThrough: PassThrough;
  /** How long a file that nobody seems to have is looked for. */
  readonly waitMs: number;
}

/** A request while its head is not answered. */
interface Waiting {
  readonly exchange: Exchange;
  readonly trusted: VouchedFile | undefined;
  readonly range: RangeSpec;
  readonly boarded: Boarded;
}

/** Answers for files that peers may have. */
export class FileAnswers {
  readonly #host: FileAnswersHost;

  constructor(host: FileAnswersHost) {
    this.#host = host;
  }

  /** The answer to a GET or HEAD. */
  async answer(exchange: Exchange): Promise<Response> {
    return exchange.isHead ? await this.#head(exchange) : await this.#get(exchange);
  }

  async #get(exchange: Exchange): Promise<Response> {
    const { path, headers, mirrors, via } = exchange;
    const trusted = this.#trusted(exchange);
    const known = answerFromTrust(headers, trusted);
    if (known !== undefined) return known;
    const { flights } = this.#host;
    const range = parseRange(headers.get("range"));
    const boarded = await flights.board({
      name: path.name,
      trusted,
      mirrors,
      via,
      from: firstByte(range, trusted),
      searchUntilMs: exchange.beganMs + this.#host.waitMs,
      signal: exchange.signal,
    });
    if (boarded === "missing") return notFoundAnswer();
    if (boarded === "full" || boarded === "elsewhere") {
      return mirrors.length > 0 ? await this.#past(exchange, trusted) : notFoundAnswer();
    }
    try {
      return await this.#answer({ exchange, trusted, range, boarded });
    } finally {
      boarded.leave();
    }
  }

  /** What the database of the repository says of the file, be it a package or a signature. */
  #trusted({ path }: Exchange): VouchedFile | undefined {
    return this.#host.host.trust?.find(path.name, path.repository ?? undefined);
  }

  async #answer(waiting: Waiting): Promise<Response> {
    const { exchange, boarded: { flight } } = waiting;
    const late = await this.#headReady(waiting);
    if (late === "elsewhere") return await this.#past(exchange, waiting.trusted);
    if (late !== undefined) return this.#tooLate(waiting);
    const { outcome } = flight;
    if (outcome?.kind === "failed") return await this.#failed(waiting, outcome.error);
    const sizeBytes = flight.sizeBytes ?? 0;
    if (isTooBig(exchange, sizeBytes)) {
      flight.abort();
      return exchange.mirrors.length > 0
        ? plainAnswer(502, `Cannot give a signature of ${sizeBytes} bytes: that is none`)
        : notFoundAnswer();
    }
    return this.#send(exchange, flight, sizeBytes);
  }

  #send(exchange: Exchange, flight: Flight, sizeBytes: number): Response {
    return rangedAnswer(exchange, {
      sizeBytes,
      validators: { etag: flight.etag, lastModified: null },
      source: flight.source,
      body: (range) => this.#host.bodies.send(exchange, flight, range),
    });
  }

  /**
   * What can be said of a file without having all of it sent here: of one that comes already, of
   * one at the mirrors, or of one that is found.
   */
  async #head(exchange: Exchange): Promise<Response> {
    const { path, headers, mirrors } = exchange;
    const trusted = this.#trusted(exchange);
    const known = answerFromTrust(headers, trusted);
    if (known?.status === 304) return known;
    const wanted = { name: path.name, trusted, from: 0 };
    const flying = this.#host.flights.find(wanted);
    if (flying === undefined && mirrors.length > 0) {
      const answer = await this.#host.passThrough.answer(exchange);
      if (answer.status < 400 && fits(answer, trusted)) {
        // The tag that a GET has, not the mirror's own.
        if (trusted !== undefined) answer.headers.set("etag", `"${trusted.sha256}"`);
        return answer;
      }
    }
    const searchUntilMs = exchange.beganMs + this.#host.waitMs;
    const boarded = flying ??
      await this.#host.flights.board({
        ...wanted,
        mirrors,
        via: exchange.via,
        searchUntilMs,
        signal: exchange.signal,
      });
    if (typeof boarded === "string") return notFoundAnswer();
    const { flight } = boarded;
    try {
      while (!(flight.isOver || flight.hasFound && flight.sizeBytes !== null)) {
        const leftMs = this.#untilMs(exchange, flight) - performance.now();
        if (leftMs <= 0) return this.#tooLate({ exchange, trusted, boarded });
        await changeOf(flight, leftMs, exchange.signal);
        exchange.signal.throwIfAborted();
      }
      const { outcome } = flight;
      if (outcome?.kind === "failed") {
        return answerFailure(outcome.error, { hasMirrors: mirrors.length > 0 });
      }
      return this.#send(exchange, flight, flight.sizeBytes ?? 0);
    } finally {
      boarded.leave();
      // Nobody asked for the file itself.
      if (flying === undefined && flight.aloneSinceMs !== null) flight.abort();
    }
  }

  /**
   * Resolves when the head can be sent: what is wanted first may be shown, or it is known how the
   * flight ended. With why not, when that took too long.
   */
  async #headReady(waiting: Waiting): Promise<"too-late" | "elsewhere" | undefined> {
    const { exchange, boarded: { flight } } = waiting;
    for (;;) {
      exchange.signal.throwIfAborted();
      if (isReady(waiting)) return undefined;
      const untilMs = this.#untilMs(exchange, flight);
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) {
        if (!flight.hasVouched) return "too-late";
        // Slow, but it comes: what is not checked yet can still be broken off.
        if (isBegun(waiting)) return undefined;
        // It comes, but the part that this client wants may come last.
        return exchange.mirrors.length > 0 ? "elsewhere" : undefined;
      }
      await changeOf(flight, leftMs, exchange.signal);
    }
  }

  /** Until when this client waits for the head. */
  #untilMs({ beganMs, mirrors }: Exchange, flight: Flight): number {
    const isSought = mirrors.length === 0 && !flight.hasFound;
    return beganMs + (isSought ? this.#host.waitMs : limits.gatewayHoldMs);
  }

  #tooLate({ exchange, trusted, boarded }: Omit<Waiting, "range">): Response {
    boarded.leave();
    if (exchange.mirrors.length > 0) {
      return plainAnswer(504, `Cannot get ${exchange.path.name}: no mirror has answered yet`);
    }
    // What was found comes in behind: the next request finds it here.
    this.#host.flights.giveUp({ name: exchange.path.name, trusted }, boarded.flight);
    return notFoundAnswer();
  }

  /**
   * What a mirror gives past the node, under the tag by which the file is known here: a client that
   * has begun with one answer goes on with the other.
   */
  async #past(exchange: Exchange, trusted: VouchedFile | undefined): Promise<Response> {
    const { passThrough } = this.#host;
    if (trusted === undefined) return await passThrough.answer(exchange);
    exchange.headers = withoutConditions(exchange.headers, trusted);
    const answer = await passThrough.answer(exchange);
    if (!answer.ok) return answer;
    if (!fits(answer, trusted)) {
      await answer.body?.cancel();
      return plainAnswer(502, `Cannot get ${trusted.name}: the mirror has a file of another size`);
    }
    answer.headers.set("etag", `"${trusted.sha256}"`);
    return answer;
  }

  #failed(
    { exchange, trusted }: Omit<Waiting, "range" | "boarded">,
    error: unknown,
  ): Response | Promise<Response> {
    const hasMirrors = exchange.mirrors.length > 0;
    if (!(error instanceof FetchFailure)) {
      const fields = { name: exchange.path.name, error: messageOf(error) };
      const { log } = this.#host.host;
      if (error instanceof EnvironmentError) log.warn("cannot keep a file for the gateway", fields);
      else log.error("the gateway failed", fields);
    }
    if (hasMirrors && isPassedOn(error)) return this.#past(exchange, trusted);
    return answerFailure(error, { hasMirrors });
  }
}

/** Whether the head of the answer can be written now. */
function isReady(waiting: Waiting): boolean {
  const { boarded: { flight } } = waiting;
  if (flight.outcome !== null) return true;
  // Its end is near, and with it the entity tag.
  if (flight.isHere || isCheckNear(flight)) return false;
  return isBegun(waiting);
}

/** Whether the file is so small that it is better known to be right before anything is said of it. */
function isCheckNear({ request, from, sizeBytes, isAllVouched }: Flight): boolean {
  if (request.sha256 === null || from > 0 || isAllVouched) return false;
  return sizeBytes !== null && sizeBytes <= limits.gatewayCheckedBytes;
}

/** Whether the first byte that the client wants may be shown to it. */
function isBegun({ exchange, range, boarded: { flight } }: Waiting): boolean {
  const { sizeBytes } = flight;
  if (sizeBytes === null || !flight.isSizeCertain) return false;
  const isPart = isRangeWanted(exchange.headers, { etag: flight.etag, lastModified: null });
  const resolved = resolveRange(isPart ? range : { kind: "whole" }, sizeBytes);
  if (resolved.kind === "unsatisfiable") return true;
  return flight.vouchedEnd(resolved.start, { max: 1 }) > resolved.start;
}

/** What can be answered without the file itself. */
function answerFromTrust(
  headers: Headers,
  trusted: VouchedFile | undefined,
): Response | undefined {
  if (trusted === undefined) return undefined;
  const validators = { etag: `"${trusted.sha256}"`, lastModified: null };
  if (isNotModified(headers, validators)) {
    return new Response(null, { status: 304, headers: fileHeaders(validators, null) });
  }
  if (!isRangeWanted(headers, validators)) return undefined;
  const resolved = resolveRange(parseRange(headers.get("range")), trusted.sizeBytes);
  return resolved.kind === "unsatisfiable" ? unsatisfiableAnswer(trusted.sizeBytes) : undefined;
}

/** What is left to ask a mirror for when the conditions were judged by what the file has to be. */
function withoutConditions(headers: Headers, trusted: VouchedFile): Headers {
  const left = new Headers(headers);
  const validators = { etag: `"${trusted.sha256}"`, lastModified: null };
  if (!isRangeWanted(headers, validators)) left.delete("range");
  for (const name of ["if-range", "if-none-match", "if-modified-since"]) left.delete(name);
  return left;
}

/** Whether what a mirror says of a file can be true. */
function fits({ status, headers }: Response, trusted: VouchedFile | undefined): boolean {
  const size = status === 206
    ? /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] ?? null
    : headers.get("content-length");
  return trusted === undefined || size === null || Number(size) === trusted.sizeBytes;
}

/** The first byte that a client wants, as far as that is known before the size of the file is. */
function firstByte(range: RangeSpec, trusted: VouchedFile | undefined): number {
  if (range.kind === "from") return range.first;
  if (range.kind === "whole" || trusted === undefined) return 0;
  return Math.max(0, trusted.sizeBytes - range.length);
}

function isTooBig({ path }: Exchange, sizeBytes: number): boolean {
  return path.kind === "signature" && sizeBytes > limits.signatureBytesMax;
}
