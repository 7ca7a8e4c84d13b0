// `pacsrv top`: on the whole of a terminal, which is as it was when it ends.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { PacsrvProcess } from "./support/process.ts";
import { PseudoTerminal } from "./support/pseudo_terminal.ts";

const problem = PseudoTerminal.problem();

Deno.test("top is a clear error without a terminal", async () => {
  await using process = new PacsrvProcess(["top", "--client", "127.0.0.1:9"]);
  const { code, stderr } = await process.ended();
  assertEquals(code, 2);
  assertStringIncludes(stderr, "Cannot run pacsrv top: it needs a terminal to draw on\nhint: ");
});

Deno.test({
  name: "top shows the daemon until q, Ctrl-C or Ctrl-Z, and leaves the terminal as it was",
  ignore: problem !== undefined,
  async fn() {
    await using dir = await TempDir.make();
    await using daemon = await startDaemon({ peers: ["127.0.0.1:9"] });
    const words = [Deno.execPath(), ...pacsrvArgs(), "top", "--client", daemon.client];
    const command = words.map((word) => `'${word}'`).join(" ");
    await Deno.writeTextFile(`${dir.path}/top`, `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });
    await using terminal = new PseudoTerminal({ cwd: dir.path, columns: 80 });
    const prompt = () => terminal.until("the prompt", (lines) => lines.at(-1) === "$");
    /** Whether the terminal echoes and gives whole lines, as the shell had it. */
    const isAsBefore = async () => {
      await terminal.type("stty -a | grep -ow -e -icanon -e icanon -e -echo -e echo; echo end$?\n");
      const lines = await terminal.until(
        "its state",
        (lines) => lines.some((line) => line === "end0"),
      );
      assertEquals(lines.slice(lines.indexOf("end0") - 2, lines.indexOf("end0")), [
        "icanon",
        "echo",
      ]);
      await terminal.type("clear\n");
    };
    await prompt();
    await isAsBefore();
    await terminal.type("./top\n");
    const isShown = (links: number) => (lines: readonly string[]) =>
      lines.some((line) => line.includes(`links ${links},`));
    // What to do is known once the dial has come to nothing.
    const advice = "-> Start its daemon, or give the port that it listens on.";
    const alone = await terminal.until(
      "no link, and what to do",
      (lines) => isShown(0)(lines) && lines.join("\n").includes(advice),
    );
    assertStringIncludes(alone.join("\n"), `pacsrv ${daemon.node}`);
    await using peer = await startDaemon({ peers: [daemon.node] });
    const linked = await terminal.until("a link", isShown(1));
    assert(linked.every((line) => line.length < 80), linked.join("\n"));
    assertEquals(linked.filter((line) => line.startsWith("pacsrv ")).length, 1, linked.join("\n"));
    await terminal.type("q");
    const left = await prompt();
    assertEquals(left.filter((line) => line.includes("links ")), [], left.join("\n"));
    await isAsBefore();

    await terminal.type("./top\n");
    await terminal.until("it again", isShown(1));
    await terminal.type("\x03");
    await prompt();
    await isAsBefore();

    // Ctrl-Z gives the terminal back to the shell, and `fg` takes it again.
    await terminal.type("./top\n");
    await terminal.until("it again", isShown(1));
    await terminal.type("\x1a");
    await terminal.until("it to be stopped", (lines) => lines.some((line) => /Stopped/.test(line)));
    const stopped = await prompt();
    assertEquals(stopped.filter((line) => line.includes("links ")), [], stopped.join("\n"));
    await isAsBefore();
    await terminal.type("fg\n");
    await terminal.until("it drawn anew", isShown(1));
    await terminal.type("q");
    await prompt();
    await isAsBefore();

    // The daemon goes: the error stands on a terminal that is as it was.
    await terminal.type("./top\n");
    await terminal.until("it again", isShown(1));
    await daemon.stop();
    await terminal.until("an error", (lines) => lines.some((line) => line.startsWith("pacsrv: ")));
    await prompt();
    await isAsBefore();
    await peer.stop();
  },
});
