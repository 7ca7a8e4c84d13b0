// A listener that accepts connections and then does nothing with them: it neither reads nor writes,
// and closes them only when it is disposed of. It also counts: a victim that must not be dialled.

import { waitUntil } from "./wait.ts";

/** Accepts and keeps silent. */
export class SilentListener implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #open: Deno.TcpConn[] = [];
  readonly #accepting: Promise<void>;

  constructor(host = "127.0.0.1") {
    this.#listener = Deno.listen({ hostname: host, port: 0 });
    this.host = host;
    this.port = this.#listener.addr.port;
    this.#accepting = this.#acceptAll();
  }

  /** HOST:PORT at which it listens. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Connections that came so far. */
  get acceptedCount(): number {
    return this.#open.length;
  }

  /** Waits until so many connections have come. */
  async accepted(count: number): Promise<void> {
    await waitUntil(() => this.#open.length >= count, { what: `${count} connections` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const conn of this.#open) conn.close();
  }

  async #acceptAll(): Promise<void> {
    for await (const conn of this.#listener) this.#open.push(conn);
  }
}
