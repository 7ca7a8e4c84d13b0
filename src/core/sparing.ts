/**
 * Which holders have been sent nodes enough already, while few hold a file. Pure; who does without
 * them, and for how long, is decided in `directory_look_up.ts`.
 *
 * A report of load is up to a refresh old: a file that becomes popular within a second would bring
 * everybody to its only holder before that says anything. So a node that was sent to a holder counts
 * as an upload of it for a while. With the first eighth of its full load a holder is busy: those
 * whom it serves can serve the others.
 */

import type { NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Load } from "../wire/structures.ts";
import type { ClientKey } from "./directory_events.ts";

/** A holder is busy with this part of its full load. */
const BUSY_SHARE = 8;

/** A holder, as far as this is concerned. */
export interface Spared {
  readonly key: ClientKey;
  readonly load: Load;
}

interface Sent {
  readonly holder: ClientKey;
  readonly atMs: number;
}

/** Who was sent to whom lately. */
export class Sparing {
  /** By holder and node, the one sent longest ago first. */
  readonly #sent = new Map<string, Sent>();
  readonly #counts = new Map<ClientKey, number>();

  /** A holder was named to a node. */
  sent(holder: Spared, node: NodeId, nowMs: number): void {
    const key = keyOf(holder, node);
    if (!this.#sent.delete(key)) {
      this.#counts.set(holder.key, (this.#counts.get(holder.key) ?? 0) + 1);
    }
    this.#sent.set(key, { holder: holder.key, atMs: nowMs });
    this.#forget(nowMs);
  }

  /** Whether a node was sent to this holder lately. */
  wasSent(holder: Spared, node: NodeId, nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#sent.has(keyOf(holder, node));
  }

  /** Whether a holder has enough to serve, by its report or by those who were sent to it. */
  isBusy({ key, load }: Spared, nowMs: number): boolean {
    this.#forget(nowMs);
    const enough = Math.max(limits.spareUploadsMin, load.uploadsMax / BUSY_SHARE);
    const uploads = Math.max(load.uploads, this.#counts.get(key) ?? 0);
    return uploads >= Math.min(load.uploadsMax, enough);
  }

  #forget(nowMs: number): void {
    for (const [key, { holder, atMs }] of this.#sent) {
      if (this.#sent.size <= limits.sentMax && nowMs - atMs < limits.sentMs) return;
      this.#sent.delete(key);
      const left = this.#counts.get(holder)! - 1;
      if (left > 0) this.#counts.set(holder, left);
      else this.#counts.delete(holder);
    }
  }
}

function keyOf({ key }: Spared, node: NodeId): string {
  return `${key} ${node}`;
}
