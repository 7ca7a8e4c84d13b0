// The policy of a LAN, one node of it: what it says when, and what strangers can make it keep.

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { Lan } from "../../../../src/core/lan/lan.ts";
import type { LanEffect, LanEvent } from "../../../../src/core/lan/lan_events.ts";

const TAG = "0000000a";
const LABEL = "8000000000000000";
const ALL = { host: "10.0.0.9", port: 5353 };

/** A node whose time a test lets pass. */
class Driven {
  readonly lan: Lan;
  nowMs = 0;
  readonly log: { readonly atMs: number; readonly effect: LanEffect }[] = [];
  linked = true;

  constructor({ isReachable = true, keepsNext = false } = {}) {
    this.lan = new Lan({
      label: LABEL,
      tag: TAG,
      random: seededRandom(1),
      keepsNext,
      isLinked: () => this.linked,
    });
    const addresses = isReachable ? ["10.0.0.1"] : [];
    this.tell({ kind: "segments", segments: [{ id: "a", addresses }] });
  }

  tell(event: LanEvent): LanEffect[] {
    const effects = this.lan.step(event, this.nowMs);
    this.log.push(...effects.map((effect) => ({ atMs: this.nowMs, effect })));
    return effects;
  }

  run(forMs: number): LanEffect[] {
    const from = this.log.length;
    const untilMs = this.nowMs + forMs;
    while (this.lan.wakeMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.lan.wakeMs);
      this.tell({ kind: "tick" });
    }
    this.nowMs = untilMs;
    return this.log.slice(from).map(({ effect }) => effect);
  }

  heard(
    label: string,
    host = "10.0.0.2",
    tags = [TAG],
    { from = host, port = 8048 } = {},
  ): LanEffect[] {
    const node = { label, host, port, tags, from };
    return this.tell({ kind: "announced", segment: "a", node });
  }

  asked(
    question: Partial<(LanEvent & { kind: "asked" })["question"]> = {},
    from: (LanEvent & { kind: "asked" })["from"] = ALL,
  ): LanEffect[] {
    const whole = {
      ...{ isForAll: true, isForTypes: false, isNews: true, wantsUnicast: false, known: [] },
      ...question,
    };
    return this.tell({ kind: "asked", segment: "a", from, question: whole });
  }
}

const kinds = (effects: readonly LanEffect[]) => effects.map(({ kind }) => kind);
const labelOf = (n: number) => n.toString(16).padStart(16, "0");

Deno.test("Lan.step() announces at once, asks a second later, announces again, and then seldom", () => {
  const node = new Driven();
  assertEquals(kinds(node.run(limits.lanDelayMsMax)), ["announce"]);
  assertEquals(kinds(node.run(900)), []);
  assertEquals(kinds(node.run(200)), ["ask"]);
  assertEquals(kinds(node.run(1_200)), ["announce"]);
  // Alone: it asks after 3, 9, 27, 81 s, and announces itself every 50 s.
  node.log.length = 0;
  node.run(150_000);
  const times = (kind: string) =>
    node.log.filter(({ effect }) => effect.kind === kind).map(({ atMs }) =>
      Math.round(atMs / 1000)
    );
  assertEquals(times("ask").length, 4);
  assertLessOrEqual(times("announce").length, 4);
  assert(times("announce").length >= 2);
});

Deno.test("Lan.step() announces and asks anew on a segment where nothing could be sent", () => {
  const node = new Driven();
  node.run(10_000);
  const segments = (isFresh: boolean) => [{ id: "a", addresses: ["10.0.0.1"], isFresh }];
  node.tell({ kind: "segments", segments: segments(false) });
  assertEquals(kinds(node.run(limits.lanDelayMsMax)), []);
  node.tell({ kind: "segments", segments: segments(true) });
  assertEquals(kinds(node.run(limits.lanDelayMsMax + limits.lanAskMsMin)), ["announce", "ask"]);
});

