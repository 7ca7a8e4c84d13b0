// The search in networks that are big, random, hostile or falling apart: counts and properties
// instead of every step. Whatever fails names its seed.

import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import type { QueryId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom, shuffled } from "../../src/base/random.ts";
import type { Query } from "../../src/wire/messages.ts";
import { SimNetwork, type SimSearchOptions } from "./network.ts";
import { Puppet, type SimNode, type SimSearch } from "./sim_node.ts";
import { build, diameter, distances, randomGraph } from "./topology.ts";
import { assertTranscript, sumCounters } from "./transcript.ts";

const FILE = "linux.pkg.tar.zst";

Deno.test("Search finds the file when 3 of 1,000 nodes have it", () => {
  const network = new SimNetwork({ seed: 1000, topics: [] });
  const random = seededRandom(network.seed);
  const edges = randomGraph(1_000, 3, random);
  const places = shuffled(random, [...Array(999).keys()]).slice(0, 3).map((index) => index + 1);
  const nodes = build(network, 1_000, edges, (index) => ({
    holds: places.includes(index) ? [FILE] : [],
  }));
  const search = network.search(nodes[0]!, FILE, { wants: 3 });
  network.run(2_000);
  assertEquals(search.offers.length, 3);
  assertFloodBound(network, edges.length);
  const hops = search.offers.map(({ from, afterMs }) => {
    const holder = nodes.find((node) => node.name === from)!;
    return `${from}, ${holder.hopsOf.get(search.id)} links away, after ${afterMs} ms`;
  });
  const reached = nodes.filter((node) => node.hopsOf.has(search.id)).length;
  network.say(`1,000 nodes, ${edges.length} links of 10 ms, at least 3 a node, TTL 7`);
  network.say(`query reached ${reached} nodes in ${network.arrived.get("query")} messages`);
  for (const line of hops) network.say(`offer of ${line}`);
  network.say(JSON.stringify(sumCounters(network)));
  assertTranscript("thousand_nodes", network);
});

/** No link carries a query more than once in either direction. */
function assertFloodBound(network: SimNetwork, edges: number): void {
  assertLessOrEqual(network.arrived.get("query") ?? 0, 2 * edges, `seed ${network.seed}`);
  for (const node of network.nodes) {
    assertLessOrEqual(node.overlay.counters.queriesSeen, 1, node.name);
  }
}

Deno.test("Search finds the file when a tenth of nodes and links is lost on its way", () => {
  for (const how of ["process", "machine"] as const) {
    const network = new SimNetwork({ seed: 77, jitterMs: 10, topics: [] });
    const random = seededRandom(network.seed);
    const edges = randomGraph(300, 4, random);
    const nodes = build(network, 300, edges, (index) => ({
      holds: index % 30 === 29 ? [FILE] : [],
    }));
    const search = network.search(nodes[0]!, FILE, { wants: 3 });
    network.run(15);
    for (const node of shuffled(random, nodes.slice(1)).slice(0, 30)) network.kill(node, how);
    for (const [a, b] of shuffled(random, edges).slice(0, edges.length / 10)) {
      network.cut(nodes[a]!, nodes[b]!);
    }
    assertEquals(search.offers, [], "the faults come before the first offer");
    assert(network.runUntil(() => search.offers.length >= 3, 5_000), `seed 77, ${how}`);
  }
});

Deno.test("Search finds a holder in any connected graph within its TTL, over each link twice at most", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 0x7fff_ffff }),
      fc.boolean(),
      (count, degreeMin, seed, isReachable) => {
        const random = seededRandom(seed);
        const edges = randomGraph(count, degreeMin, random);
        const places = shuffled(random, [...Array(count - 1).keys()]).slice(0, 1 + seed % 3);
        const ttl = Math.min(limits.ttlMax, diameter(count, edges));
        const near = distances(count, edges, 0);
        // A line of 30 is longer than any TTL: what lies beyond is not asked for.
        fc.pre(places.some((place) => near[place + 1]! <= ttl + 1));
        const { network, search } = searchIn(count, edges, seed, {
          places: places.map((place) => place + 1),
          isReachable,
          options: { ttl },
        });
        assertLess(0, search.offers.length, `seed ${seed}`);
        assertFloodBound(network, edges.length);
      },
    ),
    { numRuns: 200, seed: 20_240_601 },
  );
});

Deno.test("Search asks every node once when all links differ in delay", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: limits.ttlMax + 1 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 0x7fff_ffff }),
      (count, degreeMin, seed) => {
        const edges = randomGraph(count, degreeMin, seededRandom(seed));
        const { network } = searchIn(count, edges, seed, {
          places: [],
          isReachable: true,
          options: { ttl: limits.ttlMax },
          jitterMs: 100,
        });
        // The first copy may have come the long way round, but no way is longer than the TTL.
        const sum = sumCounters(network);
        assertEquals(sum["queriesSeen"], count - 1, `seed ${seed}`);
        assertEquals(sum["messagesSent"], 2 * edges.length - (count - 1), `seed ${seed}`);
      },
    ),
    { numRuns: 100, seed: 20_240_602 },
  );
});

