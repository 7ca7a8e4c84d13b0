/**
 * How much file data goes out in one turn of the event loop, over all connections together. A turn is
 * as long as what is read and written in it, and every message of others waits for its end: with each
 * upload giving a frame a turn, twenty of them make it twenty times as long.
 *
 *  1. Who finds the turn full waits for a later one, first come, first served. Messages never ask here.
 *  2. After a full turn the system is asked what has come. A turn that ends by `setImmediate` does not do
 *     that: the runtime looks at its sockets when it has nothing else to do, or after 61 tasks, of which
 *     each write is one.
 */

import { limits } from "../limits.ts";

/** Somebody who waits for a turn. */
export interface TurnTaker {
  /** Its turn has come: it may send now, in this very call. */
  turnCame(): void;
}

/** Ends the turn, and runs something in the next one. */
type EndOfTurn = (next: () => void) => void;

const soon: EndOfTurn = (next) => void setImmediate(next);

/** The turns of one event loop. */
export class BulkTurns {
  /** Ends a full turn, such that what has come at sockets is seen. */
  endFull: EndOfTurn = soon;
  readonly #bytesMax: number;
  readonly #end: EndOfTurn;
  readonly #next = () => this.#begin();
  #bytesLeft: number;
  /** Since sockets were looked at. */
  #bytesUnseen = 0;
  #waiting: TurnTaker[] = [];
  #isEnding = false;

  constructor(
    { bytesMax = limits.bulkTurnBytes, end = soon }: {
      readonly bytesMax?: number;
      /** Ends a turn that is not full. */
      readonly end?: EndOfTurn;
    } = {},
  ) {
    this.#bytesLeft = this.#bytesMax = bytesMax;
    this.#end = end;
  }

  /** Whether somebody who has not sent in this turn may do so without waiting. */
  get isOpen(): boolean {
    return this.#bytesLeft > 0 && this.#waiting.length === 0;
  }

  /** So much goes out in this turn. The last one may exceed what is left. */
  used(bytes: number): void {
    this.#bytesLeft -= bytes;
    this.#bytesUnseen += bytes;
    this.#endTurn();
  }

  /** Waits for a later turn. */
  wait(taker: TurnTaker): void {
    this.#waiting.push(taker);
    this.#endTurn();
  }

  #endTurn(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#bytesUnseen < this.#bytesMax) return this.#end(this.#next);
    this.#bytesUnseen = 0;
    this.endFull(this.#next);
  }

  #begin(): void {
    this.#bytesLeft = this.#bytesMax;
    // Who comes back meanwhile waits for the turn after this.
    const waiting = this.#waiting;
    this.#waiting = [];
    let at = 0;
    while (at < waiting.length && this.#bytesLeft > 0) waiting[at++]!.turnCame();
    if (at < waiting.length) this.#waiting = [...waiting.slice(at), ...this.#waiting];
    // Only now it is known whether the turn is full.
    this.#isEnding = false;
    if (this.#waiting.length > 0 || this.#bytesLeft < this.#bytesMax) this.#endTurn();
  }
}

/** The turns of this process. */
export const bulkTurns = new BulkTurns();
