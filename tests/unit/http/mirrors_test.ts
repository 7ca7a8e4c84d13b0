/** Files at mirrors that answer as they should, and which of several is asked. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import type { ByteRange } from "../../../src/http/resumable_read.ts";
import { content } from "../store/store_fixture.ts";
import {
  errorOf,
  FileServer,
  noAbort,
  RawServer,
  readAll,
  withMirrors,
} from "../net/mirror_fixture.ts";

const BYTES = content(300_000);
const signal = noAbort();

Deno.test("MirrorFile.open() gives the whole file, or the part that is asked for", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    const file = mirrors.file([server.url()]);
    using whole = await file.open({ offset: 0 }, { signal });
    assertEquals(
      [
        whole.mirror,
        whole.offset,
        whole.sizeBytes,
        whole.validators.etag,
        whole.validators.lastModified,
      ],
      [server.host, 0, BYTES.length, '"one"', "Tue, 01 Jul 2025 10:00:00 GMT"],
    );
    assertEquals(await readAll(whole), BYTES);
    const part = await file.open({ offset: 1_000, end: 70_000 }, { signal });
    assertEquals([part.offset, part.sizeBytes], [1_000, BYTES.length]);
    assertEquals(await readAll(part), BYTES.subarray(1_000, 70_000));
    const rest = await file.open({ offset: 299_999 }, { signal });
    assertEquals(await readAll(rest), BYTES.subarray(299_999));
    assertEquals(file.bytesGiven.get(server.host), BYTES.length + 69_000 + 1);
    const [first, second] = server.requests;
    assertEquals(first!.headers.get("range"), null);
    assertEquals(first!.headers.get("accept-encoding"), "identity");
    assert(/^pacsrv\/\d/.test(first!.headers.get("user-agent")!));
    assertEquals(second!.headers.get("range"), "bytes=1000-69999");
    assertEquals(second!.headers.get("if-range"), '"one"');
  }));

Deno.test("MirrorFile.open() gives nothing more when the offset is the end of the file", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    using body = await mirrors.file([server.url()]).open({ offset: BYTES.length }, { signal });
    assertEquals([body.sizeBytes, await body.read()], [BYTES.length, null]);
    const past = await errorOf(mirrors.file([server.url()]), { offset: BYTES.length + 1 });
    assertEquals([past.code, past.status], ["changed", 416]);
  }));

Deno.test("MirrorFile.open() gives a file whose size the mirror does not say", () =>
  withMirrors(async (mirrors) => {
    const parts = () => ReadableStream.from([BYTES.subarray(0, 9), BYTES.subarray(9)]);
    await using server = new FileServer(BYTES, () => new Response(parts()));
    using body = await mirrors.file([server.url()]).open({ offset: 0 }, { signal });
    assertEquals(body.sizeBytes, null);
    assertEquals(await readAll(body), BYTES);
  }));

Deno.test("MirrorFile.open() gives an empty file", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(new Uint8Array());
    using body = await mirrors.file([server.url()]).open({ offset: 0 }, { signal });
    assertEquals([body.sizeBytes, await body.read()], [0, null]);
  }));

Deno.test("MirrorFile.open() skips a little where a mirror knows no ranges, and no more", () =>
  withMirrors(async (mirrors) => {
    const bytes = content(limits.mirrorSkipBytes + 100_000);
    const whole = (_: Request, { bytes }: FileServer) => new Response(bytes);
    await using server = new FileServer(bytes, whole);
    const file = mirrors.file([server.url()]);
    const near = await file.open({ offset: 70_000 }, { signal });
    assertEquals(await readAll(near), bytes.subarray(70_000));
    const part = await file.open({ offset: 0, end: 50_000 }, { signal });
    assertEquals(await readAll(part), bytes.subarray(0, 50_000));
    const far = limits.mirrorSkipBytes + 1;
    assertEquals((await errorOf(file, { offset: far })).code, "no-range");
    // It can still be had from its beginning.
    assertEquals(await readAll(await file.open({ offset: 0 }, { signal })), bytes);
  }));

Deno.test("MirrorFile.open() uses the whole that comes in place of a part, as far as that may go on", () =>
  withMirrors(async (mirrors) => {
    const bytes = content(limits.mirrorSkipBytes + 100_000);
    const whole = (_: Request, { bytes }: FileServer) => new Response(bytes);
    await using server = new FileServer(bytes, whole);
    const file = mirrors.file([server.url()]);
    const open = async (range: ByteRange) => {
      const body = await file.open(range, { signal });
      return [body.offset, body.goesFurther, await readAll(body)];
    };
    const part = { offset: 7, end: 50_000 };
    assertEquals(await open(part), [7, false, bytes.subarray(7, 50_000)]);
    const further = { ...part, mayGoOnTo: Infinity };
    assertEquals(await open(further), [7, true, bytes.subarray(7)]);
    const little = { ...part, mayGoOnTo: 60_000 };
    assertEquals(await open(little), [7, true, bytes.subarray(7, 60_000)]);
    const far = { offset: limits.mirrorSkipBytes + 1, mayReread: true };
    assertEquals(await open(far), [0, false, bytes]);
    assertEquals(server.requests.length, 4);
  }));

Deno.test("MirrorFile.open() asks a mirror that ignored a range no more for what has to be one", () =>
  withMirrors(async (mirrors) => {
    const whole = (_: Request, { bytes }: FileServer) => new Response(bytes);
    await using server = new FileServer(BYTES, whole);
    const file = mirrors.file([server.url()]);
    const part = { offset: 1, end: 5, needsRange: true };
    assertEquals(file.ignoresRanges, false);
    assertEquals((await errorOf(file, part)).code, "no-range");
    assertEquals((await errorOf(file, part)).code, "no-range");
    assertEquals([file.ignoresRanges, server.requests.length], [true, 1]);
    assertEquals(
      await readAll(await file.open({ offset: 1, end: 5 }, { signal })),
      BYTES.subarray(1, 5),
    );
  }));

Deno.test("MirrorFile.open() follows redirects, and keeps the range and the password's owner", () =>
  withMirrors(async (mirrors) => {
    await using far = new FileServer(BYTES);
    await using near = new FileServer(
      BYTES,
      ({ url }) =>
        new URL(url).pathname === "/file"
          ? new Response("elsewhere", { status: 302, headers: { location: "next" } })
          : new Response(null, { status: 307, headers: { location: far.url("/real") } }),
    );
    const secret = near.url().replace("//", "//me:s%40cret@");
    const file = mirrors.file([secret]);
    using body = await file.open({ offset: 5, end: 25 }, { signal });
    assertEquals(body.mirror, near.host);
    assertEquals(await readAll(body), BYTES.subarray(5, 25));
    assertEquals(near.requests.map(({ url }) => new URL(url).pathname), ["/file", "/next"]);
    const told = near.requests.map(({ headers }) => headers.get("authorization"));
    assertEquals(told, Array(2).fill(`Basic ${btoa("me:s@cret")}`));
    assertEquals(far.requests[0]!.headers.get("authorization"), null);
    assertEquals(far.requests[0]!.headers.get("range"), "bytes=5-24");
  }));

Deno.test("MirrorFile.open() asks the next mirror, and the one that gave last first", () =>
  withMirrors(async (mirrors) => {
    await using lacks = new FileServer(BYTES, () => new Response(null, { status: 404 }));
    await using has = new FileServer(BYTES);
    const file = mirrors.file([lacks.url(), has.url()]);
    for (let i = 0; i < 2; i++) {
      using body = await file.open({ offset: 0 }, { signal });
      assertEquals(body.mirror, has.host);
    }
    assertEquals([lacks.requests.length, has.requests.length], [1, 2]);
  }));

Deno.test("MirrorFile.open() says 404 only when all mirrors do, else what tells more", () =>
  withMirrors(async (mirrors) => {
    const refusing = (status: number, headers: HeadersInit = {}) =>
      new FileServer(BYTES, () => new Response("no", { status, headers }));
    await using lacks = refusing(404);
    await using forbids = refusing(403);
    await using busy = refusing(503, { "retry-after": "120" });
    await using broken = refusing(500);
    const told = async (...servers: FileServer[]) => {
      const error = await errorOf(mirrors.file(servers.map((server) => server.url())));
      return [error.status, error.retryAfter, error.mirror];
    };
    assertEquals(await told(lacks, lacks), [404, null, lacks.host]);
    assertEquals(await told(lacks, forbids, lacks), [403, null, forbids.host]);
    assertEquals(await told(busy, lacks, forbids, broken), [503, "120", busy.host]);
    assertEquals(await told(broken, lacks), [500, null, broken.host]);
  }));

Deno.test("MirrorFile.open() passes on no Retry-After that is neither seconds nor a date", () =>
  withMirrors(async (mirrors) => {
    const told = async (value: string) => {
      const headers = { "retry-after": value };
      await using server = new FileServer(
        BYTES,
        () => new Response(null, { status: 503, headers }),
      );
      return (await errorOf(mirrors.file([server.url()]))).retryAfter;
    };
    assertEquals(await told("Wed, 21 Oct 2026 07:28:00 GMT"), "Wed, 21 Oct 2026 07:28:00 GMT");
    assertEquals(await told("soon <b>"), null);
  }));

Deno.test("MirrorFile.open() asks a mirror that failed lately last, for any file", () =>
  withMirrors(async (mirrors) => {
    let isUp = false;
    await using first = new FileServer(
      BYTES,
      () => isUp ? undefined : new Response(null, { status: 500 }),
    );
    await using second = new FileServer(BYTES);
    const mirrorOf = async () => {
      const file = mirrors.file([first.url(), second.url()]);
      using body = await file.open({ offset: 0 }, { signal });
      return body.mirror;
    };
    assertEquals(await mirrorOf(), second.host);
    isUp = true;
    assertEquals(await mirrorOf(), second.host);
    assertEquals(first.requests.length, 1);
    mirrors.answered(first.host);
    assertEquals(await mirrorOf(), first.host);
  }));

Deno.test("MirrorFile.open() does not ask a mirror again that was banned for the file", () =>
  withMirrors(async (mirrors) => {
    await using first = new FileServer(BYTES);
    await using second = new FileServer(BYTES);
    const file = mirrors.file([first.url(), second.url()]);
    file.ban(first.host);
    assertEquals(file.mirror, second.host);
    using body = await file.open({ offset: 0 }, { signal });
    assertEquals(body.mirror, second.host);
    file.ban(second.host);
    assertEquals(file.mirror, null);
    assertEquals((await errorOf(file)).code, "unusable");
    assertEquals(first.requests.length, 0);
  }));

Deno.test("MirrorFile.open() does not take another file for the one that it began with", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    const file = mirrors.file([server.url()]);
    assertEquals((await readAll(await file.open({ offset: 0 }, { signal }))).length, BYTES.length);
    server.etag = '"two"';
    assertEquals((await errorOf(file, { offset: 20 })).code, "changed");
    // It is not asked again, unless a new beginning is made.
    assertEquals((await errorOf(file, { offset: 20 })).code, "changed");
    assertEquals(server.requests.length, 2);
    file.forget();
    using body = await file.open({ offset: 20 }, { signal });
    assertEquals(body.validators.etag, '"two"');
  }));

Deno.test("MirrorFile.open() takes a file at another mirror by its size and date", () =>
  withMirrors(async (mirrors) => {
    await using first = new FileServer(BYTES);
    await using same = new FileServer(BYTES);
    await using older = new FileServer(BYTES);
    await using longer = new FileServer(content(300_001));
    same.etag = '"of another server"';
    older.lastModified = "Mon, 30 Jun 2025 10:00:00 GMT";
    const file = mirrors.file([first, older, longer, same].map((server) => server.url()));
    using _ = await file.open({ offset: 0 }, { signal });
    file.ban(first.host);
    using body = await file.open({ offset: 7, end: 9 }, { signal });
    assertEquals(body.mirror, same.host);
    assertEquals([older.requests.length, longer.requests.length], [1, 1]);
  }));

Deno.test("MirrorFile.open() takes a mirror whose file has not the size that is wanted for one without", () =>
  withMirrors(async (mirrors) => {
    await using other = new FileServer(BYTES);
    await using right = new FileServer(content(299_999));
    const alone = mirrors.file([other.url()], { sizeBytes: 299_999 });
    const { code, status } = await errorOf(alone);
    assertEquals([code, status, alone.mirror], ["other-size", 404, null]);
    // A new beginning does not make it the right file.
    alone.forget();
    assertEquals([(await errorOf(alone)).status, other.requests.length], [404, 2]);
    const file = mirrors.file([other.url(), right.url()], { sizeBytes: 299_999 });
    using body = await file.open({ offset: 0 }, { signal });
    assertEquals([body.mirror, other.requests.length], [right.host, 3]);
  }));

Deno.test("MirrorFile.open() asks once more where a mirror names another size than is wanted", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(
      BYTES,
      (_, { requests }) => requests.length === 1 ? new Response("no file") : undefined,
    );
    const file = mirrors.file([server.url()], { sizeBytes: BYTES.length });
    assertEquals(await readAll(await file.open({ offset: 0 }, { signal })), BYTES);
  }));

Deno.test("MirrorFile.open() says that the file changed where a mirror answers with a newer whole", () =>
  withMirrors(async (mirrors) => {
    const offset = limits.mirrorSkipBytes + 1;
    await using server = new FileServer(content(offset + 1_000));
    const file = mirrors.file([server.url()]);
    const lastModified = "Mon, 30 Jun 2025 10:00:00 GMT";
    file.expect({ validators: { etag: null, lastModified } });
    assertEquals((await errorOf(file, { offset })).code, "changed");
    assertEquals(server.requests[0]!.headers.get("if-range"), lastModified);
  }));

Deno.test("MirrorFile.open() begins with the first byte where a 416 does not say that there is none", () =>
  withMirrors(async (mirrors) => {
    for (const range of ["bytes */300000", "bytes */*", ""]) {
      await using server = new FileServer(
        BYTES,
        (request) =>
          request.headers.has("range")
            ? new Response(null, { status: 416, headers: range ? { "content-range": range } : {} })
            : undefined,
      );
      const file = mirrors.file([server.url()]);
      const rest = await readAll(await file.open({ offset: 5 }, { signal }));
      assertEquals(rest, BYTES.subarray(5), range);
      assertEquals(server.requests.map(({ headers }) => headers.has("range")), [true, false]);
      const far = { offset: 5, needsRange: true };
      assertEquals((await errorOf(file, far)).code, "no-range");
    }
  }));

Deno.test("MirrorFile.open() does not ask a banned mirror after a new beginning either", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    const file = mirrors.file([server.url()]);
    file.expect({ sizeBytes: 1 });
    assertEquals((await errorOf(file)).code, "changed");
    file.ban(server.host);
    file.forget();
    assertEquals(file.mirror, null);
  }));

Deno.test("MirrorFile.expect() takes up a file of an earlier run by its validators", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    const known = (etag: string) => {
      const file = mirrors.file([server.url()]);
      const validators = { etag, lastModified: null };
      file.expect({ mirror: server.host, sizeBytes: BYTES.length, validators });
      return file;
    };
    using body = await known('"one"').open({ offset: 250_000 }, { signal });
    assertEquals(await readAll(body), BYTES.subarray(250_000));
    assertEquals(server.requests[0]!.headers.get("if-range"), '"one"');
    assertEquals((await errorOf(known('"zero"'), { offset: 250_000 })).code, "changed");
  }));

Deno.test("MirrorFile.revalidate() gives the file when it is another, else null", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    const validators = { etag: '"one"', lastModified: null };
    const file = () => mirrors.file([server.url()]);
    assertEquals(await file().revalidate(validators, { signal }), null);
    server.etag = '"two"';
    using body = await file().revalidate(validators, { signal });
    assertEquals(await readAll(body!), BYTES);
  }));

Deno.test("MirrorFile.head() says what the file is, and has nothing of it sent", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    const facts = await mirrors.file([server.url()]).head({ signal });
    assertEquals([facts.mirror, facts.sizeBytes, facts.etag], [server.host, BYTES.length, '"one"']);
    assertEquals(server.requests.map(({ method }) => method), ["HEAD"]);
  }));

Deno.test("Mirrors.file() takes http and https URLs, and never tells what is secret in them", () =>
  withMirrors((mirrors) => {
    const refused = ["file:///etc/passwd", "ftp://mirror/file", "mirror/file", "http://", ""];
    for (const url of refused) assertThrows(() => mirrors.file([url]), UsageError);
    assertThrows(() => mirrors.file([]), UsageError);
    assertThrows(() => mirrors.file(Array(limits.mirrorsMax + 1).fill("http://a/b")), UsageError);
    const long = `http://me:secret@a/${"b".repeat(limits.urlBytesMax)}`;
    const { message } = assertThrows(() => mirrors.file([long]), UsageError);
    assert(!message.includes("secret"), message);
    assertEquals(mirrors.file(["https://me:secret@a:444/b"]).mirror, "a:444");
    return Promise.resolve();
  }));

Deno.test("MirrorFile.open() waits for a place when there are too many connections", () =>
  withMirrors(async (mirrors) => {
    await using server = new FileServer(BYTES);
    const file = mirrors.file([server.url()]);
    const bodies = await Promise.all(
      Array.from(
        { length: limits.mirrorConnectionsMax },
        () => file.open({ offset: 0 }, { signal }),
      ),
    );
    const abort = new AbortController();
    const given = file.open({ offset: 0 }, { signal: abort.signal });
    const waiting = file.open({ offset: 0 }, { signal });
    abort.abort(new Error("enough"));
    await assertRejects(() => given, Error, "enough");
    assertEquals(server.requests.length, limits.mirrorConnectionsMax);
    bodies[0]!.cancel();
    using body = await waiting;
    assertEquals(body.sizeBytes, BYTES.length);
    for (const body of bodies) body.cancel();
  }));

Deno.test("Mirrors.close() ends what is under way", async () => {
  await using server = new RawServer(() => ({
    send: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
    hold: true,
  }));
  await withMirrors(async (mirrors) => {
    const body = await mirrors.file([server.url()]).open({ offset: 0 }, { signal });
    assertEquals((await body.read())!.length, 3);
    const reading = body.read();
    mirrors.close();
    await assertRejects(() => reading, DOMException, "ends");
    await assertRejects(() => mirrors.file([server.url()]).open({ offset: 0 }, { signal }));
  });
});
