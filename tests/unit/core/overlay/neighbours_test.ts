// Single steps of the links; tests/sim has whole networks.

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { OfKind } from "../../../../src/base/errors.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import type {
  NeighboursEffect,
  NeighboursEvent,
} from "../../../../src/core/overlay/neighbour_events.ts";
import { Neighbours } from "../../../../src/core/overlay/neighbours.ts";

const OWN = "8".repeat(32) as NodeId;
const LOWER = "1".repeat(32) as NodeId;
const HIGHER = "f".repeat(32) as NodeId;
const host = (number: number) => `10.0.${number >> 8}.${number & 255}`;
const nodeId = (number: number) => number.toString(16).padStart(32, "0") as NodeId;

function neighbours(options: { linksMin?: number; linksMax?: number } = {}): Neighbours {
  return new Neighbours({ nodeId: OWN, random: seededRandom(1), linksMin: 0, ...options });
}

type Up = Partial<OfKind<NeighboursEvent, "link-up">>;

/** A link from node `number`, which listens at 8048. */
function up(number: number, changes: Up = {}): NeighboursEvent {
  return {
    kind: "link-up",
    link: number,
    nodeId: nodeId(number),
    host: host(number),
    port: 40_000,
    listenPort: 8048,
    inbound: true,
    ...changes,
  };
}

function add(number: number, pinned: boolean): NeighboursEvent {
  return { kind: "add-address", host: host(number), port: 8048, pinned };
}

const dials = (effects: readonly NeighboursEffect[]) =>
  effects.flatMap((effect) => effect.kind === "dial" ? [effect.host] : []);
const closes = (effects: readonly NeighboursEffect[]) =>
  effects.flatMap((effect) => effect.kind === "close" ? [[effect.link, effect.reason]] : []);

const seen = (id: number, at: number) => ({ nodeId: nodeId(id), host: host(at) });

/** A node gives as many files wrong as lead to a ban; what came of it. */
function ban(
  links: Neighbours,
  node: { readonly nodeId: NodeId; readonly host: string },
  nowMs: number,
): NeighboursEffect[] {
  const effects: NeighboursEffect[] = [];
  for (let file = 0; file < limits.banMisdeeds; file++) {
    const misdeed = { kind: "wrong-data", root: `${file}`.repeat(64) as Root } as const;
    effects.push(...links.step({ kind: "misbehaved", node, misdeed }, nowMs));
  }
  return effects;
}

/** A node floods until it is banned. */
function flood(
  links: Neighbours,
  node: { readonly nodeId: NodeId; readonly host: string },
  nowMs: number,
): NeighboursEffect[] {
  const effects: NeighboursEffect[] = [];
  for (let i = 0; i < limits.banMisdeeds; i++) {
    const misdeed = { kind: "flooding" } as const;
    effects.push(...links.step({ kind: "misbehaved", node, misdeed }, nowMs + i / 10));
  }
  return effects;
}

Deno.test("Neighbours.step() dials learned addresses only up to the fewest links", () => {
  const links = neighbours({ linksMin: 2 });
  const dialled = [1, 2, 3, 4].flatMap((number) => dials(links.step(add(number, false), 0)));
  assertEquals(dialled, [host(1), host(2)]);
  assertEquals(links.step({ kind: "tick" }, 0), []);
  links.step({ kind: "dial-failed", host: host(1), port: 8048 }, 100);
  const [next] = dials(links.step({ kind: "tick" }, 250));
  assert(next === host(3) || next === host(4));
});

Deno.test("Neighbours.step() dials every pinned address while there is room for a link", () => {
  const links = neighbours({ linksMin: 0, linksMax: 3 });
  const dialled = [1, 2, 3, 4].flatMap((number) => dials(links.step(add(number, true), 0)));
  assertEquals(dialled, [host(1), host(2), host(3)]);
  links.step({ kind: "dial-failed", host: host(2), port: 8048 }, 0);
  assertEquals(dials(links.step({ kind: "tick" }, 1)), [host(4)]);
  links.step({ kind: "dial-failed", host: host(4), port: 8048 }, 2);
  assertEquals(dials(links.step({ kind: "tick" }, 1_002)), [host(2)]);
});

