// A mirror behind a thin line: an HTTP server for one folder whose connections share a rate, and that
// counts the bytes it gave. It knows ranges and nothing else; as a fast mirror there is nginx.

const BLOCK_BYTES = 65_536;
/** Turns shorter than this are not worth a timer. */
const TURN_MS = 4;
/** What was not used for so long is made up for: timers come late, and one client must get it all. */
const CREDIT_MS = 25;

/** A mirror that is ready. */
export class PacedMirror implements AsyncDisposable {
  /** Its root, without a slash at the end. */
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #folder: string;
  readonly #bytesPerSecond: number;
  #bytesGiven = 0;
  /** When the line is free again. */
  #freeAtMs = 0;

  /** @param options.bytesPerSecond Of all connections together; infinite by default. */
  constructor(folder: string, options: { readonly bytesPerSecond?: number } = {}) {
    this.#folder = folder;
    this.#bytesPerSecond = options.bytesPerSecond ?? Infinity;
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
    }, (request) => this.#answer(request));
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Bytes of bodies since its start. */
  get bytesGiven(): number {
    return this.#bytesGiven;
  }

  async #answer(request: Request): Promise<Response> {
    const path = `${this.#folder}${new URL(request.url).pathname}`;
    let file: Deno.FsFile;
    try {
      file = await Deno.open(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return new Response(null, { status: 404 });
    }
    const { size, mtime } = await file.stat();
    const etag = `"${size.toString(16)}-${mtime!.getTime().toString(16)}"`;
    const asked = rangeOf(request, { size, etag });
    const { first, end } = asked ?? { first: 0, end: size };
    const headers: Record<string, string> = {
      "accept-ranges": "bytes",
      "content-length": `${end - first}`,
      "content-type": "application/octet-stream",
      "etag": etag,
      "last-modified": mtime!.toUTCString(),
    };
    if (asked !== undefined) headers["content-range"] = `bytes ${first}-${end - 1}/${size}`;
    const status = asked === undefined ? 200 : 206;
    if (request.method === "HEAD") {
      file.close();
      return new Response(null, { status, headers });
    }
    await file.seek(first, Deno.SeekMode.Start);
    return new Response(this.#body(file, end - first), { status, headers });
  }

  #body(file: Deno.FsFile, bytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
    let left = bytes;
    return new ReadableStream({
      pull: async (controller) => {
        const block = new Uint8Array(Math.min(BLOCK_BYTES, left));
        const count = block.length === 0 ? null : await file.read(block);
        if (count === null) {
          file.close();
          controller.close();
          return;
        }
        await this.#turn(count);
        this.#bytesGiven += count;
        left -= count;
        controller.enqueue(block.subarray(0, count));
      },
      cancel: () => file.close(),
    }, { highWaterMark: 0 });
  }

  /** Waits until the line has carried what was to go before, and takes it for `bytes` more. */
  async #turn(bytes: number): Promise<void> {
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs - CREDIT_MS) +
      1000 * bytes / this.#bytesPerSecond;
    const waitMs = this.#freeAtMs - nowMs;
    if (waitMs >= TURN_MS) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** The range that is to be sent; undefined for the whole. */
function rangeOf(
  request: Request,
  { size, etag }: { readonly size: number; readonly etag: string },
): { first: number; end: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  const condition = request.headers.get("if-range");
  if (match === null || (condition !== null && condition !== etag)) return undefined;
  const first = Number(match[1]);
  const end = match[2] === "" ? size : Math.min(size, Number(match[2]) + 1);
  return first < end ? { first, end } : undefined;
}
