// A bare node that searches and takes offers, and nothing more: to time an offer where it arrives.

import type { HostPort } from "../../src/base/address.ts";
import { newNodeId, type QueryId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Connection } from "../../src/net/connection.ts";
import { accept, expectMessage, initiate, type LocalIdentity } from "../../src/net/handshake.ts";
import { tcpTransport } from "../../src/net/tcp_transport.ts";
import type { Duplex, Listener } from "../../src/net/transport.ts";
import { decodePayload } from "../../src/wire/codec.ts";
import type { Sought } from "../../src/wire/structures.ts";
import { callbackMac } from "../../src/wire/proofs.ts";
import { NETWORK } from "./product.ts";

/** A node with one link. */
export class Requester implements AsyncDisposable {
  readonly #listener: Listener;
  readonly #callbacks: AsyncIterator<Duplex>;
  readonly #identity: LocalIdentity;
  readonly #link: Connection;
  readonly #receiving: Promise<void>;

  private constructor(listener: Listener, identity: LocalIdentity, link: Connection) {
    this.#listener = listener;
    this.#callbacks = listener[Symbol.asyncIterator]();
    this.#identity = identity;
    this.#link = link;
    this.#receiving = link.receive({
      frame(frame) {
        const message = decodePayload(frame.code, frame.payload);
        if (message.kind === "ping") link.send({ kind: "pong", token: message.token });
      },
    });
  }

  /** Links to the node at `address`. */
  static async link(address: HostPort): Promise<Requester> {
    const listener = tcpTransport.listen({ host: "127.0.0.1", port: 0 });
    const identity: LocalIdentity = {
      nodeId: newNodeId(systemRandom),
      listenPort: listener.address.port,
      network: NETWORK,
      networkKey: undefined,
      random: systemRandom,
    };
    try {
      const link = new Connection(
        await tcpTransport.dial(address, { timeoutMs: limits.dialMs }),
      );
      await initiate(link, { identity, purpose: "link" });
      return new Requester(listener, identity, link);
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  /**
   * Sends one query; gives the time until the first offer has come.
   *
   * @throws {Error} when none comes in the time after which a search gives up.
   */
  async firstOfferMs(id: QueryId, sought: Sought): Promise<number> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`No offer of ${sought.value} in ${limits.searchMs} ms`)),
      limits.searchMs,
    );
    const startMs = performance.now();
    this.#link.send({
      kind: "query",
      id,
      ttl: limits.ttlDefault,
      hops: 0,
      sought,
      callbackHost: "",
      callbackPort: this.#listener.address.port,
    });
    try {
      // A daemon may dial for a link meanwhile; what comes is looked at in turn.
      for (;;) {
        const { value: duplex } = await Promise.race([this.#callbacks.next(), late.promise]);
        const connection = new Connection(duplex);
        try {
          if (await Promise.race([this.#hearOffer(connection, id), late.promise])) {
            return performance.now() - startMs;
          }
        } finally {
          connection.close();
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#link.close();
    await this.#receiving;
  }

  /** Takes a callback up to its first offer; false when the connection is for something else. */
  async #hearOffer(connection: Connection, id: QueryId): Promise<boolean> {
    try {
      const remote = await accept(connection, {
        identity: this.#identity,
        admit: ({ purpose }) => purpose === "callback" ? undefined : "busy",
      });
      expectMessage(await connection.receiveOne(), "callback");
      connection.send({ kind: "callback-ok", mac: callbackMac("requester", id, remote.nonces) });
      expectMessage(await connection.receiveOne(), "offer");
      return true;
    } catch {
      return false;
    }
  }
}
