/** The rules of a crowd, one by one, as a single node of it follows them. */

import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import type { FellowReport } from "../../../../src/core/crowd/crowd_events.ts";
import { weightOf, weightSeed } from "../../../../src/core/nearness/rendezvous.ts";
import { CrowdNode, FLIGHT, nodeOf, ranked, reportOf, stripes } from "./crowd_fixture.ts";

const CHUNKS = limits.stripeChunks;

/** A node that reads beside others, of which nothing is known but this, and has heard all of them. */
function settled(nodeId: NodeId, options: {
  readonly stripeCount: number;
  readonly others: readonly FellowReport[];
}): CrowdNode {
  const node = new CrowdNode(nodeId, options.stripeCount);
  for (const report of options.others) node.join(report.nodeId, report);
  node.step({ kind: "reads", reads: "ranges" });
  return node;
}

/** A node that had a fellow, and has none any more. */
function leftBy(nodeId: NodeId, node: CrowdNode): CrowdNode {
  node.join(nodeId, { isWhole: true, reads: "nothing" }).step({ kind: "left", nodeId });
  return node.pass(limits.crowdSettleMostMs);
}

Deno.test("rule 1: a node reads the stripe for which it comes first, and claims it before", () => {
  const [first, second] = ranked(0, 2);
  const one = settled(first!, { stripeCount: 1, others: [reportOf(second!)] });
  const other = settled(second!, { stripeCount: 1, others: [reportOf(first!)] });
  one.pass(limits.crowdSettleMs, [reportOf(second!)]);
  other.pass(limits.crowdSettleMs, [reportOf(first!)]);
  const kinds = one.effects.map((effect) =>
    effect.kind === "tell" && effect.message.kind === "report"
      ? effect.message.report.claims
      : effect.kind
  );
  assertEquals(kinds.slice(-2), [[0], "read"]);
  assertEquals(other.takeRead(), []);
});

Deno.test("rule 2: a node that was left reads one run, as long as it may claim at once", () => {
  const node = leftBy(nodeOf(2), new CrowdNode(nodeOf(1), limits.fellowClaimsMax + 4));
  node.step({ kind: "reads", reads: "ranges" });
  assertEquals(node.takeRead(), [stripes(0, limits.fellowClaimsMax)]);
  node.read(stripes(0));
  assertEquals(node.takeRead(), []);
  assertEquals(node.crowd.claims.length, limits.fellowClaimsMax - 1);
  node.read(stripes(1, limits.fellowClaimsMax - 1)).step({ kind: "read-ended" });
  assertEquals(node.takeRead(), [stripes(limits.fellowClaimsMax, 4)]);
});

Deno.test("rule 2: a node that knows of nobody yet reads from where it weighs most", () => {
  const stripeCount = limits.fellowClaimsMax + 4;
  const starts = [1, 2, 3].map((number) => {
    const node = new CrowdNode(nodeOf(number), stripeCount);
    node.step({ kind: "reads", reads: "ranges" });
    const seed = weightSeed(FLIGHT, node.nodeId);
    const weights = Array.from({ length: stripeCount }, (_, stripe) => weightOf(seed, stripe));
    const start = weights.indexOf(Math.max(...weights));
    const count = Math.min(limits.fellowClaimsMax, stripeCount - start);
    assertEquals(node.takeRead(), [stripes(start, count)]);
    return start;
  });
  assert(new Set(starts).size > 1, `${starts}`);
});

Deno.test("rule 2: a node leaves what it has not begun to a newcomer that comes first", () => {
  const newcomer = ranked(3, 2)[0]!;
  const node = leftBy(nodeOf(9), new CrowdNode(ranked(3, 2)[1]!, 16));
  node.step({ kind: "reads", reads: "ranges" }).join(newcomer);
  const [cut] = node.take("read-until");
  const stripe = cut!.chunk / CHUNKS;
  assert(stripe >= 1 && stripe <= 3, `cut before stripe ${stripe}`);
  assertEquals(ranked(stripe, 2)[0], newcomer);
  assertEquals(node.crowd.claims, Array.from({ length: stripe }, (_, i) => i));
});

