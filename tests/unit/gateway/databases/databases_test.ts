/** Databases and other files that only a mirror has, from a real one on loopback. */

import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { DatabaseCache, databaseKey } from "../../../../src/gateway/databases/database_cache.ts";
import { content, TempDir } from "../../store/store_fixture.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { CountingMirror } from "../counting_mirror.ts";
import { bytesOf, curl, PlayedGateway } from "../gateway_fixture.ts";

const PATH = "/core/os/x86_64/core.db";
const ETAG = '"v1"';
const DATE = "Wed, 21 Oct 2015 07:28:00 GMT";
/** In tests where copies may be given that no mirror vouches for. */
const STALE_MS = 86_400_000;
const OLD = packed(content(100_000, 1));
const NEW = packed(content(120_000, 2));

/** The bytes as they are, but for the first ones: those of gzip. */
function packed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  bytes.set([0x1f, 0x8b]);
  return bytes;
}

function mirrorWith(bytes: Uint8Array<ArrayBuffer>): CountingMirror {
  const mirror = new CountingMirror();
  mirror.files.set(PATH, { bytes, etag: ETAG, lastModified: DATE });
  return mirror;
}

Deno.test("Databases.answer() asks the mirror each time, and has only what is new sent", async () => {
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  for (let i = 0; i < 3; i++) {
    const answer = await gateway.get(PATH);
    assertEquals([answer.status, answer.headers.get("etag")], [200, ETAG]);
    assertEquals(answer.headers.get("last-modified"), DATE);
    assertEquals(await bytesOf(answer), OLD);
  }
  assertEquals(mirror.asked.map(({ headers }) => headers.get("if-none-match")), [null, ETAG, ETAG]);
  mirror.files.set(PATH, { bytes: NEW, etag: '"v2"', lastModified: DATE });
  mirror.asked.length = 0;
  const answer = await gateway.get(PATH, { headers: { "if-none-match": ETAG } });
  assertEquals([answer.status, answer.headers.get("etag")], [200, '"v2"']);
  assertEquals(await bytesOf(answer), NEW);
  assertEquals(mirror.asked.length, 1);
  assertEquals(gateway.fetches.length, 0);
});

Deno.test("Databases.answer() answers a client's conditions and ranges by itself", async () => {
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  const cases: readonly [Record<string, string>, number, number][] = [
    [{ "if-none-match": ETAG }, 304, 0],
    [{ "if-modified-since": DATE }, 304, 0],
    [{ "if-modified-since": "Wed, 21 Oct 2015 07:27:00 GMT" }, 200, OLD.length],
    [{ range: "bytes=99990-" }, 206, 10],
    [{ range: "bytes=-7" }, 206, 7],
    [{ range: "bytes=100000-" }, 416, "The file has 100000 bytes\n".length],
    [{ range: "bytes=1-2", "if-range": DATE }, 206, 2],
    [{ range: "bytes=1-2", "if-range": '"v0"' }, 200, OLD.length],
  ];
  for (const [headers, status, length] of cases) {
    const answer = await gateway.get(PATH, { headers });
    const bytes = await bytesOf(answer);
    assertEquals([answer.status, bytes.length], [status, length], JSON.stringify(headers));
  }
});

Deno.test("Databases.answer() asks once for all who want it at a time", async () => {
  await using mirror = mirrorWith(OLD);
  const go = Promise.withResolvers<void>();
  mirror.fault = async () => {
    await go.promise;
    return undefined as never;
  };
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  const answers = Array.from({ length: 5 }, () => gateway.get(PATH));
  const signal = AbortSignal.timeout(10_000);
  while (gateway.gateway.counters.requests < 5) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  go.resolve();
  for (const answer of answers) assertEquals(await bytesOf(await answer), OLD);
  assertEquals(mirror.count(PATH), 1);
});

