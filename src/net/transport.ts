/**
 * What a connection needs of a transport: bytes in, bytes out, and where the other side is.
 * The daemon runs on `TcpTransport`; tests hold every transport to one conformance suite.
 */

import type { HostPort } from "../base/address.ts";
import { EnvironmentError } from "../base/errors.ts";

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

/** Writes all of `bytes`. */
export async function writeAll(to: Pick<Duplex, "write">, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

/**
 * Reads so many bytes.
 *
 * @throws {EnvironmentError} "unreachable" when the stream ends before.
 */
export async function readExactly(
  from: Pick<Duplex, "read">,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const target = new Uint8Array(bytes);
  for (let at = 0; at < bytes;) {
    const count = await from.read(target.subarray(at));
    if (count === null) {
      throw new EnvironmentError("unreachable", "The other side closed the connection");
    }
    at += count;
  }
  return target;
}
