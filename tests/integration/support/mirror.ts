// A mirror: serves the files below a folder over HTTP, as a good web server does, counts what it gave
// to whom, and misbehaves on command (`mirror_faults.ts`). It speaks HTTP/1.1 over plain TCP itself,
// because no HTTP library lies about lengths or falls silent on demand. It runs in the test process,
// or in one of its own (`mirror_process.ts`).

import { type FaultRule, Faults, type MirrorFault } from "./mirror_faults.ts";
import { type HttpRequest, RequestReader } from "./http_request.ts";
import { type Entity, entityOf, isNotModified, rangeFor } from "./mirror_entity.ts";
import { SharedLine } from "./shared_line.ts";
import { waitUntil } from "./wait.ts";

/** A path that says which machine asks; the rest is what it asks for. */
const MACHINE_PATH = /^\/~([^/]+)(\/.*)$/;
/** Bytes written at a time: the count is right to so many, as far as the system's buffers go. */
const PIECE_BYTES = 16 * 1024;

/** One request and what came of it. */
export interface MirrorRequest {
  readonly method: string;
  /** Path without query, and without what says which machine asks. */
  readonly path: string;
  /** Which machine asked; empty where the URL did not say. */
  readonly machine: string;
  /** Headers of the request, names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** 0 while, or when, nothing was answered. */
  status: number;
  /** Where in the file the body begins. */
  offset: number;
  /** Bytes of the body that the client's side took. */
  bytes: number;
  /** Whether the answer was given to its end. */
  isWhole: boolean;
}

/** Serves files; disposing ends all connections. */
export class Mirror implements AsyncDisposable {
  /** Everything that was ever asked, in order. */
  readonly requests: MirrorRequest[] = [];
  readonly #root: string;
  readonly #faults = new Faults();
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #port: number;
  #listener: Deno.TcpListener | undefined;
  #work = new Set<Promise<void>>();
  readonly #line = new SharedLine();
  /** Answers under way, by machine. */
  readonly #answering = new Map<string, number>();

  private constructor(root: string, listener: Deno.TcpListener) {
    this.#root = root;
    this.#port = listener.addr.port;
    this.#listen(listener);
  }

