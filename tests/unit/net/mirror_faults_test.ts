/** Mirrors that break off, fall silent, lie about what they send, or send what is no HTTP. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { denoArgs } from "../../../scripts/deno_args.ts";
import { limits } from "../../../src/base/limits.ts";
import type { MirrorErrorCode } from "../../../src/http/mirror_error.ts";
import { ResumableRead } from "../../../src/http/resumable_read.ts";
import { content } from "../store/store_fixture.ts";
import {
  errorOf,
  FileServer,
  noAbort,
  type RawAnswer,
  RawServer,
  readAll,
  withMirrors,
} from "./mirror_fixture.ts";

const BYTES = content(300_000);
const OK = "HTTP/1.1 200 OK\r\n";
const PART = "HTTP/1.1 206 Partial Content\r\n";
const signal = noAbort();

/** The bytes of an answer. */
function answerOf(head: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(new TextEncoder().encode(head));
  bytes.set(body, head.length);
  return bytes;
}

/** Asks a server that always answers like this; with which error that ends, and its status. */
async function fault(
  answer: ReturnType<RawAnswer>,
  range: { readonly offset: number; readonly end?: number } = { offset: 0 },
): Promise<[MirrorErrorCode, number]> {
  await using server = new RawServer(() => answer);
  let told: [MirrorErrorCode, number] | undefined;
  await withMirrors(async (mirrors) => {
    const error = await errorOf(mirrors.file([server.url("/secret?path")]), range);
    assert(error.message.includes(server.host), error.message);
    assert(!error.message.includes("secret"), error.message);
    told = [error.code, error.status];
  });
  return told!;
}

Deno.test("MirrorFile.open() refuses what is no answer to it", async () => {
  assertEquals(await fault({ send: "" }), ["unreachable", 502]);
  assertEquals(await fault({ send: "no http at all\r\n\r\n" }), ["unreachable", 502]);
  assertEquals(await fault({ send: `${OK}Content-Length: -1\r\n\r\n` }), ["unreachable", 502]);
  const headers = "X: a\r\n".repeat(10_000);
  assertEquals(await fault({ send: `${OK}${headers}\r\n` }), ["unreachable", 502]);
  const long = `X: ${"a".repeat(4_000_000)}\r\n`;
  assertEquals((await fault({ send: `${OK}${long}\r\n` }))[0], "unreachable");
  assertEquals(await fault({ send: "HTTP/1.1 204 No Content\r\n\r\n" }), ["unusable", 502]);
  assertEquals(await fault({ send: "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n" }), [
    "refused",
    599,
  ]);
});

Deno.test("MirrorFile.open() keeps the bytes of a file that is said to be packed", () =>
  withMirrors(async (mirrors) => {
    for (const encoding of ["x-gzip", "gzip", "br", "identity"]) {
      const head = `Content-Encoding: ${encoding}\r\nContent-Length: ${BYTES.length}\r\n\r\n`;
      const send = answerOf(OK + head, BYTES);
      await using server = new RawServer(() => ({ send }));
      const body = await mirrors.file([server.url("/core.tar.gz")]).open({ offset: 0 }, { signal });
      assertEquals(await readAll(body), BYTES, encoding);
    }
  }));

Deno.test("MirrorFile.open() refuses a file that is bigger than a fetch accepts", async () => {
  const size = limits.fetchBytesMax + 1;
  const send = `${OK}Content-Length: ${size}\r\n\r\n`;
  assertEquals(await fault({ send, hold: true }), ["unusable", 502]);
  const range = `Content-Range: bytes 1-2/${size}\r\nContent-Length: 2\r\n\r\nbc`;
  assertEquals(await fault({ send: `${PART}${range}` }, { offset: 1, end: 3 }), ["unusable", 502]);
});

