/**
 * Shared files whose leaf layers found no room on the disk: they are hashed once there is some. What
 * room there is is asked now and then, which costs less than to hash a file in vain.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { chunkCount } from "../../base/geometry.ts";
import { HASH_BYTES } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { freeBytes } from "../files/room.ts";

interface RoomQueueOptions {
  readonly clock: Clock;
  /** The directory in which there must be room. */
  readonly directory: string;
  /** Called for each file for which there seems to be room. */
  readonly onRoom: (path: string) => void;
}

/** Files that wait for room. */
export class RoomQueue {
  readonly #options: RoomQueueOptions;
  /** How many bytes each needs. */
  readonly #waiting = new Map<string, number>();
  /** How often each was there in vain: a quota leaves room that nobody may use. */
  readonly #attempts = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(options: RoomQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Takes a file for which there was none; false when it was here before. */
  add(path: string): boolean {
    const attempts = this.#attempts.get(path) ?? 0;
    this.#attempts.set(path, attempts + 1);
    this.#waiting.set(path, leavesBytes(path));
    this.#lookLater(Math.min(limits.unsettledMs, limits.roomCheckMs * 2 ** attempts));
    return attempts === 0;
  }

  /** Forgets a file: it is hashed, or looked at for another reason. */
  remove(path: string, { isDone }: { readonly isDone: boolean }): void {
    this.#waiting.delete(path);
    if (isDone) this.#attempts.delete(path);
  }

  close(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #lookLater(waitMs: number): void {
    this.#timer ??= this.#options.clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    let bytesFree = freeBytes(this.#options.directory);
    for (const [path, bytes] of this.#waiting) {
      if (bytes > bytesFree) continue;
      bytesFree -= bytes;
      this.#waiting.delete(path);
      this.#options.onRoom(path);
    }
    if (this.#waiting.size > 0) this.#lookLater(limits.roomCheckMs);
  }
}

function leavesBytes(path: string): number {
  try {
    return chunkCount(Deno.statSync(path).size) * HASH_BYTES;
  } catch {
    return 0;
  }
}
