/** A node, and a way to come to it with questions, over streams in memory. */

import { chunkCount } from "../../src/base/geometry.ts";
import { newNodeId } from "../../src/base/ids.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Node, NodeOptions } from "../../src/daemon/node/node.ts";
import { Connection } from "../../src/net/connection.ts";
import { expectMessage, initiate, type LocalIdentity } from "../../src/net/handshake.ts";
import type { Message, Purpose } from "../../src/wire/messages.ts";
import type { ListedFile } from "../../src/wire/structures.ts";
import { openStore, rootOf, TempDir } from "../unit/store/store_fixture.ts";
import { MemoryTransport } from "./memory_transport.ts";
import { testNode } from "./test_node.ts";

const IDENTITY: LocalIdentity = {
  nodeId: newNodeId(systemRandom),
  listenPort: 0,
  network: "test",
  networkKey: undefined,
  random: systemRandom,
};

/** A node, and those who come to it. */
export interface Asked {
  readonly node: Node;
  ask(...questions: readonly Message[]): Promise<Connection>;
  open(purpose: Purpose, first: readonly Message[]): Promise<Connection>;
}

/** Runs `test` with a node; all connections that it opens are closed at the end. */
export async function asking(
  options: Partial<NodeOptions>,
  test: (asked: Asked) => Promise<void>,
): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const transport = new MemoryTransport({ bufferBytes: 64 * 1024 });
  const node = testNode({ store, transport, ...options });
  const connections: Connection[] = [];
  const open = async (purpose: Purpose, first: readonly Message[]) => {
    const connection = new Connection(await transport.dial(node.address, { timeoutMs: 5_000 }));
    connections.push(connection);
    await initiate(connection, { identity: IDENTITY, purpose, first: () => first });
    return connection;
  };
  node.start();
  try {
    await test({ node, open, ask: (...questions) => open("directory", questions) });
  } finally {
    for (const connection of connections) connection.close();
    await node.stop();
  }
}

/** A file as a list of files names it, whole. */
export function fileOf(bytes: Uint8Array, name = "f"): ListedFile {
  const chunks = chunkCount(bytes.length);
  const sizeBytes = bytes.length;
  const file = { root: rootOf(bytes), name, type: "", sizeBytes, chunksHave: chunks, whole: true };
  return { file, sha256: null };
}

function uploadRequest(bytes: Uint8Array): Message {
  return { kind: "upload-request", file: fileOf(bytes), serves: true };
}

/** Asks the node to take a file; gives its answer, and the connection. */
export async function answerTo({ ask }: Asked, bytes: Uint8Array): Promise<[string, Connection]> {
  const connection = await ask(uploadRequest(bytes));
  return [expectMessage(await connection.receiveOne(), "upload-answer").answer, connection];
}

/** Lets the event loop do something else. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
