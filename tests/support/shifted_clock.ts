/** The system's clock, which a test moves ahead: for what also waits for real parts. */

import { type Clock, systemClock, type Timer } from "../../src/base/clock.ts";

/** Real time, `aheadMs` later. */
export class ShiftedClock implements Clock {
  aheadMs = 0;

  nowMs(): number {
    return systemClock.nowMs() + this.aheadMs;
  }

  unixMs(): number {
    return systemClock.unixMs() + this.aheadMs;
  }

  after(waitMs: number, run: () => void): Timer {
    return systemClock.after(waitMs, run);
  }

  every(periodMs: number, run: () => void): Timer {
    return systemClock.every(periodMs, run);
  }
}
