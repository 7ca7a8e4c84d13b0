/** The gateway over HTTP, in front of a node that the test plays. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { EnvironmentError, FetchFailure } from "../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { limits } from "../../../src/base/limits.ts";
import { Gateway } from "../../../src/gateway/gateway.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { content } from "../store/store_fixture.ts";
import { CountingMirror } from "./counting_mirror.ts";
import {
  bytesOf,
  curl,
  ended,
  NO_ROOT,
  type PlayedFetch,
  PlayedGateway,
  ROOT,
} from "./gateway_fixture.ts";

const BYTES = content(10 * CHUNK_BYTES - 77);
/** More than is checked whole before anything of it is sent. */
const BIG = content(80 * CHUNK_BYTES - 77);
const NAME = "thing-1-1-any.pkg.tar.zst";
const PATH = `/core/os/x86_64/${NAME}`;
const SHA = "cd".repeat(32);
const TRUSTED = { name: NAME, repository: "core", sizeBytes: BYTES.length, sha256: SHA };

/** All that HTTP must give for a file that is here: request headers, then the answer. */
const TABLE: readonly {
  readonly asks: Readonly<Record<string, string>>;
  readonly status: number;
  readonly range?: readonly [number, number];
}[] = [
  { asks: {}, status: 200 },
  { asks: { range: "bytes=0-" }, status: 206, range: [0, BYTES.length] },
  { asks: { range: "bytes=0-0" }, status: 206, range: [0, 1] },
  { asks: { range: "bytes=5-16390" }, status: 206, range: [5, 16_391] },
  { asks: { range: "bytes=16384-" }, status: 206, range: [16_384, BYTES.length] },
  { asks: { range: "bytes=-100" }, status: 206, range: [BYTES.length - 100, BYTES.length] },
  { asks: { range: "bytes=-99999999" }, status: 206, range: [0, BYTES.length] },
  { asks: { range: "bytes=10-99999999" }, status: 206, range: [10, BYTES.length] },
  {
    asks: { range: `bytes=${BYTES.length - 1}-` },
    status: 206,
    range: [BYTES.length - 1, BYTES.length],
  },
  { asks: { range: `bytes=${BYTES.length}-` }, status: 416 },
  { asks: { range: "bytes=-0" }, status: 416 },
  { asks: { range: "bytes=1-2,5-6" }, status: 200 },
  { asks: { range: "bytes=9-1" }, status: 200 },
  { asks: { range: "lines=1-2" }, status: 200 },
  { asks: { range: "bytes=5-9", "if-range": `"${SHA}"` }, status: 206, range: [5, 10] },
  { asks: { range: "bytes=5-9", "if-range": '"other"' }, status: 200 },
  { asks: { range: "bytes=5-9", "if-range": `W/"${SHA}"` }, status: 200 },
  { asks: { range: "bytes=5-9", "if-range": "Wed, 21 Oct 2015 07:28:00 GMT" }, status: 200 },
  { asks: { range: `bytes=${BYTES.length}-`, "if-range": '"other"' }, status: 200 },
  { asks: { "if-none-match": `"${SHA}"` }, status: 304 },
  { asks: { "if-none-match": `"x", W/"${SHA}"` }, status: 304 },
  { asks: { "if-none-match": "*" }, status: 304 },
  { asks: { "if-none-match": '"x"' }, status: 200 },
  { asks: { "if-none-match": `"${SHA}"`, range: "bytes=0-1" }, status: 304 },
  { asks: { "if-modified-since": "Wed, 21 Oct 2015 07:28:00 GMT" }, status: 200 },
  { asks: { "if-match": `"x", "${SHA}"` }, status: 200 },
  { asks: { "if-match": "*" }, status: 200 },
  { asks: { "if-match": '"x"' }, status: 412 },
  { asks: { "if-match": `W/"${SHA}"` }, status: 412 },
  { asks: { "if-match": '"x"', "if-none-match": `"${SHA}"`, range: "bytes=0-1" }, status: 412 },
  { asks: { "if-match": `"${SHA}"`, range: "bytes=0-1" }, status: 206, range: [0, 2] },
  { asks: { "if-unmodified-since": "Wed, 21 Oct 2015 07:28:00 GMT" }, status: 200 },
  { asks: { "accept-encoding": "gzip, br" }, status: 200 },
];

