// What too many connections do to the gateway of a daemon that may open only few files.

import { assertEquals } from "@std/assert";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { TempDir } from "./support/files.ts";
import { ToolProcess } from "./support/tool.ts";
import { WAIT_MS, waitUntil } from "./support/wait.ts";

/** Files that the daemon may open: itself it needs some 40. */
const FILES_MAX = 220;

Deno.test("gateway with too many connections comes back by itself, and its daemon goes on", async () => {
  await using dir = await TempDir.make();
  const limited = ["-c", `ulimit -n ${FILES_MAX}; exec "$0" "$@"`, Deno.execPath()];
  const addresses = ["--node", "127.0.0.1:0", "--client", "127.0.0.1:0"];
  const args = ["daemon", "--data", `${dir.path}/data`, ...addresses, "--gateway", "127.0.0.1:0"];
  await using daemon = new ToolProcess("sh", [...limited, ...pacsrvArgs(), ...args]);
  const ready = await daemon.stdout.matching(/^ready .* gateway=/);
  const port = Number(/ gateway=\S+:(\d+)/.exec(ready)![1]);
  const clients: Deno.TcpConn[] = [];
  try {
    // Their heads never end, and they never leave. None is accepted any more at some time.
    while (clients.length < FILES_MAX + 80) {
      const client = await Deno.connect({ port }).catch(() => null);
      if (client === null) break;
      clients.push(client);
      await client.write(new TextEncoder().encode("GET / HT")).catch(() => {});
    }
    await daemon.stderr.matching(/take no more connections.*Too many open files/);
    const page = await waitUntil(async () => {
      using client = Deno.createHttpClient({});
      const signal = AbortSignal.timeout(WAIT_MS);
      return await (await fetch(`http://127.0.0.1:${port}/`, { client, signal })).text();
    }, { what: "the gateway to answer again" });
    assertEquals(page.startsWith("pacsrv "), true);
  } finally {
    for (const client of clients) client.close();
  }
  daemon.kill("SIGTERM");
  const { code, stderr } = await daemon.ended();
  assertEquals(code, 0, stderr);
});
