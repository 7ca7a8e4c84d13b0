/**
 * What a connection needs of a transport: bytes in, bytes out, and where the other side is.
 * The daemon runs on `TcpTransport`; tests hold every transport to one conformance suite.
 */

import type { HostPort } from "../base/address.ts";

/** A two-way stream of bytes. */
export interface Duplex {
  /** The address that the other side is seen at. */
  readonly remote: HostPort;
  /**
   * Reads some bytes into `target`; resolves with how many, or null at the end.
   *
   * @throws {EnvironmentError} "unreachable" when the stream broke or was closed here.
   */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes some of `source`; resolves with how many bytes were taken. */
  write(source: Uint8Array): Promise<number>;
  /** Ends both directions at once; pending reads and writes reject. May be called again. */
  close(): void;
}

/** Accepts streams until closed. */
export interface Listener extends AsyncIterable<Duplex> {
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  close(): void;
}

/** Makes streams. */
export interface Transport {
  /**
   * Connects to `address`.
   *
   * @throws {EnvironmentError} "unreachable" when it cannot within `timeoutMs`.
   */
  dial(
    address: HostPort,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Duplex>;
  /**
   * Listens on `address`.
   *
   * @throws {EnvironmentError} "in-use" or "no-permission" when it cannot.
   */
  listen(address: HostPort): Listener;
}