Deno.test("Gateway answers ranges and conditions as RFC 9110 has them", async () => {
  await using gateway = PlayedGateway.start({
    trusted: [TRUSTED],
    play: (fetch) => fetch.end(BYTES),
  });
  for (const { asks, status, range } of TABLE) {
    const what = JSON.stringify(asks);
    const answer = await gateway.get(PATH, { headers: asks });
    const bytes = await bytesOf(answer);
    const { headers } = answer;
    assertEquals(answer.status, status, what);
    assertEquals(headers.get("content-encoding"), null, what);
    if (status === 416) {
      assertEquals(headers.get("content-range"), `bytes */${BYTES.length}`, what);
      continue;
    }
    if (status === 412) continue;
    assertEquals(headers.get("etag"), `"${SHA}"`, what);
    if (status === 304) {
      assertEquals(bytes.length, 0, what);
      continue;
    }
    const [start, end] = range ?? [0, BYTES.length];
    assertEquals(bytes, BYTES.subarray(start, end), what);
    assertEquals(headers.get("content-length"), `${end - start}`, what);
    assertEquals(
      headers.get("content-range"),
      range === undefined ? null : `bytes ${start}-${end - 1}/${BYTES.length}`,
      what,
    );
    assertEquals(headers.get("accept-ranges"), "bytes", what);
    assertEquals(headers.get("content-type"), "application/octet-stream", what);
    assertEquals(headers.get("cache-control"), "no-transform", what);
    assertEquals(headers.get("x-pacsrv-source"), "here", what);
  }
});

/** The whole file is here, and what is read from a chunk on is not right any more. */
function playRotten(fetch: PlayedFetch, { from }: { readonly from: number }): void {
  const all = { first: 0, count: 80 };
  fetch.found(BIG.length).readable(BIG, { rottenFrom: from }).release(all).endBare(BIG.length);
}

Deno.test("Gateway has bytes again that rotted here, and goes on with them", async () => {
  const play = (fetch: PlayedFetch) => {
    if (fetch.again !== undefined) return;
    playRotten(fetch, { from: 40 });
  };
  await using gateway = PlayedGateway.start({ play });
  const answer = await gateway.get(PATH);
  assertEquals(answer.status, 200);
  const bytes = bytesOf(answer);
  const again = await gateway.fetch(1);
  assertEquals(again.again, ROOT);
  again.end(BIG);
  assertEquals(await bytes, BIG);
});

Deno.test("Gateway has bytes again at as many places as rotted", async () => {
  let from = 0;
  const play = (fetch: PlayedFetch) => {
    from += 8;
    playRotten(fetch, { from });
  };
  await using gateway = PlayedGateway.start({ play });
  assertEquals(await bytesOf(await gateway.get(PATH)), BIG);
  assert(gateway.fetches.length > limits.fetchesAgainMax + 1, `${gateway.fetches.length} fetches`);
});

Deno.test("Gateway breaks off what rots here each time that it is had again", async () => {
  const play = (fetch: PlayedFetch) => playRotten(fetch, { from: 40 });
  await using gateway = PlayedGateway.start({ play });
  await assertRejects(async () => await bytesOf(await gateway.get(PATH)));
  assert(gateway.fetches.length > limits.fetchesAgainMax);
});

Deno.test("Gateway breaks off what rotted here and is nowhere else, and tells of it", async () => {
  const play = (fetch: PlayedFetch) => {
    if (fetch.again !== undefined) return fetch.fail(new FetchFailure("notFound", "nobody has it"));
    playRotten(fetch, { from: 40 });
  };
  await using gateway = PlayedGateway.start({ play });
  await assertRejects(async () => await bytesOf(await gateway.get(PATH)));
  assertEquals(gateway.fetches.length, 2);
});

Deno.test("Gateway does not have bytes again for a client that left", async () => {
  const play = (fetch: PlayedFetch) => {
    if (fetch.again !== undefined) return;
    playRotten(fetch, { from: 40 });
  };
  await using gateway = PlayedGateway.start({ play });
  const answer = await gateway.get(PATH);
  const again = await gateway.fetch(1);
  const aborted = Promise.withResolvers<void>();
  again.signal.addEventListener("abort", () => aborted.resolve());
  await answer.body!.cancel();
  await aborted.promise;
});

