/** The fleets by which the policy of keeping is judged, in the test and in the table of the page. */

import type { KeepingCase } from "./keeping_world.ts";

type Fleet = Omit<KeepingCase, "seed" | "way">;

const USUAL: Fleet = { nodes: 20, files: 1_000, roomFiles: 60, requests: 20_000, skew: 0.9 };

export const KEEPING_FLEETS: readonly { readonly what: string; readonly fleet: Fleet }[] = [
  { what: "room for all together", fleet: USUAL },
  { what: "room for half together", fleet: { ...USUAL, roomFiles: 25 } },
  { what: "all asked for alike", fleet: { ...USUAL, skew: 0 } },
  { what: "nodes set up anew", fleet: { ...USUAL, nodesDie: true } },
  { what: "4 nodes", fleet: { ...USUAL, nodes: 4, files: 200, requests: 10_000 } },
];