Deno.test("Databases.answer() gives the last good copy, marked, when that is allowed", async () => {
  using directory = new TempDir();
  await using mirror = mirrorWith(OLD);
  {
    await using gateway = PlayedGateway.start({
      mirrors: [mirror.url],
      staleMs: STALE_MS,
      cacheDir: directory.path,
    });
    await bytesOf(await gateway.get(PATH));
    mirror.fault = () => new Response("busy", { status: 503, headers: { "retry-after": "7" } });
    const busy = await gateway.get(PATH);
    assertEquals(busy.headers.get("warning"), '110 - "Response is Stale"');
    assertEquals(await bytesOf(busy), OLD);
    // Of what it never had it says what the mirror says.
    const other = await gateway.get("/extra/os/x86_64/extra.db");
    assertEquals([other.status, other.headers.get("retry-after")], [503, "7"]);
    await other.body?.cancel();
    mirror.fault = undefined;
    await mirror.die();
  }
  // It outlives the daemon.
  await using gateway = PlayedGateway.start({
    mirrors: [mirror.url],
    staleMs: STALE_MS,
    cacheDir: directory.path,
  });
  for (const method of ["GET", "HEAD"]) {
    const stale = await gateway.get(PATH, { method });
    assertEquals(stale.status, 200, method);
    assertGreaterOrEqual(Number(stale.headers.get("x-pacsrv-stale")), 0);
    assertEquals(stale.headers.get("content-length"), `${OLD.length}`);
    assertEquals(await bytesOf(stale), method === "HEAD" ? new Uint8Array() : OLD);
  }
  assertEquals((await gateway.get(PATH, { headers: { "if-none-match": ETAG } })).status, 304);
  // A client that has a newer one is not to get an older one.
  const newer = { "if-modified-since": "Wed, 21 Oct 2015 07:29:00 GMT" };
  assertEquals((await gateway.get(PATH, { headers: newer })).status, 304);
  const warnings = gateway.lines.filter(({ level }) => level === "warn");
  assertEquals(warnings.map(({ fields }) => fields["path"]), [PATH]);
  const [stale] = gateway.gateway.staleDatabases();
  assertEquals(stale!.path, PATH);
  assert(stale!.ageMs >= stale!.sinceMs, JSON.stringify(stale));
  mirror.live();
  const fresh = await gateway.get(PATH);
  assertEquals([fresh.status, fresh.headers.get("x-pacsrv-stale")], [200, null]);
  assertEquals(await bytesOf(fresh), OLD);
  assertEquals(gateway.gateway.staleDatabases(), []);
});

Deno.test("Databases.answer() gives no copy that no mirror vouches for, or has for too long", async () => {
  using directory = new TempDir();
  await using mirror = mirrorWith(OLD);
  for (const staleMs of [0, 60_000]) {
    const clock = new ManualClock();
    await using gateway = PlayedGateway.start({
      mirrors: [mirror.url],
      cacheDir: directory.path,
      staleMs,
      clock,
    });
    assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
    mirror.fault = () => new Response("busy", { status: 503, headers: { "retry-after": "7" } });
    if (staleMs > 0) await clock.advance(staleMs + 1);
    for (const method of ["GET", "HEAD"]) {
      const busy = await gateway.get(PATH, { method });
      assertEquals([busy.status, busy.headers.get("retry-after")], [503, "7"], method);
      await busy.body?.cancel();
    }
    // Told once, with what can be done about it.
    const warnings = gateway.lines.filter(({ level }) => level === "warn");
    assertEquals(warnings.map(({ fields }) => fields["path"]), [PATH]);
    assertEquals(gateway.gateway.staleDatabases(), []);
    mirror.fault = undefined;
    await mirror.die();
    const down = await gateway.get(PATH);
    assertEquals(down.status, 502);
    await down.body?.cancel();
    mirror.live();
  }
});

