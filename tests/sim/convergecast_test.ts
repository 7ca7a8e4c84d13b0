// How a node learns that nobody has what it seeks, and that it never learns so where somebody has it.

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { randomBelow, seededRandom } from "../../src/base/random.ts";
import { limits } from "../../src/base/limits.ts";
import { SimNetwork } from "./network.ts";
import type { SimNode, SimNodeOptions, SimSearch } from "./sim_node.ts";
import { build, type Edge, line, mesh, randomGraph, ring } from "./topology.ts";
import { assertTranscript } from "./transcript.ts";

const FILE = "linux.pkg.tar.zst";
const DELAY_MS = 10;
const NEW = { saysDone: true };

/** A network of nodes that know QUERY-DONE, and the search of its first node. */
function searched(edges: readonly Edge[], options: {
  readonly node?: (index: number) => SimNodeOptions;
  readonly ttl?: number;
  readonly seed?: number;
  readonly runMs?: number;
  readonly answerMs?: number;
} = {}) {
  const { node = () => ({}), ttl = limits.ttlDefault, seed = 1, runMs = 8_000 } = options;
  const network = new SimNetwork({ seed, delayMs: DELAY_MS });
  const count = Math.max(...edges.flat()) + 1;
  const nodes = build(network, count, edges, (index) => ({ ...NEW, ...node(index) }));
  const { answerMs = 0 } = options;
  const search = network.search(nodes[0]!, FILE, { ttl, answerMs });
  network.run(runMs);
  const messages = (network.arrived.get("query") ?? 0) + (network.arrived.get("query-done") ?? 0);
  return { network, nodes, search, messages };
}

Deno.test("Search knows that nobody has a file when a line of six links has been there and back", () => {
  const { network, search, messages } = searched(line(7));
  assertEquals(search.through, {
    afterMs: 12 * DELAY_MS,
    outcome: "nothing",
    hits: 0,
    untilMs: Infinity,
  });
  assertEquals(messages, 12);
  assertTranscript("nobody_on_a_line", network);
});

for (const [what, edges] of Object.entries({ ring: ring(8), ring9: ring(9), mesh: mesh(10) })) {
  Deno.test(`Search ends with two messages a link when nobody has a file in a ${what}`, () => {
    const { search, messages } = searched(edges);
    assertEquals(search.through?.outcome, "nothing");
    assertLessOrEqual(search.through!.afterMs, 10 * DELAY_MS);
    assertEquals(messages, 2 * edges.length);
  });
}

Deno.test("Search ends where its TTL does", () => {
  const { search } = searched(line(7), { ttl: 2 });
  assertEquals(search.through, {
    afterMs: 6 * DELAY_MS,
    outcome: "nothing",
    hits: 0,
    untilMs: Infinity,
  });
});

Deno.test("Search waits for the callback of a holder, and then knows of it", () => {
  const node = (index: number) => index === 4 ? { holds: [FILE] } : {};
  const { search } = searched(line(7), { node, answerMs: 500 });
  assertEquals(search.offers.map(({ from }) => from), ["n5"]);
  assertEquals(search.through?.outcome, "answered");
  assertLessOrEqual(search.offers[0]!.afterMs, search.through!.afterMs);
});

Deno.test("Search hears every HIT before it knows that it is over", () => {
  const node = (index: number) =>
    index === 0 ? { isReachable: false } : index > 2 ? { holds: [FILE] } : {};
  const { search } = searched(ring(9), { node });
  assertEquals(search.through?.outcome, "answered");
  assertEquals([search.through!.hits, search.hits.length], [6, 6]);
});

const unknown: Record<string, (index: number) => SimNodeOptions> = {
  "an old node is on the way": (index) => index === 3 ? { saysDone: false } : {},
  "a holder is not answered": (index) => index === 4 ? { holds: [FILE] } : {},
};
for (const [when, node] of Object.entries(unknown)) {
  Deno.test(`Search never says that it is over when ${when}`, () => {
    const answerMs = when.includes("holder") ? Infinity : 0;
    const { search } = searched(line(7), { node, answerMs });
    assertEquals(search.through, null);
  });
}

Deno.test("Search never says that it is over when a node dies before it has answered", () => {
  const { network, nodes, search } = searched(line(7), { runMs: 3 * DELAY_MS });
  network.kill(nodes[4]!);
  network.run(8_000);
  assertEquals(search.through, null);
});

Deno.test("Search waits for no old node that other nodes have told", () => {
  // The old one sends a copy over each of its links but the first.
  const edges = [...line(4), [0, 2], [1, 3]] as const;
  const { search } = searched(edges, { node: (index) => index === 0 ? NEW : { ...NEW } });
  assertEquals(search.through?.outcome, "nothing");
});

/** One network with loss and churn, old nodes and nodes that cannot be dialled; its searches. */
function stormy(seed: number, searches: number): SimSearch[] {
  const random = seededRandom(seed);
  const maybe = (part: number) => random.unit() < part;
  const pick = (nodes: readonly SimNode[]) => nodes[randomBelow(random, nodes.length)]!;
  const network = new SimNetwork({ seed, delayMs: 5, jitterMs: 15, topics: [] });
  const files = Array.from({ length: 6 }, (_, i) => `f${i}`);
  const hasOld = maybe(0.3), hasLoss = maybe(0.4), hasChurn = maybe(0.7);
  // The first of the two of each edge dials, and one of them can be dialled.
  const count = 7;
  const edges = randomGraph(count, 2, random);
  const nodes = build(network, count, edges, (index) => ({
    saysDone: !hasOld || maybe(0.8),
    isReachable: index % 2 === 0 || edges.some(([a, b]) =>
      (a === index || b === index) && a % 2 === 1 && b % 2 === 1
    ) || maybe(0.5),
    holds: files.filter(() => maybe(0.08)),
  }));
  if (hasLoss) network.lose(({ kind }) => /query|hit/.test(kind) ? 0.03 : 0);
  const made: SimSearch[] = [];
  for (let i = 0; i < searches; i++) {
    const from = pick(nodes);
    if (from.state === "alive") {
      const answerMs = maybe(0.05) ? Infinity : maybe(0.1) ? 2_000 : 0;
      made.push(network.search(from, files[i % files.length]!, { wants: 9, answerMs }));
    }
    network.run(200 * random.unit());
    const victim = pick(nodes);
    if (!hasChurn || maybe(0.7)) continue;
    if (victim.state !== "alive") network.restart(victim);
    else if (maybe(0.5)) network.kill(victim, maybe(0.5) ? "process" : "machine");
    else network.cut(victim, pick(nodes));
  }
  network.run(8_000);
  return made;
}

Deno.test("Search misses nobody in 10,000 searches with loss, churn and old nodes", () => {
  const all = 10_000, perNetwork = 50;
  let known = 0, found = 0, made = 0;
  for (let seed = 1; made < all; seed++) {
    for (const search of stormy(seed, perNetwork)) {
      made++;
      const { through, offers, hits } = search;
      if (offers.length + hits.length > 0) found++;
      if (through === null) continue;
      known++;
      const what = `seed ${seed}: ${JSON.stringify(through)} of ${search.sought.value}`;
      const wasOffered = offers.some(({ afterMs }) => afterMs < through.untilMs);
      if (through.outcome === "nothing") assert(!wasOffered, what);
      if (through.untilMs === Infinity) assertEquals(through.hits, hits.length, what);
    }
  }
  console.log(`${made} searches, ${found} found something, ${known} knew that they were over`);
  // It is no test if hardly any of them ends so, or finds anything.
  assert(known > all / 4 && found > all / 4, `${known} knew, ${found} found`);
});
