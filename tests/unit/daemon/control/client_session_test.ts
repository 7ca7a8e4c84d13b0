/** Answers on a real client port, as a client hears them. */

import { assertEquals } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { DaemonClient } from "../../../../src/client/daemon_client.ts";
import { Answerer, type AnswerItem } from "../../../../src/daemon/control/answers.ts";
import { ClientServer } from "../../../../src/daemon/control/client_server.ts";
import { openToken } from "../../../../src/daemon/control/token.ts";
import { tcpTransport } from "../../../../src/net/tcp_transport.ts";
import type { PushReport } from "../../../../src/wire/reports.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { testNode } from "../../../support/test_node.ts";
import { openStore, TempDir } from "../../store/store_fixture.ts";

/** Generous: what does not come at all shall fail the test instead of hanging it. */
const WAIT_MS = 30_000;

/** Answers every question with the two reports of a push, the second one when it is told to. */
class SlowAnswerer extends Answerer {
  readonly ended = Promise.withResolvers<void>();

  override async *answer(): AsyncGenerator<AnswerItem> {
    yield report("accepted");
    await this.ended.promise;
    yield report("done");
  }
}

function report(result: string): PushReport {
  const root = "ab".repeat(32) as Root;
  return { peer: "h:1", nodeId: "cd".repeat(16) as NodeId, name: "a", root, result, bytes: 0 };
}

Deno.test("ClientSession sends each report of a push when it comes", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = new SlowAnswerer({
    node,
    version: "1",
    clientAddress: () => "127.0.0.1:1",
    gatewayAddress: () => null,
    syncDatabases: () => [],
  });
  const token = await openToken(dir.path);
  const host = { node, answerer, token };
  const server = new ClientServer(host, tcpTransport, { host: "127.0.0.1", port: 0 });
  server.start();
  const client = await DaemonClient.connect(server.address);
  const late = setTimeout(() => client.close(), WAIT_MS);
  try {
    const reports = client.ask("push", { target: "a" });
    assertEquals(await reports.next(), { done: false, value: report("accepted") });
    answerer.ended.resolve();
    assertEquals(await reports.next(), { done: false, value: report("done") });
    assertEquals((await reports.next()).done, true);
  } finally {
    clearTimeout(late);
    client.close();
    server.stop();
    await node.stop();
  }
});