Deno.test("Gateway answers HEAD with the headers of GET, and has no file sent", async () => {
  await using gateway = PlayedGateway.start({ play: (fetch) => fetch.found(BYTES.length) });
  const answer = await gateway.get(PATH, { method: "HEAD", headers: { range: "bytes=1-2" } });
  assertEquals((await bytesOf(answer)).length, 0);
  assertEquals(answer.status, 200);
  assertEquals(answer.headers.get("content-length"), `${BYTES.length}`);
  assertEquals(answer.headers.get("x-pacsrv-source"), "peers");
  assert((await gateway.fetch(0)).signal.aborted);
});

Deno.test("Gateway answers HEAD of a file that is here with the tag that GET has", async () => {
  await using mirror = new CountingMirror();
  mirror.files.set(PATH, { bytes: BYTES, etag: '"of the mirror"' });
  const play = (fetch: PlayedFetch) => {
    const found = { name: NAME, sizeBytes: BYTES.length, bytesHad: BYTES.length };
    fetch.observer.event({ kind: "found", root: ROOT, sources: 0, ...found });
    fetch.end(BYTES);
  };
  await using gateway = PlayedGateway.start({ play, isHere: true, mirrors: [mirror.url] });
  const [head, get] = [await gateway.get(PATH, { method: "HEAD" }), await gateway.get(PATH)];
  assertEquals(await bytesOf(get), BYTES);
  for (const name of ["etag", "last-modified", "content-length", "accept-ranges"]) {
    assertEquals(head.headers.get(name), get.headers.get(name), name);
  }
  assertEquals(head.headers.get("etag"), `"${ROOT}"`);
  for (const method of ["GET", "HEAD"]) {
    const same = await gateway.get(PATH, { method, headers: { "if-match": `"${ROOT}"` } });
    const other = await gateway.get(PATH, { method, headers: { "if-match": '"of the mirror"' } });
    assertEquals([same.status, other.status], [200, 412], method);
    await Promise.all([same.body?.cancel(), other.body?.cancel()]);
  }
  assertEquals(mirror.asked.length, 0);
});

Deno.test("Gateway holds a file at a mirror to what a client knows of it", async () => {
  await using mirror = new CountingMirror();
  const other = "/core/os/x86_64/lastupdate";
  const modified = "Wed, 21 Oct 2015 07:28:00 GMT";
  for (const path of [PATH, other]) {
    mirror.files.set(path, { bytes: BYTES, etag: '"one"', lastModified: modified });
  }
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  const cases: readonly [Record<string, string>, number][] = [
    [{ "if-match": '"one"' }, 200],
    [{ "if-match": '"two"' }, 412],
    [{ "if-unmodified-since": modified }, 200],
    [{ "if-unmodified-since": "Wed, 21 Oct 2015 07:27:00 GMT" }, 412],
    [{ "if-match": '"one"', range: "bytes=0-9" }, 206],
  ];
  for (const path of [PATH, other]) {
    for (const [headers, status] of cases) {
      const answer = await gateway.get(path, { headers });
      await answer.body?.cancel();
      assertEquals(answer.status, status, `${path} ${JSON.stringify(headers)}`);
    }
  }
  assertEquals(gateway.fetches.length, 0);
});

Deno.test("Gateway passes on what a mirror without ranges gives, and asks it once", async () => {
  await using mirror = new CountingMirror();
  const bytes = content(limits.mirrorSkipBytes + 100_000);
  mirror.fault = () => new Response(bytes);
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  const far = limits.mirrorSkipBytes + 5;
  const cases: readonly [string, number, Uint8Array][] = [
    ["bytes=7-16", 206, bytes.subarray(7, 17)],
    ["bytes=7-", 206, bytes.subarray(7)],
    [`bytes=${far}-${far + 9}`, 200, bytes],
    [`bytes=${far}-`, 200, bytes],
  ];
  for (const [range, status, given] of cases) {
    mirror.asked.length = 0;
    const answer = await gateway.get("/iso/latest/arch.iso", { headers: { range } });
    const got = new Uint8Array(await answer.arrayBuffer());
    assertEquals(
      [answer.status, got.length, mirror.asked.length],
      [status, given.length, 1],
      range,
    );
    assert(got.every((byte, at) => byte === given[at]), range);
  }
});