Deno.test("Databases.answer() follows a mirror whose database goes back in time", async () => {
  const EARLIER = "Tue, 20 Oct 2015 07:28:00 GMT";
  // As servers do that know no tags: what is not newer is taken for the same.
  const dated = (mirror: CountingMirror) => (request: Request) => {
    const since = Date.parse(request.headers.get("if-modified-since") ?? "");
    const { lastModified } = mirror.files.get(PATH)!;
    return Date.parse(lastModified!) <= since ? new Response(null, { status: 304 }) : undefined;
  };
  for (const tags of [['"v2"', '"v1"'], []]) {
    await using mirror = new CountingMirror();
    const put = (bytes: Uint8Array<ArrayBuffer>, lastModified: string, etag?: string) =>
      mirror.files.set(PATH, { bytes, lastModified, ...(etag === undefined ? {} : { etag }) });
    put(NEW, DATE, tags[0]);
    if (tags.length === 0) mirror.fault = dated(mirror);
    await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
    assertEquals(await bytesOf(await gateway.get(PATH)), NEW);
    const same = await gateway.get(PATH, { headers: { "if-modified-since": DATE } });
    assertEquals(same.status, 304);
    put(OLD, EARLIER, tags[1]);
    // With the date of the newer one, as pacman -Sy asks, and without, as pacman -Syy.
    for (const headers of [{ "if-modified-since": DATE }, {}] as Record<string, string>[]) {
      const back = await gateway.get(PATH, { headers });
      assertEquals([back.status, back.headers.get("last-modified")], [200, EARLIER]);
      assertEquals(await bytesOf(back), OLD);
    }
    // What is said to be the same, and is of another length.
    if (tags.length > 0) continue;
    put(NEW, EARLIER);
    assertEquals(await bytesOf(await gateway.get(PATH)), NEW);
  }
});

Deno.test("Databases.answer() has all of it sent where a client wants nothing out of a cache", async () => {
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  // Nothing that the mirror says tells that it is another one.
  mirror.files.set(PATH, { bytes: NEW, etag: ETAG, lastModified: DATE });
  assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  const headers = { "cache-control": "no-cache" };
  // Not even where it is just being asked for somebody else.
  const go = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  mirror.fault = async (request) => {
    if (!request.headers.has("if-none-match")) return undefined as never;
    asked.resolve();
    await go.promise;
    return undefined as never;
  };
  const other = gateway.get(PATH);
  await asked.promise;
  const fresh = gateway.get(PATH, { headers });
  go.resolve();
  assertEquals(await bytesOf(await other), OLD);
  assertEquals(await bytesOf(await fresh), NEW);
  const last = mirror.asked.at(-1)!.headers;
  assertEquals([last.get("cache-control"), last.get("if-none-match")], ["no-cache", null]);
  assertEquals(await bytesOf(await gateway.get(PATH)), NEW);
});

Deno.test("Databases.answer() asks by date alone where a mirror knows no HEAD", async () => {
  await using mirror = new CountingMirror();
  mirror.files.set(PATH, { bytes: OLD, lastModified: DATE });
  mirror.fault = ({ method }) =>
    method === "HEAD" ? new Response(null, { status: 405 }) : undefined;
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  for (let i = 0; i < 2; i++) assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  assertEquals(mirror.asked.map(({ method }) => method), ["GET", "HEAD", "GET"]);
  assertEquals(mirror.asked.at(-1)!.headers.get("if-modified-since"), DATE);
});

Deno.test("Databases.answer() passes 404 on, and keeps what it has", async () => {
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  const missing = await gateway.get(`${PATH}.sig`);
  assertEquals([missing.status, (await bytesOf(missing)).length], [404, 0]);
  await bytesOf(await gateway.get(PATH));
  mirror.fault = () => new Response("gone", { status: 404 });
  const gone = await gateway.get(PATH);
  assertEquals([gone.status, (await bytesOf(gone)).length], [404, 0]);
  mirror.fault = undefined;
  assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  assertEquals(mirror.asked.at(-1)!.headers.get("if-none-match"), ETAG);
});