Deno.test("Neighbours.step() leaves an address alone that a person names no more", () => {
  const links = neighbours();
  assertEquals(dials(links.step(add(1, true), 0)), [host(1)]);
  links.step({ kind: "unpin-address", host: host(1), port: 8048 }, 0);
  links.step({ kind: "dial-failed", host: host(1), port: 8048 }, 10);
  assertEquals(links.pinned(), []);
  assertEquals(dials(links.step({ kind: "tick" }, 60_000)), []);
  assertEquals(dials(links.step(add(1, true), 60_000)), [host(1)]);
  // A link that leads there stays.
  links.step(up(1, { inbound: false, port: 8048 }), 60_010);
  assertEquals(links.step({ kind: "unpin-address", host: host(1), port: 8048 }, 60_020), []);
  assertEquals(links.linkCount, 1);
});

Deno.test("Neighbours.step() does not dial a pinned address when its node has a link already", () => {
  const links = neighbours({ linksMin: 3 });
  links.step(up(1), 0);
  assertEquals(dials(links.step(add(1, true), 0)), []);
  assertEquals(dials(links.step({ kind: "link-down", link: 1 }, 60_000)), []);
  assertEquals(dials(links.step({ kind: "tick" }, 61_000)), [host(1)], "about a second later");
});

Deno.test("Neighbours.step() waits longer each time when its links end as soon as they are up", () => {
  const links = neighbours({ linksMin: 1 });
  links.step(add(1, true), 0);
  const waitsMs: number[] = [];
  let endedMs = 0;
  for (let nowMs = 0, link = 1; waitsMs.length < 4; nowMs += limits.overlayTickMs) {
    if (nowMs > 0 && dials(links.step({ kind: "tick" }, nowMs)).length === 0) continue;
    waitsMs.push(nowMs - endedMs);
    endedMs = nowMs;
    links.step(up(1, { link, inbound: false, port: 8048 }), nowMs);
    links.step({ kind: "link-down", link: link++ }, nowMs);
  }
  for (const [i, waitMs] of [1_000, 2_000, 4_000].entries()) {
    assertLessOrEqual(Math.abs(waitsMs[i + 1]! - waitMs), 0.25 * waitMs + limits.overlayTickMs);
  }
});

Deno.test("Neighbours.step() dials beside a dial that is not answered for a second, within a bound", () => {
  const links = neighbours({ linksMin: 1 });
  for (let number = 1; number <= 40; number++) links.step(add(number, false), 0);
  let dialled = 1;
  for (let nowMs = 0; nowMs < limits.pendingDialMs; nowMs += 250) {
    const now = dials(links.step({ kind: "tick" }, nowMs)).length;
    assertEquals(now > 0, nowMs > 0 && nowMs % limits.dialSlowMs === 0, `${nowMs}`);
    dialled += now;
    if (nowMs >= 4 * limits.dialSlowMs) break;
  }
  assertEquals(dialled, 5);
  const greedy = neighbours({ linksMin: 30 });
  const all = Array.from({ length: 40 }, (_, i) => dials(greedy.step(add(i, false), 0)).length);
  assertEquals(all.reduce((sum, one) => sum + one), limits.dialsAtOnceMax);
});

Deno.test("Neighbours.step() dials whom it met before hearsay", () => {
  const links = neighbours({ linksMin: 1 });
  links.step(up(50), 0);
  for (let number = 1; number <= 20; number++) links.step(add(number, false), 0);
  links.step({ ...add(21, false), met: true } as NeighboursEvent, 0);
  assertEquals(dials(links.step({ kind: "link-down", link: 50 }, 10)), [host(21)]);
});

Deno.test("Neighbours.step() starts over when its machine has other addresses", () => {
  const links = neighbours({ linksMin: 3 });
  links.step(up(1), 0);
  links.step(up(2), 0);
  links.step(add(3, true), 0);
  for (let failures = 0; failures < 8; failures++) {
    links.step({ kind: "dial-failed", host: host(3), port: 8048 }, 40_000);
  }
  for (const link of [1, 2]) links.step({ kind: "heard", link }, 40_000);
  links.step({ kind: "tick" }, 40_000);
  const asked = links.step({ kind: "network-changed" }, 40_001);
  const pings = asked.filter((one) => one.kind === "send" && one.message.kind === "ping");
  assertEquals(pings.length, 2);
  links.step({ kind: "heard", link: 1 }, 40_010);
  assertEquals(dials(links.step({ kind: "tick" }, 41_001)), [host(3)]);
  assertEquals(closes(links.step({ kind: "tick" }, 40_000 + limits.networkChangedMs)), []);
  const gone = links.step({ kind: "tick" }, 40_001 + limits.networkChangedMs);
  assertEquals(closes(gone), [[2, "silent"]]);
});

