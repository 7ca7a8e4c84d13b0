import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { LogThrottle, silentLogger } from "../../../../src/base/log.ts";
import { HttpServer } from "../../../../src/gateway/server/http_server.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { ended } from "../gateway_fixture.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };

/** A server that answers with `OK`, over HTTP on loopback. */
function serverOf(clock: ManualClock, isBusy = () => false) {
  const answer = () => Promise.resolve(new Response("OK"));
  const throttle = new LogThrottle();
  return new HttpServer({ listen: LISTEN, clock, log: silentLogger, throttle, answer, isBusy });
}

async function connect({ address: { port } }: HttpServer, text: string): Promise<Deno.TcpConn> {
  const client = await Deno.connect({ port });
  await client.write(new TextEncoder().encode(text));
  return client;
}

/** Asks again until the port is open. */
async function ask({ address: { port } }: HttpServer, clock: ManualClock): Promise<string> {
  for (;;) {
    try {
      using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
      return await (await fetch(`http://127.0.0.1:${port}/`, { client })).text();
    } catch {
      await clock.advance(limits.gatewayPortMs);
    }
  }
}

Deno.test("HttpServer.tick() ends connections that ask nothing, and listens on", async () => {
  const clock = new ManualClock();
  const server = serverOf(clock);
  const clients = [await connect(server, "GET / HT"), await connect(server, "")];
  // So the connections before it were accepted.
  assertEquals(await ask(server, clock), "OK");
  await clock.advance(limits.gatewayTurnMs);
  server.tick(clock.nowMs());
  for (const client of clients) assertEquals(await client.read(new Uint8Array(1)), null);
  assertEquals(await ask(server, clock), "OK");
  for (const client of clients) client.close();
  await ended(server.stop(), clock);
});

Deno.test("HttpServer.tick() ends no connection while something is answered, or too early", async () => {
  let isBusy = true;
  const clock = new ManualClock();
  const server = serverOf(clock, () => isBusy);
  using client = await connect(server, "GET / HTTP/1.1\r\nHost: x\r\n");
  assertEquals(await ask(server, clock), "OK");
  await clock.advance(limits.gatewayTurnMs - 1);
  isBusy = false;
  server.tick(clock.nowMs());
  isBusy = true;
  await clock.advance(1);
  server.tick(clock.nowMs());
  await client.write(new TextEncoder().encode("\r\n"));
  const bytes = new Uint8Array(15);
  assertEquals(await client.read(bytes), 15);
  assertEquals(new TextDecoder().decode(bytes), "HTTP/1.1 200 OK");
  await ended(server.stop(), clock);
});
