/** A whole directory server over streams in memory, with nodes that answer its dials. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import type { SessionId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { type Logger, silentLogger } from "../../../src/base/log.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { DirectoryServer } from "../../../src/directory/server.ts";
import { DirectorySession } from "../../../src/directory/session.ts";
import { Connection } from "../../../src/net/connection.ts";
import { DirectoryConnection } from "../../../src/net/directory_connection.ts";
import type { RemoteIdentity } from "../../../src/net/handshake.ts";
import type { Transport } from "../../../src/net/transport.ts";
import type { MessageOf } from "../../../src/wire/messages.ts";
import type { ListedFile, Load } from "../../../src/wire/structures.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { memoryPair, MemoryTransport } from "../../support/memory_transport.ts";
import {
  type Answer,
  Answering,
  hear,
  identityOf,
  listedFile,
  LOAD,
  NETWORK,
  proveSession,
} from "./fixture.ts";

const ROOMY: Load = { uploads: 0, uploadsMax: 32, bytesPerSecond: 0, acceptBytes: 1e9 };

/** A running directory; disposing stops it. */
function directory(
  options: {
    readonly replicas?: number;
    readonly refreshMs?: number;
    readonly log?: Logger;
    readonly clock?: Clock;
  } = {},
): { server: DirectoryServer; transport: Transport } & AsyncDisposable {
  const { clock = systemClock } = options;
  const transport = new MemoryTransport({ bufferBytes: 64 * 1024 });
  const server = new DirectoryServer({
    listen: { host: "127.0.0.1", port: 0 },
    network: NETWORK,
    networkKey: undefined,
    replicas: options.replicas ?? 3,
    refreshMs: options.refreshMs ?? 30_000,
    queriesPerSecond: 1_000,
    log: options.log ?? silentLogger,
  }, { transport, random: systemRandom, clock });
  server.start();
  return { server, transport, [Symbol.asyncDispose]: () => server.stop() };
}

/** A client of a directory that listens where its node does. */
class Client implements AsyncDisposable {
  readonly session: SessionId;
  readonly node: Answering;
  readonly #server: DirectoryServer;
  readonly #transport: Transport;
  #sequence = 0;

  constructor(
    { server, transport }: ReturnType<typeof directory>,
    options: { readonly session: string; readonly answer?: Answer },
  ) {
    this.#server = server;
    this.#transport = transport;
    this.session = options.session.repeat(16) as SessionId;
    const proving: Answer = (connection, remote) => proveSession(connection, remote, this.session);
    this.node = new Answering(transport, options.answer ?? proving);
  }

  async open(): Promise<DirectoryConnection> {
    const duplex = await this.#transport.dial(this.#server.address, { timeoutMs: 1_000 });
    const { nodeId } = this.node.identity;
    return await DirectoryConnection.open(
      new Connection(duplex),
      identityOf(this.node.address.port, { nodeId }),
    );
  }

  refresh(fields: Partial<MessageOf<"refresh">> = {}): Omit<MessageOf<"refresh">, "kind"> {
    return {
      session: this.session,
      sequence: ++this.#sequence,
      load: LOAD,
      whole: true,
      filesListed: 0,
      ...fields,
    };
  }

  /** A whole list on a connection of its own. */
  async list(
    files: readonly ListedFile[],
    fields: Partial<MessageOf<"refresh">> = {},
  ): Promise<MessageOf<"listed">> {
    const connection = await this.open();
    const answer = await connection.batch(this.refresh(fields), { files, removed: [] });
    connection.close();
    if (answer.kind === "denied") throw new Error(answer.message);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
  }
}

/**
 * Lets everything go on until it is so, and the time of a clock of the test's own with it; the bound
 * is far beyond what it takes.
 */
async function until(what: string, isSo: () => boolean, clock?: ManualClock): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`Waited in vain for ${what}`);
    // Dials take real time, and must get some before they count as silent.
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock?.advance(100);
  }
}

