/**
 * A transport in memory, with the manners of TCP: bounded buffers, reads and writes of a part, an
 * end that comes after what was written before it. Real as far as bytes go; it has no time.
 */

import type { HostPort } from "../../src/base/address.ts";
import { EnvironmentError } from "../../src/base/errors.ts";
import type { Duplex, Listener, Transport } from "../../src/net/transport.ts";
import { formatAddress } from "../../src/wire/host.ts";

/** How much one direction holds that was written and not read: less than most messages. */
const BUFFER_BYTES = 1_000;
const FIRST_FREE_PORT = 49_152;
const HOST = "127.0.0.1";

/** Listeners and streams of one process; two of these know nothing of each other. */
export class MemoryTransport implements Transport {
  readonly #listeners = new Map<number, MemoryListener>();
  readonly #silent = new Set<number>();
  readonly #bufferBytes: number;
  #nextPort = FIRST_FREE_PORT;

  constructor(options: { readonly bufferBytes?: number } = {}) {
    this.#bufferBytes = options.bufferBytes ?? BUFFER_BYTES;
  }

  /** An address at which a dial is never answered. */
  silentAddress(): HostPort {
    const port = this.#nextPort++;
    this.#silent.add(port);
    return { host: HOST, port };
  }

  async dial(
    address: HostPort,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Duplex> {
    if (this.#silent.has(address.port)) await untilGivenUp(address, options);
    if (options.signal?.aborted) throw unreachable(address, "aborted");
    // A dial takes at least one turn of the event loop, as over a network.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const listener = this.#listeners.get(address.port);
    if (listener === undefined) throw unreachable(address, "connection refused");
    const [near, far] = memoryPair({
      bufferBytes: this.#bufferBytes,
      nearRemote: listener.address,
      farRemote: { host: HOST, port: this.#nextPort++ },
    });
    listener.offer(far);
    return near;
  }

  listen(address: HostPort): Listener {
    const port = address.port === 0 ? this.#nextPort++ : address.port;
    if (this.#listeners.has(port)) {
      throw new EnvironmentError(
        "in-use",
        `Cannot listen on ${formatAddress(address.host, port)}: the port is in use`,
      );
    }
    const listener = new MemoryListener({ host: address.host, port }, () => {
      this.#listeners.delete(port);
    });
    this.#listeners.set(port, listener);
    return listener;
  }
}

/** Two ends of one stream. */
export function memoryPair(
  options: {
    readonly bufferBytes?: number;
    readonly nearRemote?: HostPort;
    readonly farRemote?: HostPort;
  } = {},
): [near: MemoryDuplex, far: MemoryDuplex] {
  const { bufferBytes = BUFFER_BYTES } = options;
  const there = new Pipe(bufferBytes), back = new Pipe(bufferBytes);
  return [
    new MemoryDuplex(options.nearRemote ?? { host: HOST, port: 1 }, back, there),
    new MemoryDuplex(options.farRemote ?? { host: HOST, port: 2 }, there, back),
  ];
}

/** One end of a stream in memory. */
export class MemoryDuplex implements Duplex {
  readonly remote: HostPort;
  /** Bytes that this end wrote so far. */
  bytesWritten = 0;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;

  constructor(remote: HostPort, incoming: Pipe, outgoing: Pipe) {
    this.remote = remote;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  async read(target: Uint8Array): Promise<number | null> {
    return await this.#incoming.read(target);
  }

  async write(source: Uint8Array): Promise<number> {
    const count = await this.#outgoing.write(source);
    this.bytesWritten += count;
    return count;
  }

  close(): void {
    this.#incoming.abandon();
    this.#outgoing.end();
  }
}

/** One direction: a bounded queue of bytes. */
class Pipe {
  readonly #buffer: Uint8Array;
  #length = 0;
  /** The writer closed: what is there can still be read. */
  #isEnded = false;
  /** The reader closed: nobody will take anything. */
  #isAbandoned = false;
  #changed = Promise.withResolvers<void>();

  constructor(bufferBytes: number) {
    this.#buffer = new Uint8Array(bufferBytes);
  }

  async read(target: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#isAbandoned) throw broken("The connection was closed");
      if (this.#length > 0) break;
      if (this.#isEnded) return null;
      await this.#changed.promise;
    }
    const count = Math.min(target.length, this.#length);
    target.set(this.#buffer.subarray(0, count));
    this.#buffer.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#wake();
    return count;
  }

  async write(source: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#isEnded) throw broken("The connection was closed");
      if (this.#isAbandoned) throw broken("The connection broke: the other side is gone");
      if (this.#length < this.#buffer.length) break;
      await this.#changed.promise;
    }
    const count = Math.min(source.length, this.#buffer.length - this.#length);
    this.#buffer.set(source.subarray(0, count), this.#length);
    this.#length += count;
    this.#wake();
    return count;
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  abandon(): void {
    this.#isAbandoned = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

class MemoryListener implements Listener {
  readonly address: HostPort;
  readonly #onClose: () => void;
  #waiting: Duplex[] = [];
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(address: HostPort, onClose: () => void) {
    this.address = address;
    this.#onClose = onClose;
  }

  offer(duplex: Duplex): void {
    this.#waiting.push(duplex);
    this.#changed.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Duplex> {
    while (!this.#isClosed) {
      const duplex = this.#waiting.shift();
      if (duplex !== undefined) yield duplex;
      else {
        this.#changed = Promise.withResolvers();
        await this.#changed.promise;
      }
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose();
    for (const duplex of this.#waiting) duplex.close();
    this.#waiting = [];
    this.#changed.resolve();
  }
}

/** Rejects when the time is over or the signal says so. */
async function untilGivenUp(
  address: HostPort,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(unreachable(address, "aborted"));
  const timer = setTimeout(
    () => reject(unreachable(address, `no answer within ${options.timeoutMs} ms`)),
    options.timeoutMs,
  );
  if (options.signal?.aborted) abort();
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}

function unreachable(address: HostPort, why: string): EnvironmentError {
  const where = formatAddress(address.host, address.port);
  return new EnvironmentError("unreachable", `Cannot connect to ${where}: ${why}`);
}

function broken(message: string): EnvironmentError {
  return new EnvironmentError("unreachable", message);
}
