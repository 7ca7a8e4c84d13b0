/**
 * Answers that a mirror gives past the node: files that are no packages, and any file that the
 * node cannot take in now. Nothing is kept; the mirror's refusals pass through as they are.
 *
 * Each holds a connection to a mirror for as long as its client takes. So there are few at a time,
 * and they leave connections to packages and databases.
 */

import { limits } from "../../base/limits.ts";
import { type MirrorBody, MirrorError, type MirrorFile, type Mirrors } from "../../http/mirrors.ts";
import { Semaphore } from "../../http/semaphore.ts";
import type { Bodies } from "../server/bodies.ts";
import type { Exchange } from "../server/exchange.ts";
import type { RestOfFile } from "../server/file_body.ts";
import {
  parseRange,
  type RangeSpec,
  type ResolvedRange,
  resolveRange,
} from "../server/http_range.ts";
import { MirrorRest } from "./mirror_rest.ts";
import { MirrorStream } from "./mirror_stream.ts";
import {
  answerRefusal,
  plainAnswer,
  preconditionFailedAnswer,
  unsatisfiableAnswer,
} from "../server/plain_answer.ts";
import {
  hasPrecondition,
  isNotModified,
  isPreconditionFailed,
  isRangeWanted,
} from "../server/preconditions.ts";
import { fileHeaders } from "../server/ranged_answer.ts";

/** What comes in place of a part is passed on, from the first byte to the last. */
const WHOLE_WILL_DO = { mayReread: true, mayGoOnTo: Infinity } as const;

/** The way past the node. */
export class PassThrough {
  readonly #mirrors: Mirrors;
  readonly #bodies: Bodies;
  /** Taken by answers to GET that are not over. */
  readonly #passes = new Semaphore(limits.gatewayPassesMax);

  constructor(mirrors: Mirrors, bodies: Bodies) {
    this.#mirrors = mirrors;
    this.#bodies = bodies;
  }

  /** The answer of the mirrors to a GET or HEAD; the exchange must name at least one. */
  async answer(exchange: Exchange): Promise<Response> {
    const abort = new AbortController();
    const left = () => abort.abort(exchange.signal.reason);
    exchange.signal.addEventListener("abort", left, { once: true });
    try {
      const slotsKeptFree = limits.mirrorConnectionsKept;
      const { mirrors, via } = exchange;
      const file = this.#mirrors.file(mirrors, { slotsKeptFree, via });
      if (exchange.isHead) return await head(exchange, file);
      const { beganMs } = exchange;
      const leave = await this.#turn(exchange, { sinceMs: beganMs, abort });
      if (leave === null) {
        const text = `Cannot pass it on now: ${limits.gatewayPassesMax} files are being passed on`;
        return plainAnswer(503, text, { headers: { "retry-after": "5" } });
      }
      // A body aborts this when it has ended, as does the code that finds that there is none.
      abort.signal.addEventListener("abort", leave, { once: true });
      return await this.#get(exchange, file, abort);
    } catch (error) {
      abort.abort();
      exchange.signal.throwIfAborted();
      return answerRefusal(error, exchange);
    } finally {
      exchange.signal.removeEventListener("abort", left);
    }
  }

  /** What mirrors give of a file of `sizeBytes` when the node can keep no more of it. */
  restOf(exchange: Exchange, sizeBytes: number): RestOfFile {
    return {
      open: async (range, { signal }) => {
        const abort = new AbortController();
        const left = () => abort.abort(signal.reason);
        signal.throwIfAborted();
        signal.addEventListener("abort", left, { once: true });
        const leave = await this.#turn(exchange, { sinceMs: exchange.clock.nowMs(), abort });
        if (leave === null) throw new Error("too many files are being passed on");
        abort.signal.addEventListener("abort", leave, { once: true });
        const { mirrors, via } = exchange;
        const slotsKeptFree = limits.mirrorConnectionsKept;
        const file = this.#mirrors.file(mirrors, { slotsKeptFree, via, sizeBytes });
        try {
          return await MirrorRest.open(file, range, abort.signal);
        } catch (error) {
          abort.abort();
          throw error;
        }
      },
    };
  }

