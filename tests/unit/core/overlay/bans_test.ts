// The rules of bans, one by one; what they mean for links is in neighbours_test.ts.

import { assertEquals } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { type Ban, Bans, type Misdeed } from "../../../../src/core/overlay/bans.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const idOf = (number: number) => number.toString(16).padStart(32, "0") as NodeId;
const FLOOD: Misdeed = { kind: "flooding" };
const wrong = (file: number): Misdeed => ({
  kind: "wrong-data",
  root: file.toString(16).padStart(64, "0") as Root,
});
const whom = (bans: readonly Ban[]) => bans.map(({ nodeId, host }) => [nodeId, host]);

/** A node floods as often as leads to a ban, from `atMs` on. */
function flood(bans: Bans, node: { nodeId: NodeId; host: string }, atMs = 0): Ban[] {
  return [1, 2, 3].flatMap((more) => bans.misbehaved(node, FLOOD, atMs + more));
}

Deno.test("Bans.misbehaved() bans whose third file is wrong, not whose one file is thrice", () => {
  const bans = new Bans();
  const node = { nodeId: idOf(1), host: "10.0.0.1" };
  for (let i = 0; i < 10; i++) assertEquals(bans.misbehaved(node, wrong(1), i), []);
  assertEquals(bans.misbehaved(node, wrong(2), 20), []);
  const [ban] = bans.misbehaved(node, wrong(3), 30);
  assertEquals(ban, { ...node, reason: "wrong-data", endsAtMs: 30 + limits.banMs });
  assertEquals(bans.misbehaved(node, wrong(4), 40), [], "it is banned already");
  assertEquals(bans.list(40), [ban]);
});

Deno.test("Bans.misbehaved() forgets what was done before its window", () => {
  const bans = new Bans();
  const node = { nodeId: idOf(1), host: "10.0.0.1" };
  bans.misbehaved(node, wrong(1), 0);
  bans.misbehaved(node, wrong(2), 1);
  assertEquals(bans.misbehaved(node, wrong(3), limits.banWindowMs), []);
  assertEquals(bans.misbehaved(node, FLOOD, limits.banWindowMs).length, 1, "2, 3 and the flood");
});

Deno.test("Bans.has() lets a node come back when its time is over, with a clean record", async () => {
  const clock = new ManualClock();
  const bans = new Bans();
  const node = { nodeId: idOf(1), host: "127.0.0.1" };
  for (const file of [1, 2, 3]) bans.misbehaved(node, wrong(file), clock.nowMs());
  await clock.advance(limits.banMs - 1);
  assertEquals(bans.has(node, clock.nowMs()), true);
  await clock.advance(1);
  assertEquals([bans.has(node, clock.nowMs()), bans.list(clock.nowMs())], [false, []]);
  bans.expire(clock.nowMs());
  assertEquals(bans.size, 0);
  assertEquals(bans.misbehaved(node, wrong(4), clock.nowMs()), []);
});

Deno.test("Bans.has() meets neither the id elsewhere nor another node at the host", () => {
  const bans = new Bans();
  flood(bans, { nodeId: idOf(1), host: "10.0.0.1" });
  assertEquals(bans.has({ nodeId: idOf(1), host: "10.0.0.1" }, 9), true);
  assertEquals(bans.has({ nodeId: idOf(1), host: "10.0.0.2" }, 9), false);
  assertEquals(bans.has({ nodeId: idOf(2), host: "10.0.0.1" }, 9), false);
  assertEquals(bans.has({ host: "10.0.0.1" }, 9), false);
});

Deno.test("Bans.misbehaved() bans a host when several of its nodes flood", () => {
  const bans = new Bans();
  const host = "10.0.0.1";
  for (const id of [1, 2]) assertEquals(flood(bans, { nodeId: idOf(id), host }).length, 1);
  assertEquals(whom(flood(bans, { nodeId: idOf(3), host })), [[idOf(3), host], [null, host]]);
  assertEquals([bans.has({ nodeId: idOf(9), host }, 9), bans.has({ host }, 9)], [true, true]);
});

Deno.test("Bans.misbehaved() takes an IPv6 /64 for one host", () => {
  const bans = new Bans();
  const node = { nodeId: idOf(1), host: "2001:db8:0:7::1" };
  flood(bans, node);
  assertEquals(bans.has({ ...node, host: "2001:db8:0:7:a:b:c:d" }, 9), true);
  assertEquals(bans.has({ ...node, host: "2001:db8:0:8::1" }, 9), false);
});

Deno.test("Bans.misbehaved() never bans this machine, nor a host for wrong data", () => {
  const bans = new Bans();
  for (let id = 1; id < 10; id++) {
    for (const host of ["127.0.0.1", "::1"]) flood(bans, { nodeId: idOf(id), host });
    const node = { nodeId: idOf(id), host: "10.0.0.1" };
    for (const file of [1, 2, 3]) bans.misbehaved(node, wrong(file), 0);
  }
  for (const host of ["127.0.0.1", "::1", "10.0.0.1"]) assertEquals(bans.has({ host }, 9), false);
});

Deno.test("Bans.misbehaved() remembers a bounded number of bans and of nodes", () => {
  const bans = new Bans();
  for (let id = 0; id <= limits.bansMax; id++) {
    flood(bans, { nodeId: idOf(id), host: `10.0.${id >> 8}.${id & 255}` });
  }
  assertEquals(bans.size, limits.bansMax);
  const other = new Bans();
  const first = { nodeId: idOf(0), host: "10.0.0.1" };
  other.misbehaved(first, wrong(1), 0);
  other.misbehaved(first, wrong(2), 0);
  for (let id = 1; id <= limits.misbehavedMax; id++) {
    other.misbehaved({ nodeId: idOf(id), host: "10.0.0.1" }, wrong(1), 1);
  }
  assertEquals(other.misbehaved(first, wrong(3), 2), [], "the oldest was forgotten");
});

Deno.test("Bans.faulty() shuts a host out that breaks the protocol again and again, no loopback host", () => {
  const bans = new Bans();
  let faults = 0;
  while (bans.faulty("10.0.0.1", 0).length === 0) faults++;
  assertEquals(faults, limits.banFaultsBurst);
  assertEquals(bans.isShutOut("10.0.0.1", 1), true);
  assertEquals(bans.isShutOut("10.0.0.2", 1), false);
  assertEquals(bans.isShutOut("10.0.0.1", limits.banMs), false);
  for (let i = 0; i < 1_000; i++) assertEquals(bans.faulty("127.0.0.1", 0), []);
  // One that only tries now and then is heard for ever.
  for (let i = 0; i < 1_000; i++) {
    assertEquals(bans.faulty("10.0.0.3", i * limits.banFaultRestMs), []);
  }
});