Deno.test("Databases.answer() passes on what all mirrors refuse, whatever it has", async () => {
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ staleMs: STALE_MS, mirrors: [mirror.url] });
  await bytesOf(await gateway.get(PATH));
  const cases = [[403, 403, false], [404, 404, false], [451, 451, false], [
    500,
    200,
    true,
  ]] as const;
  for (const [refused, status, isStale] of cases) {
    mirror.fault = () => new Response("no", { status: refused });
    const answer = await gateway.get(PATH);
    await answer.body?.cancel();
    assertEquals([answer.status, answer.headers.has("x-pacsrv-stale")], [status, isStale]);
  }
  mirror.fault = undefined;
  // One that is down might have had it.
  await using forbidding = new CountingMirror();
  await using two = PlayedGateway.start({
    staleMs: STALE_MS,
    mirrors: [forbidding.url, mirror.url],
  });
  await bytesOf(await two.get(PATH));
  forbidding.fault = () => new Response("no", { status: 403 });
  await mirror.die();
  const stale = await two.get(PATH);
  assertEquals([stale.status, await bytesOf(stale)], [200, OLD]);
  mirror.live();
});

Deno.test("Databases.answer() passes on what is no database, and keeps the good copy", async () => {
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ staleMs: STALE_MS, mirrors: [mirror.url] });
  await bytesOf(await gateway.get(PATH));
  for (const [junk, etag] of [[content(500, 3), '"j1"'], [content(90_000, 4), '"j2"']] as const) {
    mirror.files.set(PATH, { bytes: junk, etag });
    for (let i = 0; i < 2; i++) {
      const passed = await gateway.get(PATH);
      assertEquals([passed.status, await bytesOf(passed)], [200, junk]);
    }
  }
  const warnings = gateway.lines.filter(({ level }) => level === "warn");
  assertEquals(warnings.map(({ fields }) => fields["path"]), [PATH]);
  mirror.fault = () => new Response("busy", { status: 503 });
  const stale = await gateway.get(PATH);
  assertEquals([stale.headers.has("x-pacsrv-stale"), await bytesOf(stale)], [true, OLD]);
});

Deno.test("Databases.answer() keeps a signature as it is, unless it is too long for one", async () => {
  const path = `${PATH}.sig`;
  await using mirror = new CountingMirror();
  await using gateway = PlayedGateway.start({ staleMs: STALE_MS, mirrors: [mirror.url] });
  const good = content(300, 5), big = content(limits.signatureBytesMax + 1, 6);
  for (const [bytes, etag] of [[good, '"s1"'], [big, '"s2"']] as const) {
    mirror.files.set(path, { bytes, etag });
    assertEquals(await bytesOf(await gateway.get(path)), bytes);
  }
  mirror.fault = () => new Response("busy", { status: 503 });
  assertEquals(await bytesOf(await gateway.get(path)), good);
});

Deno.test("Databases.answer() never lets what breaks off take the place of the good copy", async () => {
  using directory = new TempDir();
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({
    staleMs: STALE_MS,
    mirrors: [mirror.url],
    cacheDir: directory.path,
  });
  await bytesOf(await gateway.get(PATH));
  let answers = 0;
  mirror.fault = () => {
    answers++;
    let isFirst = true;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (isFirst) controller.enqueue(NEW.slice(0, 50_000));
        else controller.error(new Error("breaks off"));
        isFirst = false;
      },
    });
    return new Response(body, { headers: { "content-length": `${NEW.length}`, etag: '"v2"' } });
  };
  const { code, stdout } = await curl(gateway.url(PATH));
  assertEquals(code, 18);
  assert(stdout.length < NEW.length);
  assertGreaterOrEqual(answers, 2);
  await mirror.die();
  const stale = await gateway.get(PATH);
  assertEquals([stale.status, stale.headers.get("etag")], [200, ETAG]);
  assertEquals(await bytesOf(stale), OLD);
  assertEquals([...Deno.readDirSync(directory.path)].length, 2);
});

Deno.test("Databases.answer() takes a database whose length the mirror does not say", async () => {
  await using mirror = new CountingMirror();
  mirror.fault = () => {
    const parts = [NEW.slice(0, 70_000), NEW.slice(70_000)];
    return new Response(
      new ReadableStream({
        pull(controller) {
          const part = parts.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(part);
        },
      }),
    );
  };
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  const answer = await gateway.get(PATH);
  assertEquals(answer.headers.get("content-length"), `${NEW.length}`);
  assertEquals(await bytesOf(answer), NEW);
});