Deno.test("rule 3: the second takes over what the first leaves lying, and the third later", () => {
  const [first, second, third] = ranked(0, 3);
  const [one, two, three] = [first!, second!, third!].map((nodeId) => reportOf(nodeId));
  const next = settled(second!, { stripeCount: 1, others: [one!, three!] });
  next.pass(limits.takeOverMs, [one!, three!]);
  assertEquals(next.takeRead(), []);
  next.pass(300, [one!, three!]);
  assertEquals(next.takeRead(), [stripes(0)]);
  const last = settled(third!, { stripeCount: 1, others: [one!, two!] });
  last.pass(limits.takeOverMs + 300, [one!, two!]);
  assertEquals(last.takeRead(), []);
  last.pass(limits.takeOverMs, [one!, two!]);
  assertEquals(last.takeRead(), [stripes(0)]);
});

Deno.test("rule 3: what is for one that reads something else is taken over at once, in order", () => {
  const stripeCount = 12;
  const all = Array.from({ length: stripeCount }, (_, i) => i);
  const [self, busy] = [nodeOf(1), nodeOf(2)];
  const theirs = all.filter((stripe) => ranked(stripe, 2)[0] === busy);
  const report = reportOf(busy, { claims: [theirs[0]!] });
  const node = settled(self, { stripeCount, others: [report] });
  const took: number[] = [];
  const pass = (ms: number) => {
    node.pass(ms, [report]);
    for (const range of node.takeRead()) {
      took.push(range.first / CHUNKS);
      node.read(range).step({ kind: "read-ended" });
    }
  };
  while (node.have.count < (stripeCount - theirs.length) * CHUNKS) pass(10);
  took.length = 0;
  pass(limits.takeOverBusyMs + limits.takeOverMs / 4);
  assertEquals(took, [theirs[1]]);
});

Deno.test("rule 3: one that only says that it can read is waited for once", () => {
  const [first, self] = ranked(0, 2);
  const idle = reportOf(first!);
  const node = settled(self!, { stripeCount: 12, others: [idle] });
  let readMs = 0;
  while (!node.have.isFull && node.nowMs < 10_000) {
    for (const range of node.takeRead()) {
      node.read(range).step({ kind: "read-ended" });
      readMs = node.nowMs;
    }
    node.pass(50, [idle]);
  }
  assert(node.have.isFull);
  assert(readMs < limits.takeOverMs + 500, `it had to wait ${readMs} ms`);
});

Deno.test("rule 4: a claim counts while chunks come of it, and no longer", () => {
  const [first, self] = ranked(0, 2);
  const claims = reportOf(first!, { claims: [0] });
  const node = settled(self!, { stripeCount: 1, others: [claims] });
  for (let chunk = 0; chunk < 8; chunk++) {
    node.pass(500, [claims]);
    node.announce(first!, { first: chunk, count: 1 });
  }
  assertEquals(node.takeRead(), []);
  node.pass(6 * 500 + 600, [claims]);
  assertEquals(node.takeRead(), [{ first: 8, count: CHUNKS - 8 }]);
});

Deno.test("rule 4: on a line of which nobody knows how thin it is, a claim counts for longer", () => {
  const [first, self] = ranked(0, 2);
  const claims = reportOf(first!, { claims: [0] });
  const node = settled(self!, { stripeCount: 1, others: [claims] });
  node.pass(limits.claimFirstMs - 100, [claims]);
  assertEquals(node.takeRead(), []);
  node.pass(300, [claims]);
  assertEquals(node.takeRead(), [stripes(0)]);
});