Deno.test("MirrorFile.open() begins with the first byte where a 206 is not what was asked for", () =>
  withMirrors(async (mirrors) => {
    const size = BYTES.length;
    const whole = (status: string) => {
      const head = `HTTP/1.1 ${status}\r\nContent-Length: ${size}\r\n`;
      return answerOf(`${head}\r\n`, BYTES);
    };
    const asked = { offset: 10, end: 20 };
    for (
      const range of [
        "bytes 11-19/300000",
        "bytes 10-19/15",
        "bytes 10-9/300000",
        "bytes 10-18/300000",
        "bytes 20-29/300000",
        "bytes */300000",
        "items 10-19/300000",
        "",
        null,
      ]
    ) {
      const line = range === null ? "" : `Content-Range: ${range}\r\n`;
      const part = `${PART}${line}Content-Length: 10\r\n\r\n0123456789`;
      await using server = new RawServer((head) => ({
        send: /^range:/im.test(head) ? part : whole("200 OK"),
      }));
      const file = mirrors.file([server.url()]);
      assertEquals(await readAll(await file.open(asked, { signal })), BYTES.subarray(10, 20));
      assertEquals(server.heads.map((head) => /^range:/im.test(head)), [true, false], `${range}`);
      // Not where only the part is of use.
      assertEquals((await errorOf(file, { ...asked, needsRange: true })).code, "no-range");
    }
    // A 206 with the whole, even to who asked for no part.
    await using odd = new RawServer(() => ({ send: whole("206 Partial Content") }));
    const file = mirrors.file([odd.url()]);
    const rest = await readAll(await file.open({ offset: 250_000 }, { signal }));
    assertEquals(rest, BYTES.subarray(250_000));
    assertEquals(await readAll(await file.open({ offset: 0 }, { signal })), BYTES);
  }));

Deno.test("MirrorFile.open() takes what it wants of a 206 that holds more than was asked for", () =>
  withMirrors(async (mirrors) => {
    const head = `${PART}Content-Range: bytes 5-99999/300000\r\nContent-Length: 99995\r\n\r\n`;
    const send = answerOf(head, BYTES.subarray(5, 100_000));
    await using server = new RawServer(() => ({ send }));
    const file = mirrors.file([server.url()]);
    const body = await file.open({ offset: 70_000, end: 90_000 }, { signal });
    assertEquals(await readAll(body), BYTES.subarray(70_000, 90_000));
    assertEquals(server.heads.length, 1);
    // All of it is not what was sent.
    assertEquals((await errorOf(file)).code, "unusable");
  }));

Deno.test("MirrorFile.open() asks the next mirror when one stalls, however much it gave", () =>
  withMirrors(async (mirrors) => {
    const stalling = () => {
      const half = answerOf(
        `${OK}Content-Length: ${BYTES.length}\r\n\r\n`,
        BYTES.subarray(0, 150_000),
      );
      return new RawServer(() => ({ send: half, hold: true }));
    };
    await using first = stalling();
    await using second = stalling();
    await using third = new FileServer(BYTES);
    third.lastModified = null;
    const read = async () => {
      const file = mirrors.file([first.url(), second.url(), third.url()]);
      let at = 0;
      const resumed = new ResumableRead(file, { next: () => ({ offset: at }), signal });
      for (let piece = await resumed.read(); piece !== null; piece = await resumed.read()) {
        assertEquals(piece.bytes, BYTES.subarray(at, at + piece.bytes.length));
        at += piece.bytes.length;
      }
      assertEquals(at, BYTES.length);
      return [first.heads.length, second.heads.length, third.requests.length];
    };
    assertEquals(await read(), [1, 1, 1]);
    // That they answer does not make up for it; other files are had elsewhere too.
    assertEquals(await read(), [1, 1, 2]);
    // Where all stall, that one is asked which did so first.
    const file = mirrors.file([second.url(), first.url()]);
    assertEquals(file.mirror, first.host);
  }));

Deno.test("MirrorBody.read() fails when less comes than was said", async () => {
  assertEquals(await fault({ send: `${OK}Content-Length: 10\r\n\r\nabc` }), ["broken", 502]);
  const chunked = `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`;
  assertEquals(await fault({ send: chunked }), ["broken", 502]);
  const range = `${PART}Content-Range: bytes 0-9/100\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const told = await fault({ send: `${range}3\r\nabc\r\n0\r\n\r\n` }, { offset: 0, end: 10 });
  assertEquals(told, ["broken", 502]);
});

Deno.test("MirrorBody.read() fails when more comes than was said", async () => {
  const range = `${PART}Content-Range: bytes 0-1/100\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const told = await fault({ send: `${range}3\r\nabc\r\n0\r\n\r\n` }, { offset: 0, end: 2 });
  assertEquals(told, ["broken", 502]);
});

Deno.test("MirrorFile.open() leaves a mirror that does not answer", async () => {
  assertEquals(await fault({ send: "", hold: true }), ["silent", 504]);
  assertEquals(await fault({ send: `${OK}Content-Le`, hold: true }), ["silent", 504]);
});

