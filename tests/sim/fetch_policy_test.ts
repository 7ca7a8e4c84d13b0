/**
 * The policy of a fetch in thousands of seeded worlds: peers and mirrors that lie, stall, trickle,
 * break off, answer late, come back and disagree. Each fetch ends in the right bytes or in a named
 * failure within its bound, and never shows a wrong byte. A seed that fails is run alone by
 * `FETCH_SEED=N deno task test tests/sim/fetch_policy_test.ts`, and then tells all that happened.
 */

import { assert, assertEquals } from "@std/assert";
import { FetchFailure } from "../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import type { NodeId, Root } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { requestFor } from "../support/fetch_request.ts";
import { type FetchRunResult, runFetch } from "./fetch_run.ts";
import { type Content, type SimPeer, type World, worldOf } from "./fetch_world.ts";

const CASES = Number(Deno.env.get("FETCH_CASES") ?? 10_000);

const alone = Deno.env.get("FETCH_SEED");

/** What is wrong with how a fetch went. */
function faultsOf(world: World, { result, faults, endMs }: FetchRunResult): string[] {
  const all = [...faults];
  if (result instanceof Error && mustSucceed(world)) {
    all.push(`it failed though the file could be had: ${result.message}`);
  }
  // A client that waits in vain hears so before it has waited for all of its time.
  const holdMs = world.client?.holdMs ?? Infinity;
  const isInVain = result instanceof Error && / in time: /.test(result.message);
  if (isInVain && endMs > holdMs) all.push(`it told after ${endMs} ms that it comes too late`);
  const { timeoutMs } = world.request;
  if (timeoutMs > 0 && endMs > timeoutMs + 100) all.push(`it took ${endMs} of ${timeoutMs} ms`);
  return all;
}