Deno.test("Neighbours.step() dials at once whom it knows when somebody waits for a link", () => {
  const links = neighbours({ linksMin: 1 });
  links.step(add(1, true), 0);
  for (let number = 2; number <= 40; number++) {
    links.step({ ...add(number, false), met: true } as NeighboursEvent, number);
  }
  for (let failures = 0; failures < 8; failures++) {
    for (let number = 1; number <= 40; number++) {
      links.step({ kind: "dial-failed", host: host(number), port: 8048 }, 100);
    }
  }
  assertEquals(dials(links.step({ kind: "tick" }, 200)), []);
  const dialled = dials(links.step({ kind: "in-need" }, 300));
  assertEquals(dialled[0], host(1));
  assertEquals(dialled.slice(1).sort(), [40, 39, 38, 37, 36, 35, 34, 33].map(host).sort());
  for (const one of dialled) {
    links.step({ kind: "dial-failed", host: one, port: 8048 }, 310);
  }
  assertEquals(dials(links.step({ kind: "in-need" }, 320)), [], "not twice within a second");
  assertEquals(dials(links.step({ kind: "in-need" }, 1_300)).length, dialled.length);
});

Deno.test("Neighbours.step() gives a dial up when nobody reports on it", () => {
  const links = neighbours({ linksMin: 1 });
  assertEquals(dials(links.step(add(1, true), 0)), [host(1)]);
  const waitMs = limits.dialMs + limits.handshakeMs + 1_000;
  assertEquals(dials(links.step({ kind: "tick" }, waitMs - 1)), []);
  assertEquals(dials(links.step({ kind: "tick" }, waitMs)), []);
  assertEquals(dials(links.step({ kind: "tick" }, waitMs + 1_000)), [host(1)]);
});

Deno.test("Neighbours.step() knows the dial of a name that was resolved", () => {
  const links = neighbours({ linksMin: 1 });
  const address = { host: "seed.example", port: 8048 };
  assertEquals(dials(links.step({ kind: "add-address", ...address, pinned: true }, 0)), [
    "seed.example",
  ]);
  links.step(up(1, { inbound: false, port: 8048, dialled: address }), 10);
  assertEquals(links.links()[0]!.host, host(1));
  assertEquals(dials(links.step({ kind: "tick" }, 20_000)), [], "it is linked");
  assertEquals(closes(links.step({ kind: "tick" }, 40_000)), [[1, "silent"]]);
  assertEquals(dials(links.step({ kind: "tick" }, 42_000)).length, 1);
  // Others are told where it is, not its name.
  const gossip = links.step(up(2), 50_000).find((effect) => effect.kind === "send");
  assertEquals(gossip, {
    kind: "send",
    link: 2,
    message: { kind: "peers", addresses: [{ host: host(1), port: 8048 }] },
  });
});

Deno.test("Neighbours.step() tells addresses of a link, and learns them, only over links at such addresses", () => {
  const links = neighbours({ linksMin: 9 });
  links.step(up(1, { host: "fe80::1" }), 0);
  const told = (effects: readonly NeighboursEffect[]) =>
    effects.flatMap((one) =>
      one.kind === "send" && one.message.kind === "peers" ? one.message.addresses : []
    );
  assertEquals(told(links.step(up(2, { host: "10.0.0.2" }), 0)), []);
  assertEquals(told(links.step(up(3, { host: "fe80::3" }), 0)).map(({ host }) => host).sort(), [
    "10.0.0.2",
    "fe80::1",
  ]);
  const addresses = [{ host: "fe80::9", port: 8048 }];
  const peers = (link: number) =>
    dials(links.step({ kind: "message", link, message: { kind: "peers", addresses } }, 0));
  assertEquals(peers(2), []);
  assertEquals(peers(3), ["fe80::9"]);
});

Deno.test("Neighbours.step() never dials its own address again", () => {
  const links = neighbours({ linksMin: 3 });
  links.step(add(1, true), 0);
  const self = up(1, { nodeId: OWN, inbound: false, port: 8048 });
  assertEquals(closes(links.step(self, 0)), [[1, "self"]]);
  assertEquals(links.step({ kind: "tick" }, 1e9), []);
  links.step(add(2, true), 1e9);
  links.step({ kind: "dial-failed", host: host(2), port: 8048, refusal: "self" }, 1e9);
  assertEquals(links.step({ kind: "tick" }, 2e9), []);
  assertEquals(closes(links.step(up(9, { nodeId: OWN }), 2e9)), [[9, "self"]]);
});

