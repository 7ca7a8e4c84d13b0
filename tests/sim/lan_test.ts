// Nodes that find each other on one wire: many of them, what they send, and that links connect them.

import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { AnnouncedNode } from "../../src/core/lan/lan_events.ts";
import { DialGuard } from "../../src/net/dial_guard.ts";
import { type LanMember, LanWire, partsOf } from "./lan_wire.ts";
import { SimNetwork } from "./network.ts";

const LINKS_MIN = 3;
const LINKS_MAX = 30;

function wireOf(seed: number): { readonly network: SimNetwork; readonly wire: LanWire } {
  const network = new SimNetwork({ seed, topics: [] });
  return { network, wire: new LanWire(network) };
}

function add(
  { network, wire }: ReturnType<typeof wireOf>,
  options: Parameters<LanWire["join"]>[1] = {},
): LanMember {
  return wire.join(network.addNode({ linksMin: LINKS_MIN, linksMax: LINKS_MAX }), options);
}

/** No two packets of one node to all within a gap. */
function assertPaced(members: readonly LanMember[]): void {
  for (const { sentAtMs, label } of members) {
    for (let i = 1; i < sentAtMs.length; i++) {
      assertGreaterOrEqual(sentAtMs[i]! - sentAtMs[i - 1]!, limits.lanGapMs, label);
    }
  }
}

for (
  const [how, spreadMs, loss] of [["at once", 100, 0], ["over a minute", 60_000, 0.1]] as const
) {
  Deno.test(`200 nodes that begin ${how} on one wire are connected, each with a packet a second at most`, () => {
    const { network, wire } = wireOf(1);
    wire.loss = loss;
    for (let i = 0; i < 200; i++) {
      add({ network, wire });
      network.run(spreadMs / 200);
    }
    network.run(3_000);
    const { members } = wire;
    const nodes = members.map(({ node }) => node);
    assertEquals(partsOf(nodes), [200]);
    for (const { links } of nodes) {
      assertGreaterOrEqual(links.size, LINKS_MIN);
      assertLessOrEqual(links.size, LINKS_MAX);
    }
    network.run(60_000);
    assertPaced(members);
    for (const { sentAtMs, lan } of members) {
      assertGreaterOrEqual(lan.counts.own, loss === 0 ? 199 : 150);
      // Once all are there, little is said.
      const late = sentAtMs.filter((atMs) => atMs > network.nowMs - 30_000);
      assertLessOrEqual(late.length, 2);
    }
    const perNode = nodes.reduce((sum, { links }) => sum + links.size, 0) / nodes.length;
    assertLessOrEqual(perNode, 12);
  });
}

Deno.test("a node that joins full ones is linked within 2 s, and those that begin together within 1 s", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { network, wire } = wireOf(seed);
    const first = [add({ network, wire }), add({ network, wire }), add({ network, wire })];
    network.run(1_000);
    assert(first.every(({ node }) => node.links.size === 2), `seed ${seed}`);
    for (let i = 0; i < 8; i++) add({ network, wire });
    network.run(30_000 + 1_000 * seed);
    const { node } = add({ network, wire });
    network.run(2_000);
    assertGreaterOrEqual(node.links.size, LINKS_MIN, `seed ${seed}`);
  }
});

Deno.test("three nodes that begin together are linked within 2 s, though every fifth packet is lost", () => {
  for (let seed = 0; seed < 100; seed++) {
    const { network, wire } = wireOf(seed);
    wire.loss = 0.2;
    for (let i = 0; i < 3; i++) add({ network, wire });
    network.run(2_000);
    for (const { node } of wire.members) assertEquals(node.links.size, 2, `seed ${seed}`);
  }
});

Deno.test("two networks on one wire do not mix", () => {
  const { network, wire } = wireOf(3);
  const members = Array.from(
    { length: 20 },
    (_, i) => add({ network, wire }, { tag: i % 2 === 0 ? "0000000a" : "0000000b" }),
  );
  network.run(120_000);
  for (const { node, tag, lan } of members) {
    assertGreaterOrEqual(node.links.size, LINKS_MIN);
    for (const { far } of node.links.values()) {
      assertEquals(members.find((one) => one.node === far.node)!.tag, tag);
    }
    assertEquals(lan.counts, { own: 9, strangers: 10 });
  }
});

