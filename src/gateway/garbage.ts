/**
 * Has the runtime collect its garbage when many requests were answered and none is: it does so by
 * itself only while it works, and would keep what a burst took for as long as nothing is asked.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { limits } from "../base/limits.ts";

/** The garbage of one gateway. */
export class Garbage {
  readonly #collect: () => void;
  #collectedMs = -Infinity;
  /** Requests since then. */
  #requests = 0;
  #askedMs = -Infinity;

  constructor(collect: () => void = runtimeCollector()) {
    this.#collect = collect;
  }

  /** A request came. */
  asked(nowMs: number): void {
    this.#requests++;
    this.#askedMs = nowMs;
  }

  /** Lets time pass while no request is being answered. */
  quiet(nowMs: number): void {
    if (this.#requests < limits.gatewayCollectRequests) return;
    if (nowMs - this.#askedMs < limits.gatewayQuietMs) return;
    if (nowMs - this.#collectedMs < limits.gatewayCollectMs) return;
    this.#requests = 0;
    this.#collectedMs = nowMs;
    this.#collect();
  }
}

/** What has V8 collect all garbage at once; where it cannot be had, nothing is done. */
function runtimeCollector(): () => void {
  try {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    if (typeof collect === "function") return () => void collect();
  } catch { /* Another runtime: it keeps memory a little longer. */ }
  return () => {};
}