  /** Waits for its turn; gives the end of it, or null when that does not come soon. */
  async #turn(
    { clock }: Exchange,
    { sinceMs, abort }: { readonly sinceMs: number; readonly abort: AbortController },
  ): Promise<(() => void) | null> {
    const late = new AbortController();
    const waitMs = Math.max(0, sinceMs + limits.gatewayPassWaitMs - clock.nowMs());
    using _timer = clock.after(Math.ceil(waitMs), () => late.abort());
    try {
      return await this.#passes.take({ signal: AbortSignal.any([abort.signal, late.signal]) });
    } catch (error) {
      if (abort.signal.aborted) throw error;
      return null;
    }
  }

  async #get(exchange: Exchange, file: MirrorFile, abort: AbortController): Promise<Response> {
    const answer = await this.#ask(exchange, file, abort);
    if (!exchange.delivery.hasBody) abort.abort();
    return answer;
  }

  async #ask(exchange: Exchange, file: MirrorFile, abort: AbortController): Promise<Response> {
    const { signal } = abort;
    const { headers } = exchange;
    const guarded = hasPrecondition(headers) ? await file.head({ signal }) : null;
    if (guarded !== null && isPreconditionFailed(headers, guarded)) {
      return preconditionFailedAnswer(exchange);
    }
    let range: RangeSpec = parseRange(headers.get("range"));
    const isConditional = headers.has("if-none-match") || headers.has("if-modified-since");
    let body: MirrorBody | null;
    if (range.kind === "whole") {
      body = isConditional
        ? await file.revalidate({
          etag: headers.get("if-none-match"),
          lastModified: headers.get("if-modified-since"),
        }, { signal })
        : await file.open({ offset: 0 }, { signal });
      if (body === null) return new Response(null, { status: 304 });
    } else {
      // What a part is to be can only be said when the whole is known.
      if (isConditional || range.kind === "suffix" || headers.has("if-range")) {
        const facts = await file.head({ signal });
        if (isNotModified(headers, facts)) {
          return new Response(null, { status: 304, headers: fileHeaders(facts, null) });
        }
        if (!isRangeWanted(headers, facts)) range = { kind: "whole" };
        else if (range.kind === "suffix") range = fromEnd(range.length, facts.sizeBytes);
      }
      body = await open(file, range, signal);
      // A mirror that knows no ranges: the client gets the whole, as from the mirror itself.
      if (range.kind === "from" && body.offset !== range.first) range = { kind: "whole" };
    }
    const { sizeBytes } = body;
    const resolved: ResolvedRange | null = sizeBytes === null
      ? null
      : resolveRange(range, sizeBytes);
    if (resolved?.kind === "unsatisfiable") {
      body.cancel();
      return unsatisfiableAnswer(sizeBytes!);
    }
    return this.#send(exchange, { file, body, abort }, resolved);
  }

  #send(
    exchange: Exchange,
    { file, body, abort }: {
      readonly file: MirrorFile;
      readonly body: MirrorBody;
      readonly abort: AbortController;
    },
    range: Exclude<ResolvedRange, { kind: "unsatisfiable" }> | null,
  ): Response {
    const headers = fileHeaders(body.validators, "mirror");
    if (range !== null) headers.set("content-length", `${range.end - range.start}`);
    if (range?.kind === "part") {
      headers.set("content-range", `bytes ${range.start}-${range.end - 1}/${body.sizeBytes}`);
    }
    const status = range?.kind === "part" ? 206 : 200;
    if (range !== null && range.start === range.end) {
      body.cancel();
      return new Response(null, { status, headers });
    }
    const end = range?.end ?? null;
    const { clock } = exchange;
    const { stream } = this.#bodies.add(
      exchange.delivery,
      (events) => new MirrorStream({ file, body, end, abort, clock, ...events }),
    );
    return new Response(stream, { status, headers });
  }
}

async function head(exchange: Exchange, file: MirrorFile): Promise<Response> {
  const facts = await file.head({ signal: exchange.signal });
  const headers = fileHeaders(facts, "mirror");
  if (isPreconditionFailed(exchange.headers, facts)) return preconditionFailedAnswer(exchange);
  if (isNotModified(exchange.headers, facts)) return new Response(null, { status: 304, headers });
  if (facts.sizeBytes !== null) headers.set("content-length", `${facts.sizeBytes}`);
  return new Response(null, { headers });
}

async function open(
  file: MirrorFile,
  range: RangeSpec,
  signal: AbortSignal,
): Promise<MirrorBody> {
  if (range.kind !== "from" || range.first === 0 && range.last === null) {
    return await file.open({ offset: 0 }, { signal });
  }
  const { first, last } = range;
  const end = last === null ? {} : { end: last + 1 };
  try {
    return await file.open({ offset: first, ...end, ...WHOLE_WILL_DO }, { signal });
  } catch (error) {
    if (!(error instanceof MirrorError) || error.code !== "no-range") throw error;
    return await file.open({ offset: 0 }, { signal });
  }
}

/** The last bytes of a file, by their place; the whole where its size is not known. */
function fromEnd(length: number, sizeBytes: number | null): RangeSpec {
  if (sizeBytes === null) return { kind: "whole" };
  return {
    kind: "from",
    first: length === 0 ? sizeBytes : Math.max(0, sizeBytes - length),
    last: null,
  };
}
