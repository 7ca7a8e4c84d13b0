// A daemon that falls silent: the client keeps the connection alive, and gives up in time.

import { assertEquals, assertRejects } from "@std/assert";
import { FetchFailure, type PeerFault } from "../../../src/base/errors.ts";
import type { NodeId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { DaemonClient } from "../../../src/client/daemon_client.ts";
import { Connection } from "../../../src/net/connection.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import { CLIENT_MAGIC, PROTOCOL_VERSION } from "../../../src/wire/messages.ts";
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
      version: PROTOCOL_VERSION,
      nodeId: "ab".repeat(16) as NodeId,
      nonce: new Uint8Array(16),
      tokenPath: "/nowhere/client.token",
    });
    listener.close();
    return { client: await connecting, daemon };
  }
  throw new Error("Nobody connected");
}

Deno.test("DaemonClient beats while it waits, and gives up a daemon that is silent", async () => {
  const clock = new ManualClock();
  const { client, daemon } = await connected(clock);
  try {
    const refused = assertRejects(
      () => client.ask("list", {}).next(),
      FetchFailure,
      "went away",
    );
    assertEquals((await daemon.receiveOne()).kind, "ask");
    await clock.advance(limits.clientBeatMs);
    assertEquals((await daemon.receiveOne()).kind, "heartbeat");
    await clock.advance(limits.clientSilentMs);
    const { exit, cause } = await refused;
    assertEquals([exit, (cause as PeerFault).code], ["noDaemon", "silent"]);
  } finally {
    client.close();
    daemon.close();
  }
});
