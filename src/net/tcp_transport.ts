/** The transport over TCP, on Deno's native sockets. Every error of theirs is translated here. */

import type { HostPort } from "../base/address.ts";
import { EnvironmentError, messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { formatAddress, isLinkLocal, plainHost } from "../wire/host.ts";
import { linkZones } from "./own_addresses.ts";
import type { Duplex, Listener, Transport } from "./transport.ts";

/** Streams over TCP. */
export const tcpTransport: Transport = {
  async dial(address, { timeoutMs, signal }) {
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      either.throwIfAborted();
      return new TcpDuplex(await connect(address, either));
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

/**
 * Connects. An address of an IPv6 link does not say of which: it is tried on all at once, and the first
 * that answers is taken. Who answers the handshake proves.
 */
async function connect({ host, port }: HostPort, signal: AbortSignal): Promise<Deno.TcpConn> {
  const hosts = isLinkLocal(host) ? linkZones().map((zone) => `${host}%${zone}`) : [host];
  if (hosts.length === 0) throw new Error("no interface has an address of an IPv6 link");
  const enough = new AbortController();
  const either = hosts.length === 1 ? signal : AbortSignal.any([signal, enough.signal]);
  const dials = hosts.map((hostname) =>
    Deno.connect({ hostname, port, signal: either } as Deno.ConnectOptions)
  );
  try {
    return await Promise.any(dials);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    void closeOthers(dials);
    enough.abort();
  }
}

/** Closes all connections but the first that came. */
async function closeOthers(dials: readonly Promise<Deno.TcpConn>[]): Promise<void> {
  const first = await Promise.any(dials).catch(() => undefined);
  for (const dial of dials) {
    dial.then((conn) => conn === first ? undefined : conn.close(), () => {});
  }
}

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
