/** A mirror on loopback that counts what it is asked, and can be told to fail. */

/** One file of it. */
export interface MirrorFileState {
  bytes: Uint8Array<ArrayBuffer>;
  etag?: string;
  lastModified?: string;
}

/** An HTTP server with files. */
export class CountingMirror implements AsyncDisposable {
  readonly files = new Map<string, MirrorFileState>();
  readonly asked: { readonly method: string; readonly path: string; readonly headers: Headers }[] =
    [];
  /** Answers instead of the files, if set. */
  fault: ((request: Request) => Response | Promise<Response> | undefined) | undefined;
  #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(port = 0) {
    this.#server = this.#listen(port);
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  count(path: string): number {
    return this.asked.filter((one) => one.path === path).length;
  }

  /** Nobody listens any more. */
  async die(): Promise<void> {
    await this.#server.shutdown();
  }

  /** Listens again on the same port. */
  live(): void {
    this.#server = this.#listen(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    const options = { hostname: "127.0.0.1", port, onListen() {}, onError: () => new Response() };
    return Deno.serve(options, async (request) => {
      const path = new URL(request.url).pathname;
      this.asked.push({ method: request.method, path, headers: request.headers });
      return await this.fault?.(request) ?? this.#give(request, this.files.get(path));
    });
  }

  #give(request: Request, file: MirrorFileState | undefined): Response {
    if (file === undefined) return new Response("no such file", { status: 404 });
    const { bytes, etag, lastModified } = file;
    const headers = new Headers({ "cache-control": "no-transform", "accept-ranges": "bytes" });
    if (etag !== undefined) headers.set("etag", etag);
    if (lastModified !== undefined) headers.set("last-modified", lastModified);
    const known = request.headers.get("if-none-match");
    const isSame = known !== null
      ? known === etag
      : lastModified !== undefined && request.headers.get("if-modified-since") === lastModified;
    if (isSame) return new Response(null, { status: 304, headers });
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    const start = match === null ? 0 : Number(match[1]);
    const end = match?.[2] ? Math.min(Number(match[2]) + 1, bytes.length) : bytes.length;
    if (match !== null && start >= bytes.length) {
      headers.set("content-range", `bytes */${bytes.length}`);
      return new Response(null, { status: 416, headers });
    }
    if (match !== null) headers.set("content-range", `bytes ${start}-${end - 1}/${bytes.length}`);
    headers.set("content-length", `${end - start}`);
    const body = request.method === "HEAD" ? null : bytes.slice(start, end);
    return new Response(body, { status: match === null ? 200 : 206, headers });
  }
}