Deno.test("Databases.answer() takes the next mirror when the first one is down", async () => {
  await using dead = new CountingMirror();
  await dead.die();
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ mirrors: [dead.url, mirror.url] });
  assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  dead.live();
});

Deno.test("Databases.answer() knows a database by where the mirror has it, whatever the path", async () => {
  using directory = new TempDir();
  await using mirror = new CountingMirror();
  mirror.files.set("/core/x86_64/core.db", { bytes: OLD, etag: ETAG });
  await using gateway = PlayedGateway.start({
    staleMs: STALE_MS,
    mirrors: [`${mirror.url}/$repo/$arch`],
    cacheDir: directory.path,
  });
  const paths = Array.from({ length: 35 }, (_, i) => `/x${i}${PATH}`);
  for (const path of [PATH, ...paths]) assertEquals(await bytesOf(await gateway.get(path)), OLD);
  assertEquals([...Deno.readDirSync(directory.path)].length, 2);
  const sent = mirror.asked.filter(({ headers }) => headers.get("if-none-match") === null);
  assertEquals(sent.length, 1);
  await mirror.die();
  const stale = await gateway.get(`/made/up${PATH}`);
  assertEquals([stale.status, stale.headers.has("x-pacsrv-stale")], [200, true]);
  assertEquals(await bytesOf(stale), OLD);
  mirror.live();
});

Deno.test("Databases.answer() passes through what there is no room to keep", async () => {
  using directory = new TempDir();
  await using mirror = mirrorWith(OLD);
  const cache = new DatabaseCache(directory.path, { clock: systemClock, log: silentLogger });
  for (let i = 0; i < limits.databasesMax; i++) {
    const key = databaseKey([`${mirror.url}/${i}.db`]);
    cache.asked(key);
    const file = cache.newFile(key);
    Deno.writeTextFileSync(file, "content");
    cache.keep(file, { key, sizeBytes: 7, crc32: 0, etag: null, lastModified: null });
  }
  await using gateway = PlayedGateway.start({
    mirrors: [mirror.url],
    cacheDir: directory.path,
  });
  const isKept = () => [...Deno.readDirSync(directory.path)].some(({ name }) => name === facts);
  const facts = `${databaseKey([mirror.url + PATH])}.json`;
  const part = await gateway.get(PATH, { headers: { range: "bytes=99990-" } });
  assertEquals([part.status, await bytesOf(part)], [206, OLD.slice(99_990)]);
  assertEquals(isKept(), false);
  // Asked for again, it is worth a place.
  assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  assertEquals(isKept(), true);
  assertEquals([...Deno.readDirSync(directory.path)].length, 2 * limits.databasesMax);
});

Deno.test("Databases.answer() gets only so many at a time that it does not keep", async () => {
  await using mirror = mirrorWith(OLD);
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  await bytesOf(await gateway.get(PATH));
  const go = Promise.withResolvers<undefined>();
  mirror.fault = ({ url }) => url.includes("made-up") ? go.promise as never : undefined;
  const paths = Array.from({ length: limits.databaseUpdatesMax }, (_, i) => `/made-up/${i}.db`);
  const answers = paths.map((path) => gateway.get(path));
  const signal = AbortSignal.timeout(10_000);
  while (mirror.asked.length <= paths.length) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const more = await gateway.get("/made-up/more.db");
  assertEquals([more.status, more.headers.get("retry-after")], [503, "1"]);
  await more.body?.cancel();
  assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  go.resolve(undefined);
  for (const answer of await Promise.all(answers)) {
    assertEquals([answer.status, (await bytesOf(answer)).length], [404, 0]);
  }
});