Deno.test("DirectoryServer dials a new client back and names it with its address", async () => {
  await using running = directory();
  await using client = new Client(running, { session: "a1" });
  const file = listedFile(1);
  const answer = await client.list([file]);
  assertEquals([answer.known, answer.filesListed], [true, 1]);
  const { server } = running;
  await until("the check", () => server.run.index.status().clientsReachable === 1);
  await using seeker = new Client(running, { session: "a2" });
  const connection = await seeker.open();
  const holders = await connection.holders({ by: "root", value: file.file.root }, 8);
  assert(Array.isArray(holders));
  assertEquals(holders.map(({ port, host }) => ({ host, port })), [client.node.address]);
  connection.close();
});

Deno.test("DirectoryServer keeps what a broken batch had said, and takes nothing for gone", async () => {
  await using running = directory();
  await using client = new Client(running, { session: "b1" });
  await client.list([listedFile(1), listedFile(2)]);
  const connection = await client.open();
  connection.connection.send({ kind: "refresh", ...client.refresh() });
  connection.connection.send({ kind: "advertise", files: [listedFile(3)] });
  const { index } = running.server.run;
  await until("the third file", () => index.status().filesListed === 3);
  connection.close();
  const answer = await client.list([], { whole: false, filesListed: 3 });
  assertEquals([answer.known, answer.filesListed], [true, 3]);
});

Deno.test("DirectoryServer lets go of a batch whose client has begun another", async () => {
  await using running = directory();
  await using client = new Client(running, { session: "c1" });
  const first = await client.open();
  first.connection.send({ kind: "refresh", ...client.refresh() });
  first.connection.send({ kind: "advertise", files: [listedFile(1)] });
  const { index } = running.server.run;
  await until("the first file", () => index.status().filesListed === 1);
  const answer = await client.list([listedFile(2)]);
  assertEquals(answer.filesListed, 1);
  await assertRejects(() => first.connection.receiveOne(), Error, "closed the connection");
  assertEquals(index.status().filesListed, 1);
});

Deno.test("DirectoryServer has a popular file taken by a client that has room", async () => {
  await using running = directory({ replicas: 2 });
  const file = listedFile(1);
  const requests: MessageOf<"upload-request">[] = [];
  await using holder = new Client(running, { session: "d1" });
  await using taker: Client = new Client(running, {
    session: "d2",
    answer: async (connection, remote) => {
      await proveSession(connection, remote, taker.session, ROOMY);
      const request = await hear(connection, "upload-request");
      requests.push(request);
      connection.send({ kind: "upload-answer", answer: "accepted" });
    },
  });
  await holder.list([file]);
  await taker.list([], { load: ROOMY });
  const { index } = running.server.run;
  await until("the checks", () => index.status().clientsReachable === 2);
  // Demand is counted in nodes that ask.
  for (let i = 0; i < 16; i++) {
    await using seeker = new Client(running, { session: "d3" });
    const connection = await seeker.open();
    await connection.holders({ by: "root", value: file.file.root }, 8);
    connection.close();
  }
  await until("the request", () => index.status().uploadsAccepted === 1);
  const [request, ...more] = requests;
  assertEquals([request!.file.file, request!.serves, more], [file.file, false, []]);
});

Deno.test("DirectoryServer asks a silent client for its files, and goes by what it says", async () => {
  const clock = new ManualClock();
  await using running = directory({ refreshMs: limits.directoryRefreshMsMin, clock });
  const now = [listedFile(2), listedFile(3), listedFile(4)];
  await using client: Client = new Client(running, {
    session: "e1",
    answer: async (connection, remote) => {
      await proveSession(connection, remote, client.session);
      await hear(connection, "files-query");
      connection.send({ kind: "files", files: now.slice(0, 1), last: false });
      connection.send({ kind: "files", files: now.slice(1), last: true });
    },
  });
  await client.list([listedFile(1), listedFile(2)]);
  const { index } = running.server.run;
  await until("the new list", () => index.status().filesListed === 3, clock);
  const names = () => {
    const found = index.search({ glob: "*", max: 10, asker: "127.0.0.1" }, clock.nowMs());
    assert(Array.isArray(found));
    return found.map(({ name }) => name);
  };
  await until("the old file to go", () => !names().includes("file-1.bin"), clock);
  assertEquals(names(), ["file-2.bin", "file-3.bin", "file-4.bin"]);
});

