// A directory in the hands of a test: real in all that goes over the connection, with answers that
// the test writes.

import { newNodeId, type NodeId } from "../../src/base/ids.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Connection } from "../../src/net/connection.ts";
import { accept, type LocalIdentity } from "../../src/net/handshake.ts";
import type { Listener, Transport } from "../../src/net/transport.ts";
import { decodePayload } from "../../src/wire/codec.ts";
import type { Message, MessageOf, NodeVersion } from "../../src/wire/messages.ts";

/** How long a test waits for anything: much longer than it should ever take. */
const WAIT_MS = 20_000;

/** Messages of one connection, up to and with the one that was just heard. */
export type Heard = readonly Message[];

/** How a scripted directory answers. */
export interface Script {
  /** What it sends when it has heard the last of `heard`; by default nothing. */
  readonly answer?: (heard: Heard, connection: Connection) => readonly Message[];
  readonly network?: string;
  readonly networkKey?: Uint8Array;
  /** The versions of the protocol that it knows; by default all. */
  readonly versions?: readonly NodeVersion[];
}

/** Listens until it is closed. */
export class ScriptedDirectory implements AsyncDisposable {
  instance: NodeId = newNodeId(systemRandom);
  readonly address: { readonly host: string; readonly port: number };
  /** What each connection said, in the order in which they came. */
  readonly talks: Message[][] = [];
  readonly #listener: Listener;
  readonly #script: Script;
  readonly #connections: Connection[] = [];
  readonly #tasks: Promise<void>[] = [];

  constructor(transport: Transport, script: Script = {}) {
    this.#script = script;
    this.#listener = transport.listen({ host: "127.0.0.1", port: 0 });
    this.address = this.#listener.address;
    this.#tasks.push(this.#run());
  }

  /** All messages of all connections. */
  get heard(): Message[] {
    return this.talks.flat();
  }

  /** Resolves with the first value that is not undefined. */
  async until<T>(look: () => T | undefined): Promise<T> {
    const endMs = performance.now() + WAIT_MS;
    for (;;) {
      const value = look();
      if (value !== undefined) return value;
      if (performance.now() > endMs) {
        const heard = this.heard.map(({ kind }) => kind).join(" ");
        throw new Error(`Waited ${WAIT_MS} ms in vain; heard: ${heard}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Waits until so many messages of a kind have come; gives the last of these. */
  async nth<K extends Message["kind"]>(kind: K, count: number): Promise<MessageOf<K>> {
    return await this.until(() =>
      this.heard.filter((message) => message.kind === kind)[count - 1] as MessageOf<K> | undefined
    );
  }

  /** Closes all connections that are open now; new ones are taken. */
  hangUp(): void {
    for (const connection of this.#connections) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.hangUp();
    await Promise.all(this.#tasks);
  }

  async #run(): Promise<void> {
    for await (const duplex of this.#listener) {
      const connection = new Connection(duplex);
      this.#connections.push(connection);
      this.#tasks.push(this.#serve(connection).catch(() => {}));
    }
  }

  async #serve(connection: Connection): Promise<void> {
    const identity: LocalIdentity = {
      nodeId: this.instance,
      listenPort: this.address.port,
      network: this.#script.network ?? "test",
      networkKey: this.#script.networkKey,
      random: systemRandom,
    };
    const { versions } = this.#script;
    await accept(connection, {
      identity,
      admit: () => undefined,
      ...(versions === undefined ? {} : { versions }),
    });
    const heard: Message[] = [];
    this.talks.push(heard);
    await connection.receive({
      frame: ({ code, payload }) => {
        heard.push(decodePayload(code, payload));
        for (const message of this.#script.answer?.(heard, connection) ?? []) {
          connection.send(message);
        }
      },
    });
  }
}

/** The answer of a directory that takes a batch as it is. */
export function listed(
  instance: NodeId,
  values: Partial<Omit<MessageOf<"listed">, "kind">> = {},
): MessageOf<"listed"> {
  return {
    kind: "listed",
    instance,
    known: true,
    reach: "reachable",
    filesListed: 0,
    refreshMs: 30_000,
    ...values,
  };
}

/** Its refusal. */
export function denied(instance: NodeId, limit = "sequence"): MessageOf<"denied"> {
  return { kind: "denied", instance, limit, bound: 1, message: `Cannot take it: ${limit}` };
}
