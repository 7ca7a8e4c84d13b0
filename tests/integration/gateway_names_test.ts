// The gateway answers to its own names only: no page whose name leads here reads what it says.

import { assertEquals } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";

/** The status of `GET /` with these header lines, over a connection of its own. */
async function statusOf(gateway: string, ...lines: readonly string[]): Promise<number> {
  const port = Number(gateway.slice(gateway.lastIndexOf(":") + 1));
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = ["GET / HTTP/1.1", ...lines, "Connection: close", "", ""].join("\r\n");
  await client.write(new TextEncoder().encode(head));
  const answer = await new Response(client.readable).text();
  return Number(answer.split(" ")[1]);
}

Deno.test("pacsrv daemon has its gateway answer to its own names only", async () => {
  await using daemon = await startDaemon({
    args: ["--gateway", "127.0.0.1:0", "--gateway-name", "Cache.lan"],
  });
  const { gateway } = daemon;
  for (
    const [host, status] of [
      [gateway, 200],
      ["localhost", 200],
      [Deno.hostname(), 200],
      ["cache.lan:8050", 200],
      ["evil.example", 421],
      ["127.0.0.1.evil.example:8050", 421],
    ] as const
  ) {
    assertEquals(await statusOf(gateway, `Host: ${host}`), status, host);
  }
  assertEquals(await statusOf(gateway), 400, "no Host");
});