Deno.test("PassThrough.answer() lets no client that does not read hold up the others", async () => {
  await using mirror = mirrorWith(OLD);
  const endless = () =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    });
  mirror.fault = ({ url }) =>
    url.endsWith(".iso")
      ? new Response(endless(), { headers: { "content-length": `${2 ** 34}` } })
      : undefined;
  const clock = new ManualClock();
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url], clock });
  const given = await Promise.all(
    Array.from({ length: limits.gatewayPassesMax }, (_, i) => gateway.get(`/iso/${i}.iso`)),
  );
  const { counters } = gateway.gateway;
  const before = counters.requests;
  const late = Array.from({ length: 32 }, (_, i) => gateway.get(`/iso/late-${i}.iso`));
  let pages = 0;
  // The page is always there, so it can be asked for how many have come.
  while (counters.requests - pages < before + late.length) {
    await bytesOf(await gateway.get("/"));
    pages++;
  }
  await clock.advance(limits.gatewayPassWaitMs);
  for (const answer of await Promise.all(late)) {
    assertEquals([answer.status, answer.headers.get("retry-after")], [503, "5"]);
    await answer.body?.cancel();
  }
  assertEquals(await bytesOf(await gateway.get(PATH)), OLD);
  assertEquals(given.map(({ status }) => status), given.map(() => 200));
  // Its turn comes when one of them has left.
  const next = gateway.get("/iso/next.iso");
  await given[0]!.body!.cancel();
  const { status, body } = await next;
  assertEquals(status, 200);
  for (const open of [body, ...given.slice(1).map(({ body }) => body)]) await open!.cancel();
});

Deno.test("PassThrough.answer() passes other files on, and the mirror's answers with them", async () => {
  await using mirror = new CountingMirror();
  const path = "/iso/latest.iso";
  mirror.files.set(path, { bytes: NEW, etag: ETAG, lastModified: DATE });
  await using gateway = PlayedGateway.start({ mirrors: [mirror.url] });
  const cases: readonly [Record<string, string>, number, readonly [number, number]][] = [
    [{}, 200, [0, NEW.length]],
    [{ range: "bytes=100-199" }, 206, [100, 200]],
    [{ range: "bytes=119000-" }, 206, [119_000, NEW.length]],
    [{ range: "bytes=-5" }, 206, [NEW.length - 5, NEW.length]],
    [{ range: "bytes=0-0", "if-range": ETAG }, 206, [0, 1]],
    [{ range: "bytes=0-0", "if-range": '"v0"' }, 200, [0, NEW.length]],
    [{ "if-none-match": ETAG }, 304, [0, 0]],
    [{ "if-modified-since": DATE }, 304, [0, 0]],
    [{ range: "bytes=0-0", "if-none-match": ETAG }, 304, [0, 0]],
  ];
  for (const [headers, status, [start, end]] of cases) {
    const answer = await gateway.get(path, { headers });
    const what = JSON.stringify(headers);
    assertEquals(answer.status, status, what);
    assertEquals(await bytesOf(answer), NEW.slice(start, end), what);
    if (status !== 304) assertEquals(answer.headers.get("content-length"), `${end - start}`, what);
  }
  const past = await gateway.get(path, { headers: { range: "bytes=120000-" } });
  assertEquals([past.status, past.headers.get("content-range")], [416, "bytes */120000"]);
  await past.body?.cancel();
  const head = await gateway.get(path, { method: "HEAD" });
  assertEquals([head.status, head.headers.get("content-length")], [200, "120000"]);
  assertEquals([head.headers.get("etag"), head.headers.get("last-modified")], [ETAG, DATE]);
  for (const status of [403, 404, 500, 503]) {
    mirror.fault = () => new Response("no", { status, headers: { "retry-after": "9" } });
    const answer = await gateway.get(path);
    assertEquals(answer.status, status);
    assertEquals((await answer.text()).length > 0, status !== 404);
  }
});

Deno.test("PassThrough.answer() gives a package that the node cannot take in", async () => {
  await using mirror = new CountingMirror();
  const path = "/core/os/x86_64/big-1-1-any.pkg.tar.zst";
  mirror.files.set(path, { bytes: NEW, etag: ETAG });
  await using gateway = PlayedGateway.start({
    mirrors: [mirror.url],
    play: (fetch) => fetch.fail(new Error("No space left on device")),
  });
  const answer = await gateway.get(path, { headers: { range: "bytes=5-" } });
  assertEquals([answer.status, answer.headers.get("x-pacsrv-source")], [206, "mirror"]);
  assertEquals(await bytesOf(answer), NEW.slice(5));
});
