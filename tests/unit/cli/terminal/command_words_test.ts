// What a person copies into a shell is what is meant, whatever the names in it are.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseCommandLine } from "../../../../src/cli/arguments/command_line.ts";
import { findCommand } from "../../../../src/cli/command_table.ts";
import { noteOfUnreached } from "../../../../src/cli/commands/network.ts";
import { toldChoice } from "../../../../src/cli/fetch/choice_text.ts";
import { readFetchPlan } from "../../../../src/cli/fetch/fetch_plan.ts";
import {
  commandLine,
  isShownAsIs,
  pathWord,
  shellWord,
  withClient,
} from "../../../../src/cli/terminal/command_words.ts";

const ROOT = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);

/** Names that a network may give. */
const HOSTILE = [
  "!aa`touch PWNED`$(id).txt",
  'it\'s "$HOME" \\ & | ; < > * ? ~ # (x) [y] {a,b}',
  "a\u202egnp.exe",
  "'; touch PWNED; '\u200b\\0101%s%b\\c",
  "two\nlines\tand a tab",
  "-dash.txt",
  "--root",
  "~root",
  "日本 😀.iso",
  "a=b",
];

/** The words that a POSIX shell makes of a line. */
async function wordsOf(line: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `pacsrv() { printf '%s\\0' "$@"; }; ${line}`],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin" },
  }).output();
  return new TextDecoder().decode(stdout).split("\0").slice(0, -1);
}

/** The arguments that pacsrv reads from a line which a shell took. */
async function readBack(line: string) {
  const [name, ...words] = await wordsOf(line);
  return await parseCommandLine(await findCommand(name!), words);
}

Deno.test({
  name: "shellWord() makes one word of any text, which a terminal shows as it is",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    for (const text of HOSTILE) {
      const word = shellWord(text);
      assert(isShownAsIs(word), word);
      assertEquals(await wordsOf(`pacsrv ${word}`), [text]);
    }
    assertEquals(shellWord("linux-1.2_x86:64.iso"), "linux-1.2_x86:64.iso");
    assertEquals(shellWord(""), "''");
    assertEquals(pathWord("-rf"), "./-rf");
  },
});

Deno.test({
  name: "commandLine() gives words that pacsrv reads as they were meant",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    for (const text of HOSTILE) {
      const line = commandLine("fetch", [["root", ROOT], ["output", text], ["alone", true]], text);
      const args = await readBack(line);
      assertEquals([args.positionals, args.text("output")], [[text], text]);
      assertEquals([args.text("root"), args.has("alone")], [ROOT, true]);
    }
  },
});

Deno.test({
  name: "the command of a choice fetches that file; the root stands for a name not to be copied",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    for (const name of HOSTILE.filter((name) => !name.includes("\n"))) {
      const words = ["--client", "127.0.0.1:7", "-o", "out", "--size", "5", "--", name];
      const plan = readFetchPlan(await parseCommandLine(await findCommand("fetch"), words));
      const told = toldChoice({
        kind: "choice",
        ...{ root: OTHER, sizeBytes: 5, nodes: 1, why: "first", more: 2 },
        others: [{ root: ROOT, sizeBytes: 5, nodes: 1 }],
      } as never, plan);
      const again = readFetchPlan(await readBack(told.others[0]!.command));
      assertEquals(again.request.root, ROOT as never);
      assertEquals(again.request.name, isShownAsIs(name) ? name : "");
      assertEquals([again.output, again.client.port], ["out", 7]);
      const all = await readBack(told.moreCommand!);
      assertEquals([all.positionals, all.text("client")], [[name], "127.0.0.1:7"]);
    }
  },
});

Deno.test({
  name: "the note of what cannot be had names the file as a shell may read it",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const args = await parseCommandLine(await findCommand("search"), ["*", "--client", ":7"]);
    for (const name of HOSTILE) {
      const note = noteOfUnreached([{ name, root: ROOT as never, peersUnreached: 1 }], "*", args)!;
      const command = note.slice(note.indexOf("`") + 1, note.lastIndexOf("`"));
      const read = await readBack(command);
      assertEquals(read.positionals, [isShownAsIs(name) ? name : ROOT]);
      assertEquals(read.text("client"), "127.0.0.1:7");
    }
  },
});

Deno.test("withClient() has the commands of a hint ask the daemon that was named", () => {
  const hint = "`pacsrv search PATTERN` finds others; `pacsrv list`, `pacsrv share --again PATH`.";
  assertEquals(withClient(hint, undefined), hint);
  const at = withClient(hint, "[::1]:7");
  assertStringIncludes(at, "`pacsrv search --client '[::1]:7' PATTERN`");
  assertStringIncludes(at, "`pacsrv list --client '[::1]:7'`");
  assertStringIncludes(at, "`pacsrv share --client '[::1]:7' --again PATH`");
  assertEquals(withClient(at, "[::1]:7"), at);
  assertEquals(
    withClient("Start one with `pacsrv daemon`.", ":7"),
    "Start one with `pacsrv daemon`.",
  );
});
