// The clients of a directory, all in one process, and the questions to it: real connections, real
// handshakes. Every client listens on a port of its own and proves itself when the directory dials.

import { newNodeId, newSessionId, type SessionId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Connection } from "../../src/net/connection.ts";
import { DirectoryConnection } from "../../src/net/directory_connection.ts";
import { accept, expectMessage, type LocalIdentity } from "../../src/net/handshake.ts";
import { tcpTransport } from "../../src/net/tcp_transport.ts";
import type { Duplex, Listener } from "../../src/net/transport.ts";
import { macEquals, sessionMac } from "../../src/wire/proofs.ts";
import type { ListedFile, Load } from "../../src/wire/structures.ts";
import type { Asker, Contestant } from "./directory_contestant.ts";
import { type Corpus, HOLDERS_MAX, type Question } from "./directory_corpus.ts";
import { NETWORK } from "./product.ts";

/** Clients that send their list at once. */
const ADVERTISING_MAX = 16;
/** How long the last dials of the directory may take after the last list was taken. */
const PROVED_MS = 60_000;
const POLL_MS = 50;
const LOAD: Load = { uploads: 0, uploadsMax: 32, bytesPerSecond: 0, acceptBytes: 0 };

/** A directory on a port of this machine. */
export class DirectoryContestant implements Contestant {
  /** V8 collects all garbage, and gives its room back, some half a minute after the last work. */
  readonly idleMs = 90_000;
  readonly #port: number;
  readonly #clients: DirectoryClient[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  async load({ clients }: Corpus): Promise<void> {
    const lists = clients.entries();
    await Promise.all(Array.from({ length: ADVERTISING_MAX }, async () => {
      for (const [, files] of lists) {
        const client = new DirectoryClient();
        this.#clients.push(client);
        await client.advertise(this.#port, files);
      }
    }));
    await using asker = await DirectoryAsker.connect(this.#port);
    const endMs = performance.now() + PROVED_MS;
    for (;;) {
      const reachable = await asker.clientsReachable();
      if (reachable === clients.length) return;
      if (performance.now() > endMs) {
        throw new Error(`The directory has reached ${reachable} of ${clients.length} clients`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async connect(): Promise<Asker> {
    return await DirectoryAsker.connect(this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }
}

/** One client: what it says to the directory, and what it answers when it is dialled. */
class DirectoryClient implements AsyncDisposable {
  readonly #session: SessionId = newSessionId(systemRandom);
  readonly #listener: Listener = tcpTransport.listen({ host: "127.0.0.1", port: 0 });
  readonly #identity: LocalIdentity = identity(this.#listener.address.port);
  readonly #accepting: Promise<void>;

  constructor() {
    this.#accepting = this.#acceptAll();
  }

  /** Sends the whole list. */
  async advertise(port: number, files: readonly ListedFile[]): Promise<void> {
    const talk = await openTalk(port, this.#identity);
    const refresh = {
      session: this.#session,
      sequence: 1,
      load: LOAD,
      whole: true,
      filesListed: 0,
    };
    const answer = await talk.batch(refresh, { files, removed: [] });
    talk.close();
    if (answer.kind === "denied") throw new Error(`The directory refused: ${answer.message}`);
    if (answer.filesListed !== files.length) {
      throw new Error(`The directory lists ${answer.filesListed} of ${files.length} files`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
  }

  async #acceptAll(): Promise<void> {
    for await (const duplex of this.#listener) await this.#proveItself(duplex);
  }

  /** Answers the directory's question for the load, which proves that this is the client. */
  async #proveItself(duplex: Duplex): Promise<void> {
    const connection = new Connection(duplex);
    try {
      const { nonces } = await accept(connection, {
        identity: this.#identity,
        admit: ({ purpose }) => purpose === "directory" ? undefined : "not-supported",
      });
      const { mac } = expectMessage(await connection.receiveOne(), "load-query");
      if (!macEquals(mac, sessionMac("directory", this.#session, nonces))) return;
      const own = sessionMac("client", this.#session, nonces);
      connection.send({ kind: "load-report", mac: own, load: LOAD });
    } catch (error) {
      console.error(`A client could not answer the directory: ${(error as Error).message}`);
    } finally {
      await connection.closeAfterWriting();
    }
  }
}

class DirectoryAsker implements Asker {
  readonly #talk: DirectoryConnection;

  private constructor(talk: DirectoryConnection) {
    this.#talk = talk;
  }

  static async connect(port: number): Promise<DirectoryAsker> {
    return new DirectoryAsker(await openTalk(port, identity(0)));
  }

  async ask({ kind, value }: Question): Promise<number> {
    const answer = await this.#send({ kind, value });
    if (Array.isArray(answer)) return answer.length;
    throw new Error(`The directory refused a ${kind}: ${answer.message}`);
  }

  /** How many clients the directory could dial. */
  async clientsReachable(): Promise<number> {
    const status = await this.#talk.status();
    if (status.kind === "denied") throw new Error(`The directory refused: ${status.message}`);
    return status.clientsReachable;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#talk.close();
    await Promise.resolve();
  }

  #send({ kind, value }: Question) {
    switch (kind) {
      case "metadata by name":
        return this.#talk.metadata({ by: "name", value });
      case "metadata by root":
        return this.#talk.metadata({ by: "root", value });
      case "holders by name":
        return this.#talk.holders({ by: "name", value }, HOLDERS_MAX);
      case "holders by root":
        return this.#talk.holders({ by: "root", value }, HOLDERS_MAX);
      case "search of a prefix":
      case "search of a part":
        return this.#talk.search(value, limits.directorySearchMax);
    }
  }
}

async function openTalk(port: number, identity: LocalIdentity): Promise<DirectoryConnection> {
  const duplex = await tcpTransport.dial({ host: "127.0.0.1", port }, { timeoutMs: limits.dialMs });
  return await DirectoryConnection.open(new Connection(duplex), identity);
}

function identity(listenPort: number): LocalIdentity {
  return {
    nodeId: newNodeId(systemRandom),
    listenPort,
    network: NETWORK,
    networkKey: undefined,
    random: systemRandom,
  };
}
