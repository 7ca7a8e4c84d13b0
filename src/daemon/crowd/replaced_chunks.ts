/**
 * Chunks that are taken a second time, from somebody else: when they turn out to be other ones, one of
 * the two who gave them lied. Bounded: of a bigger file only so many are remembered.
 */

import { createHash } from "node:crypto";
import { limits } from "../../base/limits.ts";

/** What was there before; `G` is who gave it. */
interface Before<G> {
  readonly giver: G;
  readonly digest: string;
}

/** The chunks of one file that are taken again. */
export class ReplacedChunks<G> {
  readonly #before = new Map<number, Before<G>>();
  readonly #differing = new Map<number, G>();

  /** Chunks that came a second time and are other ones, and who gave them at first. */
  get differing(): ReadonlyMap<number, G> {
    return this.#differing;
  }

  /** A chunk that is here is going to be taken again. */
  note(chunk: number, giver: G, bytes: Uint8Array): void {
    this.#differing.delete(chunk);
    if (this.#before.size >= limits.replacedChunksMax) return;
    this.#before.set(chunk, { giver, digest: digestOf(bytes) });
  }

  /** It came. */
  came(chunk: number, bytes: Uint8Array): void {
    const before = this.#before.get(chunk);
    if (before === undefined) return;
    this.#before.delete(chunk);
    if (digestOf(bytes) !== before.digest) this.#differing.set(chunk, before.giver);
  }

  /** It is known which of the two was right. */
  settled(chunk: number): void {
    this.#differing.delete(chunk);
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64");
}
