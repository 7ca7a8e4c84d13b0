// How links come, stay and come back: the neighbours of many nodes together.

import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { SimNetwork } from "./network.ts";
import { Puppet, type SimNode } from "./sim_node.ts";
import { build, line, ring } from "./topology.ts";
import { assertTranscript } from "./transcript.ts";

const FILE = "linux.pkg.tar.zst";

Deno.test("Neighbours bring the links back when a partition heals", () => {
  const network = new SimNetwork({ seed: 1, topics: ["links", "search"] });
  const nodes = build(network, 4, ring(4), (index) => ({ holds: index === 2 ? [FILE] : [] }));
  network.run(60_000);
  network.partition([nodes.slice(0, 2), nodes.slice(2)]);
  const lost = network.search(nodes[0]!, FILE);
  network.run(60_000);
  assertEquals(nodes.map((node) => node.links.size), [1, 1, 1, 1]);
  assertEquals(lost.offers, []);
  network.endSearch(nodes[0]!, lost);
  network.heal();
  network.run(40_000);
  assertEquals(nodes.map((node) => node.links.size), [2, 2, 2, 2]);
  const found = network.search(nodes[0]!, FILE);
  network.run(1_000);
  assertEquals(found.offers.length, 1);
  assertTranscript("partition_heals", network);
});

Deno.test("Neighbours close a link that is silent for 30 s, and no sooner", () => {
  const network = new SimNetwork({ seed: 2, topics: ["links"] });
  const puppet = new Puppet();
  const silent = network.addNode({ brain: puppet });
  const node = network.addNode();
  network.dial(silent, node);
  network.run(limits.linkSilentMs - 100);
  assertEquals(node.links.size, 1);
  const pings = puppet.received.filter((message) => message.kind === "ping");
  assertGreaterOrEqual(pings.length, 5);
  network.run(limits.overlayTickMs + 200);
  assertEquals(node.links.size, 0);
  assertEquals(puppet.received.at(-1), { kind: "bye", reason: "silent" });
});

Deno.test("Neighbours of both ends keep the same link when both dial at once", () => {
  for (let seed = 0; seed < 50; seed++) {
    const network = new SimNetwork({ seed, jitterMs: 20, topics: ["links"] });
    const a = network.addNode({ name: "a" });
    const b = network.addNode({ name: "b" });
    network.pin(a, b);
    network.pin(b, a);
    network.run(5_000);
    assertEquals([a.links.size, b.links.size], [1, 1], `seed ${seed}`);
    const [endA] = [...a.links.values()];
    assertEquals(endA!.far.link, [...b.links.keys()][0], `seed ${seed}: one link, both ends of it`);
    const lower = a.nodeId < b.nodeId ? a : b;
    const kept = lower.overlay.neighbours.links()[0]!;
    if (!kept.inbound) continue;
    // Only where the dial of the lower id never came to be a link, or was refused, may the other's
    // stay: then there never were two.
    assert(
      network.lines.some((one) => one.includes(`${lower.name} is refused`)) ||
        !network.lines.some((one) => one.includes(`${lower.name} has a link to`)),
      `seed ${seed}:\n${network.lines.join("\n")}`,
    );
  }
});

Deno.test("Neighbours never keep a link with themselves", () => {
  const network = new SimNetwork({ seed: 3, topics: ["links"] });
  const node = network.addNode({ name: "n1" });
  network.pin(node, node);
  network.run(120_000);
  assertEquals(node.links.size, 0);
  assertEquals(network.lines.filter((one) => one.includes("refused by n1: self")).length, 1);
});

Deno.test("Neighbours come together over one seed that can hold few of them", () => {
  const network = new SimNetwork({ seed: 4, topics: [] });
  const seed = network.addNode({ linksMin: 3, linksMax: 10 });
  const nodes: SimNode[] = [seed];
  for (let i = 0; i < 59; i++) {
    const node = network.addNode({ linksMin: 3, linksMax: 10, holds: i === 58 ? [FILE] : [] });
    network.pin(node, seed);
    nodes.push(node);
    network.run(500);
  }
  network.run(60_000);
  for (const node of nodes) {
    assertGreaterOrEqual(node.links.size, 3, node.name);
    assertLessOrEqual(node.links.size, 10, node.name);
  }
  const search = network.search(nodes[30]!, FILE);
  network.run(1_000);
  assertEquals(search.offers.length, 1);
});