Deno.test("Lan.step() of a node that nobody can dial asks at once, and never announces or answers", () => {
  const node = new Driven({ isReachable: false });
  assertEquals(kinds(node.run(limits.lanDelayMsMax)), ["ask"]);
  node.asked();
  node.asked({ wantsUnicast: true });
  node.asked({}, { ...ALL, port: 40_000, legacy: { id: 1, asked: [] } });
  assert(kinds(node.run(600_000)).every((kind) => kind === "ask"));
  assertEquals(kinds(node.tell({ kind: "stop" })), []);
});

Deno.test("Lan.step() answers all askers of a moment once, but not who knows", () => {
  const node = new Driven();
  node.run(10_000);
  assertEquals(node.asked({ isNews: false }), []);
  node.asked();
  node.asked({ isForTypes: true, isForAll: false });
  node.asked();
  assertEquals(node.run(limits.lanDelayMsMax), [{
    kind: "announce",
    segment: "a",
    withType: true,
  }]);
  node.asked();
  assertEquals(node.run(limits.lanDelayMsMax), [], "within a gap");
  assertEquals(kinds(node.run(limits.lanGapMs)), ["announce"]);
});

Deno.test("Lan.step() answers one alone that asks so and could have heard it, and an old resolver", () => {
  const node = new Driven();
  node.run(10_000);
  assertEquals(node.asked({ wantsUnicast: true }), [
    { kind: "announce", segment: "a", withType: false, to: ALL },
  ]);
  const old = { host: "10.0.0.7", port: 40_000, legacy: { id: 5, asked: [] } };
  assertEquals(node.asked({}, old), [
    { kind: "announce", segment: "a", withType: false, to: old },
  ]);
  // Not announced for long: all hear it.
  const late = new Driven();
  late.run(5_000);
  late.nowMs += limits.lanUnicastMs;
  late.lan.step({ kind: "segments", segments: [{ id: "a", addresses: ["10.0.0.1"] }] }, late.nowMs);
  assert(late.asked({ wantsUnicast: true }).every((one) => one.kind !== "announce" || !one.to));
});

Deno.test("Lan.step() says whom it knows when it asks, is silent when another asks, and when it knows enough", () => {
  const node = new Driven();
  node.run(200);
  node.heard(labelOf(1));
  node.heard(labelOf(2), "10.0.0.3");
  const [ask] = node.run(1_000);
  assertEquals(ask, { kind: "ask", segment: "a", known: [labelOf(2), labelOf(1)] });
  const asked = new Driven();
  asked.run(800);
  asked.asked({ isNews: false });
  assert(!kinds(asked.run(2_000)).includes("ask"));
  const full = new Driven();
  for (let i = 0; i < limits.lanEnough; i++) full.heard(labelOf(i), `10.0.1.${i}`);
  assert(!kinds(full.run(60_000)).includes("ask"));
});

Deno.test("Lan.step() finds each node of its network once, and no other, nor itself", () => {
  const node = new Driven();
  assertEquals(kinds(node.heard(labelOf(1))), ["found"]);
  assertEquals(node.heard(labelOf(1)), []);
  assertEquals(kinds(node.heard(labelOf(1), "10.0.0.3")), ["found"], "at another address");
  assertEquals(node.heard(labelOf(2), "10.0.0.4", ["0000000b"]), []);
  assertEquals(kinds(node.heard(labelOf(3), "10.0.0.5", ["0000000b", TAG])), ["found"]);
  assertEquals(node.heard(LABEL), []);
  assertEquals(node.lan.counts, { own: 2, strangers: 1 });
  node.tell({ kind: "gone", label: labelOf(1), from: "10.0.0.9" });
  assertEquals(node.lan.counts.own, 2, "another host says goodbye for it");
  node.tell({ kind: "gone", label: labelOf(1), from: "10.0.0.3" });
  assertEquals(node.lan.nodes().map(({ label }) => label), [labelOf(3), labelOf(2)]);
  node.run(limits.lanTtlMs);
  node.tell({ kind: "tick" });
  assertEquals(node.lan.counts, { own: 0, strangers: 0 });
});

