/** An answer with a file of a known size, or what the client's conditions and ranges make of it. */

import type { Bodies } from "./bodies.ts";
import type { Exchange } from "./exchange.ts";
import { FileBody, type FileSupply, type RestOfFile } from "./file_body.ts";
import { parseRange, type ResolvedRange, resolveRange } from "./http_range.ts";
import { isFieldValue, preconditionFailedAnswer, unsatisfiableAnswer } from "./plain_answer.ts";
import {
  isNotModified,
  isPreconditionFailed,
  isRangeWanted,
  type Validators,
} from "./preconditions.ts";

/** Where the bytes of a file come from, as far as it is known. */
export type FileSource = "peers" | "mirror" | "here";

interface SendableFile {
  readonly sizeBytes: number;
  readonly validators: Validators;
  readonly source: FileSource;
  /** Whether it is what a mirror has just now: where the client's is newer, it is another one. */
  readonly isVouched?: boolean;
  /** Beyond the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What its body reads from; not called where the answer has none. */
  open(): FileSupply;
  /** Where else its bytes can be had. */
  readonly rest?: RestOfFile | undefined;
}

/** 200 or 206 with the bytes that are asked for; 304 or 416 without any. A HEAD has no range. */
export function rangedAnswer(exchange: Exchange, bodies: Bodies, file: SendableFile): Response {
  const { clock } = exchange;
  const { sizeBytes, validators, isVouched = false } = file;
  const headers = fileHeaders(validators, file.source);
  for (const [name, value] of Object.entries(file.headers ?? {})) headers.set(name, value);
  const range = wantedBytes(exchange, { sizeBytes, validators, isVouched, headers });
  if (range instanceof Response) return range;
  const { start, end } = range;
  const status = setRange(headers, range, sizeBytes);
  if (exchange.isHead || start === end) return new Response(null, { status, headers });
  const supply = file.open();
  const { stream } = bodies.add(
    exchange.delivery,
    (events) =>
      new FileBody(supply, {
        start,
        end,
        clock,
        slots: bodies.slots,
        ...(file.rest === undefined ? {} : { rest: file.rest }),
        ...events,
      }),
  );
  return new Response(stream, { status, headers });
}

/** The same with a small file that is at hand. */
export function bytesAnswer(
  exchange: Exchange,
  bytes: Uint8Array<ArrayBuffer>,
  validators: Validators,
): Response {
  const headers = fileHeaders(validators, "here");
  const range = wantedBytes(exchange, { sizeBytes: bytes.length, validators, headers });
  if (range instanceof Response) return range;
  const status = setRange(headers, range, bytes.length);
  if (exchange.isHead) return new Response(null, { status, headers });
  const body = bytes.slice(range.start, range.end);
  exchange.delivery.sent(body.length);
  return new Response(body, { status, headers });
}

/** Writes into a head which bytes of the file come; gives the status of that. */
function setRange(
  headers: Headers,
  { kind, start, end }: Exclude<ResolvedRange, { kind: "unsatisfiable" }>,
  sizeBytes: number,
): number {
  headers.set("content-length", `${end - start}`);
  if (kind === "whole") return 200;
  headers.set("content-range", `bytes ${start}-${end - 1}/${sizeBytes}`);
  return 206;
}

/**
 * Which bytes of a file a client is to get; or an answer that has none of them: 304 with `headers`,
 * 412, or 416.
 */
export function wantedBytes(
  { headers: asked, isHead }: Exchange,
  { sizeBytes, validators, isVouched = false, headers }: {
    readonly sizeBytes: number;
    readonly validators: Validators;
    readonly isVouched?: boolean;
    readonly headers: Headers;
  },
): Response | Exclude<ResolvedRange, { kind: "unsatisfiable" }> {
  if (isPreconditionFailed(asked, validators)) return preconditionFailedAnswer({ isHead });
  if (isNotModified(asked, validators, { isExact: isVouched })) {
    return new Response(null, { status: 304, headers });
  }
  const isPart = isRangeWanted(asked, validators) && !isHead;
  const range = resolveRange(parseRange(isPart ? asked.get("range") : null), sizeBytes);
  return range.kind === "unsatisfiable" ? unsatisfiableAnswer(sizeBytes) : range;
}

/**
 * Headers of an answer with a file, but for its length. `source` says who gave its first bytes;
 * null where no bytes go out.
 */
export function fileHeaders(
  { etag, lastModified }: Validators,
  source: FileSource | null,
): Headers {
  const headers = new Headers({
    "accept-ranges": "bytes",
    // Deno would pack what its type says can be packed; a range of that is none of the file.
    "cache-control": "no-transform",
    "content-type": "application/octet-stream",
  });
  if (source !== null) headers.set("x-pacsrv-source", source);
  if (etag !== null && isFieldValue(etag)) headers.set("etag", etag);
  if (lastModified !== null && isFieldValue(lastModified)) {
    headers.set("last-modified", lastModified);
  }
  return headers;
}