for (const [name, other, kept] of [["lower", LOWER, "inbound"], ["higher", HIGHER, "outbound"]]) {
  Deno.test(`Neighbours.step() keeps the ${kept} link when the other node has the ${name} id`, () => {
    const inbound = up(1, { nodeId: other as NodeId });
    const outbound = up(2, { nodeId: other as NodeId, inbound: false, port: 8048 });
    const keptLink = kept === "inbound" ? 1 : 2;
    for (const events of [[inbound, outbound], [outbound, inbound]]) {
      const links = neighbours();
      const closed = events.flatMap((event) => closes(links.step(event, 0)));
      assertEquals(closed, [[3 - keptLink, "duplicate"]]);
      assertEquals(links.links().map((one) => one.link), [keptLink]);
    }
  });
}

Deno.test("Neighbours.step() closes the later of two links when it dialled both, no other", () => {
  const links = neighbours();
  const out = { nodeId: LOWER, inbound: false, port: 8048 };
  links.step(up(1, out), 0);
  assertEquals(closes(links.step(up(2, { ...out, host: host(9) }), 0)), [[2, "duplicate"]]);
  const accepting = neighbours();
  accepting.step(up(1, { nodeId: LOWER }), 0);
  assertEquals(closes(accepting.step(up(2, { nodeId: LOWER }), 0)), [], "the first may be dead");
  assertEquals(accepting.linkCount, 2);
});

Deno.test("Neighbours.step() keeps one of two links that another node dialled, the earlier if it lives", () => {
  for (const isAlive of [true, false]) {
    const links = neighbours();
    links.step(up(1, { nodeId: LOWER }), 0);
    const effects = links.step(up(2, { nodeId: LOWER }), 100);
    const pings = effects.flatMap((effect) =>
      effect.kind === "send" && effect.message.kind === "ping" ? [effect.link] : []
    );
    assertEquals(pings, [1], "it is asked");
    const third = { nodeId: LOWER, host: host(3), inbound: true };
    assertEquals(links.refusal(third, 100), "duplicate");
    if (isAlive) links.step({ kind: "heard", link: 1 }, 200);
    const ended = [300, 100 + limits.earlierLinkMs].flatMap((nowMs) =>
      closes(links.step({ kind: "tick" }, nowMs))
    );
    assertEquals(ended, isAlive ? [[2, "duplicate"]] : [[1, "silent"]]);
    assertEquals(links.refusal(third, 60_000), undefined);
  }
});

Deno.test("Neighbours.step() has the host with the most links give one to a newcomer", () => {
  const links = neighbours({ linksMax: 4 });
  for (const id of [1, 2, 3]) links.step(up(id, { host: host(9) }), id);
  links.step(up(4), 4);
  const effects = links.step(up(5), 5);
  assertEquals(closes(effects), [[3, "busy"]], "its youngest");
  assertEquals(closes(links.step(up(6), 6)), [[2, "busy"]]);
  assertEquals(closes(links.step(up(7), 7)), [[7, "busy"]], "nobody has more than one");
  assertEquals(links.links().map(({ link }) => link), [1, 4, 5, 6]);
});

Deno.test("Neighbours.step() keeps places for its own dials from those who come in", () => {
  const links = neighbours({ linksMin: 2, linksMax: 4 });
  links.step(up(1), 0);
  links.step(up(2), 0);
  assertEquals(closes(links.step(up(3), 0)), [[3, "busy"]]);
  for (const id of [4, 5]) links.step(up(id, { inbound: false, port: 8048 }), 0);
  assertEquals(links.linkCount, 4);
});

Deno.test("Neighbours.refusal() says what would be closed at once", () => {
  const links = neighbours();
  ban(links, { nodeId: nodeId(7), host: host(1) }, 0);
  for (const id of [20, 21, 22]) flood(links, { nodeId: nodeId(id), host: host(8) }, 0);
  links.step(up(1, { nodeId: LOWER }), 0);
  const why = (id: NodeId, from: string, inbound: boolean) =>
    links.refusal({ nodeId: id, host: from, inbound }, 1);
  assertEquals(why(OWN, host(1), true), "self");
  assertEquals(why(nodeId(7), host(1), true), "banned");
  assertEquals(why(nodeId(6), `::ffff:${host(8)}`, true), "banned");
  assertEquals(why(LOWER, host(1), false), "duplicate");
  assertEquals(why(nodeId(6), host(6), true), undefined);
});

