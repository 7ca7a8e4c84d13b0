// The port for monitors, asked over real connections: what it answers, and what it bears.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Health } from "../../../src/metrics/health.ts";
import { MetricsServer } from "../../../src/metrics/metrics_server.ts";
import { waitUntil, within } from "../../integration/support/wait.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const TYPE = "text/plain; version=0.0.4";

/** A server whose time stands still, and that gives `text` as its figures. */
async function serve({ text = "figures\n" }: { readonly text?: string } = {}) {
  const clock = new ManualClock();
  const health = new Health();
  const server = await MetricsServer.open({
    listen: { host: "127.0.0.1", port: 0 },
    names: ["node7.lan"],
    log: silentLogger,
    health,
    clock,
    metrics: () => Promise.resolve({ text, type: TYPE }),
  });
  return {
    clock,
    health,
    port: server.address.port,
    connect: () => Deno.connect({ hostname: "127.0.0.1", port: server.address.port }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

type Served = Awaited<ReturnType<typeof serve>>;

/** Sends a request as it is written; gives all that comes back. */
async function ask({ connect }: Served, request: string): Promise<string> {
  using connection = await connect();
  await connection.write(new TextEncoder().encode(request));
  return await new Response(connection.readable).text();
}

async function get(server: Served, path: string, { host = "localhost", method = "GET" } = {}) {
  const answer = await ask(server, `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const [head = "", body = ""] = answer.split("\r\n\r\n", 2);
  return { status: Number(head.split(" ")[1]), head: head.toLowerCase(), body };
}

/** Resolves when the other side has ended the connection, whatever came before. */
async function ended(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (await connection.read(buffer) !== null);
  } catch { /* Broken off: that is an end as well. */ }
}

Deno.test("MetricsServer gives the figures, with their type, and closes", async () => {
  await using server = await serve();
  const { status, head, body } = await get(server, "/metrics?name=x");
  assertEquals([status, body], [200, "figures\n"]);
  assertStringIncludes(head, `content-type: ${TYPE}`);
  assertStringIncludes(head, "connection: close");
});

Deno.test("MetricsServer answers HEAD without a body", async () => {
  await using server = await serve();
  const { status, head, body } = await get(server, "/metrics", { method: "HEAD" });
  assertEquals([status, body], [200, ""]);
  assertStringIncludes(head, "content-length: 8");
});

Deno.test("MetricsServer says whether the service is ready, and why not", async () => {
  await using server = await serve();
  const ready = async () => {
    const { status, body } = await get(server, "/readyz");
    return `${status} ${body}`;
  };
  let problem: string | undefined;
  assertEquals(await ready(), "503 not ready: it is starting\n");
  server.health.started(() => problem);
  assertEquals(await ready(), "200 ready\n");
  problem = "the disk is gone";
  assertEquals(await ready(), "503 not ready: the disk is gone\n");
  problem = undefined;
  assertEquals(await ready(), "200 ready\n");
  server.health.stopping();
  assertEquals(await ready(), "503 not ready: it is stopping\n");
  assertEquals((await get(server, "/healthz")).status, 200, "it is alive all the time");
});

Deno.test("MetricsServer answers a probe of HTTP/1.0 that names no host", async () => {
  await using server = await serve();
  assertMatch(await ask(server, "GET /healthz HTTP/1.0\r\n\r\n"), /^HTTP\/1\.\d 200 [^]*\nok\n$/);
  assertMatch(
    await ask(server, "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n"),
    /^HTTP\/1\.\d 421 /,
  );
});

Deno.test("MetricsServer is 400 for a request that names two hosts", async () => {
  await using server = await serve();
  for (const version of ["1.0", "1.1"]) {
    const hosts = "Host: localhost\r\nHost: localhost\r\n";
    const answer = await ask(server, `GET /healthz HTTP/${version}\r\n${hosts}\r\n`);
    assertMatch(answer, /^HTTP\/1\.\d 400 /, version);
  }
});

Deno.test("MetricsServer refuses other paths, methods and hosts", async () => {
  await using server = await serve();
  for (const path of ["/", "/metrics/", "/metric", "//metrics", "/../metrics", "/%6detrics"]) {
    assertEquals((await get(server, path)).status, 404, path);
  }
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const { status, head } = await get(server, "/metrics", { method });
    assertEquals(status, 405, method);
    assertStringIncludes(head, "allow: get, head");
  }
  for (const host of ["127.0.0.1", "[::1]:8052", "node7.lan:8052", "NODE7.lan.", Deno.hostname()]) {
    assertEquals((await get(server, "/metrics", { host })).status, 200, host);
  }
  for (const host of ["evil.example", "node7.lan.evil.example", "127.0.0.1.evil.example:8052"]) {
    const { status, body } = await get(server, "/metrics", { host });
    assertEquals(status, 421, host);
    assertMatch(body, /"\S+" is no name of this machine \(see --metrics-name\)/);
  }
  assertMatch(await ask(server, "GET /metrics HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 400 /, "no Host");
});

Deno.test("MetricsServer refuses what is no request, or too long a one", async () => {
  await using server = await serve();
  assertMatch(await ask(server, "rubbish\r\n\r\n"), /^HTTP\/1\.1 400 |^$/);
  const long = `X: ${"x".repeat(limits.metricsHeadBytesMax)}`;
  assertMatch(
    await ask(server, `GET /metrics HTTP/1.1\r\nHost: localhost\r\n${long}\r\n\r\n`),
    /^HTTP\/1\.1 431 |^$/,
  );
  assertEquals((await get(server, "/healthz")).status, 200);
});

Deno.test("MetricsServer ends who asks nothing, and who reads nothing, in time", async () => {
  await using server = await serve({ text: "x".repeat(32 * 1024 * 1024) });
  using silent = await server.connect();
  using slow = await server.connect();
  await slow.write(new TextEncoder().encode("GET /metrics HTTP/1.1\r\nHost:"));
  using deaf = await server.connect();
  await deaf.write(new TextEncoder().encode("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  // The first byte of its answer: the rest does not fit into what the system keeps.
  assertEquals(await deaf.read(new Uint8Array(1)), 1);
  await server.clock.advance(limits.metricsConnectionMs);
  const ends = Promise.all([silent, slow, deaf].map(ended));
  await within(ends, { what: "the ends of three connections" });
});

Deno.test("MetricsServer answers beside 1,000 connections that ask nothing", async () => {
  await using server = await serve();
  const connections = await Promise.all(Array.from({ length: 1000 }, () => server.connect()));
  try {
    assertEquals((await get(server, "/metrics")).status, 200);
    let open = connections.length;
    const ends = connections.map((connection) => ended(connection).then(() => open--));
    // All but so many are ended at once, without any time passing; the rest when it is over.
    await waitUntil(() => open <= limits.metricsConnectionsMax, { what: "the oldest to be ended" });
    assert(open > 0, "those within the bound stay");
    await server.clock.advance(limits.metricsConnectionMs);
    await within(Promise.all(ends), { what: "the ends of all connections" });
  } finally {
    for (const connection of connections) connection.close();
  }
});

Deno.test("MetricsServer opens its port anew after a quiet while, and answers again", async () => {
  await using server = await serve();
  assertEquals((await get(server, "/healthz")).status, 200);
  await server.clock.advance(limits.metricsQuietMs);
  const answer = () => get(server, "/healthz");
  assertEquals((await waitUntil(answer, { what: "an answer" })).status, 200);
});