  /** Serves what is below `root`, on a free port. */
  static start(root: string): Mirror {
    return new Mirror(root, Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  }

  /** `http://HOST:PORT`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The same for one machine: what asks there is counted under its name. */
  urlFor(machine: string): string {
    return `${this.url}/~${machine}`;
  }

  /** Bytes of packages that it gave: everything but databases and signatures. */
  get packageBytes(): number {
    return this.bytesOf(/\.pkg\.tar\.[a-z0-9]+$/);
  }

  /** Bytes of bodies that it gave of the paths that match. */
  bytesOf(path: RegExp | string): number {
    return this.requestsOf(path).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Requests for the paths that match. */
  requestsOf(path: RegExp | string): MirrorRequest[] {
    return this.requests.filter((request) =>
      typeof path === "string" ? request.path === path : path.test(request.path)
    );
  }

  /** Forgets what was counted. */
  forget(): void {
    this.requests.length = 0;
  }

  /** Waits until it has given so many bytes of the paths that match. */
  async gave(path: RegExp | string, bytes: number): Promise<void> {
    await waitUntil(() => this.bytesOf(path) >= bytes, {
      what: `${bytes} bytes of ${path} to be given`,
      everyMs: 5,
    });
  }

  /** Misbehaves from now on, for all paths or those that match; returns the end of it. */
  misbehave(fault: MirrorFault, rule: FaultRule = {}): () => void {
    return this.#faults.add(fault, rule);
  }

  /** Behaves from now on. */
  behave(): void {
    this.#faults.clear();
  }

  /** Dies: no connection is accepted, those that there are break. */
  async die(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    for (const connection of this.#connections) closeQuietly(connection);
    await Promise.all(this.#work);
  }

  /** Comes back on the same port. */
  comeBack(): void {
    if (this.#listener !== undefined) return;
    this.#listen(Deno.listen({ hostname: "127.0.0.1", port: this.#port }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.die();
  }

  #listen(listener: Deno.TcpListener): void {
    this.#listener = listener;
    this.#track(async () => {
      for await (const connection of listener) {
        this.#track(() => this.#serve(connection));
      }
    });
  }

  #track(work: () => Promise<void>): void {
    const running: Promise<void> = work().finally(() => this.#work.delete(running));
    this.#work.add(running);
  }

  /** Answers the requests of one connection until either side ends it. */
  async #serve(connection: Deno.TcpConn): Promise<void> {
    this.#connections.add(connection);
    try {
      connection.setNoDelay(true);
      const reader = new RequestReader(connection);
      for (;;) {
        const request = await reader.next();
        if (request === null || !await this.#answer(connection, request)) return;
      }
    } catch (error) {
      if (!isEndOfConnection(error)) throw error;
    } finally {
      this.#connections.delete(connection);
      closeQuietly(connection);
    }
  }

  /** Answers one request; false when the connection is to be closed. */
  async #answer(connection: Deno.TcpConn, request: HttpRequest): Promise<boolean> {
    const [, machine = "", path = request.path] = MACHINE_PATH.exec(request.path) ?? [];
    const record: MirrorRequest = {
      method: request.method,
      path,
      machine,
      headers: request.headers,
      status: 0,
      offset: 0,
      bytes: 0,
      isWhole: false,
    };
    this.requests.push(record);
    const answering = this.#answering.get(machine) ?? 0;
    this.#answering.set(machine, answering + 1);
    try {
      const fault = this.#faults.of(record);
      const isBusy = answering >= (fault.answersMax ?? Infinity);
      return await this.#answerAs(connection, record, isBusy ? { status: 503 } : fault);
    } finally {
      this.#answering.set(machine, this.#answering.get(machine)! - 1);
    }
  }

  /** Answers a request that is on record, with this fault. */
  async #answerAs(
    connection: Deno.TcpConn,
    record: MirrorRequest,
    fault: MirrorFault,
  ): Promise<boolean> {
    if (fault.isSilent === true) {
      await untilClosed(connection);
      return false;
    }
    const head = async (status: number, headers: Readonly<Record<string, string | number>>) => {
      record.status = status;
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const text = `HTTP/1.1 ${status} Status\r\nServer: mirror\r\n${lines.join("")}\r\n`;
      await writeAll(connection, new TextEncoder().encode(text));
    };
    const end = async (status: number, headers: Readonly<Record<string, string | number>> = {}) => {
      await head(status, { "Content-Length": 0, ...headers });
      record.isWhole = true;
      return true;
    };
    if (fault.redirectTo !== undefined) {
      return await end(302, { Location: fault.redirectTo.replaceAll("{path}", record.path) });
    }
    if (fault.status !== undefined) {
      const body = new TextEncoder().encode(`<html>${fault.status}</html>\n`);
      const later = fault.retryAfter === undefined ? {} : { "Retry-After": fault.retryAfter };
      await head(fault.status, {
        "Content-Type": "text/html",
        "Content-Length": body.length,
        ...later,
      });
      if (record.method !== "HEAD") await writeAll(connection, body);
      record.isWhole = true;
      return true;
    }
    if (record.method !== "GET" && record.method !== "HEAD") return await end(405);
    const entity = await entityOf(this.#root, record.path);
    if (entity === null) return await end(404);
    const hasValidators = fault.validators !== "none";
    const validators = {
      ...(fault.validators === undefined ? { "ETag": entity.etag } : {}),
      ...(hasValidators ? { "Last-Modified": entity.lastModified } : {}),
    };
    if (hasValidators && isNotModified(entity, record.headers)) {
      await head(304, validators);
      record.isWhole = true;
      return true;
    }
    const range = fault.ranges === "none" ? null : rangeFor(entity, record.headers);
    if (range === "unsatisfiable") {
      return await end(416, { "Content-Range": `bytes */${entity.sizeBytes}` });
    }
    const { start, end: stop } = range === null || fault.part === "whole"
      ? { start: 0, end: entity.sizeBytes }
      : range;
    record.offset = start;
    await head(range === null ? 200 : 206, {
      ...validators,
      ...(fault.contentEncoding === undefined ? {} : { "Content-Encoding": fault.contentEncoding }),
      "Content-Type": "application/octet-stream",
      "Content-Length": Math.max(0, stop - start + (fault.lengthOff ?? 0)),
      ...(fault.ranges === "none" ? {} : { "Accept-Ranges": "bytes" }),
      ...(range === null ? {} : contentRange(range, entity, fault)),
    });
    if (record.method === "HEAD") {
      record.isWhole = true;
      return true;
    }
    return await this.#body(connection, { entity, start, stop, fault, record });
  }

  /** Sends a body; false when the connection is to be closed. */
  async #body(
    connection: Deno.TcpConn,
    { entity, start, stop, fault, record }: {
      readonly entity: Entity;
      readonly start: number;
      readonly stop: number;
      readonly fault: MirrorFault;
      readonly record: MirrorRequest;
    },
  ): Promise<boolean> {
    using _body = this.#line.body();
    using file = await Deno.open(entity.path);
    await file.seek(start, Deno.SeekMode.Start);
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = start; at < stop;) {
      const sent = at - start;
      const until = Math.min(
        stop - at,
        (fault.breakOffAfterBytes ?? Infinity) - sent,
        (fault.silentAfterBytes ?? Infinity) - sent,
      );
      if (until <= 0) {
        if (sent >= (fault.silentAfterBytes ?? Infinity)) await untilClosed(connection);
        return false;
      }
      const read = await file.read(piece.subarray(0, Math.min(PIECE_BYTES, until)));
      if (read === null) throw new Error(`${entity.path} became shorter`);
      const bytes = piece.subarray(0, read);
      spoil(bytes, at, fault.flippedBytes ?? []);
      if (fault.bytesPerSecond !== undefined) await this.#line.turn(read, fault.bytesPerSecond);
      await writeAll(connection, bytes);
      record.bytes += read;
      at += read;
    }
    // What is more or less than was said cannot be followed by another answer.
    if (fault.lengthOff !== undefined) return false;
    record.isWhole = true;
    return true;
  }
}

/** What a 206 says which part it is. */
function contentRange(
  { start, end }: { readonly start: number; readonly end: number },
  { sizeBytes }: Entity,
  { part }: MirrorFault,
): Readonly<Record<string, string>> {
  if (part === "unsaid") return {};
  const text = `bytes ${start}-${end - 1}/${sizeBytes}`;
  return { "Content-Range": part === "malformed" ? text.replace("-", " to ") : text };
}

/** Changes the bytes at these offsets of the file, as far as they are in `bytes`, which begins at `at`. */
function spoil(bytes: Uint8Array, at: number, offsets: readonly number[]): void {
  for (const offset of offsets) {
    if (offset >= at && offset < at + bytes.length) bytes[offset - at]! ^= 0xff;
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Waits until the other side, or the mirror, ends the connection. */
async function untilClosed(connection: Deno.TcpConn): Promise<void> {
  const ignored = new Uint8Array(1_024);
  while (await connection.read(ignored) !== null);
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch { /* It is closed. */ }
}

function isEndOfConnection(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected;
}
