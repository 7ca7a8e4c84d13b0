/**
 * Answers to requests for packages and signatures: from a shared fetch, and where that cannot be had,
 * from a mirror past the node. It chooses status and headers; the bytes are `file_body.ts`.
 */

import { EnvironmentError, FetchFailure } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger, LogThrottle } from "../../base/log.ts";
import type { PackageFile } from "../../base/package_index.ts";
import type { PassThrough } from "../mirrors/pass_through.ts";
import type { Bodies } from "../server/bodies.ts";
import type { Exchange } from "../server/exchange.ts";
import type { RestOfFile } from "../server/file_body.ts";
import { parseRange, type RangeSpec, resolveRange } from "../server/http_range.ts";
import {
  answerFailure,
  busyAnswer,
  isPassedOn,
  lateAnswer,
  notFoundAnswer,
  plainAnswer,
} from "../server/plain_answer.ts";
import type { RequestPath } from "../server/request_path.ts";
import { hasPrecondition, isRangeWanted } from "../server/preconditions.ts";
import { bytesAnswer, fileHeaders, rangedAnswer, wantedBytes } from "../server/ranged_answer.ts";
import type { FileSearch } from "./file_search.ts";
import type { HeadWait } from "./head_wait.ts";
import type { NodeBelief } from "./node_belief.ts";
import type { PackageSignatures, SignatureWait } from "./package_signatures.ts";
import type { SharedFetch } from "./shared_fetch.ts";
import type { Joined } from "./shared_fetches.ts";

interface FileAnswersOptions {
  readonly search: FileSearch;
  readonly signatures: PackageSignatures;
  readonly unproven: NodeBelief;
  readonly bodies: Bodies;
  readonly passThrough: PassThrough;
  /** A client got all of a package that a database names. */
  readonly took: (path: RequestPath) => void;
  readonly log: Logger;
  readonly throttle: LogThrottle;
}