Deno.test("MirrorBody.read() fails when nothing comes any more", async () => {
  const send = `${OK}Content-Length: 10\r\n\r\nabc`;
  assertEquals(await fault({ send, hold: true }), ["silent", 504]);
});

Deno.test("MirrorBody.read() waits for as long as a mirror goes on, however slow that is", () =>
  withMirrors(async (mirrors) => {
    let left = 4;
    // Four pauses that together are longer than the silence that ends it.
    const drops = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 0.3 * mirrors.timeouts.silentMs));
        controller.enqueue(BYTES.subarray(0, 10));
        if (--left === 0) controller.close();
      },
    }, { highWaterMark: 0 });
    const headers = { "content-length": "40" };
    await using server = new FileServer(BYTES, () => new Response(drops, { headers }));
    using body = await mirrors.file([server.url()]).open({ offset: 0 }, { signal });
    assertEquals((await readAll(body)).length, 40);
  }));

Deno.test("MirrorFile.open() follows no redirect for ever, nor to another scheme", () =>
  withMirrors(async (mirrors) => {
    let location = "/again";
    await using server = new FileServer(
      BYTES,
      () => new Response("away", { status: 302, headers: location ? { location } : {} }),
    );
    const code = async () => (await errorOf(mirrors.file([server.url()]))).code;
    assertEquals(await code(), "unusable");
    assertEquals(server.requests.length, limits.mirrorRedirectsMax + 1);
    for (const other of ["file:///etc/passwd", "data:,x", "ftp://a/b", "http://", ""]) {
      location = other;
      assertEquals(await code(), "unusable", other);
    }
  }));

Deno.test("MirrorFile.open() asks the next mirror at once when one cannot be reached", () =>
  withMirrors(async (mirrors) => {
    const gone = new RawServer(() => ({ send: "" }));
    const url = gone.url();
    await gone[Symbol.asyncDispose]();
    await using server = new FileServer(BYTES);
    using body = await mirrors.file([url, server.url()]).open({ offset: 0 }, { signal });
    assertEquals(body.mirror, server.host);
  }));

Deno.test("MirrorFile.open() goes on with the rest after a mirror broke off", () =>
  withMirrors(async (mirrors) => {
    const half = 100_000;
    await using server = new RawServer((head, request) => {
      const asked = Number(/range: bytes=(\d+)-/i.exec(head)?.[1] ?? 0);
      const length = BYTES.length - asked;
      const range = `Content-Range: bytes ${asked}-${BYTES.length - 1}/${BYTES.length}\r\n`;
      const begin = asked === 0 ? OK : `${PART}${range}`;
      const sent = request === 1 ? BYTES.subarray(0, half) : BYTES.subarray(asked);
      const text = new TextEncoder().encode(`${begin}Content-Length: ${length}\r\n\r\n`);
      return { send: new Uint8Array([...text, ...sent]) };
    });
    const file = mirrors.file([server.url()]);
    const got: number[] = [];
    for (let offset = 0; offset < BYTES.length;) {
      const body = await file.open({ offset }, { signal });
      try {
        for (let data = await body.read(); data !== null; data = await body.read()) {
          assertEquals(data, BYTES.subarray(offset, offset + data.length));
          offset += data.length;
        }
      } catch (error) {
        assertEquals([(error as Error).name, offset], ["MirrorError", half]);
      }
      got.push(offset);
    }
    assertEquals(got, [half, BYTES.length]);
  }));

Deno.test("MirrorFile.open() gives a mirror up that breaks off again and again", () =>
  withMirrors(async (mirrors) => {
    await using server = new RawServer(() => ({ send: `${OK}Content-Length: 10\r\n\r\n` }));
    const file = mirrors.file([server.url()]);
    for (let i = 0; i < limits.mirrorRetriesMax; i++) {
      using body = await file.open({ offset: 0 }, { signal });
      await assertRejects(() => body.read(), Error, "Cannot read from mirror");
    }
    assertEquals((await errorOf(file)).code, "broken");
    assertEquals(server.heads.length, limits.mirrorRetriesMax);
  }));

Deno.test("MirrorFile.open() asks again after a pause when a mirror failed in the middle", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(
      BYTES,
      (_request, { requests }) =>
        requests.length === 2 ? new Response(null, { status: 500 }) : undefined,
    );
    const file = mirrors.file([server.url()]);
    const body = await file.open({ offset: 0 }, { signal });
    const { length } = (await body.read())!;
    body.cancel();
    const rest = await file.open({ offset: length }, { signal });
    assertEquals(await readAll(rest), BYTES.subarray(length));
    assertEquals(server.requests.length, 3);
    // Before anything came, the first failure of all is the answer.
    server.requests.length = 1;
    const fresh = mirrors.file([server.url()]);
    assertEquals((await errorOf(fresh)).status, 500);
    assertEquals(server.requests.length, 2);
  }));

