// A file straight from a mirror: from real servers on loopback, that behave or do not.

import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FetchFailure } from "../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { fetchDirect } from "../../../src/http/direct_fetch.ts";
import { fileOrigin, mirrorOrigin } from "../../../src/http/origin.ts";
import type { FetchEvent, FetchRequest } from "../../../src/client/types.ts";
import { inFolder } from "../cli/in_folder.ts";
import { requestFor } from "../../support/fetch_request.ts";

const BYTES = seededRandom(3).bytes(40 * CHUNK_BYTES + 7);
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

/** A server of one file; `behave` may answer in its own way. */
class Server implements AsyncDisposable {
  readonly ranges: (string | null)[] = [];
  readonly url: URL;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(behave: (request: Request, n: number) => Response | undefined = () => undefined) {
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen() {},
      // Those that break off do so on purpose.
      onError: () => new Response(null, { status: 500 }),
    }, (request) => {
      this.ranges.push(request.headers.get("range"));
      return behave(request, this.ranges.length) ?? answer(request);
    });
    this.url = new URL(`http://127.0.0.1:${this.#server.addr.port}/a.pkg`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** What a server answers that knows ranges. */
function answer(request: Request, bytes: Uint8Array<ArrayBuffer> = BYTES): Response {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  if (match === null) return new Response(bytes);
  const first = Number(match[1]);
  const end = match[2] === "" ? bytes.length : Math.min(bytes.length, Number(match[2]) + 1);
  if (first >= bytes.length) {
    return new Response(null, {
      status: 416,
      headers: { "content-range": `bytes */${bytes.length}` },
    });
  }
  const headers = { "content-range": `bytes ${first}-${end - 1}/${bytes.length}` };
  return new Response(bytes.slice(first, end), { status: 206, headers });
}

/** An answer that breaks off after `length` bytes. */
function broken(request: Request, length: number): Response {
  const whole = answer(request);
  const total = request.headers.has("range")
    ? BYTES.length - Number(/\d+/.exec(request.headers.get("range")!)![0])
    : BYTES.length;
  const from = BYTES.length - total;
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(BYTES.slice(from, from + length));
    },
    pull(controller) {
      controller.error(new Error("broken off on purpose"));
    },
  });
  const headers = new Headers(whole.headers);
  headers.set("content-length", String(total));
  whole.body?.cancel();
  return new Response(stream, { status: whole.status, headers });
}

function request(fields: Partial<FetchRequest> = {}): FetchRequest {
  return requestFor("a.pkg", { deliver: true, ...fields });
}

