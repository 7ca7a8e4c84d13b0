/** An answer with a file of a known size, or what the client's conditions and ranges make of it. */

import type { Bodies } from "./bodies.ts";
import type { Exchange } from "./exchange.ts";
import { FileBody, type FileSupply } from "./file_body.ts";
import { parseRange, type ResolvedRange, resolveRange } from "./http_range.ts";
import { isFieldValue, unsatisfiableAnswer } from "./plain_answer.ts";
import { isNotModified, isRangeWanted, type Validators } from "./preconditions.ts";

/** Where the bytes of a file come from, as far as it is known. */
export type FileSource = "peers" | "mirror" | "here";

interface SendableFile {
  readonly sizeBytes: number;
  readonly validators: Validators;
  readonly source: FileSource;
  /** Beyond the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What its body reads from; not called where the answer has none. */
  open(): FileSupply;
}

/** 200 or 206 with the bytes that are asked for; 304 or 416 without any. A HEAD has no range. */
export function rangedAnswer(exchange: Exchange, bodies: Bodies, file: SendableFile): Response {
  const { clock } = exchange;
  const { sizeBytes, validators } = file;
  const headers = fileHeaders(validators, file.source);
  for (const [name, value] of Object.entries(file.headers ?? {})) headers.set(name, value);
  const range = wantedBytes(exchange, { sizeBytes, validators, headers });
  if (range instanceof Response) return range;
  const { start, end } = range;
  headers.set("content-length", `${end - start}`);
  if (range.kind === "part") {
    headers.set("content-range", `bytes ${start}-${end - 1}/${sizeBytes}`);
  }
  const status = range.kind === "part" ? 206 : 200;
  if (exchange.isHead || start === end) return new Response(null, { status, headers });
  const supply = file.open();
  const { stream } = bodies.add(
    exchange.delivery,
    (events) => new FileBody(supply, { start, end, clock, ...events }),
  );
  return new Response(stream, { status, headers });
}

/**
 * Which bytes of a file a client is to get; or an answer that has none of them: 304 with `headers`,
 * or 416.
 */
export function wantedBytes(
  { headers: asked, isHead }: Exchange,
  { sizeBytes, validators, headers }: {
    readonly sizeBytes: number;
    readonly validators: Validators;
    readonly headers: Headers;
  },
): Response | Exclude<ResolvedRange, { kind: "unsatisfiable" }> {
  if (isNotModified(asked, validators)) return new Response(null, { status: 304, headers });
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
