// `pacsrv status --watch`: in place on a terminal, a line each time elsewhere, until it is ended.

import { assert, assertEquals } from "@std/assert";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { screenOf } from "../../src/cli/commands/watch.ts";
import { checkJsonLines } from "./support/json_page.ts";
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { PacsrvProcess } from "./support/process.ts";
import { PseudoTerminal } from "./support/pseudo_terminal.ts";

Deno.test("status --watch prints an object a line into a pipe, and ends with the daemon", async () => {
  await using daemon = await startDaemon();
  await using watching = new PacsrvProcess(["status", "--watch", "--client", daemon.client]);
  await watching.stdout.matching(/"links":0/);
  await using peer = await startDaemon({ peers: [daemon.node] });
  await watching.stdout.matching(/"links":1/);
  checkJsonLines("status", watching.stdout.text());
  await daemon.stop();
  const { code, stderr } = await watching.ended();
  assertEquals(code, 5, stderr);
  await peer.stop();
});

const problem = PseudoTerminal.problem();

Deno.test({
  name: "status --watch draws in place on a terminal, and leaves nothing behind on Ctrl-C",
  ignore: problem !== undefined,
  async fn() {
    await using dir = await TempDir.make();
    await using daemon = await startDaemon();
    const words = [Deno.execPath(), ...pacsrvArgs(), "status", "--watch"];
    const command = [...words, "--client", daemon.client].map((word) => `'${word}'`).join(" ");
    await Deno.writeTextFile(`${dir.path}/watch`, `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });
    await using terminal = new PseudoTerminal({ cwd: dir.path, columns: 60 });
    await terminal.until("the prompt", (lines) => lines.at(-1) === "$");
    await terminal.type("./watch\n");
    const links = (count: number) => (lines: readonly string[]) =>
      lines.some((line) => line.includes(`${count} link`));
    await terminal.until("no link", links(0));
    await using peer = await startDaemon({ peers: [daemon.node] });
    const lines = await terminal.until("a link", links(1));
    assertEquals(lines.filter((line) => line.startsWith("network")).length, 1, lines.join("\n"));
    assert(lines.every((line) => line.length < 60), lines.join("\n"));
    await terminal.type("\x03");
    const left = await terminal.until("the prompt again", (lines) => lines.at(-1) === "$");
    assert(!left.some((line) => line.startsWith("network")), left.join("\n"));
    await peer.stop();
  },
});

Deno.test("screenOf() takes no more rows and columns than there are", () => {
  const text = "a long line of text\nb\nc\nd\n";
  assertEquals(screenOf(text, { columns: 80, rows: 24 }), text.trimEnd());
  const lines = screenOf(text, { columns: 12, rows: 3 }).split("\n");
  assertEquals(lines.length, 2);
  assert(lines.every((line) => line.length < 12), lines.join("\n"));
});
