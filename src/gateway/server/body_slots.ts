/**
 * Slots of bodies: so many give at full speed at a time, the others wait in the order in which they
 * came. What a slow client has not taken lies in this process, up to some hundred KiB of each: so
 * their number bounds its memory. It knows nothing of bytes.
 */

import type { Clock } from "../../base/clock.ts";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";

/** Who may have a slot. */
interface SlotUser {
  /** The slot that it waited for is its own now. */
  slotFree(): void;
}

/** The slots of one gateway. */
export class BodySlots {
  readonly #clock: Clock;
  readonly #taken = new Set<SlotUser>();
  /** Since when each waits, the first one first. */
  readonly #waiting = new Map<SlotUser, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether `user` has a slot now; if not, it waits for one. */
  take(user: SlotUser): boolean {
    if (this.#taken.has(user)) return true;
    if (this.#waiting.has(user)) return false;
    if (this.#taken.size < limits.gatewayBodiesMax) {
      this.#taken.add(user);
      return true;
    }
    this.#waiting.set(user, this.#clock.nowMs());
    return false;
  }

  /** Gives the slot back, or waits for none any more. */
  leave(user: SlotUser): void {
    this.#waiting.delete(user);
    if (!this.#taken.delete(user)) return;
    for (const [next] of this.#waiting) {
      this.#waiting.delete(next);
      this.#taken.add(next);
      next.slotFree();
      return;
    }
  }

  has(user: SlotUser): boolean {
    return this.#taken.has(user);
  }

  /** Whether somebody has waited so long that a slow client must not keep its slot. */
  isLacking(nowMs: number): boolean {
    for (const sinceMs of this.#waiting.values()) {
      return nowMs - sinceMs >= limits.gatewaySlotWaitMs;
    }
    return false;
  }

  /** The most that one body reads at once: less while many do. */
  get runBytes(): number {
    const { gatewayRunsBytesMax, gatewayRunBytesMin, requestChunksMax } = limits;
    const share = gatewayRunsBytesMax / Math.max(1, this.#taken.size);
    const chunks = Math.floor(Math.max(gatewayRunBytesMin, share) / CHUNK_BYTES);
    return Math.min(chunks, requestChunksMax) * CHUNK_BYTES;
  }
}
