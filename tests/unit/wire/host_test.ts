import { assertEquals } from "@std/assert";
import {
  formatAddress,
  hostProblem,
  isLoopback,
  isNowhere,
  isSameHost,
  isSharedMeaning,
  isWholeAddress,
  isWholeSubnet,
  plainHost,
} from "../../../src/wire/host.ts";
import fc from "fast-check";
import { isIP } from "node:net";

Deno.test("hostProblem() agrees with the runtime's own parser when texts look like addresses", () => {
  const part = fc.constantFrom("0", "1", "01", "127", "255", "256", "7f00", "ffff", "g", "", "%e0");
  const glue = fc.constantFrom(".", ":", "::", "");
  const text = fc.array(fc.tuple(part, glue), { maxLength: 12 })
    .map((pairs) => pairs.flat().join(""));
  const any = fc.oneof(text, fc.ipV4(), fc.ipV6(), fc.ipV4().map((host) => `::ffff:${host}`));
  fc.assert(
    fc.property(any, (host) => {
      const isAddress = isIP(host) !== 0 && !host.includes("%");
      assertEquals(hostProblem(host) === undefined, isAddress, host);
    }),
    { numRuns: 20_000, seed: 4 },
  );
});

Deno.test("isLoopback() knows every notation of this machine's own address", () => {
  for (
    const host of [
      "127.0.0.1",
      "127.255.0.9",
      "::1",
      "0:0:0:0:0:0:0:1",
      "0::0:1",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "0:0:0:0:0:ffff:127.1.2.3",
    ]
  ) assertEquals(isLoopback(host), true, host);
  for (const host of ["10.0.0.1", "::2", "::", "fe80::1", "::ffff:8000:1", "1::1", "", "x:y"]) {
    assertEquals(isLoopback(host), false, host);
  }
});

Deno.test("isNowhere() is true when nobody can be dialled there", () => {
  for (
    const host of [
      "0.0.0.0",
      "0.1.2.3",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "::ffff:0.0.0.0",
      "::127.0.0.1",
      "ff02::1",
      "",
      "a.example",
      "fe80::1%eth0",
    ]
  ) assertEquals(isNowhere(host), true, host);
  for (const host of ["10.0.0.1", "127.0.0.1", "::1", "fe80::1", "2001:db8::1"]) {
    assertEquals(isNowhere(host), false, host);
  }
});

Deno.test("plainHost() takes an IPv4 address out of its IPv6 wrapping, and changes no other", () => {
  assertEquals(plainHost("::ffff:10.0.0.1"), "10.0.0.1");
  assertEquals(plainHost("::ffff:a00:1"), "10.0.0.1");
  for (const host of ["10.0.0.1", "::1", "fe80::1%eth0", "seed.example"]) {
    assertEquals(plainHost(host), host);
  }
});

Deno.test("formatAddress() puts brackets around IPv6 only", () => {
  assertEquals(formatAddress("10.0.0.1", 1), "10.0.0.1:1");
  assertEquals(formatAddress("::1", 1), "[::1]:1");
});

Deno.test("isSharedMeaning() is false for loopback when the link leaves the machine", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:7f00:1"]) {
    assertEquals(isSharedMeaning(host, "10.0.0.2"), false, host);
    assertEquals(isSharedMeaning(host, "127.0.0.1"), true, host);
    assertEquals(isSharedMeaning(host, "::1"), true, host);
  }
  assertEquals(isSharedMeaning("10.0.0.1", "10.0.0.2"), true);
  assertEquals(isSharedMeaning("10.0.0.1", "127.0.0.1"), true);
});

Deno.test("isSharedMeaning() is false for an address of a link when the other end is not seen at one", () => {
  for (const host of ["fe80::1", "febf:0:0:0:1:2:3:4"]) {
    assertEquals(isSharedMeaning(host, "10.0.0.2"), false, host);
    assertEquals(isSharedMeaning(host, "fd00::2"), false, host);
    assertEquals(isSharedMeaning(host, "127.0.0.1"), false, host);
    assertEquals(isSharedMeaning(host, "fe80::2"), true, host);
  }
  assertEquals(isSharedMeaning("10.0.0.1", "fe80::2"), true);
});

Deno.test("isSharedMeaning() is false when nobody can be at the host", () => {
  for (
    const host of ["", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "a.example"]
  ) {
    assertEquals(isSharedMeaning(host, "127.0.0.1"), false, host);
  }
});

Deno.test("isWholeAddress() is true when host and port are both given or both not", () => {
  assertEquals(isWholeAddress("10.0.0.1", 1), true);
  assertEquals(isWholeAddress("", 0), true);
  assertEquals(isWholeAddress("10.0.0.1", 0), false);
  assertEquals(isWholeAddress("", 1), false);
});

Deno.test("isWholeSubnet() knows the first and the last address of an IPv4 subnet", () => {
  for (
    const [host, bits, is] of [
      ["10.77.0.255", 24, true],
      ["10.77.0.0", 24, true],
      ["10.77.0.255", 16, false],
      ["10.77.255.255", 16, true],
      ["10.77.0.3", 30, true],
      ["10.77.0.3", 29, false],
      ["10.77.0.3", 31, false],
      ["10.77.1.255", 24, false],
      ["10.77.0.1", 24, false],
    ] as const
  ) assertEquals(isWholeSubnet(host, "10.77.0.1", bits), is, `${host}/${bits}`);
  assertEquals(isWholeSubnet("fd77::ffff", "fd77::1", 112), false);
});

Deno.test("isSameHost() compares addresses, not their texts", () => {
  assertEquals(isSameHost("fe80::1%eth0", "fe80:0::1"), true);
  assertEquals(isSameHost("::ffff:10.0.0.1", "10.0.0.1"), true);
  assertEquals(isSameHost("10.0.0.1", "10.0.0.2"), false);
  assertEquals(isSameHost("one.example", "other.example"), false);
});
