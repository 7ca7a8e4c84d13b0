// The completion scripts, in the shells that they are for: bash, zsh and fish load them and are
// asked what they offer. All three are told the same, so they are asked the same.

import { assert, assertEquals } from "@std/assert";
import { rootPath } from "../../scripts/std_source.ts";
import { allFlags, type CommandSpec, SHELLS } from "../../src/cli/arguments/arguments.ts";
import { COMMANDS } from "../../src/cli/command_table.ts";
import { completionOf, completionScript } from "../../src/cli/completion_script.ts";
import { TempDir } from "../integration/support/files.ts";
import { tool } from "../integration/support/tool.ts";

type Shell = typeof SHELLS[number];

const SHELL_MS = 60_000;
const NAMES = COMMANDS.map(({ name }) => name);

/**
 * What a shell offers for each line, sorted; in a folder with a file and a folder.
 *
 * @param scriptName The name of the file with the script: to zsh, _pacsrv is an installed one.
 */
async function offers(
  shell: Shell,
  lines: readonly string[],
  scriptName = "_pacsrv",
): Promise<string[][]> {
  await using dir = await TempDir.make();
  await Deno.mkdir(`${dir.path}/here/sub`, { recursive: true });
  await Deno.writeTextFile(`${dir.path}/here/a b.iso`, "");
  const script = `${dir.path}/${scriptName}`;
  await Deno.writeTextFile(script, completionScript(shell, COMMANDS));
  const driver = rootPath(`tests/cli/shells/complete.${shell}`);
  const args = {
    bash: ["--norc", "--noprofile", driver, script],
    zsh: ["-f", driver, script, dir.path],
    fish: ["--no-config", driver, script],
  }[shell];
  const output = await tool(shell, [...args, ...lines], {
    cwd: `${dir.path}/here`,
    env: { HOME: dir.path },
    timeoutMs: SHELL_MS,
  });
  const answers = output.split("----\n").slice(0, -1);
  assertEquals(answers.length, lines.length, output);
  // zsh quotes a space, fish tells what each one is, and what is offered twice is shown once.
  return answers.map((answer) => {
    const words = answer.split("\n").map((line) => line.split("\t")[0]!.replaceAll("\\ ", " "));
    return [...new Set(words.map((word) => word.replace(/\/$/, "")))].filter((word) => word !== "")
      .sort();
  });
}

/** Each line of `wanted` and what a shell is to offer for it. */
async function assertOffers(shell: Shell, wanted: Record<string, string[]>): Promise<void> {
  const found = await offers(shell, Object.keys(wanted));
  for (const [i, [line, words]] of Object.entries(wanted).entries()) {
    assertEquals(found[i], [...words].sort(), `${shell}: ${line}`);
  }
}

function longFlags(command: CommandSpec): string[] {
  return allFlags(command).map(({ name }) => `--${name}`);
}

for (const shell of SHELLS) {
  Deno.test(`${shell} completes commands, and the flags of each`, async () => {
    await assertOffers(shell, {
      "pacsrv fe": ["fetch"],
      "pacsrv s": NAMES.filter((name) => name.startsWith("s")),
      "pacsrv help ": [...NAMES, "exit-codes"],
      ...Object.fromEntries(
        COMMANDS.map((command) => [`pacsrv ${command.name} --`, longFlags(command)]),
      ),
    });
    const [first] = await offers(shell, ["pacsrv "]);
    for (const name of [...NAMES, "help"]) assert(first!.includes(name), name);
  });

  Deno.test(`${shell} completes a command and its words behind flags that stand before it`, async () => {
    await assertOffers(shell, {
      "pacsrv --cl": ["--client"],
      "pacsrv --json --client 127.0.0.1:1 pu": ["push"],
      "pacsrv --data status da": ["daemon"],
      "pacsrv --client ": [],
      "pacsrv --json --client 127.0.0.1:1 daemon --log-level ": ["debug", "error", "info", "warn"],
      "pacsrv --client=127.0.0.1:1 -q completions ": [...SHELLS],
      "pacsrv --json help comp": ["completions"],
    });
  });

  Deno.test(`${shell} completes values that are a fixed list, and offers none elsewhere`, async () => {
    await assertOffers(shell, {
      "pacsrv daemon --log-level ": ["debug", "error", "info", "warn"],
      "pacsrv directory --network x --log-format j": ["json"],
      "pacsrv completions ": [...SHELLS],
      "pacsrv daemon --node ": [],
      "pacsrv fetch --ttl ": [],
      "pacsrv search ": [],
    });
    const [glued] = await offers(shell, ["pacsrv daemon --log-level=w"]);
    assertEquals(glued!.map((word) => word.replace("--log-level=", "")), ["warn"]);
  });

  Deno.test(`${shell} completes paths where a flag or an argument is one`, async () => {
    const both = ["a b.iso", "sub"];
    await assertOffers(shell, {
      "pacsrv daemon --config ": both,
      "pacsrv daemon --share ": both,
      "pacsrv daemon --data ": ["sub"],
      "pacsrv fetch --sync-db ": ["sub"],
      "pacsrv fetch x --output ": both,
      "pacsrv fetch x -o ": both,
      "pacsrv doctor --pacman-conf s": ["sub"],
      "pacsrv share ": both,
      "pacsrv share sub ": both,
      "pacsrv unshare s": ["sub"],
    });
  });
}

Deno.test("zsh completes by a script that is sourced, too", async () => {
  const [words] = await offers("zsh", ["pacsrv comp"], "script");
  assertEquals(words, ["completions"]);
});

Deno.test("bash completes what is typed at a terminal", async () => {
  await using dir = await TempDir.make();
  await Deno.writeTextFile(`${dir.path}/a b.iso`, "");
  await Deno.writeTextFile(`${dir.path}/script`, completionScript("bash", COMMANDS));
  const output = await tool("zsh", [
    ...["-f", rootPath("tests/cli/shells/type.zsh"), `${dir.path}/script`, dir.path],
    "pacsrv dae\t--log-l\tw\t",
    "pacsrv fetch --no-c\tx --client 127.0.0.1:1 -o a\\ \t",
    "pacsrv directory --log-level=e\t",
    "pacsrv --client 127.0.0.1:1 dae\t--log-l\tw\t",
  ], { cwd: dir.path, env: { HOME: dir.path, TERM: "dumb" }, timeoutMs: SHELL_MS });
  assertEquals(output.split("----\n").map((words) => words.split("\n").slice(0, -1)), [
    ["daemon", "--log-level", "warn"],
    ["fetch", "--no-callback", "x", "--client", "127.0.0.1:1", "-o", "a b.iso"],
    ["directory", "--log-level=error"],
    ["--client", "127.0.0.1:1", "daemon", "--log-level", "warn"],
    [],
  ]);
});

Deno.test("completionOf() knows a list, a file and a directory by the name of the value", () => {
  assertEquals(completionOf("text|json"), { kind: "words", words: ["text", "json"] });
  for (const name of ["FILE", "FILE|-", "PATH", "PATH...", "NAME|ROOT|PATH"]) {
    assertEquals(completionOf(name), { kind: "files" }, name);
  }
  assertEquals(completionOf("DIR"), { kind: "directories" });
  for (const name of ["HOST:PORT", "N", "NAME|ROOT", undefined]) {
    assertEquals(completionOf(name), { kind: "nothing" }, String(name));
  }
});