Deno.test("Gateway refuses methods and paths that it does not serve, with one line", async () => {
  await using gateway = PlayedGateway.start();
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const answer = await gateway.get(PATH, { method });
    assertEquals([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
    assertEquals((await answer.text()).split("\n").length, 2);
  }
  const paths = ["/a/../x.pkg.tar.zst", "/a%2fx.pkg.tar.zst", "/a/", "/a%5cb?q=1"];
  for (const path of [...paths, "/x\\..\\..\\secret.txt"]) {
    const { stdout } = await curl("-w", "%{http_code}", gateway.url(path));
    assertStringIncludes(new TextDecoder().decode(stdout), "\n400", path);
  }
  assertEquals(gateway.fetches.length, 0);
});

Deno.test("Gateway says what it is at its root", async () => {
  await using gateway = PlayedGateway.start();
  const text = await (await gateway.get("/")).text();
  assertStringIncludes(text, "CacheServer = http://127.0.0.1:");
  assertStringIncludes(text, "1 requests");
});

Deno.test("Gateway answers 404 without a body for what nobody has, and asks once", async () => {
  await using gateway = PlayedGateway.start({ waitMs: 50 });
  for (let i = 0; i < 3; i++) {
    const answer = await gateway.get(PATH);
    assertEquals([answer.status, (await bytesOf(answer)).length], [404, 0]);
    assertEquals(answer.headers.get("content-type"), null);
  }
  assertEquals(gateway.fetches.length, 1);
  assert(gateway.fetches[0]!.signal.aborted);
  assertEquals(gateway.lines.filter(({ level }) => level !== "debug"), []);
});

Deno.test("Gateway asks nobody for databases and other files without mirrors", async () => {
  await using gateway = PlayedGateway.start();
  for (const name of ["core.db", "core.db.sig", "lastupdate"]) {
    const answer = await gateway.get(`/core/os/x86_64/${name}`);
    assertEquals([answer.status, (await bytesOf(answer)).length], [404, 0], name);
  }
  assertEquals(gateway.fetches.length, 0);
});

Deno.test("Gateway has one fetch for all who want a file, and passes on what it may", async () => {
  const trusted = { ...TRUSTED, sizeBytes: BIG.length };
  await using gateway = PlayedGateway.start({ trusted: [trusted] });
  const ranges = ["bytes=0-", "bytes=50000-", "bytes=100000-120000", "bytes=-500"];
  const whole = gateway.get(PATH);
  const fetch = await gateway.fetch(0);
  const parts = ranges.map((range) => gateway.get(PATH, { headers: { range } }));
  await asked(gateway, 5);
  fetch.found(BIG.length).readable(BIG);
  // Out of order: each part is told as soon as it is released.
  fetch.release({ first: 3, count: 1 }).release({ first: 79, count: 1 }).release({
    first: 6,
    count: 2,
  });
  const early = await Promise.all([parts[1]!, parts[2]!, parts[3]!]);
  assertEquals(early.map(({ status }) => status), [206, 206, 206]);
  assertEquals(await bytesOf(early[1]!), BIG.slice(100_000, 120_001));
  assertEquals(await bytesOf(early[2]!), BIG.slice(-500));
  fetch.release({ first: 0, count: 80 });
  fetch.endBare(BIG.length);
  assertEquals(await bytesOf(early[0]!), BIG.slice(50_000));
  assertEquals(await bytesOf(await whole), BIG);
  assertEquals(await bytesOf(await parts[0]!), BIG);
  assertEquals(gateway.fetches.length, 1);
  const { request } = fetch;
  assertEquals([request.name, request.sha256, request.sizeBytes], [NAME, SHA, BIG.length]);
});

Deno.test("Gateway never gives a byte that is not released", async () => {
  await using gateway = PlayedGateway.start();
  const answer = gateway.get(PATH);
  const fetch = await gateway.fetch(0);
  const wrong = BYTES.map((byte) => byte ^ 0xff);
  fetch.found(wrong.length).readable(wrong);
  fetch.observer.gained({ first: 0, count: 10 });
  fetch.observer.event({ kind: "restarted", reason: "it was not the file" });
  fetch.found(BYTES.length).end(BYTES);
  assertEquals(await bytesOf(await answer), BYTES);
});

Deno.test("Gateway pays little by little while the rest is not released", async () => {
  const clock = new ManualClock();
  await using gateway = PlayedGateway.start({ clock });
  const answer = gateway.get(PATH);
  const fetch = await gateway.fetch(0);
  fetch.found(BYTES.length).readable(BYTES).release({ first: 0, count: 1 });
  const reader = (await answer).body!.getReader();
  const first = (await reader.read()).value!;
  const second = (await ended(reader.read(), clock)).value!;
  assertEquals([first.length, second.length], [limits.gatewayDripBytes, limits.gatewayDripBytes]);
  fetch.release({ first: 1, count: 9 });
  fetch.endBare(BYTES.length);
  let bytes = first.length + second.length;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.length;
  }
  assertEquals(bytes, BYTES.length);
});