Deno.test("DirectoryServer does not dial clients that have left before their turn", async () => {
  await using running = directory();
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
  let dials = 0;
  const late: Answer = async (connection, remote) => {
    dials++;
    await isOver;
    await proveSession(connection, remote, client.session);
  };
  await using client: Client = new Client(running, { session: "ee", answer: late });
  const connection = await client.open();
  const count = 3 * limits.directoryDialsPerHostMax;
  for (let i = 0; i < count; i++) {
    const session = `${i}`.padStart(2, "0").repeat(16) as SessionId;
    await connection.batch({ ...client.refresh(), session, sequence: 1 }, {
      files: [],
      removed: [],
    });
    await connection.leave({ session, sequence: 2 });
  }
  await until("the dials", () => dials === limits.directoryDialsPerHostMax);
  // One that stays comes after all that wait.
  await connection.batch(client.refresh(), { files: [], removed: [] });
  end();
  await until("its proof", () => running.server.run.index.status().clientsReachable === 1);
  assertEquals(dials, limits.directoryDialsPerHostMax + 1);
  connection.close();
});

Deno.test("DirectoryServer logs one kind of fault of an address once, whatever it says", async () => {
  const warned: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => void warned.push(message) };
  await using running = directory({ log });
  await using client = new Client(running, { session: "f1" });
  for (const number of [1, 2, 3]) {
    const connection = await client.open();
    const file = listedFile(number, { chunksHave: 3 });
    await assertRejects(() => connection.batch(client.refresh(), { files: [file], removed: [] }));
  }
  assertEquals(warned, ["a client broke the protocol"]);
});

Deno.test("DirectoryServer ends all connections when it stops", async () => {
  const running = directory();
  await using client = new Client(running, { session: "f1" });
  const connection = await client.open();
  await running.server.stop();
  await assertRejects(() => connection.status(), Error);
  await assertRejects(() => client.open(), Error);
});

Deno.test("DirectorySession ends a connection that is silent, or open for too long", async () => {
  const clock = new ManualClock();
  await using running = directory({ clock });
  const remote: RemoteIdentity = {
    nodeId: identityOf(1).nodeId,
    purpose: "directory",
    version: 1,
    listenPort: 1,
    nonces: new Uint8Array(32),
  };
  const open = () => {
    const [near, far] = memoryPair({ bufferBytes: 4_096 });
    const session = new DirectorySession(running.server.run, new Connection(far), remote);
    return { near: new Connection(near), session, ended: session.run() };
  };
  const { near, session, ended } = open();
  await clock.advance(limits.directoryIdleMs);
  session.tick(clock.nowMs());
  near.send({ kind: "directory-query" });
  assertEquals((await near.receiveOne()).kind, "directory-status");
  const rejection = assertRejects(() => ended, Error, "nothing came within");
  await clock.advance(limits.directoryIdleMs + 1);
  session.tick(clock.nowMs());
  await rejection;
  await assertRejects(() => near.receiveOne(), Error, "closed the connection");
  near.close();

  const long = open();
  const over = assertRejects(() => long.ended, Error, "is open for more than");
  await clock.advance(limits.directoryConnectionMs + 1);
  long.session.tick(clock.nowMs());
  await over;
  long.near.close();
});

Deno.test("DirectoryServer.figures() tells of its clients, what they list, and what they ask", async () => {
  await using running = directory();
  const { server } = running;
  const before = server.figures();
  assertEquals([before.clients, before.filesListed, before.connections], [0, 0, 0]);
  await using client = new Client(running, { session: "f1" });
  const connection = await client.open();
  await connection.batch(client.refresh(), {
    files: [1, 2, 3].map((n) => listedFile(n)),
    removed: [],
  });
  await connection.holders({ by: "root", value: listedFile(1).file.root }, 8);
  await until("the check", () => server.figures().clientsReachable === 1);
  await until("its end", () => server.figures().connections === 1);
  const after = server.figures();
  assertEquals([after.clients, after.filesListed, after.roots], [1, 3, 3]);
  assertEquals([after.batches, after.queries, after.denied, after.leases], [1, 1, 0, 0]);
  assert(after.bytesIn > before.bytesIn && after.bytesOut > before.bytesOut);
  connection.close();
});
