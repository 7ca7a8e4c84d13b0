import { assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { BanList } from "../../../../src/core/overlay/ban_list.ts";

const A = "a".repeat(32) as NodeId;

Deno.test("BanList.has() is true until the ban's time is over", () => {
  const bans = new BanList();
  bans.add({ nodeId: A }, 1_000);
  bans.add({ host: "10.0.0.1" }, 2_000);
  assertEquals([bans.has(A, 1_000), bans.has("10.0.0.1", 3_000), bans.has("10.0.0.2", 3_000)], [
    true,
    true,
    false,
  ]);
  assertEquals([bans.has(A, 1_000 + limits.banMs), bans.size], [false, 2]);
  bans.expire(1_500 + limits.banMs);
  assertEquals([bans.has("10.0.0.1", 1_500 + limits.banMs), bans.size], [true, 1]);
});

Deno.test("BanList.add() starts the time anew when someone is banned again", () => {
  const bans = new BanList();
  bans.add({ nodeId: A }, 0);
  bans.add({ host: "10.0.0.1" }, 1_000);
  bans.add({ nodeId: A }, 2_000);
  bans.expire(1_500 + limits.banMs);
  assertEquals([bans.has(A, 1_500 + limits.banMs), bans.size], [true, 1]);
});

Deno.test("BanList.add() forgets the oldest when there are too many", () => {
  const bans = new BanList();
  for (let i = 0; i <= limits.bansMax; i++) bans.add({ host: `10.0.${i >> 8}.${i & 255}` }, i);
  assertEquals(bans.size, limits.bansMax);
  assertEquals([bans.has("10.0.0.0", 0), bans.has("10.0.0.1", 0)], [false, true]);
});