Deno.test("Gateway breaks the connection off when a file fails after its head", async () => {
  await using gateway = PlayedGateway.start();
  for (const how of ["failed", "restarted"] as const) {
    const index = gateway.fetches.length;
    const run = curl("-o", "/dev/null", gateway.url(`/core/os/x86_64/${how}-${NAME}`));
    const fetch = await gateway.fetch(index);
    fetch.found(BYTES.length).readable(BYTES).release({ first: 0, count: 3 });
    await sent(gateway, 1);
    if (how === "failed") {
      fetch.fail(new FetchFailure("notFound", "Cannot fetch it: nobody has the rest"));
    } else fetch.observer.event({ kind: "restarted", reason: "it was not the file" });
    assertEquals((await run).code, 18, how);
    fetch.fail(new FetchFailure("failed", "over"));
  }
  const lines = gateway.lines.filter(({ level }) => level !== "debug");
  assertEquals(lines.map(({ level, fields }) => `${level} ${fields["error"]}`), [
    "info Cannot fetch it: nobody has the rest",
    "info what came turned out not to be the file",
  ]);
});

Deno.test("Gateway passes on how the mirror refused, and tells other failures apart", async () => {
  const upstream = (status: number, retryAfter: string | null = null) =>
    new FetchFailure("failed", "Cannot fetch it", { upstream: { status, retryAfter } });
  const failures: readonly [Error, number][] = [
    [upstream(403), 403],
    [upstream(500), 500],
    [upstream(503, "120"), 503],
    [upstream(404), 404],
    [upstream(410), 404],
    [new FetchFailure("notFound", "Cannot fetch it"), 404],
    [new FetchFailure("checkFailed", "Cannot fetch it"), 404],
    [new FetchFailure("timedOut", "Cannot fetch it"), 504],
    [new EnvironmentError("no-space", "Cannot write it"), 500],
  ];
  const left = [...failures];
  await using gateway = PlayedGateway.start({
    play: (fetch) => fetch.fail(left.shift()![0]),
  });
  for (const [index, [error, status]] of failures.entries()) {
    const answer = await gateway.get(`/core/os/x86_64/${index}-${NAME}`);
    assertEquals(answer.status, status, error.message);
    assertEquals(answer.headers.get("retry-after"), status === 503 ? "120" : null);
    const text = await answer.text();
    assertEquals(text, status === 404 ? "" : `${error.message}\n`);
  }
});

Deno.test("Gateway lets the fetch go on when its last client leaves", async () => {
  await using gateway = PlayedGateway.start();
  const left = new AbortController();
  const answer = gateway.get(PATH, { signal: left.signal });
  const fetch = await gateway.fetch(0);
  fetch.found(BYTES.length).readable(BYTES).release({ first: 0, count: 3 });
  const reader = (await answer).body!.getReader();
  await reader.read();
  left.abort();
  await reader.read().catch(() => {});
  await line(gateway, "an answer was left");
  assertEquals(fetch.signal.aborted, false);
  // Who comes back takes the same shared fetch.
  const again = gateway.get(PATH, { headers: { range: "bytes=40000-" } });
  await asked(gateway, 2);
  fetch.release({ first: 0, count: 10 });
  fetch.endBare(BYTES.length);
  assertEquals(await bytesOf(await again), BYTES.slice(40_000));
  assertEquals(gateway.fetches.length, 1);
});

Deno.test("Gateway begins at the first byte that is wanted where a mirror gives it", async () => {
  await using gateway = PlayedGateway.start({ mirrors: ["http://127.0.0.1:9"] });
  const part = gateway.get(PATH, { headers: { range: "bytes=50000-" } });
  const late = await gateway.fetch(0);
  assertEquals([late.from, late.request.mirrors], [50_000, [`http://127.0.0.1:9${PATH}`]]);
  // The beginning may never come there: a client that wants it has a fetch of its own.
  const whole = gateway.get(PATH);
  const early = await gateway.fetch(1);
  assertEquals(early.from, 0);
  late.readable(BYTES).release({ first: 3, count: 7 });
  late.endBare(BYTES.length, { root: NO_ROOT, mirrors: [{ mirror: "a", bytes: 1 }] });
  early.end(BYTES, { mirrors: [{ mirror: "a", bytes: 1 }] });
  const answer = await part;
  assertEquals(answer.headers.get("etag"), null);
  assertEquals(answer.headers.get("x-pacsrv-source"), "mirror");
  assertEquals(await bytesOf(answer), BYTES.slice(50_000));
  assertEquals((await bytesOf(await whole)).length, BYTES.length);
  assertEquals((await whole).headers.get("etag") ?? `"${ROOT}"`, `"${ROOT}"`);
});

