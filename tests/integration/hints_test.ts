// What a person is told to do next, by the program as it is run; and how it ends where nobody reads
// what it prints.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { SIGNAL_EXIT } from "../../src/cli/terminal/interrupt.ts";
import { untilShared } from "./support/client.ts";
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";

Deno.test("a daemon without a link says so whenever nothing is found, and its hints ask it", async (t) => {
  await using daemon = await startDaemon();
  const commands = [
    ["search", "*"],
    ["search", "*", "--json"],
    ["where", "z"],
    ["info", "z", "--json"],
    ["fetch", "z"],
    ["fetch", "--match", "z*"],
    ["fetch", "--match", "z*", "--json"],
  ];
  for (const words of commands) {
    await t.step(words.join(" "), async () => {
      const { code, stderr } = await daemon.run(words);
      assertEquals(code, 3, stderr);
      assertStringIncludes(stderr, ": there is no link to any other node\n");
      assertStringIncludes(stderr, "hint: Name a node that runs with --peer, or see ");
      assertStringIncludes(stderr, `\`pacsrv peers --client ${daemon.client}\``);
    });
  }
  await t.step("what fetch --json tells a program has the same hint", async () => {
    const { stdout } = await daemon.run(["fetch", "z", "--json"]);
    const { event, hint } = JSON.parse(stdout.trim().split("\n").at(-1)!);
    assertEquals(event, "failed");
    assertStringIncludes(hint, `\`pacsrv peers --client ${daemon.client}\``);
  });
  await t.step("a pattern as a name is told back", async () => {
    const { code, stderr } = await daemon.run(["fetch", "it's*"]);
    assertEquals(code, 2);
    const command = `pacsrv fetch --match 'it'\\''s*' --client ${daemon.client}`;
    assertStringIncludes(stderr, `\`${command}\``);
  });
});

Deno.test("a key file that will not do is not to be written over", async () => {
  await using dir = await TempDir.make();
  const path = join(dir.path, "hostname");
  await Deno.writeTextFile(path, "short\n");
  const { code, stderr } = await runPacsrv(["daemon", "--network-key-file", path]);
  assertEquals(code, 2);
  const hint = stderr.split("\n").find((line) => line.startsWith("hint: "))!;
  assertStringIncludes(hint, "> NEWFILE");
  assert(!hint.includes(path), hint);
});

Deno.test({
  name: "a reader that goes away is no failure, and a full disk is told with its place",
  ignore: Deno.build.os === "windows",
  fn: async (t) => {
    await using dir = await TempDir.make();
    await Deno.writeTextFile(join(dir.path, "a.txt"), "a");
    await using daemon = await startDaemon({ shares: [dir.path] });
    await untilShared(daemon, "a.txt");
    const commands = [
      ...[["list"], ["status"], ["search", "*"], ["list", "--json"], ["verify"]]
        .map((words) => [...words, "--client", daemon.client]),
      ["help"],
      ["fetch", "a.txt", "-o", "-", "--client", daemon.client],
    ];
    for (const words of commands) {
      await t.step(words.slice(0, 2).join(" "), async () => {
        const child = new Deno.Command(Deno.execPath(), {
          args: [...pacsrvArgs(), ...words],
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        }).spawn();
        await child.stdout.cancel();
        const stderr = await new Response(child.stderr).text();
        assertEquals((await child.status).code, SIGNAL_EXIT.pipeClosed, stderr);
        if (words[0] !== "fetch") assertEquals(stderr, "");
      });
    }
    await t.step("list >/dev/full", async () => {
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-c", 'exec "$@" > /dev/full', "sh", Deno.execPath(), ...pacsrvArgs()].concat(
          ["list", "--client", daemon.client],
        ),
        stderr: "piped",
      }).output();
      assertEquals(code, 1);
      assertStringIncludes(
        new TextDecoder().decode(stderr),
        "pacsrv: Cannot write to standard output: no space is left on the device\n" +
          "hint: Make room, or write elsewhere.\n",
      );
    });
  },
});
