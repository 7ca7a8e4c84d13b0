/** How near another node is, and in which order holders are asked. */

import { assertEquals, assertLess } from "@std/assert";
import { type MachinePlace, nearnessOf, rankOf } from "../../../../src/core/nearness/nearness.ts";

const OWN: MachinePlace = {
  site: "main",
  addresses: [
    { host: "127.0.0.1", bits: 8 },
    { host: "10.1.2.3", bits: 24 },
    { host: "fd00::3", bits: 64 },
    { host: "10.9.0.1", bits: 8 },
  ],
};

const NO_SITE = { ...OWN, site: "" };

function near(host: string, site = "", own = OWN) {
  return nearnessOf({ host, site }, own);
}

Deno.test("nearnessOf() takes an own address in any notation for this machine, whatever its site", () => {
  for (const host of ["127.0.0.9", "::1", "10.1.2.3", "::ffff:10.1.2.3", "fd00:0:0:0::3"]) {
    assertEquals(near(host), "host", host);
  }
  assertEquals(near("10.1.2.3", "other"), "host");
});

Deno.test("nearnessOf() takes an address of an own subnet for near, unless that is too wide", () => {
  assertEquals([near("10.1.2.200"), near("::ffff:10.1.2.200")], ["subnet", "subnet"]);
  assertEquals([near("fd00::1:2"), near("fd00:0:0:1::3")], ["subnet", "far"]);
  assertEquals([near("10.1.3.3"), near("10.9.0.2")], ["far", "far"]);
});

Deno.test("nearnessOf() believes names of sites before subnets, where both are named", () => {
  assertEquals([near("10.1.2.9", "main"), near("10.1.2.9", "other")], ["subnet", "far"]);
  assertEquals([near("192.0.2.9", "main"), near("192.0.2.9", "Main")], ["site", "far"]);
  assertEquals(near("10.1.2.9", "other", NO_SITE), "subnet");
  assertEquals([near("192.0.2.9", "", NO_SITE), near("192.0.2.9", "x", NO_SITE)], ["far", "far"]);
});

Deno.test("nearnessOf() takes what is no address for far", () => {
  for (const host of ["", "localhost", "10.1.2", "fe80::1%eth0"]) assertEquals(near(host), "far");
});

Deno.test("rankOf() puts the nearer first, and of far ones those with a much shorter round trip", () => {
  const ranks = [
    rankOf("host", 900),
    rankOf("subnet", 0),
    rankOf("site", 0),
    rankOf("far", 0),
    rankOf("far", 20),
    rankOf("far", 70),
    rankOf("far", 300),
  ];
  for (let i = 1; i < ranks.length; i++) assertLess(ranks[i - 1]!, ranks[i]!);
  assertEquals(rankOf("far", 5), rankOf("far", 12));
  assertEquals(rankOf("far", 5_000), rankOf("far", 60_000));
  assertEquals(rankOf("far", null), rankOf("far", 0));
});
