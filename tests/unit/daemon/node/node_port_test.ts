/** The node port of a real node, over streams in memory that come from any host. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { newQueryId, type NodeId, type Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { callbackProof, offerFiles } from "../../../../src/daemon/discovery/offer_exchange.ts";
import type { Node, NodeOptions } from "../../../../src/daemon/node/node.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { initiate, type LocalIdentity, RefusedError } from "../../../../src/net/handshake.ts";
import { DoorTransport } from "../../../support/door_transport.ts";
import { testNode } from "../../../support/test_node.ts";
import { addDownloaded, content, openStore, TempDir } from "../../store/store_fixture.ts";

const IDENTITY: LocalIdentity = {
  nodeId: "22".repeat(16) as NodeId,
  listenPort: 0,
  network: "test",
  networkKey: undefined,
  random: systemRandom,
};

/** Runs `test` with a node that has one file, called "f". */
async function listening(
  test: (node: Node, door: DoorTransport) => Promise<void>,
  options: Partial<NodeOptions> = {},
): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await addDownloaded(store, "f", content(10));
  const door = new DoorTransport();
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
    assertEquals(node.context.connections.size, limits.handshakesPerHostMax);
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

Deno.test("NodePort has hosts with many silent handshakes give one to each that has fewer", () =>
  listening(async (node, door) => {
    const few = door.connect("192.0.2.9");
    const crowd: Connection[][] = [1, 2, 3, 4].map((number) =>
      Array.from(
        { length: limits.handshakesPerHostMax - (number === 4 ? 1 : 0) },
        () => door.connect(`192.0.2.${number}`),
      )
    );
    // The port takes them in turn: the last one is in when it is counted.
    while (node.context.connections.size < limits.handshakesMax) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    const newcomers = [door.connect("192.0.2.5"), door.connect("192.0.2.6")];
    await Promise.all(newcomers.map(shake));
    // The first host gave its oldest; who had one kept it.
    await assertRejects(() => crowd[0]![0]!.receiveOne(), Error, "closed the connection");
    await shake(few);
    await shake(crowd[0]!.at(-1)!);
    for (const connection of [...newcomers, few, ...crowd.flat()]) connection.close();
  }));

Deno.test("NodePort forgets a connection whose use failed", () =>
  listening(async (node, door) => {
    const queryId = newQueryId(systemRandom);
    const sought = { by: "name", value: "f" } as const;
    node.links.searches.add(queryId, sought, {
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
    const { answer } = await offerFiles(holder, {
      queryId,
      sought,
      remote,
      source: node.context,
      proved: () => {},
    });
    assertEquals(answer.kind, "want");
    await assertRejects(() => holder.receiveOne(), Error, "closed the connection");
    node.context.connections.tick(node.context.clock.nowMs());
    assertEquals(node.context.connections.size, 0);
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

/** Comes in as a fellow; what it is refused for, or undefined. */
async function refusalOfFellow(connection: Connection): Promise<string | undefined> {
  const shaking = initiate(connection, { identity: IDENTITY, purpose: "fellow", version: 2 });
  if (await shaking.then(() => true, () => false)) return undefined;
  return (await assertRejects(() => shaking, RefusedError)).refusal;
}

/** Has a node ban the identity of these tests at `host`. */
function ban(node: Node, host: string): void {
  for (let i = 0; i < limits.banMisdeeds; i++) {
    const root = `${i}`.repeat(64) as Root;
    node.links.step({
      kind: "misbehaved",
      node: { nodeId: IDENTITY.nodeId, host },
      misdeed: { kind: "wrong-data", root },
    });
  }
}

Deno.test("NodePort refuses fellows by name when nothing is in flight, or when they are banned", () =>
  listening(async (node, door) => {
    assertEquals(await refusalOfFellow(door.connect("192.0.2.1")), "not-supported");
    ban(node, "192.0.2.1");
    assertEquals(await refusalOfFellow(door.connect("192.0.2.1")), "banned");
  }));
