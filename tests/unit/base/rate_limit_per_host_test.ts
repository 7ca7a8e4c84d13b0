import { assertEquals } from "@std/assert";
import { HostRateLimit, networkOf } from "../../../src/base/rate_limit.ts";

Deno.test("HostRateLimit.take() bounds each host by itself", () => {
  const limit = new HostRateLimit({ perSecond: 1, burst: 2, hostsMax: 10 });
  const taken = (host: string, nowMs: number) => limit.take(host, nowMs);
  assertEquals([taken("a", 0), taken("a", 0), taken("a", 0)], [true, true, false]);
  assertEquals([taken("b", 0), taken("a", 999), taken("a", 1_000)], [true, false, true]);
});

Deno.test("HostRateLimit.take() and owe() count what costs more", () => {
  const limit = new HostRateLimit({ perSecond: 10, burst: 20, hostsMax: 10 });
  assertEquals([limit.take("a", 0, 20), limit.take("a", 0)], [true, false]);
  limit.owe("a", 1_000);
  assertEquals(limit.take("a", 1_000), false, "as much as a second gives is owed, and no more");
  assertEquals(limit.take("a", 1_100), true);
});

Deno.test("HostRateLimit forgets the host that was silent longest", () => {
  const limit = new HostRateLimit({ perSecond: 1, burst: 1, hostsMax: 2 });
  for (const host of ["a", "b", "a", "c"]) limit.take(host, 0);
  assertEquals([limit.size, limit.take("a", 0)], [2, false]);
  assertEquals(limit.take("b", 0), true);
});

Deno.test("HostRateLimit.take() counts an IPv6 /64 as one host", () => {
  const limit = new HostRateLimit({ perSecond: 1, burst: 1, hostsMax: 10 });
  assertEquals(limit.take("2001:db8::1", 0), true);
  assertEquals(limit.take("2001:db8::ffff:2", 0), false);
  assertEquals(limit.take("2001:db8:0:1::1", 0), true);
});

Deno.test("networkOf() leaves IPv4 alone and cuts IPv6 after four groups", () => {
  for (const host of ["10.0.0.1", "127.0.0.1", "::ffff:10.0.0.1", ""]) {
    assertEquals(networkOf(host), host);
  }
  assertEquals(networkOf("2001:db8::1"), "2001:db8:0:0::/64");
  assertEquals(networkOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assertEquals(networkOf("::1"), "0:0:0:0::/64");
  assertEquals(networkOf("fe80::1%eth0"), "fe80::1");
  assertEquals(networkOf("febf::2"), "febf::2");
  assertEquals(networkOf("fec0::2"), "fec0:0:0:0::/64");
  assertEquals(networkOf("1:2:3:4:5::"), "1:2:3:4::/64");
});
