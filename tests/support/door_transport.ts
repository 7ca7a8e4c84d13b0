/** A port over streams in memory, on which anybody may come in from any host. */

import { Connection } from "../../src/net/connection.ts";
import type { Duplex, Listener, Transport } from "../../src/net/transport.ts";
import { memoryPair } from "./memory_transport.ts";

/** A transport with one listener, to which anybody connects from the host that the test names. */
export class DoorTransport implements Transport {
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
