/** Answers on a real client port, as a client hears them. */

import { assertEquals } from "@std/assert";
import { silentLogger } from "../../../../src/base/log.ts";
import { type Clock, systemClock } from "../../../../src/base/clock.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { DaemonClient } from "../../../../src/client/daemon_client.ts";
import { Answerer, type AnswerItem } from "../../../../src/daemon/control/answers.ts";
import { ClientServer } from "../../../../src/daemon/control/client_server.ts";
import { openToken } from "../../../../src/daemon/control/token.ts";
import { tcpTransport } from "../../../../src/net/tcp_transport.ts";
import type { Transport } from "../../../../src/net/transport.ts";
import type { LeftOut, PushReport } from "../../../../src/wire/reports.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
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

/** Answers with very many reports, and says what it leaves out. */
class LongAnswerer extends Answerer {
  override async *answer(
    ...[, , { leftOut }]: Parameters<Answerer["answer"]>
  ): AsyncGenerator<AnswerItem> {
    for (let i = 0; i < REPORTS; i++) yield report("x".repeat(200));
    leftOut(LEFT_OUT);
  }
}

const REPORTS = 2_000;
const LEFT_OUT = { more: 300, why: "there was no room", hint: "Ask for less." };

/** Has a client port whose questions `Answering` answers. */
async function withServer(
  options: {
    readonly Answering?: typeof Answerer;
    readonly clock?: Clock;
    readonly transport?: Transport;
  },
  use: (server: ClientServer, answerer: Answerer) => Promise<void>,
): Promise<void> {
  const { Answering = Answerer, clock = systemClock, transport = tcpTransport } = options;
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const node = testNode({ store, transport: new MemoryTransport(), clock });
  const answerer = new Answering({
    node,
    version: "1",
    log: { ...silentLogger, level: "info" },
    lan: () => null,
    clientAddress: () => "127.0.0.1:1",
    gatewayAddress: () => null,
    staleDatabases: () => [],
    syncDatabases: () => [],
    prefetch: () => null,
  });
  const token = await openToken(dir.path);
  const host = { node, answerer, token };
  const server = new ClientServer(host, transport, { host: "127.0.0.1", port: 0 });
  server.start();
  try {
    await use(server, answerer);
  } finally {
    server.stop();
    await node.stop();
  }
}

/** Has a client speak with a session whose questions `Answering` answers. */
async function withClient(
  Answering: typeof Answerer,
  talk: (client: DaemonClient, answerer: Answerer) => Promise<void>,
): Promise<void> {
  await withServer({ Answering }, async (server, answerer) => {
    const client = await DaemonClient.connect(server.address);
    const late = setTimeout(() => client.close(), WAIT_MS);
    try {
      await talk(client, answerer);
    } finally {
      clearTimeout(late);
      client.close();
    }
  });
}

Deno.test("ClientSession says nothing before its welcome, however late the client is", async () => {
  const passing = new ManualClock();
  // As in a daemon that slept: its beats go on, and the time that a client has begins anew.
  const clock: Clock = {
    nowMs: () => passing.nowMs(),
    unixMs: () => passing.unixMs(),
    every: (periodMs, run) => passing.every(periodMs, run),
    after: (waitMs, run) => passing.after(4 * waitMs, run),
  };
  const transport = new MemoryTransport();
  await withServer({ clock, transport }, async ({ address }) => {
    const connection = await transport.dial(address, { timeoutMs: WAIT_MS });
    let said = 0, isOver = false;
    const read = async () => {
      for (let got: number | null = 0; got !== null;) {
        got = await connection.read(new Uint8Array(100));
        said += got ?? 0;
      }
      isOver = true;
    };
    const reading = read();
    while (!isOver) await passing.advance(limits.clientBeatMs);
    await reading;
    assertEquals(said, 0);
    connection.close();
  });
});

Deno.test("ClientSession sends each report of a push when it comes", async () => {
  await withClient(SlowAnswerer, async (client, answerer) => {
    const reports = client.ask("push", { target: "a" });
    assertEquals(await reports.next(), { done: false, value: report("accepted") });
    (answerer as SlowAnswerer).ended.resolve();
    assertEquals(await reports.next(), { done: false, value: report("done") });
    assertEquals((await reports.next()).done, true);
  });
});

Deno.test("ClientSession says what an answer of many frames leaves out", async () => {
  await withClient(LongAnswerer, async (client) => {
    const leftOut: LeftOut[] = [];
    const asked = client.ask("search", { glob: "*" }, { leftOut: (one) => leftOut.push(one) });
    assertEquals((await Array.fromAsync(asked)).length, REPORTS);
    assertEquals(leftOut.map(({ more, why, hint }) => ({ more, why, hint })), [LEFT_OUT]);
  });
});
