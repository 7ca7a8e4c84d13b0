/** HTTP servers on loopback that a test tells what to send, down to the byte. */

import { silentLogger } from "../../../src/base/log.ts";
import type { MirrorTimeouts } from "../../../src/http/mirror_client.ts";
import { type MirrorBody, type MirrorFile, Mirrors } from "../../../src/http/mirrors.ts";
import { MirrorError } from "../../../src/http/mirror_error.ts";

/** Short, so that a test of what is silent does not last. */
export const SHORT: MirrorTimeouts = { answerMs: 400, silentMs: 400, retryMs: 20 };

/** Says what is sent for a request, given as its head; "hold" keeps the connection open after it. */
export type RawAnswer = (head: string, request: number) => {
  readonly send: string | Uint8Array;
  readonly hold?: boolean;
};

/** A server that sends what it is told, be it HTTP or not; one answer a connection. */
export class RawServer implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;
  readonly heads: string[] = [];

  constructor(answer: RawAnswer) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#serving = this.#accept(answer);
  }

  get host(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  url(path = "/file"): string {
    return `http://${this.host}${path}`;
  }

  async #accept(answer: RawAnswer): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of this.#listener) serving.push(this.#serve(conn, answer));
    await Promise.all(serving);
  }

  async #serve(conn: Deno.TcpConn, answer: RawAnswer): Promise<void> {
    this.#open.add(conn);
    try {
      const buffer = new Uint8Array(65_536);
      let head = "";
      while (!head.includes("\r\n\r\n")) {
        const read = await conn.read(buffer);
        if (read === null) return;
        head += new TextDecoder().decode(buffer.subarray(0, read));
      }
      this.heads.push(head);
      const { send, hold } = answer(head, this.heads.length);
      let bytes = typeof send === "string" ? new TextEncoder().encode(send) : send;
      while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
      // Until the other side has gone, or this server ends.
      while (hold === true && await conn.read(buffer) !== null);
    } catch (error) {
      if (!isGone(error)) throw error;
    } finally {
      this.#open.delete(conn);
      close(conn);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of [...this.#open]) close(conn);
    await this.#serving;
  }
}

/** Closes what the other side, or another part of a test, may have closed before. */
function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.ConnectionReset;
}

/** A proper server of one file, with ranges; what it is asked is noted. */
export class FileServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly requests: { url: string; method: string; headers: Headers }[] = [];
  bytes: Uint8Array<ArrayBuffer>;
  etag: string | null = '"one"';
  lastModified: string | null = "Tue, 01 Jul 2025 10:00:00 GMT";

  constructor(
    bytes: Uint8Array<ArrayBuffer>,
    handler?: (request: Request, server: FileServer) => Response | undefined,
  ) {
    this.bytes = bytes;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { url, method } = request;
      this.requests.push({ url, method, headers: new Headers(request.headers) });
      return handler?.(request, this) ?? this.answer(request);
    });
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  url(path = "/file"): string {
    return `http://${this.host}${path}`;
  }

  /** What a proper server sends. */
  answer(request: Request): Response {
    const headers = new Headers({ "accept-ranges": "bytes" });
    if (this.etag !== null) headers.set("etag", this.etag);
    if (this.lastModified !== null) headers.set("last-modified", this.lastModified);
    const known = request.headers.get("if-none-match") ?? request.headers.get("if-modified-since");
    if (known !== null && (known === this.etag || known === this.lastModified)) {
      return new Response(null, { status: 304, headers });
    }
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    const same = request.headers.get("if-range");
    const isSame = same === null || same === this.etag || same === this.lastModified;
    const size = this.bytes.length;
    if (match === null || !isSame) {
      headers.set("content-length", `${size}`);
      return new Response(request.method === "HEAD" ? null : this.bytes, { headers });
    }
    const offset = Number(match[1]);
    const end = Math.min(match[2] === "" ? size : Number(match[2]) + 1, size);
    if (offset >= size) {
      return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
    }
    headers.set("content-range", `bytes ${offset}-${end - 1}/${size}`);
    return new Response(this.bytes.subarray(offset, end), { status: 206, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Runs `test` with mirrors that have little timeouts. */
export async function withMirrors(test: (mirrors: Mirrors) => Promise<void>): Promise<void> {
  const mirrors = new Mirrors({ log: silentLogger, timeouts: SHORT });
  try {
    await test(mirrors);
  } finally {
    mirrors.close();
  }
}

/** A signal that nobody aborts. */
export function noAbort(): AbortSignal {
  return new AbortController().signal;
}

/** All that a body gives. */
export async function readAll(body: MirrorBody): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let data = await body.read(); data !== null; data = await body.read()) {
    parts.push(data.slice());
    length += data.length;
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The error with which opening, or reading what was opened, ends. */
export async function errorOf(
  file: MirrorFile,
  range: Parameters<MirrorFile["open"]>[0] = { offset: 0 },
): Promise<MirrorError> {
  try {
    await readAll(await file.open(range, { signal: noAbort() }));
  } catch (error) {
    if (error instanceof MirrorError) return error;
    throw error;
  }
  throw new Error("The mirror gave it");
}