Deno.test("two groups whose wires are joined after each had links enough become one network", () => {
  for (const keepsNext of [true, false]) {
    const { network, wire } = wireOf(4);
    for (let i = 0; i < 16; i++) add({ network, wire }, { group: i % 2, keepsNext });
    network.run(60_000);
    const nodes = wire.members.map(({ node }) => node);
    assertEquals(partsOf(nodes), [8, 8]);
    for (const member of wire.members) member.group = 0;
    network.run(90_000);
    // Without the ring nobody has a reason to dial.
    assertEquals(partsOf(nodes), keepsNext ? [16] : [8, 8]);
  }
});

Deno.test("who says goodbye is forgotten at once, who dies after its time, and the rest stay connected", () => {
  const { network, wire } = wireOf(5);
  for (let i = 0; i < 30; i++) add({ network, wire });
  network.run(30_000);
  const [gone, dead, ...rest] = wire.members as [LanMember, LanMember, ...LanMember[]];
  wire.leave(gone);
  network.run(100);
  for (const { lan } of rest) assertEquals(lan.counts.own, 28);
  dead.hasLeft = true;
  network.kill(dead.node, "machine");
  network.run(limits.lanTtlMs + 60_000);
  for (const { lan } of rest) assertEquals(lan.counts.own, 27);
  assertEquals(partsOf(rest.map(({ node }) => node)), [28]);
});

Deno.test("who asks on and on hears no more than the bound of each node", () => {
  const { network, wire } = wireOf(6);
  const members = [add({ network, wire }), add({ network, wire })];
  network.run(5_000);
  const before = members.map(({ sentAtMs }) => sentAtMs.length);
  for (let i = 0; i < 6_000; i++) {
    wire.ask({ host: "10.9.9.9", port: 5353 });
    wire.ask({ host: "10.9.9.8", port: 5353 }, { wantsUnicast: true });
    wire.ask({ host: "10.9.9.7", port: 40_000, legacy: { id: 1, asked: [] } });
    network.run(10);
  }
  assertPaced(members);
  const most = limits.lanAnswersBurst + 60_000 / limits.lanAnswerRestMs + 4;
  for (const [i, { sentAtMs }] of members.entries()) {
    assertLessOrEqual(sentAtMs.length - before[i]!, most);
  }
  const unicastsMax = limits.lanUnicastsBurst + 60_000 / limits.lanUnicastRestMs;
  assertLessOrEqual(wire.unicasts.length, members.length * unicastsMax);
});

/** What a stranger sends: twice a second as many nodes as one packet may name. */
const FORGED_PORTS = 20;
const FORGED_EVERY_MS = 500;

for (
  const [how, isForged, withinMs] of [
    ["from its own address", false, 3_000],
    ["from theirs", true, 15_000],
  ] as const
) {
  Deno.test(`two nodes are linked while a stranger names ${FORGED_PORTS} ports at each, ${how}`, () => {
    for (let seed = 0; seed < 10; seed++) {
      const { network, wire } = wireOf(seed);
      const random = seededRandom(seed);
      const victims: string[] = [];
      const send = () => {
        for (const host of victims) {
          const nodes: AnnouncedNode[] = Array.from({ length: limits.lanNodesPerPacketMax }, () => {
            const port = 20_000 + Math.floor(FORGED_PORTS * random.unit());
            const label = `${host.replaceAll(".", "")}${port}`.padStart(16, "0");
            return { label, host, port, tags: ["00000001"], from: isForged ? host : "10.9.9.9" };
          });
          wire.announce(nodes);
        }
        network.later(FORGED_EVERY_MS, send);
      };
      send();
      const leftAlone: string[] = [];
      const join = () => {
        const guard = new DialGuard((host) => leftAlone.push(host));
        const node = network.addNode({ linksMin: LINKS_MIN, linksMax: LINKS_MAX, guard });
        return wire.join(node).node;
      };
      victims.push("10.0.0.1", "10.0.0.2");
      const first = join();
      // All that it may dial of the second is used up long before that comes.
      network.run(600_000);
      const second = join();
      const isLinked = () => first.links.size === 1 && second.links.size === 1;
      assert(network.runUntil(isLinked, withinMs), `seed ${seed}`);
      network.run(600_000);
      assert(isLinked(), `seed ${seed}`);
      assertEquals(leftAlone, []);
      // Whoever else names a host is heard.
      for (const { guard } of [first, second]) {
        for (const host of victims) {
          for (let port = 1; port <= limits.hostDialsMax; port++) {
            guard!.begin({ host, port }, network.nowMs).failed(network.nowMs);
          }
        }
      }
    }
  });
}