function searchIn(
  count: number,
  edges: readonly (readonly [number, number])[],
  seed: number,
  how: {
    places: readonly number[];
    isReachable: boolean;
    options: SimSearchOptions;
    jitterMs?: number;
  },
): { network: SimNetwork; nodes: SimNode[]; search: SimSearch } {
  const network = new SimNetwork({ seed, jitterMs: how.jitterMs ?? 0, topics: [] });
  const nodes = build(network, count, edges, (index) => ({
    holds: how.places.includes(index) ? [FILE] : [],
    isReachable: index !== 0 || how.isReachable,
  }));
  const search = network.search(nodes[0]!, FILE, how.options);
  network.run(8_000);
  return { network, nodes, search };
}

Deno.test("Search drops what a link sends above the rate, and keeps the link", () => {
  const { network, puppet, liar, victim, beyond } = flooded({});
  // Twice the bound for ten seconds.
  for (let i = 0; i < 1_000; i++) {
    for (let j = 0; j < 2; j++) network.send(liar, puppet.links[0]!, query(2 * i + j));
    network.run(10);
  }
  network.run(100);
  const { queriesSeen, droppedRate } = victim.overlay.counters;
  const allowed = limits.queriesBurstMax + 10 * limits.queriesPerSecondMax;
  assertEquals(queriesSeen + droppedRate, 2_000);
  assertLessOrEqual(Math.abs(queriesSeen - allowed), 5);
  assertEquals(puppet.linksDown, []);
  assertEquals(beyond.overlay.counters.queriesSeen, victim.overlay.counters.forwarded);
});

Deno.test("Search drops a link that floods, and forgets the oldest ids", () => {
  const { network, puppet, liar, victim } = flooded({ seenQueriesMax: 150 });
  for (let i = 0; i < 5_000; i++) network.send(liar, puppet.links[0]!, query(i));
  network.run(1_000);
  assertEquals(puppet.linksDown, puppet.links);
  assertEquals(network.warnings, ["n2: Cannot keep link: over 1000 queries a second"]);
  assertEquals(victim.overlay.counters.queriesSeen, limits.queriesBurstMax);
  assertEquals(victim.overlay.seenCount, 150);
});

Deno.test("Search keeps its bound on ids when queries come for long within the rate", () => {
  const { network, puppet, liar, victim } = flooded({ seenQueriesMax: 64 });
  for (let i = 0; i < 3_000; i++) {
    network.send(liar, puppet.links[0]!, query(i));
    network.run(10);
  }
  assertLess(2_900, victim.overlay.counters.queriesSeen);
  assertEquals(victim.overlay.seenCount, 64);
});

Deno.test("Search takes no honest node for a flooder when many neighbours send at the full rate", () => {
  // Thirty liars, each within its own bound, around one node: it must not pass on the sum.
  const network = new SimNetwork({ seed: 31, topics: [] });
  const middle = network.addNode();
  const honest = network.addNode();
  network.pin(middle, honest);
  const liars = Array.from({ length: 25 }, () => {
    const puppet = new Puppet();
    const node = network.addNode({ brain: puppet });
    network.dial(node, middle);
    return { puppet, node };
  });
  network.run(1_000);
  let number = 0;
  for (let second = 0; second < 3; second++) {
    for (const { puppet, node } of liars) {
      for (let i = 0; i < limits.queriesPerSecondMax; i++) {
        network.send(node, puppet.links[0]!, query(number++));
      }
    }
    network.run(1_000);
  }
  assertEquals(network.warnings, []);
  assertEquals(honest.links.size, 1);
  const allowed = limits.queriesBurstMax + 3 * limits.queriesPerSecondMax;
  assertLessOrEqual(honest.overlay.counters.queriesSeen, allowed);
  assertLess(limits.queriesBurstMax, honest.overlay.counters.queriesSeen);
});

function flooded(options: { seenQueriesMax?: number }) {
  const network = new SimNetwork({ seed: 30, topics: [] });
  const puppet = new Puppet();
  const liar = network.addNode({ brain: puppet });
  const victim = network.addNode(options);
  const beyond = network.addNode();
  network.pin(victim, beyond);
  network.dial(liar, victim);
  network.run(1_000);
  return { network, puppet, liar, victim, beyond };
}

function query(number: number): Query {
  return {
    kind: "query",
    id: number.toString(16).padStart(32, "0") as QueryId,
    ttl: 7,
    hops: 1,
    sought: { by: "name", value: FILE },
    callbackHost: "10.9.9.9",
    callbackPort: 9,
  };
}
