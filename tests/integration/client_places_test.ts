// Local clients that hold all places keep nobody out: neither those who wait, nor the owner.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Connection } from "../../src/net/connection.ts";
import { expectMessage } from "../../src/net/handshake.ts";
import { tcpTransport } from "../../src/net/tcp_transport.ts";
import { CLIENT_MAGIC, CLIENT_VERSION } from "../../src/wire/messages.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { waitUntil } from "./support/wait.ts";

/** A client that has a place, and may begin something that takes long. */
async function occupy(daemon: DaemonProcess, isBusy: boolean): Promise<Connection> {
  const port = Number(daemon.client.slice(daemon.client.lastIndexOf(":") + 1));
  const stream = await tcpTransport.dial({ host: "127.0.0.1", port }, { timeoutMs: 10_000 });
  const connection = new Connection(stream);
  const nonce = systemRandom.bytes(16);
  connection.send({ kind: "client-hello", magic: CLIENT_MAGIC, version: CLIENT_VERSION, nonce });
  expectMessage(await connection.receiveOne(), "client-welcome");
  if (isBusy) {
    const json = JSON.stringify({ glob: "*", timeoutMs: limits.listingTimeoutMsMax });
    connection.send({ kind: "ask", verb: "search", json });
  }
  return connection;
}

Deno.test("pacsrv daemon has places for who proves its token, though others hold all", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon();
  const held: Connection[] = [];
  using _ = { [Symbol.dispose]: () => held.forEach((one) => one.close()) };
  while (held.length < limits.clientsMax) held.push(await occupy(daemon, true));
  assertEquals((await daemon.run(["status"])).code, 0);
  // Who cannot read the token is told, and nobody has lost his place.
  await Deno.rename(`${daemon.dataDir}/client.token`, `${dir.path}/away`);
  const { code, stderr } = await daemon.run(["status"]);
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, "The daemon is busy");
  assertEquals(held.filter(({ isClosed }) => isClosed).length, 0);
});

Deno.test("pacsrv daemon gives the place of a client that asks for nothing to another", async () => {
  await using dir = await TempDir.make();
  await using daemon = await startDaemon();
  await Deno.rename(`${daemon.dataDir}/client.token`, `${dir.path}/away`);
  const held: Connection[] = [];
  using _ = { [Symbol.dispose]: () => held.forEach((one) => one.close()) };
  while (held.length < limits.clientsMax) held.push(await occupy(daemon, false));
  const ended = (async () => {
    for (;;) {
      const message = await held[0]!.receiveOne();
      held[0]!.send({ kind: "heartbeat" });
      if (message.kind === "failed") return message.message;
    }
  })();
  await waitUntil(async () => (await daemon.run(["status"])).code === 0, {
    what: "a place for a client that asks for something",
  });
  assertStringIncludes(await ended, "The daemon is busy");
});