Deno.test("Neighbours.step() tells a few addresses and closes as busy when it is full", () => {
  const links = neighbours({ linksMax: 2 });
  links.step(up(1), 0);
  links.step(up(2), 0);
  const effects = links.step(up(3), 0);
  assertEquals(effects.map((effect) => effect.kind), ["send", "close"]);
  assertEquals(closes(effects), [[3, "busy"]]);
  assert(effects[0]!.kind === "send" && effects[0]!.message.kind === "peers");
  assertEquals(effects[0]!.message.addresses.map((one) => one.host).sort(), [host(1), host(2)]);
  assertEquals(links.linkCount, 2);
});

Deno.test("Neighbours.step() waits long for a full node when it has links enough", () => {
  const links = neighbours({ linksMin: 1 });
  links.step(up(5), 0);
  links.step(add(1, true), 0);
  links.step(up(1, { inbound: false, port: 8048 }), 10);
  const bye = { kind: "bye", reason: "busy" } as const;
  assertEquals(closes(links.step({ kind: "message", link: 1, message: bye }, 20)), [[1, "bye"]]);
  assertEquals(dials(links.step({ kind: "tick" }, 29_000)), []);
});

Deno.test("Neighbours.step() closes and keeps out whom it banned, until the time is over", () => {
  const links = neighbours({ linksMin: 2 });
  links.step(up(1), 0);
  links.step(up(2), 0);
  assertEquals(closes(ban(links, { nodeId: nodeId(1), host: host(1) }, 10)), [[1, "banned"]]);
  assertEquals(links.bans(10).map(({ nodeId, reason }) => [nodeId, reason]), [
    [nodeId(1), "wrong-data"],
  ]);
  assertEquals(closes(links.step(up(3, { nodeId: nodeId(1), host: host(1) }), 20)), [[
    3,
    "banned",
  ]]);
  assertEquals(closes(links.step(up(4, { nodeId: nodeId(1), host: host(4) }), 20)), []);
  links.step({ kind: "link-down", link: 4 }, 21);
  assertEquals(dials(links.step({ kind: "tick" }, limits.banMs)), [host(4)]);
  links.step({ kind: "dial-failed", host: host(4), port: 8048 }, limits.banMs);
  assertEquals(dials(links.step({ kind: "tick" }, limits.banMs + 10)), [host(1)]);
  assertEquals(
    closes(links.step(up(5, { nodeId: nodeId(1), host: host(1) }), limits.banMs + 10)),
    [],
  );
});

Deno.test("Neighbours.step() keeps out a host whose nodes flood, whatever they call themselves", () => {
  const links = neighbours();
  links.step(up(1, { host: host(9) }), 0);
  for (const id of [20, 21]) assertEquals(closes(flood(links, seen(id, 9), 0)), []);
  assertEquals(closes(flood(links, seen(22, 9), 0)), [[1, "banned"]]);
  assertEquals(closes(links.step(up(2, { host: host(9) }), 1)), [[2, "banned"]]);
});

Deno.test("Neighbours.step() counts against a node what its link was closed for", () => {
  const links = neighbours();
  const misdeed = { kind: "false-host" } as const;
  const banned: NeighboursEffect[] = [];
  for (let link = 1; link <= limits.banMisdeeds; link++) {
    links.step(up(link, seen(1, 1)), link);
    banned.push(...links.step({ kind: "link-down", link, faulty: true, misdeed }, link));
  }
  assertEquals(banned.map(({ kind }) => kind), ["banned"]);
  assertEquals(links.isBanned(seen(1, 1), 9), true);
  assertEquals(links.isBanned(seen(2, 1), 9), false, "another node behind the same address");
  assertEquals(links.isBanned(seen(1, 2), 9), false, "somebody else who uses its id elsewhere");
});

Deno.test("Neighbours.step() leaves a node alone for long that banned this one", () => {
  const links = neighbours();
  assertEquals(dials(links.step(add(1, true), 0)), [host(1)]);
  links.step({ kind: "dial-failed", host: host(1), port: 8048, refusal: "banned" }, 0);
  assertEquals(dials(links.step({ kind: "tick" }, limits.backoffMs - 1)), []);
  assertEquals(dials(links.step({ kind: "tick" }, limits.backoffMs)), [host(1)]);
});

