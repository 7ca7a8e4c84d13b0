/** Which hosts are reached over the line. */

import { assertEquals } from "@std/assert";
import { networkAround, parsePlain } from "../../../../src/base/address.ts";
import type { RateNetwork } from "../../../../src/base/rates/rate_settings.ts";
import { LineClasses } from "../../../../src/core/rates/line_classes.ts";

function own(cidr: string, hasHardware = true) {
  const [host, bits] = cidr.split("/");
  return { address: parsePlain(host!)!, prefixBits: Number(bits), hasHardware };
}

function given(text: string, rule: RateNetwork["rule"]): RateNetwork {
  const [host, bits] = text.split("/");
  return { network: networkAround(parsePlain(host!)!, Number(bits)), text, rule };
}

const OWN = [
  own("127.0.0.1/8", false),
  own("192.168.1.20/24"),
  own("2001:db8:5:6::20/64"),
  own("10.8.0.2/24", false),
];

function kindOf(host: string, networks: readonly RateNetwork[] = []): string {
  const found = new LineClasses(networks, OWN).classOf(host);
  return found.kind === "network" ? found.network.text : found.kind;
}

Deno.test("classOf() takes the LAN for free, be its addresses private or public", () => {
  assertEquals(kindOf("192.168.1.7"), "free");
  assertEquals(kindOf("2001:db8:5:6::7"), "free");
  assertEquals(kindOf("::ffff:192.168.1.7"), "free");
  assertEquals(kindOf("fe80::1%eth0"), "free");
  assertEquals(kindOf("169.254.3.4"), "free");
});

Deno.test("classOf() takes this machine for free, whatever the interface", () => {
  assertEquals(kindOf("127.0.0.1"), "free");
  assertEquals(kindOf("127.3.2.1"), "free");
  assertEquals(kindOf("::1"), "free");
  assertEquals(kindOf("10.8.0.2"), "free");
});

Deno.test("classOf() takes what is behind a tunnel or a router for the line", () => {
  assertEquals(kindOf("10.8.0.1"), "line");
  assertEquals(kindOf("192.168.2.7"), "line");
  assertEquals(kindOf("2001:db8:5:7::7"), "line");
  assertEquals(kindOf("203.0.113.9"), "line");
  assertEquals(kindOf("mirror.example.org"), "line");
  assertEquals(kindOf(""), "line");
});

Deno.test("classOf() goes by the smallest network that a person named", () => {
  const networks = [
    given("10.0.0.0/8", null),
    given("10.9.0.0/16", 1_000_000),
    given("10.9.7.0/24", "line"),
    given("192.168.1.0/24", "line"),
    given("::/0", 5_000),
  ];
  assertEquals(kindOf("10.1.2.3", networks), "free");
  assertEquals(kindOf("10.9.1.1", networks), "10.9.0.0/16");
  assertEquals(kindOf("10.9.7.1", networks), "line");
  assertEquals(kindOf("192.168.1.7", networks), "line");
  assertEquals(kindOf("2001:db8:5:6::7", networks), "::/0");
  assertEquals(kindOf("203.0.113.9", networks), "line");
});
