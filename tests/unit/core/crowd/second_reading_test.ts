/** Who reads again what fellows gave each other of a file that is not right, and when that is over. */

import { assert, assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { CrowdNode, nodeOf, reportOf, stripes } from "./crowd_fixture.ts";

const SELF = nodeOf(1);
const [GIVER, PROVER, OTHER] = [nodeOf(2), nodeOf(3), nodeOf(4)] as const;

/** A node that has all of a file of one stripe, or more, which a fellow gave, and doubts it. */
function doubting(
  stripeCount: number,
  { fellows = [GIVER, PROVER], isReader = true }: {
    readonly fellows?: readonly NodeId[];
    readonly isReader?: boolean;
  } = {},
): CrowdNode {
  const node = new CrowdNode(SELF, stripeCount);
  for (const fellow of fellows) node.join(fellow);
  const all = stripes(0, stripeCount);
  node.announce(GIVER, all, isReader ? GIVER : null);
  node.have.addRange(all);
  node.step({ kind: "gained", range: all, origin: isReader ? GIVER : null });
  return doubt(node, { isReader });
}

function doubt(
  node: CrowdNode,
  { giver = GIVER, isReader = true, isNewRound = false }: {
    readonly giver?: NodeId;
    readonly isReader?: boolean;
    readonly isNewRound?: boolean;
  } = {},
): CrowdNode {
  const ranges = [...node.have.ranges()];
  return node.step({ kind: "doubted", gifts: [{ giver, isReader, ranges }], isNewRound });
}

/** A fellow reads a stripe again, which it had from the giver, and says so. */
function prove(node: CrowdNode, fellow: NodeId, stripe: number): void {
  node.announce(fellow, stripes(stripe), GIVER).announce(fellow, stripes(stripe));
}

/** The stripes that it was told to read again since then. */
function takeAgain(node: CrowdNode): (number | null)[] {
  return node.take("read-again").map(({ stripe }) => stripe);
}

Deno.test("Crowd has one node read each stripe again, and not who read it first", () => {
  const nodes = Array.from({ length: 6 }, (_, i) => nodeOf(i + 1));
  const stripeCount = 64;
  const again = new Map<number, number>();
  for (const self of nodes) {
    const node = new CrowdNode(self, stripeCount);
    for (const other of nodes) if (other !== self) node.join(other);
    const gifts = nodes.filter((giver) => giver !== self).map((giver) => {
      const own = Array.from({ length: stripeCount }, (_, stripe) => stripe)
        .filter((stripe) => nodes[stripe % nodes.length] === giver);
      for (const stripe of own) {
        node.announce(giver, stripes(stripe));
        node.have.addRange(stripes(stripe));
        node.step({ kind: "gained", range: stripes(stripe), origin: giver });
      }
      return { giver, isReader: true, ranges: own.map((stripe) => stripes(stripe)) };
    });
    node.step({ kind: "doubted", gifts, isNewRound: false });
    for (let [next] = takeAgain(node); next !== undefined; [next] = takeAgain(node)) {
      if (next === null) break;
      assert(nodes[next % nodes.length] !== self, "not what it read first");
      again.set(next, (again.get(next) ?? 0) + 1);
      node.step({ kind: "proved", stripe: next });
    }
  }
  assertEquals([again.size, Math.max(...again.values())], [stripeCount, 1]);
});

Deno.test("Crowd claims what is read again, and tells of it as read by itself", () => {
  const node = doubting(1, { fellows: [GIVER] });
  assertEquals(node.crowd.claims, [0]);
  assertEquals(takeAgain(node), [0]);
  node.step({ kind: "proved", stripe: 0 });
  const told = node.takeTold(GIVER).filter(({ kind }) => kind === "announce");
  assertEquals(told, [{ kind: "announce", origin: SELF, ranges: [stripes(0)] }]);
  assertEquals(node.crowd.claims, []);
  assertEquals(node.crowd.originOf(0), SELF);
});

Deno.test("Crowd reads nothing again that another one proved, and takes it from that one", () => {
  const node = doubting(8);
  const [first] = takeAgain(node);
  for (let stripe = 0; stripe < 8; stripe++) if (stripe !== first) prove(node, PROVER, stripe);
  node.take("read-again");
  node.step({ kind: "proved", stripe: first! });
  assertEquals(takeAgain(node), [null], "all is proved");
  node.step({ kind: "retake" });
  const effects = node.effects.splice(0);
  const lost = effects.flatMap((effect) => effect.kind === "lose" ? effect.ranges : []);
  assertEquals(lost.length, 7);
  for (const { nodeId, ranges } of effects.filter((effect) => effect.kind === "may-only-ask")) {
    const chunks = ranges.reduce((sum, { count }) => sum + count, 0);
    // The first stripe was announced by the giver, and is here.
    assertEquals([nodeId, chunks], [nodeId, (nodeId === PROVER ? 7 : 1) * limits.stripeChunks]);
  }
});

Deno.test("Crowd counts no proof of who answers for a stripe, but that of who passed it on", () => {
  for (const isReader of [true, false]) {
    const node = doubting(1, { fellows: [GIVER, OTHER], isReader });
    node.take("read-again");
    node.step({ kind: "doubt-ended" });
    node.announce(GIVER, stripes(0), OTHER).announce(GIVER, stripes(0));
    doubt(node, { isReader });
    node.pass(2_000, [reportOf(GIVER), reportOf(OTHER)]);
    assertEquals(takeAgain(node), [isReader ? 0 : null]);
  }
});

Deno.test("Crowd reads again in another round what was taken from those who proved it", () => {
  const node = doubting(1, { fellows: [GIVER, PROVER] });
  node.take("read-again");
  node.step({ kind: "doubt-ended" });
  prove(node, PROVER, 0);
  doubt(node);
  assertEquals(takeAgain(node), [null]);
  node.step({ kind: "retake" });
  node.step({ kind: "lost", ranges: [stripes(0)] });
  node.step({ kind: "gained", range: stripes(0), origin: PROVER });
  // Another one was found to lie: what was proved still is.
  doubt(node, { giver: PROVER });
  assertEquals(takeAgain(node), [null]);
  node.step({ kind: "retake" });
  doubt(node, { giver: PROVER, isNewRound: true });
  node.pass(2_000, [reportOf(GIVER), reportOf(PROVER)]);
  assertEquals(takeAgain(node), [0], "the proof was not true");
});

Deno.test("Crowd takes over what nobody reads again, and waits for who does", () => {
  const node = doubting(4, { fellows: [GIVER, PROVER, OTHER] });
  const alive = [reportOf(GIVER), reportOf(PROVER), reportOf(OTHER)];
  const read: (number | null)[] = [];
  for (let i = 0; i < 100 && read.length < 3; i++) {
    for (const stripe of takeAgain(node)) {
      read.push(stripe);
      node.step({ kind: "proved", stripe: stripe! });
    }
    if (read.length < 3) node.pass(50, alive);
  }
  assertEquals(read.length, 3);
  const waiting = doubting(1, { fellows: [GIVER, PROVER, OTHER] });
  waiting.take("read-again");
  waiting.step({ kind: "doubt-ended" });
  const claim = reportOf(PROVER, { sequence: 2, claims: [0] });
  waiting.hear(PROVER, { kind: "report", report: claim });
  doubt(waiting);
  waiting.pass(limits.claimFirstMs - 100, [alive[0]!, claim, alive[2]!]);
  assertEquals(takeAgain(waiting), [], "another one reads it");
  waiting.pass(limits.takeOverMs * 3, [alive[0]!, claim, alive[2]!]);
  assertEquals(takeAgain(waiting), [0], "but it does not give it");
});

Deno.test("Crowd believes no proof of who turned out to lie, nor of who left", () => {
  for (const kind of ["distrusted", "left"] as const) {
    const node = doubting(1, { fellows: [GIVER, PROVER, OTHER] });
    node.take("read-again");
    node.step({ kind: "doubt-ended" });
    prove(node, PROVER, 0);
    node.step({ kind, nodeId: PROVER });
    doubt(node);
    node.pass(2_000, [reportOf(GIVER), reportOf(OTHER)]);
    assertEquals(takeAgain(node), [0]);
  }
});
