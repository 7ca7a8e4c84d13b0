/**
 * The connections of a port that are in the handshake: bounded for each host and in all. When all
 * places are taken, the host with the most of them has to give one to a host that has fewer, so
 * that a few hosts cannot shut the port for the others. What a handshake is, is not known here.
 */

import { limits } from "../base/limits.ts";
import type { Connection } from "./connection.ts";

/** Those that have not proved anything yet. */
export class PendingHandshakes {
  /** Each host's own, the oldest first. */
  readonly #ofHost = new Map<string, Set<Connection>>();
  #count = 0;

  add(connection: Connection): void {
    const { host } = connection.remote;
    const own = this.#ofHost.get(host) ?? new Set();
    this.#ofHost.set(host, own.add(connection));
    this.#count++;
  }

  /** Gives its place back; may be called again. */
  delete(connection: Connection): void {
    const { host } = connection.remote;
    const own = this.#ofHost.get(host);
    if (own === undefined || !own.delete(connection)) return;
    if (own.size === 0) this.#ofHost.delete(host);
    this.#count--;
  }

  /** Whether one of `host` may come in: at once, or in the place of another. */
  placeFor(host: string): "free" | Connection | null {
    const ofHost = this.#ofHost.get(host)?.size ?? 0;
    if (ofHost >= limits.handshakesPerHostMax) return null;
    if (this.#count < limits.handshakesMax) return "free";
    return this.#oldestOfMost(ofHost);
  }

  /** The oldest of the host that has the most, if those are more than `least`. */
  #oldestOfMost(least: number): Connection | null {
    let most = least;
    let oldest: Connection | null = null;
    // Of hosts with as many the one that has been here longest gives: a map keeps that order.
    for (const own of this.#ofHost.values()) {
      if (own.size <= most) continue;
      most = own.size;
      for (const first of own) {
        oldest = first;
        break;
      }
    }
    return oldest;
  }
}
