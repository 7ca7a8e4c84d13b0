/** The transport over TCP, on Deno's native sockets. Every error of theirs is translated here. */

import type { HostPort } from "../base/address.ts";
import { EnvironmentError, messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { formatAddress, plainHost } from "../wire/host.ts";
import type { Duplex, Listener, Transport } from "./transport.ts";

/** Streams over TCP. */
export const tcpTransport: Transport = {
  async dial(address, { timeoutMs, signal }) {
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      either.throwIfAborted();
      const conn = await Deno.connect({
        hostname: address.host,
        port: address.port,
        signal: either,
      } as Deno.ConnectOptions);
      return new TcpDuplex(conn);
    } catch (cause) {
      throw new EnvironmentError(
        "unreachable",
        `Cannot connect to ${formatAddress(address.host, address.port)}: ` +
          (timeout.aborted ? `no answer within ${timeoutMs} ms` : messageOf(cause)),
        { cause },
      );
    }
  },

  listen(address) {
    const where = formatAddress(address.host, address.port);
    try {
      return new TcpListener(Deno.listen({ hostname: address.host, port: address.port }));
    } catch (cause) {
      if (cause instanceof Deno.errors.AddrInUse) {
        throw new EnvironmentError("in-use", `Cannot listen on ${where}: the port is in use`, {
          hint: "Another pacsrv may be running. Choose another port, or port 0 for any free one.",
          cause,
        });
      }
      if (cause instanceof Deno.errors.PermissionDenied) {
        throw new EnvironmentError("no-permission", `Cannot listen on ${where}: not permitted`, {
          hint: "Ports below 1024 need privileges; choose a higher one.",
          cause,
        });
      }
      throw new EnvironmentError(
        "unreachable",
        `Cannot listen on ${where}: ${messageOf(cause)}`,
        { hint: "The host must be an address of this machine, or 0.0.0.0 for all.", cause },
      );
    }
  },
};

class TcpDuplex implements Duplex {
  readonly remote: HostPort;
  readonly #conn: Deno.TcpConn;
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    this.remote = { host: plainHost(conn.remoteAddr.hostname), port: conn.remoteAddr.port };
    try {
      // Requests and heartbeats are small and must not wait for each other.
      conn.setNoDelay(true);
      // Who loses its power says nothing: the system finds out in time, whatever waits here.
      conn.setKeepAlive(true);
    } catch { /* The other side has gone already; the first read says so. */ }
  }

  async read(target: Uint8Array): Promise<number | null> {
    try {
      return await this.#conn.read(target);
    } catch (cause) {
      throw this.#broken(cause);
    }
  }

  async write(source: Uint8Array): Promise<number> {
    try {
      return await this.#conn.write(source);
    } catch (cause) {
      throw this.#broken(cause);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch { /* Closed by the runtime after an error. */ }
  }

  /** Deno rejects with Interrupted, BadResource, BrokenPipe ...: to us it is one thing. */
  #broken(cause: unknown): EnvironmentError {
    return new EnvironmentError(
      "unreachable",
      this.#closed ? "The connection was closed" : `The connection broke: ${messageOf(cause)}`,
      { cause },
    );
  }
}

class TcpListener implements Listener {
  readonly address: HostPort;
  readonly #listener: Deno.TcpListener;
  #closed = false;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
    this.address = { host: listener.addr.hostname, port: listener.addr.port };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Duplex> {
    while (!this.#closed) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (this.#closed) return;
        if (error instanceof Deno.errors.BadResource) return;
        // Out of file descriptors, or the caller hung up first: neither ends the listener. The
        // pause keeps a lasting shortage from spinning.
        await new Promise((resolve) => setTimeout(resolve, limits.acceptPauseMs));
        continue;
      }
      yield new TcpDuplex(conn);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }
}
