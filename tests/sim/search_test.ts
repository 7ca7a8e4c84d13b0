// The flooding callback search in small networks whose every step can be read in a transcript.

import { assert, assertEquals, assertLess } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import type { Query } from "../../src/wire/messages.ts";
import { SimNetwork } from "./network.ts";
import { Puppet, type SimNode } from "./sim_node.ts";
import { build, line, mesh, ring } from "./topology.ts";
import { assertTranscript, sumCounters } from "./transcript.ts";

const FILE = "linux.pkg.tar.zst";

/** A node at one place of a line that has the file, or a part of it. */
function holdsAt(...places: number[]) {
  return (index: number) => places.includes(index) ? { holds: [FILE] } : {};
}

Deno.test("Search finds the file when it is at the far end of a line of six", () => {
  const network = new SimNetwork({ seed: 1 });
  const nodes = build(network, 6, line(6), holdsAt(5));
  const search = network.search(nodes[0]!, FILE);
  network.run(2_000);
  assertEquals(search.offers.map((offer) => offer.from), ["n6"]);
  assertTranscript("line_of_six", network);
});

Deno.test("Search handles a query once a node when the network is a ring of eight", () => {
  const network = new SimNetwork({ seed: 2 });
  const nodes = build(network, 8, ring(8));
  network.search(nodes[0]!, FILE);
  network.run(2_000);
  assertHandledOnce(network, nodes, 8);
  assertTranscript("ring_of_eight", network);
});

Deno.test("Search handles a query once a node when the network is a full mesh of eight", () => {
  const network = new SimNetwork({ seed: 3, topics: [] });
  const nodes = build(network, 8, mesh(8));
  network.search(nodes[0]!, FILE);
  network.run(2_000);
  assertHandledOnce(network, nodes, 28);
  network.say(`full mesh of 8 nodes, 28 links: ${JSON.stringify(sumCounters(network))}`);
  assertTranscript("mesh_of_eight", network);
});

/**
 * The origin sends over each of its links, each other node over all but the one that the query
 * came by: 2E - (N - 1) messages, of which N - 1 are the first that a node gets.
 */
function assertHandledOnce(network: SimNetwork, nodes: readonly SimNode[], edges: number): void {
  const others = nodes.length - 1;
  for (const node of nodes.slice(1)) assertEquals(node.overlay.counters.queriesSeen, 1, node.name);
  const sum = sumCounters(network);
  assertEquals(nodes[0]!.overlay.counters.queriesSeen, 0);
  assertEquals(sum["messagesSent"], 2 * edges - others);
  assertEquals(sum["droppedDuplicate"], 2 * edges - 2 * others);
  assertEquals(network.arrived.get("query"), 2 * edges - others);
}

Deno.test("Search reaches neighbours only when its TTL is 0", () => {
  const network = new SimNetwork({ seed: 4 });
  const nodes = build(network, 8, mesh(8));
  network.search(nodes[0]!, FILE, { ttl: 0 });
  network.run(2_000);
  const sum = sumCounters(network);
  assertEquals([sum["queriesSeen"], sum["forwarded"], sum["droppedDuplicate"]], [7, 0, 0]);
  assertEquals(network.arrived.get("query"), 7);
});

for (const ttl of [0, 1, 3, limits.ttlDefault]) {
  Deno.test(`Search travels ${ttl} links after the first when its TTL is ${ttl}`, () => {
    const network = new SimNetwork({ seed: 5 });
    const nodes = build(network, 10, line(10));
    const search = network.search(nodes[0]!, FILE, { ttl });
    network.run(2_000);
    const reached = nodes.filter((node) => node.hopsOf.has(search.id)).map((node) => node.name);
    assertEquals(reached, nodes.slice(1, ttl + 2).map((node) => node.name));
  });
}

Deno.test("Search travels no further than the bound when the TTL is above it", () => {
  const network = new SimNetwork({ seed: 6 });
  const nodes = build(network, 20, line(20));
  const search = network.search(nodes[0]!, FILE, { ttl: 255 });
  network.run(2_000);
  const reached = nodes.filter((node) => node.hopsOf.has(search.id));
  assertEquals(reached.length, limits.ttlMax + 1);
});