/** Whether somebody would give the right file whatever all others do. */
function mustSucceed(
  { request, right, peers, mirrors, stopsMs, linkCount, client }: World,
): boolean {
  // What is slow, or offered beside something slow, is left early.
  if (typeof client?.holdMs === "number") return false;
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

/** Peers that have one file of 40 chunks, whose SHA-256 is known, for a client that cannot wait. */
function hurriedWorld(
  peers: readonly Partial<SimPeer>[],
  { right, offered = right }: { readonly right: Content; readonly offered?: Content },
): World {
  return {
    ...worldOf(1),
    ...{ contents: [right, offered], right, mirrors: [], here: null, comesHere: null },
    ...{
      linkCount: 2,
      isAlone: false,
      sharesPlace: false,
      mirrorsAlone: false,
      stopsMs: Infinity,
      isStrict: true,
    },
    client: { holdMs: 8_000 },
    request: requestFor("file.pkg.tar.zst", { deliver: true, sha256: right.sha256 }),
    peers: peers.map((peer, i) => ({
      nodeId: `${i + 1}`.padStart(32, "0") as NodeId,
      port: 1_000 + i,
      content: offered,
      offersMs: 10 + i,
      isListed: false,
      givesLeaves: true,
      chunksPerSecond: 20,
      stallsAfter: Infinity,
      lies: 0,
      diesMs: Infinity,
      successor: null,
      ...peer,
    })),
  };
}

/** A file of 40 chunks; another one has other chunks from `differsFrom` on. */
function fileOf40(id: number, differsFrom = 40): Content {
  return {
    id,
    chunks: 40,
    sizeBytes: 40 * CHUNK_BYTES - 1,
    root: `${id}`.padStart(64, "0") as Root,
    sha256: `${id}`.padStart(64, "f"),
    differs: new Set(Array.from({ length: 40 - differsFrom }, (_, i) => differsFrom + i)),
  };
}

Deno.test("FetchPolicy decides soon whether a file comes in time for a client that cannot wait", () => {
  const right = fileOf40(1);
  // 40 chunks in 4 s; in 20 s, which is told after 1 s; in 10 s, after twice that.
  for (
    const [chunksPerSecond, fromMs, toMs] of [[10, 3_000, 5_500], [2, 1_000, 1_600], [
      4,
      2_000,
      2_600,
    ]] as const
  ) {
    const { result, endMs, faults } = runFetch(hurriedWorld([{ chunksPerSecond }], { right }));
    assertEquals(faults, []);
    assertEquals(result instanceof Error, chunksPerSecond < 10, `${chunksPerSecond}: ${result}`);
    assert(endMs >= fromMs && endMs <= toMs, `${chunksPerSecond} chunks a second: ${endMs} ms`);
    if (!(result instanceof Error)) continue;
    assert(result instanceof FetchFailure);
    assertEquals(result.exit, "notFound");
  }
  // Nobody else is in a hurry.
  const patient = { ...hurriedWorld([{ chunksPerSecond: 2 }], { right }), client: null };
  assert(!(runFetch(patient).result instanceof Error));
});

Deno.test("FetchPolicy ends the wait of a client soon after the last source has died", () => {
  const dies = hurriedWorld([{ diesMs: 600 }], { right: fileOf40(1) });
  const { result, endMs } = runFetch(dies);
  assert(result instanceof FetchFailure);
  assertEquals(result.exit, "notFound");
  assert(endMs < 600 + 2 * limits.holdGoneMs, `${endMs} ms`);
  // Somebody else who has it is in time.
  const other = hurriedWorld([{ diesMs: 600 }, { offersMs: 1_000 }], { right: fileOf40(1) });
  assert(!(runFetch(other).result instanceof Error));
});

Deno.test("FetchPolicy streams what several nodes vouch for, but for its end", () => {
  const right = fileOf40(1);
  // It takes longer than the client waits.
  const slow = { chunksPerSecond: 2 };
  const { result, read, endMs, faults } = runFetch(hurriedWorld([slow, slow], { right }));
  assertEquals([result instanceof Error, faults, read.size], [false, [], 40]);
  assert(endMs > 8_000, `${endMs} ms`);
  // Were it wrong, the client never has all of it, and the fetch does not end well.
  const wrong = fileOf40(2, 20);
  const lied = runFetch(hurriedWorld([slow, slow], { right, offered: wrong }));
  assertEquals([lied.result instanceof Error, lied.faults, lied.read.size], [true, [], 0]);
  assert(lied.log.some((line) => line.includes("Several nodes vouch for")));
  // Who has a part of it, or is at the same host as another, vouches for nothing.
  const one = runFetch(hurriedWorld([slow], { right }));
  assert(one.result instanceof FetchFailure);
});

/** One peer that gives a part of a file of 40 chunks, and has another one in its place then. */
function replacedWorld(
  sought: Pick<Partial<World>, "isStrict"> & { readonly by: "name" | "sha256" },
) {
  const contents = [1, 2].map((id): Content => ({
    id,
    chunks: 40,
    sizeBytes: 40 * CHUNK_BYTES - id,
    root: id.toString(16).padStart(64, "0") as Root,
    sha256: id.toString(16).padStart(64, "f"),
    differs: new Set(Array.from({ length: 40 }, (_, i) => i)),
  }));
  const [right, next] = contents as [Content, Content];
  const peer: SimPeer = {
    nodeId: "1".repeat(32) as NodeId,
    port: 1_000,
    content: right,
    offersMs: 10,
    isListed: false,
    givesLeaves: true,
    chunksPerSecond: 20,
    stallsAfter: Infinity,
    lies: 0,
    diesMs: 1_000,
    successor: { content: next, afterMs: 400 },
  };
  const sha256 = sought.by === "sha256" ? right.sha256 : null;
  return {
    ...worldOf(1),
    ...{ contents, right, peers: [peer], mirrors: [], here: null, comesHere: null },
    ...{ linkCount: 1, isAlone: false, sharesPlace: false, stopsMs: Infinity },
    isStrict: sought.isStrict ?? false,
    client: null,
    request: requestFor("file.pkg.tar.zst", { deliver: true, sha256 }),
    next,
  };
}

Deno.test("FetchPolicy follows the new version of a file that changes in mid-fetch, by its name", () => {
  const world = replacedWorld({ by: "name" });
  const { result, content, endMs, faults, log } = runFetch(world);
  assertEquals([faults, content], [[], world.next], log.join("\n"));
  assert(!(result instanceof Error));
  // 40 chunks take 2 s; the holder is asked again within one.
  assert(endMs < 1_400 + 1_000 + 2_500, String(endMs));
});

Deno.test("FetchPolicy never follows the new version where the old one was given away", () => {
  const world = replacedWorld({ by: "name", isStrict: true });
  const { result, faults, log } = runFetch(world);
  assert(result instanceof FetchFailure && result.exit === "notFound", log.join("\n"));
  assertEquals(faults, []);
});

Deno.test("FetchPolicy fails soon where the file that is meant was replaced in mid-fetch", () => {
  const { result, endMs, faults } = runFetch(replacedWorld({ by: "sha256" }));
  assert(result instanceof FetchFailure && result.message.includes("offer it no more"));
  assertEquals(faults, []);
  assert(endMs < 1_000 + limits.withdrawnMs + 1_000, String(endMs));
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