Deno.test("Gateway gives an empty file, and no signature that is too long", async () => {
  await using gateway = PlayedGateway.start({
    play: (fetch) =>
      fetch.end(
        new Uint8Array(fetch.request.name.startsWith("empty") ? 0 : limits.signatureBytesMax + 1),
      ),
  });
  const empty = await gateway.get("/x/y/empty-1-1-any.pkg.tar.zst");
  assertEquals([empty.status, (await bytesOf(empty)).length], [200, 0]);
  assertEquals(empty.headers.get("content-length"), "0");
  const long = await gateway.get(`${PATH}.sig`);
  assertEquals([long.status, (await bytesOf(long)).length], [404, 0]);
});

Deno.test("Gateway trusts what the database of that repository says", async () => {
  const other = { ...TRUSTED, repository: "testing", sha256: "ef".repeat(32), sizeBytes: 5 };
  await using gateway = PlayedGateway.start({ trusted: [TRUSTED, other], waitMs: 1 });
  await bytesOf(await gateway.get(`/testing/os/x86_64/${NAME}`));
  await bytesOf(await gateway.get(PATH));
  assertEquals(gateway.fetches.map(({ request }) => [request.sha256, request.sizeBytes]), [
    [other.sha256, 5],
    [SHA, BYTES.length],
  ]);
});

Deno.test("Gateway trusts for a signature what the database of its repository says", async () => {
  const name = `${NAME}.sig`;
  const core = { ...TRUSTED, name, sizeBytes: 5 };
  const custom = { ...core, repository: "custom", sha256: "ef".repeat(32), sizeBytes: 6 };
  await using gateway = PlayedGateway.start({ trusted: [core, custom], waitMs: 1 });
  await bytesOf(await gateway.get(`/custom/os/x86_64/${name}`));
  await bytesOf(await gateway.get(`${PATH}.sig`));
  assertEquals(gateway.fetches.map(({ request }) => [request.sha256, request.sizeBytes]), [
    [custom.sha256, 6],
    [core.sha256, 5],
  ]);
});

Deno.test("Gateway says nothing of a small file before it was checked", async () => {
  await using gateway = PlayedGateway.start({
    trusted: [TRUSTED],
    mirrors: ["http://127.0.0.1:9"],
    play: (fetch) => {
      // As a mirror's bytes come: all but the last chunk, then the check fails.
      fetch.found(BYTES.length).readable(BYTES).release({ first: 0, count: 9 });
      setTimeout(() => fetch.fail(new FetchFailure("checkFailed", "It is another file")), 20);
    },
  });
  const answer = await gateway.get(PATH);
  assertEquals([answer.status, await answer.text()], [502, "It is another file\n"]);
});

Deno.test("Gateway ends the connection of a request whose body does not come", async () => {
  await using gateway = PlayedGateway.start();
  for (const [method, status] of [["POST", 405], ["GET", 400]] as const) {
    using client = await Deno.connect({ port: gateway.gateway.address.port });
    await client.write(
      new TextEncoder().encode(
        `${method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab`,
      ),
    );
    // It ends, though the client neither closes nor sends the rest.
    const text = await new Response(client.readable).text();
    assertStringIncludes(text, `HTTP/1.1 ${status} `);
  }
});

Deno.test("Gateway is 400 for a request that names two hosts, or of HTTP/1.1 none", async () => {
  await using gateway = PlayedGateway.start();
  const two = "Host: localhost\r\nHost: localhost\r\n";
  for (const [version, hosts] of [["1.0", two], ["1.1", two], ["1.1", ""]]) {
    using client = await Deno.connect({ port: gateway.gateway.address.port });
    const head = `GET / HTTP/${version}\r\n${hosts}Connection: close\r\n\r\n`;
    await client.write(new TextEncoder().encode(head));
    const text = await new Response(client.readable).text();
    assertMatch(text, /^HTTP\/1\.\d 400 /, head);
  }
});

