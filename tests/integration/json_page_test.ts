// What commands print with --json, from real daemons, and what JSON.md says of it: the same fields.

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { JsonLines } from "../../src/cli/json_lines.ts";
import { untilShared } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { checkJsonLines, documentedKinds } from "./support/json_page.ts";
import { runPacsrv } from "./support/process.ts";

/** Other tests hold these to the page as well: each fetch as a process does. */
const SEEN_ELSEWHERE: readonly (keyof JsonLines)[] = [
  "fetch choice",
  "fetch restarted",
  "left out",
];

Deno.test("every command prints with --json the fields that JSON.md has, and no other", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), work = await dir.folder("work");
  for (const [i, name] of ["one.iso", "two.iso", "push.bin"].entries()) {
    await randomFile(`${shared}/${name}`, 320_000, i);
  }
  await using directory = await startDirectory();
  const directories = ["--directory", directory.address];
  await using holder = await startDaemon({ shares: [shared], args: directories });
  for (const name of ["one.iso", "two.iso", "push.bin"]) await untilShared(holder, name);
  await using daemon = await startDaemon({
    // One that nothing listens at.
    peers: [holder.node, "127.0.0.1:1"],
    // It keeps all of it, and a little more than it would after a cleaning.
    args: [...directories, "--accept-uploads", "1G", "--gateway", "127.0.0.1:0", "--keep", "1M"],
  });
  await daemon.linked(1);
  const seen = new Set<string>();
  const run = async (where: DaemonProcess, line: string, kind = line.split(" ")[0]!) => {
    const { stdout, stderr } = await where.run([...line.split(" "), "--json"], { cwd: work });
    const kinds = checkJsonLines(kind, stdout);
    assert(kinds.length > 0, `${line}: ${stderr}`);
    for (const kind of kinds) seen.add(kind);
  };
  // Those that wait for answers wait together.
  await Promise.all([
    run(daemon, "search *.iso"),
    run(daemon, "info one.iso"),
    run(daemon, "where one.iso"),
    run(holder, "doctor --pacman-conf none"),
    run(daemon, "fetch one.iso").then(() => run(daemon, "fetch --match *.iso")),
    run(holder, `push push.bin ${daemon.node}`),
  ]);
  await run(holder, "list");
  await run(holder, "status --files", "status --files");
  await run(daemon, "explain one.iso");
  await run(daemon, `files ${holder.node}`);
  await run(daemon, "peers");
  await run(daemon, "status");
  await run(daemon, "verify");
  await run(daemon, "log debug");
  await run(daemon, "pin one.iso");
  await run(daemon, "unpin one.iso");
  await run(daemon, "clean --dry-run");
  await run(holder, `unshare ${shared}/two.iso`);
  await run(holder, `share ${shared}/two.iso`);
  const asked = await runPacsrv(["status", "--directory", directory.address, "--json"]);
  for (const kind of checkJsonLines("status --directory", asked.stdout)) seen.add(kind);
  await Deno.writeTextFile(`${work}/wrong.toml`, "ttl = 99\n");
  const checked = await runPacsrv(["config", "check", "wrong.toml", "--json"], { cwd: work });
  for (const kind of checkJsonLines("config check", checked.stdout)) seen.add(kind);
  {
    // A mirror that takes the connection and says nothing is waited for.
    using mirror = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const url = `http://127.0.0.1:${mirror.addr.port}/nothing`;
    await using fetch = daemon.fetch([url, "--timeout", "60"], { cwd: work });
    await fetch.event("searching");
    fetch.process.kill("SIGINT");
    const { stdout } = await fetch.ended();
    for (const kind of checkJsonLines("fetch", stdout)) seen.add(kind);
  }
  const unseen = documentedKinds().filter((kind) => !seen.has(kind));
  assertEquals(unseen.sort(), [...SEEN_ELSEWHERE].sort());
});

Deno.test("checkJsonLines() finds a field that the page has not, and one that a line has not", () => {
  const line = { path: "/a", result: "shared" };
  assertEquals(checkJsonLines("share", JSON.stringify(line)), ["share"]);
  assertThrows(() => checkJsonLines("share", JSON.stringify({ ...line, more: 1 })), Error, "more");
  assertThrows(() => checkJsonLines("share", JSON.stringify({ path: "/a" })), Error, "result");
  assertThrows(
    () => checkJsonLines("fetch", JSON.stringify({ event: "strange" })),
    Error,
    "strange",
  );
  const skipped = { event: "skipped", file: "a", output: "a", in: { it: 1 } };
  assertThrows(() => checkJsonLines("fetch", JSON.stringify(skipped)), Error, "in");
});
