/** Cases of simulated crowds: small ones of all kinds, each from its seed, and those of the table. */

import { randomBelow, seededRandom } from "../../src/base/random.ts";
import type { CrowdWorldOptions } from "./crowd_world.ts";

/** What goes wrong in a crowd. */
export const FAULTS = ["none", "blind", "dying", "lying", "stopped", "all"] as const;
export type Fault = (typeof FAULTS)[number];

/** A case, and what goes wrong in it. */
export interface CrowdCase extends CrowdWorldOptions {
  readonly fault: Fault;
}

/** The options that a fault needs. */
export function faultOptions(fault: Fault): Partial<CrowdWorldOptions> {
  switch (fault) {
    case "none":
      return {};
    case "blind":
      return { blindShare: 0.05 };
    case "dying":
      return { dyingShare: 0.1 };
    case "lying":
      return { lyingShare: 0.05 };
    case "stopped":
      return { stopMs: 20_000 };
    case "all":
      return { blindShare: 0.05, dyingShare: 0.1, lyingShare: 0.05 };
  }
}

/** A small crowd of any kind. */
export function smallCase(seed: number): CrowdCase {
  const random = seededRandom(seed);
  const fault = FAULTS[seed % FAULTS.length]!;
  const nodes = 2 + randomBelow(random, 12);
  const stripes = 1 + randomBelow(random, 24);
  // On a thinner line than that, a dead reader is not to be told from a slow one in time.
  const aloneMs = Math.min(stripes, 1 + randomBelow(random, 8)) * 1_000;
  const arrivals = [0, 500, aloneMs / 2, 4 * aloneMs];
  return {
    seed,
    nodes,
    aloneMs,
    fault,
    stripes,
    arrivalMs: arrivals[randomBelow(random, arrivals.length)]!,
    // Some know of each other through others only.
    sought: nodes > 6 && random.unit() < 0.3 ? 2 : 8,
    ranges: random.unit() < 0.7 ? "all" : random.unit() < 0.5 ? "none" : "some",
    ...faultOptions(fault),
  };
}
