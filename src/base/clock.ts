/** Time as an argument: what is awaited or stamped goes through a clock that tests can replace. */

/** A monotonic clock. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  nowMs(): number;
}

/** The system's monotonic clock. */
export const systemClock: Clock = { nowMs: () => performance.now() };
