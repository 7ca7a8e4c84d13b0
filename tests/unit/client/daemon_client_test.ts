// A daemon that falls silent: the client keeps the connection alive, and gives up in time.

import { assertEquals, assertRejects } from "@std/assert";
import { FetchFailure, type PeerFault } from "../../../src/base/errors.ts";
import type { NodeId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { DaemonClient } from "../../../src/client/daemon_client.ts";
import { Connection } from "../../../src/net/connection.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import { CLIENT_MAGIC, CLIENT_VERSION } from "../../../src/wire/messages.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A client of something that welcomes it, and the other end of its connection. */
async function connected(
  clock: ManualClock,
): Promise<{ client: DaemonClient; daemon: Connection }> {
  const listener = tcpTransport.listen({ host: "127.0.0.1", port: 0 });
  const connecting = DaemonClient.connect(listener.address, { clock });
  for await (const duplex of listener) {
    const daemon = new Connection(duplex, { clock });
    await daemon.receiveOne();
    daemon.send({
      kind: "client-welcome",
      magic: CLIENT_MAGIC,
      version: CLIENT_VERSION,
      nodeId: "ab".repeat(16) as NodeId,
      nonce: new Uint8Array(16),
      tokenPath: "/nowhere/client.token",
    });
    listener.close();
    return { client: await connecting, daemon };
  }
  throw new Error("Nobody connected");
}

Deno.test("DaemonClient whose signal ends it says so, and not that the daemon went away", async () => {
  const clock = new ManualClock();
  const { client, daemon } = await connected(clock);
  try {
    const ending = new AbortController(), reason = new Error("enough");
    const asked = client.ask("list", {}, ending).next();
    await daemon.receiveOne();
    ending.abort(reason);
    assertEquals(await asked.catch((error) => error), reason);
  } finally {
    client.close();
    daemon.close();
  }
  // The same of one that does not welcome it.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ending = new AbortController(), reason = new Error("enough");
  const address = { host: "127.0.0.1", port: silent.addr.port };
  const connecting = DaemonClient.connect(address, { signal: ending.signal, clock });
  using _ = await silent.accept();
  ending.abort(reason);
  assertEquals(await connecting.catch((error) => error), reason);
});

Deno.test("DaemonClient beats while it waits, and gives up a daemon that is silent", async () => {
  const clock = new ManualClock();
  const { client, daemon } = await connected(clock);
  try {
    const answer = client.ask("list", {});
    const first = answer.next();
    assertEquals((await daemon.receiveOne()).kind, "ask");
    await clock.advance(limits.clientBeatMs);
    assertEquals((await daemon.receiveOne()).kind, "heartbeat");
    assertEquals(client.silentMs, limits.clientBeatMs);
    daemon.send({ kind: "answer", json: "[{}]", last: false });
    await first;
    await clock.advance(limits.clientBeatMs);
    assertEquals(client.silentMs, 0, "nobody is silent to whom nobody listens");
    const refused = assertRejects(() => answer.next(), FetchFailure, "was silent for 30 s");
    await clock.advance(limits.clientSilentMs);
    const { exit, cause } = await refused;
    assertEquals([exit, (cause as PeerFault).code], ["noDaemon", "silent"]);
  } finally {
    client.close();
    daemon.close();
  }
});