Deno.test("Neighbours.step() pings each link every 5 s and measures the round trip", () => {
  const links = neighbours();
  links.step(up(1), 0);
  let sentMs = 0;
  const pings: number[] = [];
  for (let nowMs = 0; nowMs <= 20_000; nowMs += 250) {
    for (const effect of links.step({ kind: "tick" }, nowMs)) {
      assert(effect.kind === "send" && effect.message.kind === "ping");
      pings.push(nowMs - sentMs);
      sentMs = nowMs;
      const { token } = effect.message;
      const pong = (number: number): NeighboursEvent => ({
        kind: "message",
        link: 1,
        message: { kind: "pong", token: number },
      });
      links.step(pong((token + 1) % 2 ** 32), nowMs + 7);
      links.step(pong(token), nowMs + 40);
      links.step(pong(token), nowMs + 90);
    }
  }
  assertLessOrEqual(pings[0]!, 5_000);
  for (const betweenMs of pings.slice(1)) assertLessOrEqual(Math.abs(betweenMs - 5_000), 250);
  assertEquals(links.links()[0]!.roundTripMs, 40);
});

Deno.test("Neighbours.step() answers PING with its token", () => {
  const links = neighbours();
  links.step(up(1), 0);
  const ping = { kind: "ping", token: 77 } as const;
  assertEquals(links.step({ kind: "message", link: 1, message: ping }, 0), [
    { kind: "send", link: 1, message: { kind: "pong", token: 77 } },
  ]);
  assertEquals(links.step({ kind: "message", link: 9, message: ping }, 0), []);
});

Deno.test("Neighbours.step() closes a link 30 s after the last message of any kind", () => {
  const links = neighbours();
  links.step(up(1), 0);
  links.step({ kind: "heard", link: 1 }, 10_000);
  assertEquals(closes(links.step({ kind: "tick" }, 39_999)), []);
  assertEquals(closes(links.step({ kind: "tick" }, 40_000)), [[1, "silent"]]);
  assertEquals(links.links(), []);
  assertEquals(links.step({ kind: "link-down", link: 1 }, 40_000), []);
});

Deno.test("Neighbours.step() learns from PEERS what can be dialled, within its rate", () => {
  const links = neighbours({ linksMin: 30 });
  links.step(up(1), 0);
  const tell = (addresses: readonly { host: string; port: number }[]) =>
    links.step({ kind: "message", link: 1, message: { kind: "peers", addresses } }, 0);
  const told = [
    { host: host(2), port: 8048 },
    { host: host(3), port: 0 },
    { host: "127.0.0.1", port: 8048 },
    { host: "0.0.0.0", port: 8048 },
    { host: "::ffff:10.0.0.4", port: 8048 },
  ];
  assertEquals(dials(tell(told)).sort(), [host(2), host(4)]);
  let learned = 0;
  for (let i = 0; i < 100; i++) learned += dials(tell([{ host: host(100 + i), port: 1 }])).length;
  assertEquals(learned, limits.peersBurstMax - 1);
});

Deno.test("Neighbours.step() tells loopback addresses to its own machine only", () => {
  const links = neighbours();
  links.step(up(1, { host: "127.0.0.1", listenPort: 5_001 }), 0);
  const told = (event: NeighboursEvent) =>
    links.step(event, 0).flatMap((effect) =>
      effect.kind === "send" && effect.message.kind === "peers" ? effect.message.addresses : []
    );
  assertEquals(told(up(2)), []);
  assertEquals(told(up(3, { host: "::1", listenPort: 0 })).map((one) => one.port).sort(), [
    5_001,
    8048,
  ]);
});

Deno.test("Neighbours.step() is quiet when 500 idle links tick between their pings", () => {
  const links = neighbours({ linksMax: 500 });
  for (let number = 1; number <= 500; number++) links.step(up(number), 0);
  assertEquals(links.linkCount, 500);
  let pings = 0;
  for (let nowMs = 0; nowMs < 5_000; nowMs += limits.overlayTickMs) {
    const effects = links.step({ kind: "tick" }, nowMs);
    // The phases are random: no tick has to send to all links at once.
    assertLessOrEqual(effects.length, 60);
    pings += effects.length;
  }
  assertLessOrEqual(Math.abs(pings - 500), 40);
});
