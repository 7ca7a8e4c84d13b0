/** Requests that come back to the gateway that passed them on. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { loopProblem, readVia, viaWith } from "../../../../src/gateway/server/via.ts";
import { CountingMirror } from "../counting_mirror.ts";
import { bytesOf, PlayedGateway } from "../gateway_fixture.ts";

const OWN = "pacsrv-0123456789abcdef";

Deno.test("readVia() takes a header apart, and no more of it than may be", () => {
  const read = (via: string) => readVia(new Headers({ via }));
  assertEquals(readVia(new Headers()), []);
  assertEquals(read("1.1 a,HTTP/1.0  b (x) ,, "), ["1.1 a", "HTTP/1.0  b (x)"]);
  assertEquals(read("1.1 a,".repeat(100)).length, limits.gatewayViaMax + 1);
  assertEquals(read("x".repeat(9_000))[0]!.length, limits.gatewayViaBytesMax);
});

Deno.test("loopProblem() finds the own name, and too many others", () => {
  assertEquals(loopProblem([], OWN), undefined);
  assertEquals(loopProblem(["1.1 other", `1.1 ${OWN}0`], OWN), undefined);
  assertStringIncludes(loopProblem(viaWith(["1.1 other"], OWN), OWN)!, "this gateway");
  const others = Array.from({ length: limits.gatewayViaMax }, (_, i) => `1.1 other${i}`);
  assertEquals(loopProblem(others, OWN), undefined);
  assertStringIncludes(loopProblem([...others, "1.1 more"], OWN)!, "8 gateways");
});

Deno.test("Gateway tells mirrors through whom a request came, and answers 508 to its own", async () => {
  await using mirror = new CountingMirror();
  await using gateway = PlayedGateway.start({
    mirrors: [mirror.url],
    play: (fetch) => fetch.end(new Uint8Array(5)),
  });
  const headers = { via: "1.0 before" };
  for (const path of ["/a/core.db", "/a/notes.txt", "/a/x.pkg.tar"]) {
    await bytesOf(await gateway.get(path, { headers }));
  }
  const told = mirror.asked.map(({ headers }) => headers.get("via")!);
  assertEquals(told.length, 2);
  const fetched = gateway.fetches[0]!.request.via!.join(", ");
  for (const via of told) assertEquals(via, fetched);
  assertEquals(/^1\.0 before, 1\.1 pacsrv-[0-9a-f]{16}$/.test(fetched), true, fetched);
  const asked = mirror.asked.length;
  const many = Array.from({ length: 9 }, (_, i) => `1.1 p${i}`).join(", ");
  for (const via of [fetched, many]) {
    const answer = await gateway.get("/a/core.db", { headers: { via } });
    assertEquals(answer.status, 508);
    const lines = new TextDecoder().decode(await bytesOf(answer)).trim().split("\n");
    assertEquals(lines.length, 1);
  }
  assertEquals(mirror.asked.length, asked);
});
