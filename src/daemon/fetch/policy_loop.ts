/**
 * Runs the policy of one fetch: gives it one event after the other, has its effects carried out in
 * order, and wakes it when something is due because time has passed.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import type { FetchEffect, FetchFacts, FetchPolicyEvent } from "../../core/fetch/fetch_events.ts";
import type { FetchPolicy } from "../../core/fetch/fetch_policy.ts";

/** What the loop works with. */
interface PolicyLoopOptions {
  readonly clock: Clock;
  readonly policy: FetchPolicy;
  readonly facts: FetchFacts;
  /** Carries out an effect; what it throws ends the fetch. */
  readonly apply: (effect: FetchEffect) => void;
  /** The fetch cannot even be ended in order. */
  readonly broke: (error: unknown) => void;
}

/** The loop of one fetch. */
export class PolicyLoop {
  readonly policy: FetchPolicy;
  readonly facts: FetchFacts;
  readonly #options: PolicyLoopOptions;
  /** What was told, and is not yet taken into account. */
  readonly #events: FetchPolicyEvent[] = [];
  #isStepping = false;
  #timer: Timer | null = null;
  #wakesMs = Infinity;
  /** Whether the fetch has ended: nothing is told to the policy, and it is not woken. */
  #isEnded = false;

  constructor(options: PolicyLoopOptions) {
    this.policy = options.policy;
    this.facts = options.facts;
    this.#options = options;
  }

  /** Tells the policy what happened; when effects tell something, that is taken up after them. */
  tell(event: FetchPolicyEvent): void {
    const { policy } = this;
    if (policy.isOver || this.#isEnded) return;
    this.#events.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        this.#step(next);
      }
    } catch (error) {
      this.end();
      this.#options.broke(error);
    } finally {
      this.#isStepping = false;
    }
    if (!this.#isEnded) this.#wakeAt(policy.wakeMs);
  }

  /** Does something; what goes wrong ends this fetch alone. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (this.policy.isOver) this.#options.broke(error);
      this.tell({ kind: "failed", error: error as Error });
    }
  }

  /** Begins what takes a while, and tells what comes of it. */
  begin(work: Promise<FetchPolicyEvent | undefined | void>): void {
    work.then(
      (event) => event && this.tell(event),
      (error) => this.tell({ kind: "failed", error: error as Error }),
    );
  }

  /** Steps no more, and wakes the policy no more. */
  end(): void {
    this.#isEnded = true;
    this.#events.length = 0;
    this.#cancel();
  }

  #cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#wakesMs = Infinity;
  }

  #step(event: FetchPolicyEvent): void {
    const { clock, apply } = this.#options;
    const effects = this.policy.step(event, clock.nowMs(), this.facts);
    for (const effect of effects) this.guard(() => apply(effect));
  }

  /** A timer that would go off sooner is left as it is: a step too many changes nothing. */
  #wakeAt(atMs: number): void {
    if (atMs >= this.#wakesMs) return;
    this.#cancel();
    const { clock } = this.#options;
    this.#wakesMs = atMs;
    this.#timer = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
      this.#timer = null;
      this.#wakesMs = Infinity;
      this.tell({ kind: "tick" });
    });
  }
}
