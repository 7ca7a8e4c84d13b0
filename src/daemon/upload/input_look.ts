/**
 * Has the runtime look at its sockets: a byte that this process sends itself is seen with all that came
 * before it. A timer would do the same, but a millisecond later at the earliest.
 */

import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { BulkTurns } from "../../base/rates/bulk_turns.ts";

const LOOPBACK = "127.0.0.1";
const BYTE = new Uint8Array(1);

/** A connection of this process with itself. */
export class InputLook implements Disposable {
  readonly #turns: BulkTurns;
  readonly #ends: readonly [Deno.TcpConn, Deno.TcpConn];
  readonly #before: BulkTurns["endFull"];
  readonly #buffer = new Uint8Array(1);

  private constructor(turns: BulkTurns, ends: readonly [Deno.TcpConn, Deno.TcpConn]) {
    this.#turns = turns;
    this.#ends = ends;
    this.#before = turns.endFull;
    turns.endFull = (next) => this.#look(next);
  }

  /** Has full turns end with a look, until it is disposed of; without loopback they end as before. */
  static async open(turns: BulkTurns, log: Logger): Promise<Disposable> {
    try {
      using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
      const { port } = listener.addr;
      const [near, far] = await Promise.all([
        Deno.connect({ hostname: LOOPBACK, port }),
        listener.accept(),
      ]);
      if (far.remoteAddr.port === near.localAddr.port) {
        near.setNoDelay(true);
        return new InputLook(turns, [near, far]);
      }
      // Somebody else was faster.
      for (const end of [near, far]) end.close();
    } catch (error) {
      log.debug("cannot connect to this process itself", { error: messageOf(error) });
    }
    return { [Symbol.dispose]() {} };
  }

  #look(next: () => void): void {
    const [near, far] = this.#ends;
    // Asked for first, the byte is not there yet.
    far.read(this.#buffer).then((count) => {
      if (count === null) this[Symbol.dispose]();
      next();
    }, () => next());
    near.write(BYTE).catch(() => this[Symbol.dispose]());
  }

  [Symbol.dispose](): void {
    this.#turns.endFull = this.#before;
    for (const end of this.#ends) {
      try {
        end.close();
      } catch { /* Closed before. */ }
    }
  }
}
