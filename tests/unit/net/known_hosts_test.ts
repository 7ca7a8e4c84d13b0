/** Which names a server of this machine answers to. */

import { assertEquals } from "@std/assert";
import { hostProblem } from "../../../src/net/known_hosts.ts";

const NAMES = ["box", "cache.lan"];
const SERVER = { what: "this gateway", flag: "--gateway-name" };

for (
  const host of [
    ...["127.0.0.1:8050", "10.1.2.3", "[::1]:8050", "[fd77::1]", "localhost", "LOCALHOST:8050"],
    ...["localhost.", "box:8050", "Cache.LAN", "cache.lan.:8050"],
  ]
) {
  Deno.test(`hostProblem() finds nothing wrong with ${host}`, () => {
    assertEquals(hostProblem(host, NAMES, SERVER), undefined);
  });
}

for (
  const host of [
    ...[
      "evil.example:8050",
      "127.0.0.1.evil.example",
      "box.evil.example",
      "localhost.evil.example",
    ],
    ...["", "[evil.example]", "1.2.3.4.5", "127.0.0.1@evil.example", "0x7f.1", "::1]"],
  ]
) {
  Deno.test(`hostProblem() is 421 for ${JSON.stringify(host)}`, () => {
    assertEquals(hostProblem(host, NAMES, SERVER)?.status, 421);
  });
}

Deno.test("hostProblem() is 400 for a request that names no host", () => {
  assertEquals(hostProblem(null, NAMES, SERVER)?.status, 400);
});

Deno.test("hostProblem() is 400 for a request that names two hosts", () => {
  assertEquals(hostProblem("localhost, localhost", NAMES, SERVER)?.status, 400);
});
