import { assertEquals } from "@std/assert";
import { silentLogger } from "../../../../src/base/log.ts";
import { HttpServer, type HttpServerTimeouts } from "../../../../src/gateway/server/http_server.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };

/** A server that answers with `OK`, over HTTP on loopback. */
function serverOf(timeouts: Partial<HttpServerTimeouts>, isBusy = () => false) {
  const answer = () => Promise.resolve(new Response("OK"));
  return new HttpServer({ log: silentLogger, answer, isBusy }, LISTEN, timeouts);
}

async function connect({ address: { port } }: HttpServer, text: string): Promise<Deno.TcpConn> {
  const client = await Deno.connect({ port });
  await client.write(new TextEncoder().encode(text));
  return client;
}

/** Asks anew until the port is open. */
async function ask({ address: { port } }: HttpServer): Promise<string> {
  for (;;) {
    try {
      using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
      return await (await fetch(`http://127.0.0.1:${port}/`, { client })).text();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

Deno.test("HttpServer.tick() ends connections that ask nothing, and listens on", async () => {
  const server = serverOf({ turnMs: 0, quietMs: 0 });
  const clients = [await connect(server, "GET / HT"), await connect(server, "")];
  // So the connections before it were accepted.
  assertEquals(await ask(server), "OK");
  server.tick(Infinity);
  for (const client of clients) assertEquals(await client.read(new Uint8Array(1)), null);
  assertEquals(await ask(server), "OK");
  for (const client of clients) client.close();
  await server.stop();
});

Deno.test("HttpServer.tick() ends no connection while something is answered, or too early", async () => {
  let isBusy = true;
  const server = serverOf({ turnMs: 60_000, quietMs: 0 }, () => isBusy);
  using client = await connect(server, "GET / HTTP/1.1\r\nHost: x\r\n");
  assertEquals(await ask(server), "OK");
  server.tick(performance.now() + 60_001);
  isBusy = false;
  server.tick(performance.now() + 50_000);
  await client.write(new TextEncoder().encode("\r\n"));
  const bytes = new Uint8Array(15);
  assertEquals(await client.read(bytes), 15);
  assertEquals(new TextDecoder().decode(bytes), "HTTP/1.1 200 OK");
  await server.stop();
});
