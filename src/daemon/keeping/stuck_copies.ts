/**
 * Downloads that the disk did not let go. Each is passed over for a while, and told of once. Where the disk
 * refuses several in a row nothing is tried for that while: it would let none go.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { limits } from "../../base/limits.ts";
import type { KeptCopy, RemoveResult } from "../../store/keeping.ts";
import type { KeepingReport } from "../../wire/reports.ts";
import type { NodeContext } from "../discovery/node_context.ts";

interface StuckCopy {
  readonly reason: string;
  /** When it may be tried again; null once somebody asked for that, until it is refused again. */
  untilMs: number | null;
}

/** What of the downloads of one node cannot be removed for now. */
export class StuckCopies {
  /** How often the disk has refused. */
  refusals = 0;
  readonly #context: Pick<NodeContext, "clock" | "log">;
  readonly #copies = new BoundedMap<string, StuckCopy>(limits.stuckCopiesMax);
  #pausedUntilMs = -Infinity;
  #isPauseTold = false;
  #lastReason: string | null = null;

  constructor(context: Pick<NodeContext, "clock" | "log">) {
    this.#context = context;
  }

  /** Whether nothing at all is to be tried now. */
  get isPaused(): boolean {
    return this.#context.clock.nowMs() < this.#pausedUntilMs;
  }

  /** Why the disk refused last. */
  get lastReason(): string | null {
    return this.#lastReason;
  }

  /** Whether the data at a path is to be passed over now. */
  passesOver(path: string): boolean {
    const stuck = this.#copies.get(path);
    return this.#context.clock.nowMs() < (stuck?.untilMs ?? -Infinity);
  }

  /** Which of these copies were to go, and the disk did not let them when it was tried last. */
  of(copies: Iterable<KeptCopy>): Pick<KeepingReport, "stuckFiles" | "stuckBytes" | "stuckWhy"> {
    let stuckFiles = 0, stuckBytes = 0, stuckWhy: string | null = null;
    if (this.#copies.size > 0) {
      for (const { path, bytes, isPinned } of copies) {
        const stuck = this.#copies.get(path);
        if (isPinned || stuck === undefined || stuck.untilMs === null) continue;
        stuckFiles++;
        stuckBytes += bytes;
        stuckWhy = stuck.reason;
      }
    }
    return { stuckFiles, stuckBytes, stuckWhy };
  }

  /** Takes in what came of a removal. */
  note({ gone, stuck, isGivenUp }: RemoveResult): void {
    const { clock, log } = this.#context;
    const untilMs = clock.nowMs() + limits.removeAgainMs;
    for (const { path } of gone) this.#copies.delete(path);
    for (const { copy: { path, name, bytes }, reason } of stuck) {
      this.refusals++;
      this.#lastReason = reason;
      const before = this.#copies.get(path);
      this.#copies.set(path, { reason, untilMs });
      if (before?.reason !== reason) {
        log.warn("cannot remove a download; it stays, and is offered as before", {
          name,
          bytes,
          error: reason,
        });
      }
    }
    if (isGivenUp) {
      this.#pausedUntilMs = untilMs;
      if (!this.#isPauseTold) {
        const minutes = limits.removeAgainMs / 60_000;
        log.warn("the disk lets no download go; cleaning is tried again now and then", { minutes });
      }
      this.#isPauseTold = true;
    } else if (gone.length > 0) this.#isPauseTold = false;
  }

  /** All may be tried again at once: somebody asked for it. */
  tryAgain(): void {
    this.#pausedUntilMs = -Infinity;
    for (const [, stuck] of this.#copies) stuck.untilMs = null;
  }
}
