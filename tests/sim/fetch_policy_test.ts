/**
 * The policy of a fetch in thousands of seeded worlds: peers and mirrors that lie, stall, trickle,
 * break off, answer late, come back and disagree. Each fetch ends in the right bytes or in a named
 * failure within its bound, and never shows a wrong byte. A seed that fails is run alone by
 * `FETCH_SEED=N deno task test tests/sim/fetch_policy_test.ts`, and then tells all that happened.
 */

import { assert, assertEquals } from "@std/assert";
import { type FetchRunResult, runFetch } from "./fetch_run.ts";
import { type World, worldOf } from "./fetch_world.ts";

const CASES = Number(Deno.env.get("FETCH_CASES") ?? 10_000);

const alone = Deno.env.get("FETCH_SEED");

/** What is wrong with how a fetch went. */
function faultsOf(world: World, { result, faults, endMs }: FetchRunResult): string[] {
  const all = [...faults];
  if (result instanceof Error && mustSucceed(world)) {
    all.push(`it failed though the file could be had: ${result.message}`);
  }
  const { timeoutMs } = world.request;
  if (timeoutMs > 0 && endMs > timeoutMs + 100) all.push(`it took ${endMs} of ${timeoutMs} ms`);
  return all;
}

/** Whether somebody would give the right file whatever all others do. */
function mustSucceed({ request, right, peers, mirrors, stopsMs, linkCount }: World): boolean {
  const isKnown = request.root !== null || request.sha256 !== null;
  if (!isKnown || stopsMs < Infinity || request.timeoutMs > 0 || request.chunks !== null) {
    return false;
  }
  const isMirror = mirrors.some((mirror) =>
    mirror.content === right && mirror.status === null &&
    mirror.breaksAfter === Infinity && mirror.stallsAfter === Infinity &&
    mirror.comesBackMs === 0 && mirror.changesMs === Infinity && mirror.chunksPerSecond > 20
  );
  const isPeer = linkCount > 0 &&
    peers.some((peer) =>
      peer.content === right && peer.port > 0 && peer.offersMs < 1_000 && !peer.isListed &&
      peer.givesLeaves && peer.stallsAfter === Infinity && peer.lies === 0 &&
      peer.diesMs === Infinity && peer.chunksPerSecond > 20
    );
  return isMirror || isPeer;
}

Deno.test(`FetchPolicy ends ${CASES} seeded fetches right, or with a named failure`, () => {
  const seeds = alone === undefined ? Array.from({ length: CASES }, (_, i) => i + 1) : [+alone];
  const ends = new Map<string, number>();
  const failed: string[] = [];
  for (const seed of seeds) {
    const world = worldOf(seed);
    const run = runFetch(world);
    const faults = faultsOf(world, run);
    const end = run.result instanceof Error ? "failed" : run.result.kind;
    ends.set(end, (ends.get(end) ?? 0) + 1);
    if (faults.length > 0) failed.push(`seed ${seed}: ${faults.slice(0, 3).join("; ")}`);
    if (alone !== undefined) {
      console.log(JSON.stringify(describe(world), null, 1), run.log.join("\n"));
    }
  }
  assertEquals(failed.slice(0, 20), [], `${failed.length} of ${seeds.length} went wrong`);
  if (alone !== undefined) return;
  // The worlds are of all kinds: each way to end is met.
  for (const end of ["swarm", "promoted", "local", "part", "failed"]) {
    assert((ends.get(end) ?? 0) >= 20, `${end}: ${JSON.stringify([...ends])}`);
  }
});

Deno.test("FetchPolicy does the same in the same world", () => {
  for (const seed of [7, 77, 777]) {
    assertEquals(runFetch(worldOf(seed)).log, runFetch(worldOf(seed)).log);
  }
});

/** A world for a person. */
function describe({ random: _, ...world }: World): unknown {
  return JSON.parse(
    JSON.stringify(
      world,
      (_key, value) => value instanceof Set ? [...value] : value === Infinity ? "never" : value,
    ),
  );
}
