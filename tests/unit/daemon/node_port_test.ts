/** The node port of a real node, over streams in memory that come from any host. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { newQueryId, type NodeId, type Root } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { callbackProof, offerFiles } from "../../../src/daemon/callbacks.ts";
import type { Node, NodeOptions } from "../../../src/daemon/node.ts";
import { Connection } from "../../../src/net/connection.ts";
import { initiate, type LocalIdentity } from "../../../src/net/handshake.ts";
import type { Duplex, Listener, Transport } from "../../../src/net/transport.ts";
import { testNode } from "../../support/test_node.ts";
import { memoryPair } from "../../support/memory_transport.ts";
import { addDownloaded, content, openStore, TempDir } from "../store/store_fixture.ts";

const IDENTITY: LocalIdentity = {
  nodeId: "22".repeat(16) as NodeId,
  listenPort: 0,
  network: "test",
  networkKey: undefined,
  random: systemRandom,
};

/** A transport with one listener, to which anybody connects from the host that the test names. */
class Door implements Transport {
  readonly #waiting: Duplex[] = [];
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  connect(host: string): Connection {
    const [near, far] = memoryPair({ farRemote: { host, port: 1 } });
    this.#waiting.push(far);
    this.#changed.resolve();
    return new Connection(near);
  }

  dial(): Promise<Duplex> {
    return Promise.reject(new Error("Cannot dial: nobody is dialled here"));
  }

  listen(): Listener {
    const accepted = () => this.#accepted();
    return {
      address: { host: "127.0.0.1", port: 1 },
      [Symbol.asyncIterator]: accepted,
      close: () => {
        this.#isClosed = true;
        this.#changed.resolve();
      },
    };
  }

  async *#accepted(): AsyncGenerator<Duplex> {
    while (!this.#isClosed) {
      const duplex = this.#waiting.shift();
      if (duplex !== undefined) yield duplex;
      else {
        this.#changed = Promise.withResolvers();
        await this.#changed.promise;
      }
    }
  }
}

/** Runs `test` with a node that has one file, called "f". */
async function listening(
  test: (node: Node, door: Door) => Promise<void>,
  options: Partial<NodeOptions> = {},
): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await addDownloaded(store, "f", content(10));
  const door = new Door();
  const node = testNode({ store, transport: door, ...options });
  node.start();
  try {
    await test(node, door);
  } finally {
    await node.stop();
  }
}

function shake(connection: Connection): Promise<unknown> {
  return initiate(connection, { identity: IDENTITY, purpose: "transfer" });
}

Deno.test("NodePort lets no host have all handshakes, however silent it is", () =>
  listening(async (node, door) => {
    const silent = Array.from(
      { length: limits.handshakesMax },
      () => door.connect("192.0.2.1"),
    );
    const last = silent.at(-1)!;
    await assertRejects(() => last.receiveOne(), Error, "closed the connection");
    assertEquals(node.connections.size, limits.handshakesPerHostMax);
    const newcomer = door.connect("192.0.2.2");
    await shake(newcomer);
    newcomer.close();
    // Who has shaken hands, or has gone, gives the place to the next.
    for (const connection of silent) connection.close();
    let again: Connection;
    for (let tries = 0;; tries++) {
      again = door.connect("192.0.2.1");
      if (await shake(again).then(() => true, () => false)) break;
      assert(tries < 100, "no place comes free");
    }
    again.close();
  }));

Deno.test("NodePort forgets a connection whose use failed", () =>
  listening(async (node, door) => {
    const queryId = newQueryId(systemRandom);
    const sought = { by: "name", value: "f" } as const;
    node.searches.add(queryId, sought, {
      offered: () => ({
        kind: "want",
        root: "33".repeat(32) as Root,
        searchOn: false,
        use: () => Promise.reject(new Error("Cannot write: the disk is full")),
      }),
      hit: () => {},
      listed: () => {},
    });
    const holder = door.connect("192.0.2.1");
    const remote = await initiate(holder, {
      identity: IDENTITY,
      purpose: "callback",
      first: (remote) => [callbackProof(queryId, remote)],
    });
    const { store } = node;
    const answer = await offerFiles(holder, {
      queryId,
      sought,
      remote,
      store,
      proved: () => {},
    });
    assertEquals(answer.kind, "want");
    await assertRejects(() => holder.receiveOne(), Error, "closed the connection");
    node.connections.tick(performance.now());
    assertEquals(node.connections.size, 0);
    holder.close();
  }));

Deno.test("NodePort names a host in the log once for one kind of fault, whatever it says", async () => {
  const refused: string[] = [];
  const log = {
    ...silentLogger,
    warn: (_: string, fields: Record<string, unknown> = {}) => refused.push(String(fields["host"])),
  };
  await listening(async (_, door) => {
    for (const host of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) {
      for (let i = 0; i < 5; i++) {
        const stranger = door.connect(host);
        const identity = { ...IDENTITY, network: `other${i}` };
        await assertRejects(() => initiate(stranger, { identity, purpose: "link" }));
        stranger.close();
      }
    }
  }, { log });
  assertEquals(refused, ["192.0.2.1", "192.0.2.2"]);
});

Deno.test("NodePort tells its files to others while one host does not read those that it asked for", () =>
  listening(async ({ store }, door) => {
    // More than the stream takes unread.
    for (let i = 0; i < 8; i++) await addDownloaded(store, `${i}`.repeat(200), content(10, 2 + i));
    const ask = async (host: string) => {
      const connection = door.connect(host);
      const first = () => [{ kind: "files-query" } as const];
      await initiate(connection, { identity: IDENTITY, purpose: "directory", first });
      return connection;
    };
    const silent: Connection[] = [];
    for (let i = 0; i < limits.fileListsMax; i++) silent.push(await ask("192.0.2.1"));
    const other = await ask("192.0.2.2");
    assertEquals((await other.receiveOne()).kind, "files");
    for (const connection of [...silent, other]) connection.close();
  }));
