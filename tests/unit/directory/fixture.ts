// Nodes and files for the tests of the directory server, over streams in memory.

import { toHex } from "../../../src/base/bytes.ts";
import { newNodeId, type NodeId, type Root, type SessionId } from "../../../src/base/ids.ts";
import type { HostPort } from "../../../src/base/address.ts";
import { seededRandom, systemRandom } from "../../../src/base/random.ts";
import { Connection } from "../../../src/net/connection.ts";
import { accept, type LocalIdentity, type RemoteIdentity } from "../../../src/net/handshake.ts";
import type { Listener, Transport } from "../../../src/net/transport.ts";
import { sessionMac } from "../../../src/wire/proofs.ts";
import type { ListedFile, Load } from "../../../src/wire/structures.ts";
import type { Message, MessageOf } from "../../../src/wire/messages.ts";

export const NETWORK = "test";
export const LOAD: Load = { uploads: 1, uploadsMax: 32, bytesPerSecond: 2, acceptBytes: 3 };
export const SESSION = "5e".repeat(16) as SessionId;

/** Who a node of the test is. */
export function identityOf(
  listenPort: number,
  options: { readonly network?: string; readonly nodeId?: NodeId } = {},
): LocalIdentity {
  return {
    nodeId: options.nodeId ?? newNodeId(systemRandom),
    listenPort,
    network: options.network ?? NETWORK,
    networkKey: undefined,
    random: systemRandom,
  };
}

/** A file of two chunks, the same for the same number. */
export function listedFile(number: number, fields: Partial<ListedFile["file"]> = {}): ListedFile {
  const root = toHex(seededRandom(number).bytes(32)) as Root;
  return {
    file: {
      root,
      name: `file-${number}.bin`,
      type: "bin",
      sizeBytes: 20_000,
      chunksHave: 2,
      whole: true,
      ...fields,
    },
    sha256: null,
  };
}

/** A node that answers dial-backs as the test has it. */
export class Answering implements AsyncDisposable {
  readonly address: HostPort;
  readonly identity: LocalIdentity;
  /** Purposes that it was dialled for. */
  readonly purposes: string[] = [];
  readonly #listener: Listener;
  readonly #answer: Answer;
  readonly #open = new Set<Connection>();
  readonly #running: Promise<void>;

  /** @param answer What it does once hands are shaken. */
  constructor(
    transport: Transport,
    answer: Answer,
    options: { readonly network?: string; readonly nodeId?: NodeId } = {},
  ) {
    this.#listener = transport.listen({ host: "127.0.0.1", port: 0 });
    this.address = this.#listener.address;
    this.identity = identityOf(this.address.port, options);
    this.#answer = answer;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const talks: Promise<void>[] = [];
    for await (const duplex of this.#listener) {
      const connection = new Connection(duplex);
      this.#open.add(connection);
      // The other side hangs up when it has heard enough.
      talks.push(this.#talk(connection).catch(() => connection.close()));
    }
    await Promise.all(talks);
  }

  async #talk(connection: Connection): Promise<void> {
    const admit = () => undefined;
    const remote = await accept(connection, { identity: this.identity, admit });
    this.purposes.push(remote.purpose);
    await this.#answer(connection, remote);
  }
}

export type Answer = (connection: Connection, remote: RemoteIdentity) => Promise<void>;

/** The answer to LOAD_QUERY of a node that knows `session`; checks that the asker knows it too. */
export async function proveSession(
  connection: Connection,
  remote: RemoteIdentity,
  session: SessionId,
  load = LOAD,
): Promise<void> {
  const { mac } = await hear(connection, "load-query");
  const expected = sessionMac("directory", session, remote.nonces);
  if (toHex(mac) !== toHex(expected)) throw new Error("The directory does not know the session");
  connection.send({
    kind: "load-report",
    mac: sessionMac("client", session, remote.nonces),
    load,
  });
}

/** The next message, which must be of this kind. */
export async function hear<K extends Message["kind"]>(
  connection: Connection,
  kind: K,
): Promise<MessageOf<K>> {
  const message = await connection.receiveOne();
  if (message.kind !== kind) throw new Error(`${message.kind} came instead of ${kind}`);
  return message as MessageOf<K>;
}
