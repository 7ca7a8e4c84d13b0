/** An answer with a file of a known size, or what the client's conditions and ranges make of it. */

import type { Exchange } from "./exchange.ts";
import { fileHeaders } from "./file_headers.ts";
import type { SharedFetchSource } from "../files/shared_fetch.ts";
import { parseRange, resolveRange } from "./http_range.ts";
import { unsatisfiableAnswer } from "./plain_answer.ts";
import { isNotModified, isRangeWanted, type Validators } from "./preconditions.ts";

/** From where to where a body goes; `end` is the first byte after it. */
export interface BodyRange {
  readonly start: number;
  readonly end: number;
}

/** A file that can be sent. */
export interface SendableFile {
  readonly sizeBytes: number;
  readonly validators: Validators;
  readonly source: SharedFetchSource;
  /** Beyond the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Begins the body; not called where the answer has none. */
  body(range: BodyRange): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** 200 or 206 with the bytes that are asked for; 304 or 416 without any. A HEAD has no range. */
export function rangedAnswer(exchange: Exchange, file: SendableFile): Response {
  const { sizeBytes, validators } = file;
  const headers = fileHeaders(validators, file.source);
  for (const [name, value] of Object.entries(file.headers ?? {})) headers.set(name, value);
  if (isNotModified(exchange.headers, validators)) {
    return new Response(null, { status: 304, headers });
  }
  const isPart = isRangeWanted(exchange.headers, validators) && !exchange.isHead;
  const spec = parseRange(isPart ? exchange.headers.get("range") : null);
  const range = resolveRange(spec, sizeBytes);
  if (range.kind === "unsatisfiable") return unsatisfiableAnswer(sizeBytes);
  const { start, end } = range;
  headers.set("content-length", `${end - start}`);
  if (range.kind === "part") {
    headers.set("content-range", `bytes ${start}-${end - 1}/${sizeBytes}`);
  }
  const body = exchange.isHead || start === end ? null : file.body({ start, end });
  return new Response(body, { status: range.kind === "part" ? 206 : 200, headers });
}