Deno.test("Neighbours of a node that was killed link with it again when it is back", () => {
  const network = new SimNetwork({ seed: 5, topics: ["links"] });
  const nodes = build(network, 3, line(3), (index) => ({ holds: index === 2 ? [FILE] : [] }));
  network.run(40_000);
  network.kill(nodes[1]!);
  network.run(10_000);
  assertEquals(nodes[0]!.links.size, 0);
  network.restart(nodes[1]!);
  network.run(20_000);
  assertEquals(nodes.map((node) => node.links.size), [1, 2, 1]);
  const search = network.search(nodes[0]!, FILE);
  network.run(1_000);
  assertEquals(search.offers.length, 1);
  assertTranscript("restart", network);
});

Deno.test("Neighbours tell every receiver only addresses of others at which it can be served", () => {
  const network = new SimNetwork({ seed: 6, topics: ["peers"] });
  const hub = network.addNode({ name: "hub" });
  const nodes = Array.from({ length: 12 }, (_, i) => {
    const node = network.addNode({ isReachable: i % 3 !== 0 });
    network.pin(node, hub);
    network.run(100);
    return node;
  });
  network.run(2 * limits.gossipIntervalMs);
  assertEquals(hub.links.size, 12);
  const told = network.lines.filter((one) => one.includes("hub >"));
  assertGreaterOrEqual(told.length, 20);
  for (const text of told) {
    const [, receiver, list] = /hub > (\S+) {2}PEERS (.*)/.exec(text)!;
    const addresses = list!.split(" ");
    assertLessOrEqual(addresses.length, limits.gossipAddressesMax);
    const own = nodes.find((node) => node.name === receiver)!;
    assert(!addresses.includes(`${own.host}:${own.port}`), text);
    for (const address of addresses) {
      const other = nodes.find((node) => `${node.host}:${node.port}` === address);
      assert(other?.isReachable, text);
    }
  }
});

/** Nodes that were all told of the first, and of nobody else. */
function fleet(network: SimNetwork, count: number, linksMin = 3): SimNode[] {
  const nodes = Array.from({ length: count }, () => network.addNode({ linksMin }));
  for (const node of nodes.slice(1)) network.pin(node, nodes[0]!);
  const isUp = () => nodes.every((node) => node.links.size >= linksMin);
  assert(network.runUntil(isUp, 60_000), `seed ${network.seed}: the links come up`);
  return nodes;
}

Deno.test("Neighbours link with whom they met before when the one they were told of is gone", () => {
  for (let seed = 0; seed < 20; seed++) {
    const network = new SimNetwork({ seed, topics: ["links"] });
    const nodes = fleet(network, 8);
    const [first, node] = [nodes[0]!, nodes[5]!];
    network.run(limits.gossipIntervalMs);
    const known = node.overlay.neighbours.lastMet(network.nowMs);
    network.kill(first, "machine");
    network.kill(node);
    network.run(60_000);
    network.restart(node, { known });
    assert(network.runUntil(() => node.links.size >= 3, 5_000), `seed ${seed}`);
  }
});

for (const seconds of [5, 20, 35, 60, 300, 3_000]) {
  Deno.test(`Neighbours have all links 30 s after an outage of ${seconds} s`, () => {
    for (let seed = 0; seed < 20; seed++) {
      const network = new SimNetwork({ seed, topics: ["links"], jitterMs: 20 });
      const nodes = fleet(network, 12);
      network.run(60_000);
      // Every other time one node is cut off, every other time the network falls into two.
      const apart = seed % 2 === 0 ? 1 : 6;
      network.partition([nodes.slice(0, apart), nodes.slice(apart)]);
      network.run(seconds * 1_000);
      network.heal();
      network.run(30_000);
      const links = nodes.map((node) => node.links.size);
      for (const count of links) assertGreaterOrEqual(count, 3, `seed ${seed}: ${links}`);
      const reached = connectedWith(nodes[0]!);
      assertEquals(reached.size, nodes.length, `seed ${seed}: one network again`);
    }
  });
}

Deno.test("Neighbours have all links 30 s after all of them were cut off from each other", () => {
  for (let seed = 0; seed < 20; seed++) {
    const network = new SimNetwork({ seed, topics: ["links"] });
    const nodes = fleet(network, 12);
    network.partition(nodes.map((node) => [node]));
    network.run(240_000);
    // Nobody has to know the first: it does not come back.
    network.kill(nodes[0]!, "machine");
    network.heal();
    network.run(30_000);
    const links = nodes.slice(1).map((node) => node.links.size);
    for (const count of links) assertGreaterOrEqual(count, 3, `seed ${seed}: ${links}`);
  }
});

function connectedWith(start: SimNode): Set<SimNode> {
  const reached = new Set([start]);
  for (const node of reached) for (const { far } of node.links.values()) reached.add(far.node);
  return reached;
}