Deno.test("rule 5: an idle node helps one that is slow with the second half", () => {
  const [first, self] = ranked(0, 2);
  const slow = reportOf(first!, { claims: [0] });
  const node = new CrowdNode(self!, 1);
  const quick = nodeOf(7);
  const others = [slow, reportOf(quick, { claims: [0], reads: "ranges" })];
  for (const report of others) node.join(report.nodeId, report);
  // What the quick one reads tells how fast the line can be; then it is whole.
  node.nowMs = 10;
  node.announce(quick, { first: 0, count: 4 });
  const done = reportOf(quick, { sequence: 2, reads: "nothing", isWhole: false });
  node.hear(quick, { kind: "report", report: done });
  node.step({ kind: "reads", reads: "ranges" });
  for (let chunk = 4; chunk < 10; chunk++) {
    node.pass(500, [slow, done]);
    node.announce(first!, { first: chunk, count: 1 });
  }
  const reads = node.take("read");
  assertEquals(reads.map(({ why }) => why), ["its fellow is slow"]);
  const { first: from, count } = reads[0]!.range;
  assertEquals(from + count, CHUNKS);
  assert(count >= 20 && count <= CHUNKS / 2, `it reads ${count} chunks`);
});

Deno.test("rule 6: of two that read a stripe the one that comes first goes on", () => {
  const [first, second] = ranked(0, 2);
  for (const [self, other, isCut] of [[first, second, false], [second, first, true]] as const) {
    const node = new CrowdNode(self!, 1);
    node.step({ kind: "reads", reads: "ranges" });
    assertEquals(node.takeRead(), [stripes(0)]);
    node.join(other!, { claims: [0] });
    assertEquals(node.take("read-until").map(({ chunk }) => chunk), isCut ? [0] : []);
  }
});

Deno.test("rule 7: a node that was asleep stops reading, and looks anew", () => {
  const node = new CrowdNode(nodeOf(1), 1);
  node.step({ kind: "reads", reads: "ranges" });
  node.nowMs = 10 * limits.fellowSilentMs;
  node.effects.length = 0;
  node.step({ kind: "tick" });
  assertEquals(node.take("read-until").map(({ chunk }) => chunk), [0]);
  node.step({ kind: "read-ended" });
  assertEquals(node.takeRead(), [stripes(0)]);
});

Deno.test("rule 8: a mirror without ranges is read only while nobody can do better", () => {
  const alone = new CrowdNode(nodeOf(1), 3);
  alone.step({ kind: "reads", reads: "whole" });
  assertEquals(alone.takeRead(), [stripes(0, 3)]);
  const other = reportOf(nodeOf(2));
  const beside = new CrowdNode(nodeOf(1), 3);
  beside.join(other.nodeId, other).step({ kind: "reads", reads: "whole" });
  beside.pass(2_000, [other]);
  assertEquals(beside.takeRead(), []);
});

Deno.test("rule 8: one that reads all claims what comes next, to the end of the file", () => {
  const node = new CrowdNode(nodeOf(1), limits.fellowClaimsMax + 4);
  node.step({ kind: "reads", reads: "whole" });
  node.read(stripes(0, 3));
  assertEquals(node.crowd.claims, Array.from({ length: limits.fellowClaimsMax }, (_, i) => i + 3));
  node.read(stripes(3, limits.fellowClaimsMax));
  assertEquals(node.crowd.claims, [limits.fellowClaimsMax + 3]);
});

Deno.test("rule 8: one that reads all ends its stripe when something comes of one with ranges", () => {
  const other = nodeOf(2);
  const node = new CrowdNode(nodeOf(1), 8);
  node.step({ kind: "reads", reads: "whole" }).read({ first: 0, count: 3 });
  node.join(other, { claims: [7] });
  assertEquals(node.take("read-until"), []);
  node.announce(other, { first: 7 * CHUNKS, count: 1 });
  assertEquals(node.take("read-until").map(({ chunk }) => chunk), [CHUNKS]);
});

Deno.test("rule 8: one with ranges that never begins is waited for once", () => {
  const other = reportOf(nodeOf(2));
  const node = new CrowdNode(nodeOf(1), 2);
  node.join(other.nodeId, other).step({ kind: "reads", reads: "whole" });
  node.pass(limits.claimFirstMs + 500, [other]);
  assertEquals(node.takeRead(), [stripes(0, 2)]);
});