Deno.test("Gateway stops though a client reads nothing, or half a head came", async () => {
  const gateway = PlayedGateway.start({ play: (fetch) => fetch.end(content(8 << 20)) });
  const { port } = gateway.gateway.address;
  const clients: Deno.TcpConn[] = [];
  for (const text of [`GET ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`, "GET / HT"]) {
    const client = await Deno.connect({ port });
    clients.push(client);
    await client.write(new TextEncoder().encode(text));
  }
  await gateway.fetch(0);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("it does not stop")), 5_000);
  await Promise.race([gateway[Symbol.asyncDispose](), late]);
  clearTimeout(timer);
  for (const client of clients) client.close();
});

Deno.test("Gateway bounds the requests that it answers at once", async () => {
  await using gateway = PlayedGateway.start({ waitMs: 8_000 });
  const left = new AbortController();
  const waiting = Array.from(
    { length: limits.gatewayRequestsMax },
    () => gateway.get(PATH, { signal: left.signal }).catch(() => undefined),
  );
  // The page is always there, so it can be asked for how many have come.
  while (gateway.gateway.counters.requests < limits.gatewayRequestsMax) {
    await bytesOf(await gateway.get("/"));
  }
  const answers: Response[] = [];
  do answers.push(
    await gateway.get(`/a/b/other-${NAME}`, { signal: AbortSignal.timeout(5_000) }),
  ); while (answers.at(-1)!.status !== 503 && answers.length < 5);
  const refused = answers.at(-1)!;
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  await refused.body?.cancel();
  left.abort();
  await Promise.all(waiting);
});

Deno.test("Gateway does not let a client wait long for what is not proved", async () => {
  await using mirror = new CountingMirror();
  mirror.files.set(PATH, { bytes: BYTES });
  const clock = new ManualClock();
  await using bare = PlayedGateway.start({ clock });
  await using mirrored = PlayedGateway.start({ clock, mirrors: [mirror.url] });
  const part = { headers: { range: "bytes=150000-" } };
  const unproved = bare.get(PATH);
  (await bare.fetch(0)).found(BYTES.length).readable(BYTES);
  const whole = mirrored.get(PATH);
  const coming = await mirrored.fetch(0);
  coming.found(BYTES.length).readable(BYTES).release({ first: 0, count: 2 });
  const late = mirrored.get(PATH, part);
  const silent = mirrored.get(`/core/os/x86_64/other-${NAME}`);
  await asked(mirrored, 3);
  await clock.advance(limits.gatewayHoldMs);
  // Nobody has all of it proved: next time it is here.
  const answer = await unproved;
  assertEquals([answer.status, (await bytesOf(answer)).length], [404, 0]);
  assertEquals(bare.fetches[0]!.signal.aborted, false);
  // The mirror gives what may come last.
  assertEquals((await late).status, 206);
  assertEquals(await bytesOf(await late), BYTES.slice(150_000));
  assertEquals((await silent).status, 504);
  await (await silent).body?.cancel();
  coming.release({ first: 2, count: 8 }).endBare(BYTES.length);
  assertEquals(await bytesOf(await whole), BYTES);
});

/** The status of what another client of the gateway gets: one with this address. */
async function statusFor(gateway: PlayedGateway, client: string): Promise<number> {
  const format = ["-o", "/dev/null", "-w", "%{http_code}"];
  const { stdout } = await curl("--interface", client, ...format, gateway.url(PATH));
  return Number(new TextDecoder().decode(stdout));
}

