// The page of the port for monitoring, asked over real connections: its files, and the streams that
// keep it up to date, which no number of readers, and no reader that never reads, makes a burden.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Monitor } from "../../../src/metrics/monitor.ts";
import type { PageState } from "../../../src/metrics/page/state_streams.ts";
import { waitUntil, within } from "../../integration/support/wait.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const MIB = 1024 * 1024;

/** A service whose page shows `state`, and its monitoring. */
async function open(state: PageState) {
  const clock = new ManualClock();
  const page = { state, reads: 0 };
  const service = { problem: () => undefined, figures: () => ({}) };
  const kind = {
    families: [],
    page: () => {
      page.reads++;
      return Promise.resolve(page.state);
    },
  };
  const monitor = await Monitor.open<typeof service>(
    { listen: { host: "127.0.0.1", port: 0 }, names: ["node7.lan"] },
    { log: silentLogger, clock, kind },
  );
  monitor.started(service);
  const { port } = monitor.address;
  return {
    clock,
    page,
    monitor,
    url: `http://127.0.0.1:${port}`,
    connect: () => Deno.connect({ hostname: "127.0.0.1", port }),
    [Symbol.asyncDispose]: () => monitor[Symbol.asyncDispose](),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** A stream, and the events that come over it. */
class Events implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async of({ url }: Opened): Promise<Events> {
    const answer = await fetch(`${url}/events`);
    assertEquals(answer.status, 200);
    assertEquals(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
    return new Events(answer.body!);
  }

  async next(): Promise<PageState> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const event = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return JSON.parse(event.replace(/^data: /, ""));
      }
      const { done, value } = await within(this.#reader.read(), { what: "an event" });
      if (done) throw new Error("The stream has ended");
      this.#text += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}

Deno.test("the page and all that it names is there, and allows a browser nothing else", async () => {
  await using served = await open({});
  const paths = ["/"];
  for (const path of paths) {
    const answer = await fetch(served.url + path);
    const text = await answer.text();
    assertEquals(answer.status, 200, path);
    const policy = answer.headers.get("content-security-policy")!;
    assertStringIncludes(policy, "default-src 'none'; script-src 'self'; style-src 'self';");
    assert(!/unsafe|data:|https?:|\*/.test(policy), policy);
    assertEquals(answer.headers.get("x-content-type-options"), "nosniff");
    assertEquals(answer.headers.get("cross-origin-resource-policy"), "same-origin");
    const named = [
      ...[...text.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, named]) => named!),
      ...[...text.matchAll(/^import .* from "\.(\/[^"]*)";$/gm)].map(([, named]) =>
        `/page${named}`
      ),
    ];
    for (const one of named) if (!paths.includes(one)) paths.push(one);
    // Neither a style nor a script of a tag, nor anything of another server.
    if (path !== "/") continue;
    assert(!/ style=| on\w+=|<style|https?:/.test(text), text);
    assert(!/<script(?![^>]* src="\/)/.test(text), text);
  }
  assertEquals(paths.length, 7, paths.join());
});

Deno.test("the page and its events are for the names of this machine, and for no other page", async () => {
  await using served = await open({});
  const ask = async (path: string, headers: string) => {
    using connection = await served.connect();
    await connection.write(
      new TextEncoder().encode(`GET ${path} HTTP/1.1\r\n${headers}\r\n\r\n`),
    );
    const buffer = new Uint8Array(4096);
    const count = await connection.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  };
  for (const path of ["/", "/page/page.js", "/events"]) {
    for (const host of ["127.0.0.1", "[::1]:8052", "node7.lan:8052", "localhost"]) {
      assertMatch(await ask(path, `Host: ${host}`), /^HTTP\/1\.1 200 /, host);
    }
    assertMatch(await ask(path, "Host: evil.example"), /^HTTP\/1\.1 421 /);
  }
  const other = await ask("/events", "Host: localhost\r\nSec-Fetch-Site: cross-site");
  assertMatch(other, /^HTTP\/1\.1 403 [^]*Cannot give events to the page of another server/);
  const own = await ask("/events", "Host: localhost\r\nSec-Fetch-Site: same-origin");
  assertMatch(own, /^HTTP\/1\.1 200 /);
});

Deno.test("a stream gets all sections at first, then those that changed", async () => {
  await using served = await open({ a: 1, b: ["x\n\ny"] });
  const { clock, page } = served;
  await using events = await Events.of(served);
  assertEquals(await events.next(), { problem: null, a: 1, b: ["x\n\ny"] });
  page.state = { a: 2, b: ["x\n\ny"] };
  await clock.advance(limits.pageBeatMs);
  assertEquals(await events.next(), { a: 2 });
  // Nothing changed: nothing comes.
  await clock.advance(limits.pageBeatMs);
  page.state = { a: 2, b: [] };
  await clock.advance(limits.pageBeatMs);
  assertEquals(await events.next(), { b: [] });
  served.monitor.stopping();
  await clock.advance(limits.pageBeatMs);
  assertEquals(await events.next(), { problem: "it is stopping" });
});

Deno.test("the state is read once a beat for all streams, and not at all without one", async () => {
  await using served = await open({ a: 1 });
  const { clock, page } = served;
  await clock.advance(10 * limits.pageBeatMs);
  assertEquals(page.reads, 0);
  {
    await using first = await Events.of(served);
    await first.next();
    await using second = await Events.of(served);
    await second.next();
    await clock.advance(3 * limits.pageBeatMs);
    assertEquals(page.reads, 4);
  }
  // Their ends are heard.
  await waitUntil(async () => {
    const { reads } = page;
    await clock.advance(limits.pageBeatMs);
    return page.reads === reads;
  }, { what: "nobody to be left" });
});

Deno.test("a stream outlives the port, which is opened anew after a quiet while", async () => {
  await using served = await open({ a: 1 });
  const { clock, page, url } = served;
  await using events = await Events.of(served);
  await events.next();
  page.state = { a: 2 };
  await clock.advance(limits.metricsQuietMs + limits.metricsConnectionMs);
  assertEquals(await events.next(), { a: 2 });
  const again = () => fetch(`${url}/healthz`).then((answer) => answer.text());
  assertEquals(await waitUntil(again, { what: "an answer" }), "ok\n");
});

Deno.test("of 1,000 streams as many are open as may be, and others are told why not", async () => {
  await using served = await open({ a: 1 });
  const { clock, page, url } = served;
  const answers = await Promise.all(
    Array.from({ length: 1000 }, () => fetch(`${url}/events`).catch(() => null)),
  );
  const opened = answers.filter((answer) => answer?.status === 200);
  assertEquals(opened.length, limits.pageStreamsMax);
  // Some were ended for later ones before they were answered, as all connections are.
  const refused = answers.find((answer) => answer?.status === 503);
  assertEquals(refused?.headers.get("retry-after"), String(limits.pageRetrySeconds));
  assertStringIncludes(await refused!.text(), "32 are open, the most at once");
  assertEquals(await (await fetch(`${url}/healthz`)).text(), "ok\n");
  const { reads } = page;
  await clock.advance(limits.pageBeatMs);
  assertEquals(page.reads - reads, 1);
  for (const answer of answers) if (answer?.bodyUsed === false) await answer.body?.cancel();
  const room = async () => {
    const answer = await fetch(`${url}/events`);
    await answer.body?.cancel();
    return answer.status === 200;
  };
  await waitUntil(room, { what: "room for one more stream" });
});

Deno.test("who never reads costs the room of one state, and is disconnected in time", async () => {
  await using served = await open({ a: "x".repeat(MIB) });
  const { clock, page } = served;
  /** Beats that leave the reader deaf; a state of 1 MiB that differs from the last at each. */
  const beats = async (count: number) => {
    for (let i = 0; i < count; i++) {
      page.state = { a: String.fromCharCode(97 + i % 26).repeat(MIB) };
      await clock.advance(limits.pageBeatMs);
    }
  };
  const request = new TextEncoder().encode("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  using late = await served.connect();
  await late.write(request);
  using deaf = await served.connect();
  await deaf.write(request);
  await waitUntil(() => page.reads > 0, { what: "the streams to begin" });
  const stuckBeats = limits.pageStuckMs / limits.pageBeatMs;
  await beats(stuckBeats - 5);
  // What the system keeps for it, and one state; not the 25 that there were.
  const taken = await drained(late);
  assert(taken < 12 * MIB, `${taken} bytes were kept for who did not read`);
  const text = drained(late, { untilBytes: MIB });
  await beats(2);
  assert(await text >= MIB, "who reads again is told again");
  await beats(stuckBeats);
  await within(drained(deaf, { untilBytes: Infinity }), { what: "the end of who never reads" });
});

/** Reads until nothing more comes for a while, so many bytes came, or the end; gives how many came. */
async function drained(
  connection: Deno.Conn,
  { untilBytes }: { readonly untilBytes?: number } = {},
): Promise<number> {
  const buffer = new Uint8Array(MIB);
  let bytes = 0;
  try {
    while (untilBytes === undefined || bytes < untilBytes) {
      const late = Promise.withResolvers<null>();
      const timer = untilBytes === undefined
        ? setTimeout(() => late.resolve(null), 300)
        : undefined;
      const count = await Promise.race([connection.read(buffer), late.promise]);
      clearTimeout(timer);
      if (count === null) break;
      bytes += count;
    }
  } catch { /* Broken off: that is an end as well. */ }
  return bytes;
}