Deno.test("rule 9: what a fellow says is passed on once, to all but itself", () => {
  const [teller, listener] = [nodeOf(2), nodeOf(3)];
  const node = new CrowdNode(nodeOf(1), 4);
  const said = reportOf(teller, { sequence: 5, claims: [2] });
  node.join(listener, { reads: "nothing" }).join(teller, { reads: "nothing" });
  node.effects.length = 0;
  node.hear(teller, { kind: "report", report: said }).hear(teller, {
    kind: "report",
    report: said,
  });
  node.pass(100, [said]);
  const told = node.take("tell").filter(({ message }) =>
    message.kind === "report" && message.report.nodeId === teller
  );
  assertEquals(told.map(({ to }) => to), [[listener]]);
});

Deno.test("rule 9: who is connected with a fellow is told only that it is gone", () => {
  const [teller, linked, teller2] = [nodeOf(2), nodeOf(3), nodeOf(4)];
  const node = new CrowdNode(nodeOf(1), 4);
  for (const nodeId of [teller, linked, teller2]) node.join(nodeId, { reads: "nothing" });
  node.hear(linked, { kind: "fellows", fellows: [{ nodeId: teller, address: null }] });
  const toldOf = (nodeId: NodeId) =>
    node.take("tell").filter(({ message }) =>
      message.kind === "report" && message.report.nodeId === nodeId
    ).map(({ to }) => to);
  node.take("tell");
  const says = (report: FellowReport) => node.hear(report.nodeId, { kind: "report", report });
  says(reportOf(teller, { sequence: 5, claims: [2] })).pass(100);
  assertEquals(toldOf(teller), [[teller2]]);
  says(reportOf(teller2, { sequence: 5, claims: [1] })).pass(100);
  assertEquals(toldOf(teller2), [[teller, linked]]);
  node.step({ kind: "left", nodeId: teller }).pass(100);
  assertEquals(toldOf(teller), [[linked, teller2]]);
  // It heard so itself: by now it is connected with that one no more.
  const gone = reportOf(teller2, { sequence: 6, reads: "nothing" });
  node.hear(linked, { kind: "fellows", fellows: [{ nodeId: teller2, address: null }] });
  node.hear(linked, { kind: "report", report: gone });
  node.take("tell");
  says(reportOf(teller2, { sequence: 7, claims: [1] })).pass(100);
  assertEquals(toldOf(teller2), [[linked]]);
});

Deno.test("rule 9: who has passed something on is not told it", () => {
  const [near, other, far] = [nodeOf(2), nodeOf(3), nodeOf(4)];
  const node = new CrowdNode(nodeOf(1), 4);
  node.join(near, { reads: "nothing" }).join(other, { reads: "nothing" });
  node.take("tell");
  const report = reportOf(far, { claims: [2] });
  node.hear(near, { kind: "report", report }).hear(other, { kind: "report", report }).pass(100);
  assertEquals(
    node.take("tell").filter(({ message }) =>
      message.kind === "report" && message.report.nodeId === far
    ),
    [],
  );
});

Deno.test("rule 9: a node that is said to be gone says that it is there", () => {
  const liar = nodeOf(2);
  const node = new CrowdNode(nodeOf(1), 4);
  node.join(liar).step({ kind: "reads", reads: "ranges" });
  node.effects.length = 0;
  node.hear(liar, {
    kind: "report",
    report: reportOf(node.nodeId, { sequence: 40, reads: "nothing" }),
  });
  const [message] = node.takeTold(liar);
  assert(message?.kind === "report");
  assertEquals([message.report.sequence, message.report.reads], [41, "ranges"]);
});