Deno.test("Search stops at a holder when the requester answers ENOUGH", () => {
  const network = new SimNetwork({ seed: 7 });
  const nodes = build(network, 6, line(6), holdsAt(1, 2, 4));
  const search = network.search(nodes[0]!, FILE, { wants: 2 });
  network.run(2_000);
  assertEquals(search.offers.map((offer) => offer.from), ["n2", "n3"]);
  const forwarded = nodes.map((node) => node.overlay.counters.forwarded);
  const enoughHeard = nodes.map((node) => node.overlay.counters.enoughHeard);
  assertEquals(forwarded, [0, 1, 0, 0, 0, 0]);
  assertEquals(enoughHeard, [0, 0, 1, 0, 0, 0]);
  assert(!nodes[3]!.hopsOf.has(search.id));
  assertTranscript("enough", network);
});

Deno.test("Search goes on after the bound when the requester never answers a callback", () => {
  const network = new SimNetwork({ seed: 8 });
  // n1 has two ways: over the holder n2 to n3, and over n4 to n5.
  const nodes = build(network, 5, [[0, 1], [1, 2], [0, 3], [3, 4]], holdsAt(1, 2, 4));
  const reachedMs = new Map<string, number>();
  const search = network.search(nodes[0]!, FILE, { wants: 9, answerMs: Infinity });
  network.runUntil(() => {
    for (const node of nodes) {
      if (node.hopsOf.has(search.id) && !reachedMs.has(node.name)) {
        reachedMs.set(node.name, network.nowMs - search.startedMs);
      }
    }
    return false;
  }, 10_000);
  assertEquals(reachedMs.get("n4"), 10);
  assertEquals(reachedMs.get("n5"), 20, "another way is not delayed");
  const waitedMs = reachedMs.get("n3")!;
  assertLess(waitedMs, limits.callbackMs + limits.overlayTickMs + 30);
  assertLess(limits.callbackMs, waitedMs);
  assertEquals(nodes[1]!.overlay.counters.forwarded, 1, "the late answer forwards nothing again");
  assertTranscript("slow_requester", network);
});

Deno.test("Search is forwarded at once when the requester's process is dead", () => {
  const network = new SimNetwork({ seed: 9 });
  const nodes = build(network, 3, line(3), holdsAt(1));
  const search = network.search(nodes[0]!, FILE);
  network.kill(nodes[0]!);
  assert(network.runUntil(() => nodes[2]!.hopsOf.has(search.id), 100));
});

Deno.test("Search brings a HIT back and the requester dials when nobody can dial it", () => {
  const network = new SimNetwork({ seed: 10 });
  const nodes = build(network, 4, line(4), (index) => ({
    isReachable: index !== 0,
    holds: index === 3 ? [FILE] : [],
  }));
  const search = network.search(nodes[0]!, FILE);
  network.run(2_000);
  assertEquals(search.offers.map((offer) => offer.from), ["n4"]);
  assertEquals(search.hits[0]?.holderHost, nodes[3]!.host, "the first relay writes it in");
  assertEquals(search.hits[0]?.hops, 2);
  assertTranscript("hit_over_reverse_path", network);
});

Deno.test("Search gets a HIT when it leaves the machine of a requester on loopback", () => {
  const network = new SimNetwork({ seed: 11 });
  const a = network.addNode({ name: "a", host: "10.0.0.1", port: 1 });
  const b = network.addNode({ name: "b", host: "10.0.0.1", port: 2 });
  const c = network.addNode({ name: "c", host: "10.0.0.2", port: 3, holds: [FILE] });
  network.pin(a, b, "127.0.0.1");
  network.pin(b, c);
  network.run(1_000);
  const search = network.search(a, FILE);
  network.run(2_000);
  assertEquals(search.offers.map((offer) => offer.from), ["c"]);
  assertTranscript("loopback_requester", network);
});