/** A request while its head is not answered. */
interface Waiting {
  readonly exchange: Exchange;
  readonly trusted: PackageFile | undefined;
  readonly range: RangeSpec;
  readonly joined: Joined;
  readonly wait: HeadWait;
  readonly signature: SignatureWait;
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
    const { search, signatures } = this.#parts;
    const trusted = search.trusted(exchange);
    const known = answerFromTrust(exchange, trusted);
    if (known !== undefined) return known;
    const isDoubted = trusted === undefined && !this.#mayBeOfNodes(exchange);
    if (isDoubted && exchange.mirrors.length === 0) return notFoundAnswer();
    if (this.#isMirrorsAlone(exchange, { trusted, isDoubted })) {
      return await this.#past(exchange, trusted);
    }
    const range = parseRange(exchange.headers.get("range"));
    const from = firstByte(range, trusted);
    const joined = await search.join(exchange, { trusted, from, mirrorsAlone: isDoubted });
    if (joined === "missing") return notFoundAnswer();
    if (typeof joined === "string") {
      return exchange.mirrors.length > 0 ? await this.#past(exchange, trusted) : busyAnswer();
    }
    try {
      const wait = search.waitOf(exchange);
      const signature = await signatures.begin(exchange, joined.sharedFetch);
      return await this.#answer({ exchange, trusted, range, joined, wait, signature });
    } finally {
      joined.leave();
    }
  }

  /** Whether only the mirror can say if its file is the one that a client knows. */
  #isMirrorsAlone(
    exchange: Exchange,
    { trusted, isDoubted }: {
      readonly trusted: PackageFile | undefined;
      readonly isDoubted: boolean;
    },
  ): boolean {
    const { headers, mirrors } = exchange;
    return trusted === undefined && mirrors.length > 0 && hasPrecondition(headers) &&
      (isDoubted || !this.#parts.search.mayBeHere(exchange, trusted));
  }

  /** Whether nodes are believed what this name means, where nothing else tells. */
  #mayBeOfNodes({ client, headers, isHead, path: { name } }: Exchange): boolean {
    const range = parseRange(headers.get("range"));
    const isWhole = range.kind === "whole" || range.kind === "from" && range.first === 0;
    const isConditional = headers.has("if-none-match") || headers.has("if-modified-since");
    const isFromFirst = isWhole && !isConditional && !isHead;
    return this.#parts.unproven.mayGive(client, name, { isFromFirst });
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
    const refusal = await waiting.signature.refusal();
    if (refusal !== undefined) {
      waiting.joined.leave();
      // Who wants it nonetheless goes on.
      if (sharedFetch.aloneSinceMs !== null) sharedFetch.abort();
      return refusal;
    }
    return this.#send(exchange, sharedFetch, sizeBytes);
  }

  #send(exchange: Exchange, sharedFetch: SharedFetch, sizeBytes: number): Response {
    if (!exchange.isHead) this.#noteGiven(exchange, sharedFetch, sizeBytes);
    return rangedAnswer(exchange, this.#parts.bodies, {
      sizeBytes,
      validators: { etag: sharedFetch.etag, lastModified: null },
      source: sharedFetch.source,
      open: () => sharedFetch,
      rest: this.#restOf(exchange, sizeBytes),
    });
  }

  /** Notes that somebody got the end of a file, and who, where it may not be proved. */
  #noteGiven(
    { client, path, headers, delivery }: Exchange,
    sharedFetch: SharedFetch,
    sizeBytes: number,
  ): void {
    const range = resolveRange(parseRange(headers.get("range")), sizeBytes);
    if (range.kind === "part" && range.end < sizeBytes) return;
    const { name, kind } = path;
    if (sharedFetch.request.sha256 !== null) {
      if (kind === "package") delivery.onWhole(() => this.#parts.took(path));
      return;
    }
    delivery.onWhole(async () => {
      await sharedFetch.ended;
      const { root } = sharedFetch;
      if (root !== null) this.#parts.unproven.given({ client, name, root });
    });
  }

  /** What can be had from a mirror past the node, when that can keep no more of a file. */
  #restOf(exchange: Exchange, sizeBytes: number): RestOfFile | undefined {
    if (exchange.mirrors.length === 0) return undefined;
    const { passThrough, throttle, log } = this.#parts;
    const { name } = exchange.path;
    const rest = passThrough.restOf(exchange, sizeBytes);
    return {
      open: (range, options) => {
        const error = options.why.message;
        if (throttle.isFirst(`${name} ${error}`)) {
          log.warn("cannot keep a file for the gateway: the rest is passed on", { name, error });
        }
        return rest.open(range, options);
      },
    };
  }

  /**
   * What can be said of a file without having all of it sent here: of one that comes already, of
   * one at the mirrors, or of one that is found.
   */
  async #head(exchange: Exchange): Promise<Response> {
    const { mirrors } = exchange;
    const { search } = this.#parts;
    const trusted = search.trusted(exchange);
    const known = answerFromTrust(exchange, trusted);
    if (known !== undefined) return known;
    if (trusted === undefined && !this.#mayBeOfNodes(exchange)) {
      return mirrors.length === 0 ? notFoundAnswer() : await this.#past(exchange, trusted);
    }
    const coming = search.find(exchange, trusted);
    if (coming === undefined && mirrors.length > 0 && !search.mayBeHere(exchange, trusted)) {
      const answer = await this.#parts.passThrough.answer(exchange);
      if (answer.status < 400 && fits(answer, trusted)) {
        // The tag that a GET has, not the mirror's own.
        if (trusted !== undefined) answer.headers.set("etag", tagOf(trusted));
        return answer;
      }
    }
    const joined = coming ?? await search.join(exchange, { trusted, from: 0 });
    if (typeof joined === "string") return joined === "missing" ? notFoundAnswer() : busyAnswer();
    const { sharedFetch } = joined;
    const wait = search.waitOf(exchange);
    try {
      // What is here has its tag at the end of its fetch, which is soon, as for a GET.
      while (!(sharedFetch.isOver || isFound(sharedFetch) && !sharedFetch.isHere)) {
        const isInTime = await wait.next(sharedFetch);
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
    const { exchange, wait, joined: { sharedFetch } } = waiting;
    while (!isReady(waiting)) {
      if (await wait.next(sharedFetch)) continue;
      if (!sharedFetch.bytes.hasAny) return "too-late";
      // Slow, but it comes: what is not checked yet can still be broken off.
      if (isBegun(waiting)) return undefined;
      // It comes, but the part that this client wants may come last.
      return exchange.mirrors.length > 0 ? "elsewhere" : undefined;
    }
    return undefined;
  }

  #tooLate(
    { exchange, trusted, joined }: Pick<Waiting, "exchange" | "trusted" | "joined">,
  ): Response {
    joined.leave();
    if (exchange.mirrors.length > 0) return lateAnswer(exchange.path.name);
    // What was found comes in behind: the next request finds it here.
    this.#parts.search.giveUp(exchange, trusted, joined);
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
    { exchange, trusted }: Pick<Waiting, "exchange" | "trusted">,
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

function isFound({ hasFound, sizeBytes }: SharedFetch): boolean {
  return hasFound && sizeBytes !== null;
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
  // A database may hold a signature itself.
  if (trusted.bytes !== undefined) return bytesAnswer(exchange, trusted.bytes, validators);
  const wanted = wantedBytes(exchange, { sizeBytes, validators, headers });
  return wanted instanceof Response ? wanted : undefined;
}

const CONDITIONS = [
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
];

/** What is left to ask a mirror for when the conditions were judged by what the file has to be. */
function withoutConditions(headers: Headers, trusted: PackageFile): Headers {
  const left = new Headers(headers);
  const validators = { etag: tagOf(trusted), lastModified: null };
  if (!isRangeWanted(headers, validators)) left.delete("range");
  for (const name of CONDITIONS) left.delete(name);
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