Deno.test("rule 9: of a connected fellow only what it says itself is believed; it is told", () => {
  const [liar, victim] = [nodeOf(2), nodeOf(3)];
  const node = new CrowdNode(nodeOf(1), 4);
  node.join(victim, { claims: [0, 1, 2, 3] }).join(liar);
  node.step({ kind: "reads", reads: "ranges" }).effects.length = 0;
  const lie = reportOf(victim, { sequence: 9, reads: "nothing" });
  node.hear(liar, { kind: "report", report: lie });
  assertEquals(node.takeTold(victim), [{ kind: "report", report: lie }]);
  node.pass(1_000, [reportOf(victim, { claims: [0, 1, 2, 3] }), reportOf(liar)]);
  assertEquals(node.takeRead(), []);
  // Nor is what nobody could have said.
  const leap = { ...lie, sequence: limits.sequenceLeapMax + 2 };
  node.hear(liar, { kind: "report", report: leap });
  assertEquals(node.takeTold(victim), []);
});

Deno.test("rule 9: that a connection ended is passed on, and its stripes are free", () => {
  const [first, self] = ranked(0, 2);
  const listener = reportOf(nodeOf(3), { reads: "nothing" });
  const node = settled(self!, {
    stripeCount: 1,
    others: [reportOf(first!, { claims: [0] }), listener],
  });
  node.pass(200, [reportOf(first!, { claims: [0] }), listener]);
  node.effects.length = 0;
  node.step({ kind: "left", nodeId: first! }).pass(limits.crowdSettleFarMs + 100, [listener]);
  const effects = node.effects.splice(0);
  assert(effects.some((effect) =>
    effect.kind === "tell" && effect.to.includes(listener.nodeId) &&
    effect.message.kind === "report" && effect.message.report.nodeId === first &&
    effect.message.report.reads === "nothing" && effect.message.report.sequence === 2
  ));
  assert(effects.some((effect) => effect.kind === "read"));
});

Deno.test("rule 10: what a node reads is announced at once, and before the claim ends", () => {
  const fellow = reportOf(nodeOf(2), { reads: "nothing" });
  const node = new CrowdNode(nodeOf(1), 1);
  node.join(fellow.nodeId, fellow).step({ kind: "reads", reads: "ranges" });
  node.pass(limits.crowdSettleMs + 50, [fellow]);
  node.effects.length = 0;
  node.read({ first: 0, count: CHUNKS - 1 }).read({ first: CHUNKS - 1, count: 1 });
  const told = node.takeTold(fellow.nodeId);
  assertEquals(told.map(({ kind }) => kind), ["announce", "announce", "report"]);
  assert(told[0]?.kind === "announce" && told[0].origin === node.nodeId);
});

Deno.test("rule 10: what came from a fellow is told later, and not to those that have it", () => {
  const [giver, other] = [reportOf(nodeOf(2)), reportOf(nodeOf(3))];
  const node = new CrowdNode(nodeOf(1), 1);
  node.join(giver.nodeId, giver).join(other.nodeId, other);
  node.announce(giver.nodeId, { first: 0, count: 2 });
  node.announce(other.nodeId, { first: 0, count: 1 }, giver.nodeId);
  node.have.addRange({ first: 0, count: 2 });
  node.effects.length = 0;
  node.step({ kind: "gained", range: { first: 0, count: 2 }, origin: giver.nodeId });
  node.pass(limits.passedOnMs - 50, [giver, other]);
  assertEquals(node.take("tell").filter(({ message }) => message.kind === "announce"), []);
  node.pass(100, [giver, other]);
  assertEquals(node.take("tell").filter(({ message }) => message.kind === "announce"), [{
    kind: "tell",
    to: [other.nodeId],
    message: { kind: "announce", origin: giver.nodeId, ranges: [{ first: 1, count: 1 }] },
  }]);
});

Deno.test("rule 11: what only a silent fellow has is asked of others, and read by others", () => {
  const [first, self] = ranked(0, 2);
  const silent = reportOf(first!);
  const node = settled(self!, { stripeCount: 1, others: [silent] });
  node.announce(first!, stripes(0));
  assertEquals(node.take("may-ask").map(({ nodeId }) => nodeId), [first!]);
  node.pass(limits.fellowSilentMs + limits.crowdSettleMs + 200);
  assertEquals(node.takeRead(), [stripes(0)]);
});