Deno.test("Lan.step() remembers a bounded number of nodes, at one address and in all", () => {
  const node = new Driven();
  for (let i = 0; i < 1_000; i++) {
    node.heard(labelOf(i), "10.0.0.2", [TAG], { port: 1 + i });
    node.nowMs += 10;
  }
  assertEquals(node.lan.counts.own, limits.lanNodesPerHostMax);
  for (let i = 0; i < 20_000; i++) {
    node.heard(labelOf(1_000 + i), `10.1.${i >> 8}.${i & 255}`, i % 2 === 0 ? [TAG] : ["0000000b"]);
    if (i % 10 === 0) node.nowMs += 10;
  }
  const { own, strangers } = node.lan.counts;
  assertLessOrEqual(own, limits.lanNodesMax);
  assertLessOrEqual(strangers, limits.lanStrangersMax);
  const found = node.log.filter(({ effect }) => effect.kind === "found").length;
  assertLessOrEqual(found, limits.lanNewBurst + limits.lanNewPerSecond * node.nowMs / 1000);
});

Deno.test("Lan.step() finds what a host says of itself, whatever another says of it", () => {
  const node = new Driven();
  const stranger = { from: "10.0.0.66" };
  const announce = () => {
    for (let i = 0; i < 100; i++) {
      node.heard(labelOf(100 + i), "10.0.0.2", [TAG], { ...stranger, port: 20_000 + i });
      node.nowMs += 25;
    }
  };
  announce();
  assertEquals(node.lan.counts.own, limits.lanNodesPerHostMax);
  node.heard(labelOf(1), "10.0.0.2", [TAG], stranger);
  const found = node.heard(labelOf(1), "10.0.0.2");
  const address = { host: "10.0.0.2", port: 8048 };
  assertEquals(found, [{ kind: "found", address: { ...address, namedOnLan: "itself" } }]);
  announce();
  assertEquals(node.heard(labelOf(1), "10.0.0.3", [TAG], stranger), [], "its label elsewhere");
  assertEquals(node.heard(labelOf(2), "10.0.0.2", [TAG], stranger), [], "its address by a label");
  node.tell({ kind: "gone", label: labelOf(1), from: stranger.from });
  assert(node.lan.nodes().some(({ label, host }) => label === labelOf(1) && host === "10.0.0.2"));
  assertEquals(node.lan.counts.own, limits.lanNodesPerHostMax + 1);
});

Deno.test("Lan.step() has one node at each address", () => {
  const node = new Driven();
  node.heard(labelOf(1));
  assertEquals(kinds(node.heard(labelOf(2))), ["found"], "it has begun again");
  assertEquals(node.lan.nodes().map(({ label }) => label), [labelOf(2)]);
});

Deno.test("Lan.step() keeps a link with the node that comes next, or with the one after it", () => {
  const node = new Driven({ keepsNext: true });
  const keeps = (effects: LanEffect[]) =>
    effects.flatMap((one) => one.kind === "keep" ? [one.address?.host ?? null] : []);
  node.heard(labelOf(1), "10.0.0.2");
  assertEquals(keeps(node.run(limits.lanNextMs)), ["10.0.0.2"], "past the end of the ring");
  node.heard("9000000000000000", "10.0.0.3");
  node.heard("a000000000000000", "10.0.0.4");
  assertEquals(keeps(node.run(limits.lanNextMs)), ["10.0.0.3"]);
  node.linked = false;
  const again = () => {
    node.heard(labelOf(1), "10.0.0.2");
    node.heard("9000000000000000", "10.0.0.3");
    node.heard("a000000000000000", "10.0.0.4");
  };
  assertEquals(keeps(node.run(2 * limits.lanKeepMs)).at(0), "10.0.0.4");
  node.linked = true;
  for (let i = 0; i < 6; i++) {
    again();
    node.run(60_000);
  }
  again();
  assertEquals(keeps(node.log.map(({ effect }) => effect)).at(-1), "10.0.0.3", "looked at again");
  assertEquals(kinds(node.tell({ kind: "stop" })), ["goodbye", "keep"]);
});