Deno.test("Search tells no loopback holder to another machine", () => {
  const network = new SimNetwork({ seed: 12 });
  const a = network.addNode({ name: "a", host: "10.0.0.1", port: 1, holds: [FILE] });
  const b = network.addNode({ name: "b", host: "10.0.0.1", port: 2 });
  const c = network.addNode({ name: "c", host: "10.0.0.2", port: 3, isReachable: false });
  network.pin(a, b, "127.0.0.1");
  network.pin(c, b);
  network.run(1_000);
  const search = network.search(c, FILE);
  network.run(2_000);
  assertEquals(search.hits.map(({ holderHost, holderPort }) => [holderHost, holderPort]), [[
    "",
    0,
  ]]);
  assertTranscript("loopback_holder", network);
});

Deno.test("Search dials no victim that an origin names", () => {
  const network = new SimNetwork({ seed: 13 });
  const puppet = new Puppet();
  const origin = network.addNode({ name: "liar", brain: puppet });
  const holder = network.addNode({ name: "holder", holds: [FILE] });
  const victim = network.addNode({ name: "victim" });
  const further = network.addNode({ name: "further", holds: [FILE] });
  network.pin(holder, further);
  network.dial(origin, holder);
  network.run(1_000);
  const query: Query = {
    kind: "query",
    id: "0123456789abcdef0123456789abcdef" as Query["id"],
    ttl: 7,
    hops: 0,
    sought: { by: "name", value: FILE },
    callbackHost: victim.host,
    callbackPort: victim.port,
  };
  network.send(origin, puppet.links[0]!, query);
  network.run(1_000);
  assertEquals(puppet.linksDown, puppet.links, "the liar is dropped");
  assertEquals(further.hopsOf.size, 0, "the query goes no further");
  assert(!network.lines.some((one) => one.includes("calls back")));
  assertTranscript("victim_host", network);
});

Deno.test("Search does not call back loopback when another machine passes it on", () => {
  for (const callbackHost of ["127.0.0.1", "::1", "::ffff:7f00:1", "0.0.0.0", "::"]) {
    const network = new SimNetwork({ seed: 14 });
    const puppet = new Puppet();
    const liar = network.addNode({ name: "liar", brain: puppet });
    const holder = network.addNode({ name: "holder", holds: [FILE] });
    network.dial(liar, holder);
    network.run(1_000);
    network.send(liar, puppet.links[0]!, {
      kind: "query",
      id: "0123456789abcdef0123456789abcdef" as Query["id"],
      ttl: 7,
      hops: 3,
      sought: { by: "name", value: FILE },
      callbackHost,
      callbackPort: 22,
    });
    network.run(1_000);
    assert(!network.lines.some((one) => one.includes("calls back")), callbackHost);
    const hits = puppet.received.filter((message) => message.kind === "hit");
    assertEquals(hits.length, 1, "it is answered by a HIT over the link instead");
  }
});

Deno.test("Search answers by HIT when a requester cannot be reached and does not know it", () => {
  const network = new SimNetwork({ seed: 16 });
  const origin = (index: number) => index === 0 ? { isReachable: false } : {};
  const holder = (index: number) => index === 3 ? { holds: [FILE] } : {};
  const nodes = build(network, 4, line(4), (index) => ({ ...origin(index), ...holder(index) }));
  const search = network.search(nodes[0]!, FILE, { callbackPort: 8048 });
  network.run(limits.searchMs);
  assert(network.lines.some((one) => one.includes("n4 calls back")), "it is tried");
  assertEquals(search.hits.length, 1);
  assertEquals(search.offers.map((offer) => offer.from), ["n4"]);
  assertLess(search.offers[0]!.afterMs, limits.searchMs, "before the search gives up");
});

Deno.test("Search asks over a link that comes up while it lasts, and not after its end", () => {
  const network = new SimNetwork({ seed: 15 });
  const nodes = [1, 2, 3].map(() => network.addNode({ holds: [FILE] }));
  const search = network.search(nodes[0]!, FILE, { wants: 2 });
  network.run(1_000);
  assertEquals(search.offers, []);
  network.pin(nodes[0]!, nodes[1]!);
  network.run(1_000);
  assertEquals(search.offers.map((offer) => offer.from), ["n2"]);
  network.endSearch(nodes[0]!, search);
  network.pin(nodes[0]!, nodes[2]!);
  network.run(1_000);
  assert(!nodes[2]!.hopsOf.has(search.id));
});