/** Fetches `url` over what is in `part`, and gives what is there in the end. */
async function got(
  url: URL,
  options: {
    readonly part?: Uint8Array;
    readonly request?: Partial<FetchRequest>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<{ bytes: Uint8Array; events: FetchEvent["kind"][]; fetched: number }> {
  let result: Uint8Array = new Uint8Array();
  const events: FetchEvent["kind"][] = [];
  let fetched = 0;
  await inFolder(async (folder) => {
    const path = `${folder}/x.part`;
    await Deno.writeFile(path, options.part ?? new Uint8Array());
    using origin: ReturnType<typeof originOf> = originOf(url);
    const signal = options.signal ?? new AbortController().signal;
    const wanted = request(options.request);
    const base = (wanted.chunks?.first ?? 0) * CHUNK_BYTES;
    using file = await Deno.open(path, { write: true });
    for await (const event of fetchDirect(wanted, { origin, partPath: path, signal })) {
      if (events.at(-1) !== event.kind) events.push(event.kind);
      if (event.kind === "restarted") await file.truncate(0);
      if (event.kind !== "data") continue;
      fetched += event.bytes.length;
      await file.seek(event.offset - base, Deno.SeekMode.Start);
      for (let done = 0; done < event.bytes.length;) {
        done += await file.write(event.bytes.subarray(done));
      }
    }
    result = await Deno.readFile(path);
  });
  return { bytes: result, events, fetched };
}

function originOf(url: URL) {
  if (url.protocol === "file:") return { ...fileOrigin(url), [Symbol.dispose]() {} };
  return mirrorOrigin(url, { log: silentLogger });
}

async function failure(url: URL, options: Parameters<typeof got>[1] = {}): Promise<FetchFailure> {
  return await assertRejects(() => got(url, options), FetchFailure);
}

Deno.test("fetchDirect() gets a file and checks it", async () => {
  await using server = new Server();
  const { bytes, events } = await got(server.url, { request: { sha256: SHA256 } });
  assertEquals(bytes, BYTES);
  assertEquals([events[0], events.at(-1)], ["found", "done"]);
  assertEquals(server.ranges, [null]);
});

Deno.test("fetchDirect() goes on from what is there, with a few bytes of overlap", async () => {
  await using server = new Server();
  const part = BYTES.slice(0, 300_001);
  const { bytes, fetched } = await got(server.url, { part, request: { sha256: SHA256 } });
  assertEquals(bytes, BYTES);
  assertEquals(fetched, BYTES.length - part.length);
  assertEquals(server.ranges, [`bytes=${part.length - 4_096}-`]);
});

Deno.test("fetchDirect() fetches next to nothing of a file that is there whole", async () => {
  await using server = new Server();
  const { bytes, fetched } = await got(server.url, { part: BYTES, request: { sha256: SHA256 } });
  assertEquals([bytes, fetched], [BYTES, 0]);
});

Deno.test("fetchDirect() starts over where what is there is of another file", async () => {
  const other = BYTES.slice(0, 200_000).map((byte) => byte ^ 1);
  // The end is right and something before it is not: only the check of the whole can tell.
  const subtle = BYTES.slice(0, 200_000);
  subtle[5] = subtle[5]! ^ 1;
  const longer = new Uint8Array([...BYTES, 1, 2, 3]);
  await using server = new Server();
  for (const part of [other, subtle, longer]) {
    const { bytes, events } = await got(server.url, { part, request: { sha256: SHA256 } });
    assertEquals(bytes, BYTES);
    assert(events.includes("restarted"), events.join());
  }
});

Deno.test("fetchDirect() starts over where a server ignores ranges", async () => {
  const long = seededRandom(4).bytes(3_000_000);
  await using server = new Server(() => new Response(long));
  const { bytes } = await got(server.url, { part: long.slice(0, 2_500_000) });
  assertEquals(bytes.length, long.length);
  assertEquals(bytes, long);
});

Deno.test("fetchDirect() asks for the rest when a server breaks off", async () => {
  await using server = new Server((request, n) => n <= 2 ? broken(request, 100_000) : undefined);
  const { bytes } = await got(server.url, { request: { sha256: SHA256 } });
  assertEquals(bytes, BYTES);
  assertEquals(server.ranges, [null, "bytes=100000-", "bytes=200000-"]);
});

Deno.test("fetchDirect() fails in the end with a server that always breaks off", async () => {
  await using server = new Server((request) => broken(request, 0));
  const { exit, message } = await failure(server.url);
  assertEquals(exit, "failed");
  assertStringIncludes(message, `127.0.0.1:${server.url.port}`);
});

Deno.test("fetchDirect() tells how a server refuses", async () => {
  await using missing = new Server(() => new Response(null, { status: 404 }));
  const none = await failure(missing.url);
  assertEquals([none.exit, none.message], [
    "notFound",
    `127.0.0.1:${missing.url.port} has no a.pkg (404)`,
  ]);
  const headers = { "retry-after": "7" };
  await using busy = new Server(() => new Response(null, { status: 503, headers }));
  const later = await failure(busy.url);
  assertEquals([later.exit, later.upstream], ["failed", { status: 503, retryAfter: "7" }]);
  assertStringIncludes(later.message, "try again after 7");
});

Deno.test("fetchDirect() refuses a whole file that is not the one that is wanted", async () => {
  await using server = new Server();
  const wrong = "0".repeat(64);
  const { exit, message } = await failure(server.url, { request: { sha256: wrong } });
  assertEquals(exit, "checkFailed");
  assertStringIncludes(message, `its SHA-256 is ${SHA256}, not ${wrong}`);
  const size = await failure(server.url, { request: { sizeBytes: 5 } });
  assertEquals(size.exit, "checkFailed");
  assertStringIncludes(size.message, `${BYTES.length} bytes, not 5`);
});

Deno.test("fetchDirect() gets a range of chunks and no more", async () => {
  await using server = new Server();
  const { bytes, fetched } = await got(server.url, {
    request: { chunks: { first: 39, count: 2 } },
  });
  assertEquals(bytes, BYTES.slice(39 * CHUNK_BYTES));
  assertEquals(fetched, CHUNK_BYTES + 7);
  assertEquals(server.ranges, [`bytes=${39 * CHUNK_BYTES}-${41 * CHUNK_BYTES - 1}`]);
});

Deno.test("fetchDirect() refuses chunks behind the end of the file", async () => {
  await using server = new Server();
  const request = { chunks: { first: 39, count: 3 } };
  const { exit, message } = await failure(server.url, { request });
  assertEquals(exit, "usage", message);
  assertStringIncludes(message, "the file has 41 (0-40)");
});

Deno.test("fetchDirect() ends at once when it is aborted", async () => {
  const abort = new AbortController();
  await using server = new Server(() => {
    abort.abort(new FetchFailure("failed", "Ended by a test"));
    return undefined;
  });
  const error = await assertRejects(() => got(server.url, { signal: abort.signal }));
  assertEquals(error, abort.signal.reason);
});

Deno.test("fetchDirect() copies a file of this machine, and goes on from what is there", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a b`;
    await Deno.writeFile(path, BYTES);
    const url = new URL(`file://${folder}/a%20b`);
    const { bytes, fetched } = await got(url, {
      part: BYTES.slice(0, 100_000),
      request: { sha256: SHA256 },
    });
    assertEquals([bytes, fetched], [BYTES, BYTES.length - 100_000]);
    const none = await failure(new URL(`file://${folder}/none`));
    assertEquals([none.exit, none.message], ["notFound", `There is no file ${folder}/none`]);
    assertStringIncludes((await failure(new URL(`file://${folder}`))).message, "it is not a file");
  });
});