Deno.test("Gateway gives nobody again what is not proved, once a client came back for it", async () => {
  const play = (fetch: PlayedFetch) => fetch.found(BYTES.length).end(BYTES);
  const clock = new ManualClock();
  await using gateway = PlayedGateway.start({ play, isProven: () => false, clock });
  assertEquals(await bytesOf(await gateway.get(PATH)), BYTES);
  // What has its beginning from elsewhere, or asks whether it is the same, has not come back for it.
  for (
    const headers of [{ range: "bytes=-5" }, { range: "bytes=7-" }, { "if-none-match": '"x"' }]
  ) {
    const part = await gateway.get(PATH, { headers: headers as Record<string, string> });
    await part.body?.cancel();
    assert(part.status < 300, JSON.stringify(headers));
  }
  assertEquals(gateway.contradicted, []);
  for (let i = 0; i < 2; i++) {
    const again = await gateway.get(PATH);
    assertEquals([again.status, await bytesOf(again)], [404, new Uint8Array()]);
  }
  assertEquals(gateway.contradicted, [ROOT]);
  // One client may be wrong, or lie: the others get it. After two of them nobody does for an hour.
  assertEquals(await statusFor(gateway, "127.0.0.2"), 200);
  assertEquals(await statusFor(gateway, "127.0.0.3"), 200);
  assertEquals(await statusFor(gateway, "127.0.0.2"), 404);
  assertEquals(await statusFor(gateway, "127.0.0.4"), 404);
  assertEquals(gateway.lines.filter(({ level }) => level === "warn").length, 2);
  await clock.advance(limits.unprovenDoubtAllMs);
  assertEquals(await statusFor(gateway, "127.0.0.4"), 200);
  assertEquals(await statusFor(gateway, "127.0.0.2"), 404);
});

Deno.test("Gateway has mirrors alone give what a client came back for, once for all", async () => {
  let isProven = false;
  const play = (fetch: PlayedFetch) => {
    if (fetch.mirrorsAlone) isProven = true;
    fetch.found(BYTES.length).end(BYTES);
  };
  const mirrors = ["http://127.0.0.1:9"];
  await using gateway = PlayedGateway.start({ play, isProven: () => isProven, mirrors });
  for (let i = 0; i < 2; i++) assertEquals(await bytesOf(await gateway.get(PATH)), BYTES);
  assertEquals(gateway.fetches.map(({ mirrorsAlone }) => mirrorsAlone), [false, true]);
  // What they gave proves it.
  for (const client of ["127.0.0.1", "127.0.0.1", "127.0.0.2"]) {
    assertEquals(await statusFor(gateway, client), 200);
  }
  assertEquals(gateway.fetches.some(({ mirrorsAlone }, i) => mirrorsAlone && i > 1), false);
  assertEquals(gateway.contradicted, [ROOT]);
});

Deno.test("Gateway gives again what is proved, and what a client did not get to its end", async () => {
  const play = (fetch: PlayedFetch) => fetch.end(BYTES);
  for (const [isProven, range] of [[true, undefined], [false, "bytes=0-9"]] as const) {
    await using gateway = PlayedGateway.start({ play, isProven: () => isProven });
    for (let i = 0; i < 2; i++) {
      const answer = await gateway.get(PATH, range === undefined ? {} : { headers: { range } });
      assertEquals(await bytesOf(answer), range === undefined ? BYTES : BYTES.slice(0, 10));
    }
    assertEquals(gateway.contradicted, []);
  }
});

Deno.test("Gateway says who may have its port", async () => {
  await using gateway = PlayedGateway.start();
  const { port } = gateway.gateway.address;
  assertGreater(port, 0);
  const directory = Deno.makeTempDirSync({ prefix: "pacsrv-gateway-" });
  try {
    const error = assertThrows(
      () =>
        new Gateway({
          host: {
            fetch: () => Promise.reject(new Error("never asked")),
            use: () => ({ add: () => {}, addPath: () => {}, [Symbol.dispose]: () => {} }),
            isAlone: () => true,
            unproven: { mayGive: () => true, given() {} },
            seekLinks: () => {},
            mayBeHere: () => false,
            trust: undefined,
            isSignatureNeeded: () => Promise.resolve(true),
            mirrors: undefined as never,
            log: { debug() {}, info() {}, warn() {}, error() {} },
            took: () => {},
            databaseDir: directory,
          },
          listen: { host: "127.0.0.1", port },
          mirrors: [],
          waitMs: 1,
        }),
      EnvironmentError,
      "the port is in use",
    );
    assertStringIncludes(error.hint ?? "", "--gateway");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

/** Waits until so many requests have come. */
async function asked(gateway: PlayedGateway, requests: number): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  while (gateway.gateway.counters.requests < requests) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until so many bytes of bodies have gone out. */
async function sent(gateway: PlayedGateway, bytes: number): Promise<void> {
  const before = gateway.gateway.counters.bytesSent;
  const signal = AbortSignal.timeout(10_000);
  while (gateway.gateway.counters.bytesSent < before + bytes) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits for a line in the log. */
async function line(gateway: PlayedGateway, message: string): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  while (!gateway.lines.some((one) => one.message === message)) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
