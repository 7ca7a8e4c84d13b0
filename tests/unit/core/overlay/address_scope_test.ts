import { assertEquals } from "@std/assert";
import { isSharedMeaning, isWholeAddress } from "../../../../src/core/overlay/address_scope.ts";

Deno.test("isSharedMeaning() is false for loopback when the link leaves the machine", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:7f00:1"]) {
    assertEquals(isSharedMeaning(host, "10.0.0.2"), false, host);
    assertEquals(isSharedMeaning(host, "127.0.0.1"), true, host);
    assertEquals(isSharedMeaning(host, "::1"), true, host);
  }
  assertEquals(isSharedMeaning("10.0.0.1", "10.0.0.2"), true);
  assertEquals(isSharedMeaning("10.0.0.1", "127.0.0.1"), true);
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
