/** Exchanges in turn, such as handshakes, are bounded: a silent side must not hold a slot for long. */

import { PeerFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Connection } from "./connection.ts";

/**
 * Does `exchange` on `connection`, which is closed when that fails or takes longer than `timeoutMs`,
 * by default `limits.handshakeMs`. `what` begins the message of that error: "Cannot shake hands".
 */
export async function withDeadline<T>(
  connection: Connection,
  what: string,
  exchange: () => Promise<T>,
  options: { readonly timeoutMs?: number } = {},
): Promise<T> {
  const { timeoutMs = limits.handshakeMs } = options;
  using _ = connection.clock.after(
    timeoutMs,
    () => connection.close(new PeerFault("silent", `${what}: no answer within ${timeoutMs} ms`)),
  );
  try {
    return await exchange();
  } catch (error) {
    connection.close(error as Error);
    throw error;
  }
}

/** Closes `connection` as soon as `signal` aborts, until it is disposed of. */
export function closeOnAbort(connection: Connection, signal: AbortSignal): Disposable {
  const close = () => connection.close();
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}