Deno.test("MirrorFile.open() and its body end with the reason of the signal", () =>
  withMirrors(async (mirrors) => {
    await using silent = new RawServer(() => ({ send: "", hold: true }));
    await using begun = new RawServer(() => ({
      send: `${OK}Content-Length: 9\r\n\r\nabc`,
      hold: true,
    }));
    const before = new AbortController(), during = new AbortController();
    const opening = mirrors.file([silent.url()]).open({ offset: 0 }, before);
    before.abort(new Error("first"));
    await assertRejects(() => opening, Error, "first");
    await assertRejects(
      () => mirrors.file([silent.url()]).open({ offset: 0 }, before),
      Error,
      "first",
    );
    const body = await mirrors.file([begun.url()]).open({ offset: 0 }, during);
    assertEquals((await body.read())!.length, 3);
    const reading = body.read();
    during.abort(new Error("second"));
    await assertRejects(() => reading, Error, "second");
    // Nor does what came look like all of it afterwards.
    await assertRejects(() => body.read(), Error, "second");
    const between = new AbortController();
    const other = await mirrors.file([begun.url()]).open({ offset: 0 }, between);
    assertEquals((await other.read())!.length, 3);
    between.abort(new Error("third"));
    await assertRejects(() => other.read(), Error, "third");
  }));

Deno.test("MirrorBody.cancel() ends the read that waits, and frees the connection", () =>
  withMirrors(async (mirrors) => {
    await using server = new RawServer(() => ({
      send: `${OK}Content-Length: 9\r\n\r\nabc`,
      hold: true,
    }));
    const body = await mirrors.file([server.url()]).open({ offset: 0 }, { signal });
    assertEquals((await body.read())!.length, 3);
    const reading = body.read();
    body.cancel();
    await assertRejects(() => reading, DOMException);
    assertEquals(await body.read(), null);
  }));

Deno.test("MirrorBody.read() ends with the last byte, even if nothing says that it was the last", () =>
  withMirrors(async (mirrors) => {
    await using server = new RawServer(() => ({
      send: `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
      hold: true,
    }));
    const file = mirrors.file([server.url()], { sizeBytes: 3 });
    const body = await file.open({ offset: 0 }, { signal });
    assertEquals(await body.read(), new TextEncoder().encode("abc"));
    assertEquals(await body.read(), null);
    assertEquals([file.mirror, server.heads.length], [server.host, 1]);
  }));

Deno.test("MirrorBody.read() fails when more comes behind the last byte", () =>
  withMirrors(async (mirrors) => {
    await using server = new RawServer(() => ({
      send: `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n`,
    }));
    const error = await errorOf(mirrors.file([server.url()], { sizeBytes: 3 }));
    assertEquals(error.code, "broken");
  }));

Deno.test("MirrorBody.cancel() leaves the connection to the next request once all bytes are here", () =>
  withMirrors(async (mirrors) => {
    const ports = new Set<number>();
    const listener = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (_request, { remoteAddr }) => {
        ports.add(remoteAddr.port);
        return new Response(BYTES.subarray(0, 1_000));
      },
    );
    const file = mirrors.file([`http://127.0.0.1:${listener.addr.port}/file`]);
    for (let i = 0; i < 3; i++) {
      const body = await file.open({ offset: 0 }, { signal });
      let bytes = 0;
      while (bytes < 1_000) bytes += (await body.read())!.length;
      body.cancel();
      // The end is waited for meanwhile, so that the connection is free by then.
      assertEquals(await body.read(), null);
    }
    assertEquals(ports.size, 1);
    await listener.shutdown();
  }));

Deno.test("MirrorBody.read() ends when it is aborted, or silent, after a garbage collection too", async () => {
  // Only there can a test have garbage collected.
  const script = new URL("./mirror_gc_child.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net", "--v8-flags=--expose-gc", ...denoArgs(), script],
    stdin: "null",
  }).output();
  const [out, problem] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(success, problem);
  assertEquals(out!.trim().split("\n"), [
    "aborted: enough",
    "closed: The node ends",
    "silent: silent",
  ]);
});