Deno.test("rule 12: a node with fellows listens for a moment; one alone reads at once", () => {
  const alone = new CrowdNode(nodeOf(1), 1).step({ kind: "reads", reads: "ranges" });
  assertEquals(alone.takeRead(), [stripes(0)]);
  const [first, second] = ranked(0, 2);
  const node = new CrowdNode(first!, 1);
  node.join(second!).step({ kind: "reads", reads: "ranges" });
  assertEquals(node.takeRead(), []);
  node.pass(limits.crowdSettleMs + 10, [reportOf(second!)]);
  assertEquals(node.takeRead(), [stripes(0)]);
});

Deno.test("rule 13: while as many read as may, nobody else begins", () => {
  const { readersMax } = limits;
  const node = new CrowdNode(nodeOf(500), 2 * readersMax);
  const readers = Array.from(
    { length: readersMax },
    (_, i) => reportOf(nodeOf(i + 1), { claims: [i] }),
  );
  for (const report of readers) node.join(report.nodeId, report);
  node.step({ kind: "reads", reads: "ranges" });
  const passReading = (said: readonly FellowReport[]) => {
    for (let chunk = 1; chunk <= 5; chunk++) {
      node.pass(500, said);
      for (const { nodeId, claims } of said) {
        for (const stripe of claims) {
          node.announce(nodeId, { first: stripe * CHUNKS + chunk, count: 1 });
        }
      }
    }
  };
  passReading(readers);
  assertEquals(node.takeRead(), []);
  // One of them has read its own.
  node.announce(readers[0]!.nodeId, stripes(0));
  passReading([reportOf(readers[0]!.nodeId, { sequence: 2 }), ...readers.slice(1)]);
  assertEquals(node.takeRead(), [stripes(readersMax)]);
});

Deno.test("rule 14: of many fellows only those are known that come first", () => {
  const teller = nodeOf(1);
  const node = new CrowdNode(nodeOf(2), 4);
  node.join(teller).effects.length = 0;
  for (let index = 10; index < 1_010; index++) {
    node.hear(teller, { kind: "report", report: reportOf(nodeOf(index)) });
  }
  node.join(nodeOf(3));
  const told = node.takeTold(nodeOf(3)).filter(({ kind }) => kind === "report");
  assert(told.length <= limits.farFellowsMax + 3, `${told.length} reports`);
});

Deno.test("Crowd dials those that it hears of once, while it has room for newcomers", () => {
  const teller = nodeOf(2);
  const node = new CrowdNode(nodeOf(1), 4);
  node.join(teller).effects.length = 0;
  const fellows = [nodeOf(3), nodeOf(4)].map((nodeId, i) => ({
    nodeId,
    address: { host: "192.0.2.7", port: 8_000 + i },
  }));
  node.hear(teller, { kind: "fellows", fellows }).hear(teller, { kind: "fellows", fellows });
  assertEquals(node.take("dial").map(({ nodeId }) => nodeId), [nodeOf(3), nodeOf(4)]);
  for (let index = 10; node.crowd.nearCount < limits.fellowsSoughtMax; index++) {
    node.join(nodeOf(index));
  }
  node.effects.length = 0;
  node.hear(teller, { kind: "fellows", fellows: [{ ...fellows[0]!, nodeId: nodeOf(900) }] });
  assertEquals(node.take("dial"), []);
});

Deno.test("Crowd believes nothing that a node read which gave what is not true", () => {
  const [liar, honest] = [nodeOf(2), nodeOf(3)];
  const node = new CrowdNode(nodeOf(1), 2);
  node.join(liar).join(honest);
  node.announce(liar, stripes(0)).announce(honest, stripes(0, 2), liar);
  node.announce(honest, { first: CHUNKS + 1, count: 1 }, honest);
  node.effects.length = 0;
  node.step({ kind: "distrusted", nodeId: liar });
  assertEquals(node.effects.filter(({ kind }) => kind === "close").length, 1);
  assertEquals(node.take("may-only-ask").map(({ nodeId }) => nodeId), [honest]);
  node.step({ kind: "joined", nodeId: liar, address: null });
  assertEquals(node.take("close").map(({ nodeId }) => nodeId), [liar]);
});

