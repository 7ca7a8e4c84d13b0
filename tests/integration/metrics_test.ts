// The port for monitors of a real daemon, and of a real directory.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { runPacsrv } from "./support/process.ts";
import { TempDir } from "./support/files.ts";

const METRICS = ["--metrics", "127.0.0.1:0"];

async function get(address: string, path: string): Promise<string> {
  const answer = await fetch(`http://${address}${path}`);
  return `${answer.status} ${await answer.text()}`;
}

Deno.test("pacsrv daemon and directory say on a port of their own that they are ready", async () => {
  await using directory = await startDirectory({ args: METRICS });
  await using daemon = await startDaemon({ args: METRICS });
  for (const { metrics } of [daemon, directory]) {
    assertEquals(await get(metrics, "/healthz"), "200 ok\n");
    assertEquals(await get(metrics, "/readyz"), "200 ready\n");
    assertStringIncludes(await get(metrics, "/metrics"), "\npacsrv_ready 1\n");
  }
  await Promise.all([daemon.stop(), directory.stop()]);
});

Deno.test("pacsrv daemon does not start where its port for monitors is taken", async () => {
  await using directory = await startDirectory({ args: METRICS });
  await using dir = await TempDir.make();
  const { code, stderr } = await runPacsrv([
    ...["daemon", "--data", dir.path, "--node", "127.0.0.1:0", "--client", "127.0.0.1:0"],
    ...["--metrics", directory.metrics],
  ]);
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /Cannot listen on 127\.0\.0\.1:\d+: the port is in use\n.*--metrics HOST:PORT/,
  );
});
