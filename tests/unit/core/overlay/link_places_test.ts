/** Who gets a place among the links when they run short. */

import { assertEquals } from "@std/assert";
import { placeFor } from "../../../../src/core/overlay/link_places.ts";

const OPTIONS = { linksMax: 30, ownMax: 3 };

/** Links that came in, one after the other. */
function cameIn(hosts: readonly string[]) {
  return hosts.map((host, sinceMs) => ({ host, inbound: true, sinceMs }));
}

function hostsOf(network: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${network}.${i + 1}`);
}

Deno.test("placeFor() lets a network of honest machines have all places", () => {
  const links = cameIn(hostsOf("10.0.0", 26));
  assertEquals(placeFor({ host: "10.0.0.99", inbound: true }, links, OPTIONS).kind, "free");
  const full = cameIn(hostsOf("10.0.0", 27));
  assertEquals(placeFor({ host: "10.0.0.99", inbound: true }, full, OPTIONS).kind, "none");
  assertEquals(placeFor({ host: "10.0.0.99", inbound: false }, full, OPTIONS).kind, "free");
});

Deno.test("placeFor() has a network with the most give its youngest, not the older half", () => {
  const links = cameIn(hostsOf("10.0.0", 27));
  const place = placeFor({ host: "10.9.0.1", inbound: true }, links, OPTIONS);
  assertEquals(place, { kind: "instead", of: links[26]! });
  // However many networks come, half of the places stay with those that were first.
  let now = links;
  for (let i = 0; i < 200; i++) {
    const newcomer = { host: `10.9.${i}.1`, inbound: true, sinceMs: 100 + i };
    const its = placeFor(newcomer, now, OPTIONS);
    if (its.kind === "instead") now = [...now.filter((one) => one !== its.of), newcomer];
  }
  assertEquals(now.filter(({ host }) => host.startsWith("10.0.0.")).length, 15);
});

Deno.test("placeFor() never takes a link of this node's own, nor counts IPv6 addresses of one network apart", () => {
  const own = Array.from({ length: 30 }, () => ({ host: "10.0.0.1", inbound: false, sinceMs: 0 }));
  assertEquals(placeFor({ host: "10.9.0.1", inbound: true }, own, OPTIONS).kind, "none");
  const links = cameIn(Array.from({ length: 27 }, (_, i) => `fd77::${i + 1}`));
  const place = placeFor({ host: "fd78::1", inbound: true }, links, OPTIONS);
  assertEquals(place, { kind: "instead", of: links[26]! });
});
