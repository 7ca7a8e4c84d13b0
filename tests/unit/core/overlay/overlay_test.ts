// The composition: that events reach both halves, and a fault ends the link in both.

import { assertEquals } from "@std/assert";
import type { NodeId, QueryId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { Overlay, type OverlayEvent } from "../../../../src/core/overlay/overlay.ts";
import type { Message, Query } from "../../../../src/wire/messages.ts";

function overlay(): Overlay {
  const nodeId = "8".repeat(32) as NodeId;
  return new Overlay({ nodeId, random: seededRandom(1), linksMin: 0, linksMax: 2 });
}

function up(link: number): OverlayEvent {
  const nodeId = link.toString(16).padStart(32, "0") as NodeId;
  const at = { host: `10.0.0.${link}`, port: 40_000, listenPort: 0, inbound: true };
  return { kind: "link-up", link, nodeId, ...at };
}

const query: Query = {
  kind: "query",
  id: "1".repeat(32) as QueryId,
  ttl: 7,
  hops: 0,
  sought: { by: "name", value: "a" },
  callbackHost: "",
  callbackPort: 1,
};

function receive(node: Overlay, link: number, message: Message, nowMs = 0) {
  return node.step({ kind: "message", link, message }, nowMs);
}

Deno.test("Overlay.step() searches only over links that the neighbours took in", () => {
  const node = overlay();
  for (const link of [1, 2, 3]) node.step(up(link), 0);
  assertEquals(node.neighbours.links().map((one) => one.link), [1, 2]);
  const { id, sought } = query;
  const sent = node.step({ kind: "search", id, sought, ttl: 7, callbackPort: 1 }, 0);
  assertEquals(sent.map((one) => one.kind === "send" ? one.link : one.kind), [1, 2]);
  assertEquals(receive(node, 3, query), []);
});

Deno.test("Overlay.step() counts every message as a sign of life", () => {
  const node = overlay();
  node.step(up(1), 0);
  receive(node, 1, query, 20_000);
  const closed = (nowMs: number) =>
    node.step({ kind: "tick" }, nowMs).filter((one) => one.kind === "close").length;
  assertEquals([closed(49_999), closed(50_000)], [0, 1]);
});

Deno.test("Overlay.step() warns and closes for good when a link breaks the protocol", () => {
  const faults: [Message, string][] = [
    [{ ...query, callbackHost: "10.0.0.9" }, "malformed"],
    [{ kind: "more" }, "unexpected"],
  ];
  for (const [message, code] of faults) {
    const node = overlay();
    node.step(up(1), 0);
    const effects = receive(node, 1, message);
    assertEquals(effects.map((one) => one.kind), ["warn", "close"]);
    assertEquals(effects[1], { kind: "close", link: 1, reason: code as "malformed" });
    assertEquals(node.neighbours.links(), []);
    for (const late of [query, message]) assertEquals(receive(node, 1, late), []);
  }
});

Deno.test("Overlay.step() stops searching over a link that a tick found silent", () => {
  const node = overlay();
  node.step(up(1), 0);
  node.step({ kind: "tick" }, limits.linkSilentMs);
  const { id, sought } = query;
  assertEquals(node.step({ kind: "search", id, sought, ttl: 7, callbackPort: 1 }, 40_000), []);
});

Deno.test("Overlay.step() goes on with its searches over a link that comes up", () => {
  const node = overlay();
  const { id, sought } = query;
  node.step({ kind: "search", id, sought, ttl: 7, callbackPort: 1 }, 0);
  assertEquals(node.step(up(1), 0), [{ kind: "send", link: 1, message: query }]);
});

Deno.test("Overlay.step() bans who lies about its host again and again, and logs it", () => {
  const node = overlay();
  const logged: string[] = [];
  for (let i = 0; i < limits.banMisdeeds; i++) {
    node.step({ ...up(1), link: i } as OverlayEvent, i);
    for (const effect of receive(node, i, { ...query, callbackHost: "10.0.0.9" }, i)) {
      if (effect.kind === "warn") logged.push(effect.message);
    }
  }
  assertEquals(logged.at(-1), "banned a node");
  const [ban] = node.neighbours.bans(limits.banMisdeeds);
  assertEquals([ban?.host, ban?.reason], ["10.0.0.1", "false-host"]);
  const back = node.step({ ...up(1), link: 9 } as OverlayEvent, 10);
  assertEquals(back, [{ kind: "close", link: 9, reason: "banned" }]);
});

Deno.test("Overlay.step() does not hold what came on the way against the neighbour", () => {
  const node = overlay();
  for (let i = 0; i < 2 * limits.banMisdeeds; i++) {
    node.step({ ...up(1), link: i } as OverlayEvent, i);
    receive(node, i, { ...query, hops: 1, callbackHost: "10.0.0.9", callbackPort: 0 }, i);
  }
  assertEquals([node.neighbours.bans(9), node.neighbours.links()], [[], []]);
});

Deno.test("Overlay.step() bans who floods over one link after the other", () => {
  const node = overlay();
  const perLink = limits.queriesBurstMax * limits.floodFactor + 1;
  for (let link = 0; link < limits.banMisdeeds; link++) {
    assertEquals(node.neighbours.bans(link), []);
    node.step({ ...up(1), link } as OverlayEvent, link);
    for (let i = 0; i < perLink; i++) receive(node, link, query, link);
    assertEquals(node.neighbours.links(), []);
  }
  assertEquals(node.neighbours.bans(9).map(({ reason }) => reason), ["flooding"]);
  const from = { nodeId: node.neighbours.bans(9)[0]!.nodeId!, host: "10.0.0.1", inbound: true };
  assertEquals(node.neighbours.refusal(from, 9), "banned");
  assertEquals(node.neighbours.refusal(from, 9 + limits.banMs), undefined);
});