Deno.test("Crowd takes a node that came back at its word, though it counts from the beginning", () => {
  const fellow = nodeOf(2);
  const node = new CrowdNode(nodeOf(1), 4);
  node.join(fellow, { sequence: 57 }).step({ kind: "left", nodeId: fellow });
  node.effects.length = 0;
  node.step({ kind: "joined", nodeId: fellow, address: null });
  const told = node.takeTold(fellow).flatMap((message) =>
    message.kind === "report" && message.report.nodeId === fellow ? [message.report.sequence] : []
  );
  assertEquals(told, [58]);
});

Deno.test("rule 11: what a fellow refuses is read by others, until it announces that again", () => {
  const [self, fellow] = ranked(0, 2) as [NodeId, NodeId];
  const node = new CrowdNode(self, 1);
  node.join(fellow).announce(fellow, stripes(0)).step({ kind: "reads", reads: "ranges" });
  node.pass(2_000, [reportOf(fellow)]);
  assertEquals(node.takeRead(), []);
  node.step({ kind: "refused", nodeId: fellow, ranges: [stripes(0)] });
  node.pass(1_000, [reportOf(fellow)]);
  assertEquals(node.takeRead(), [stripes(0)]);
  node.announce(fellow, stripes(0));
  assertEquals(node.take("may-ask").map(({ ranges }) => ranges), [[stripes(0)]]);
});

Deno.test("rule 11: what only one has that gives nothing is read, and asked of others", () => {
  const [self, withholder, other] = [ranked(0, 3)[0]!, ranked(0, 3)[1]!, ranked(0, 3)[2]!];
  const node = new CrowdNode(self, 2);
  node.join(withholder).join(other, { reads: "nothing" });
  node.announce(withholder, stripes(0, 2)).announce(other, stripes(1), withholder);
  node.step({ kind: "reads", reads: "ranges" });
  node.effects.length = 0;
  node.step({ kind: "withholds", nodeId: withholder, isOn: true });
  const asked = node.effects.filter((effect) => effect.kind === "may-ask");
  assertEquals(asked.map(({ nodeId, ranges }) => [nodeId, ranges]), [[other, [stripes(1)]]]);
  const alive = [reportOf(withholder), reportOf(other, { reads: "nothing" })];
  assertEquals(node.pass(1_000, alive).takeRead(), [stripes(0)]);
});

Deno.test("Crowd takes of nobody what others read once something passed on was wrong", () => {
  const [one, other, reader] = [nodeOf(2), nodeOf(3), nodeOf(4)];
  const node = new CrowdNode(nodeOf(1), 2);
  node.join(one).join(other);
  node.announce(one, stripes(0), reader).announce(one, stripes(1)).announce(
    other,
    stripes(0),
    null,
  );
  node.effects.length = 0;
  node.step({ kind: "passed-wrong" });
  const left = node.take("may-only-ask").map(({ nodeId, ranges }) => [nodeId, ranges]);
  assertEquals(left, [[one, [stripes(1)]], [other, []]]);
});

Deno.test("Crowd reads on though fellows come and go all the time", () => {
  const node = new CrowdNode(nodeOf(1), 4);
  node.join(nodeOf(2), { reads: "nothing" }).step({ kind: "reads", reads: "ranges" });
  node.effects.length = 0;
  for (let i = 0; i < 100 && node.crowd.claims.length === 0; i++) {
    node.join(nodeOf(3 + i)).step({ kind: "left", nodeId: nodeOf(3 + i) });
    node.pass(50, [reportOf(nodeOf(2), { reads: "nothing" })]);
  }
  assert(node.nowMs <= 2 * limits.crowdSettleMostMs + limits.takeOverMs, `after ${node.nowMs} ms`);
});
