// Each *.txt beside this file is a transcript of the real program; see transcript.ts.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { matchesLines, parseTranscript, runTranscript, splitWords } from "./transcript.ts";

const folder = new URL(".", import.meta.url);

for (const { name } of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  if (!name.endsWith(".txt")) continue;
  Deno.test(`pacsrv does what ${name} shows`, async () => {
    await runTranscript(await Deno.readTextFile(new URL(name, folder)));
  });
}

Deno.test("parseTranscript() reads commands with what they print, and refuses stray lines", () => {
  assertEquals(parseTranscript("# x\n$ pacsrv 'a b' -o \"\"\nout\n\n! err\n[2]\n\n$ ls .\nq\n"), [
    {
      line: 2,
      words: ["pacsrv", "a b", "-o", ""],
      input: "",
      stdout: ["out", ""],
      stderr: ["err"],
      exit: 2,
    },
    { line: 8, words: ["ls", "."], input: "", stdout: ["q"], stderr: [], exit: 0 },
  ]);
  assertThrows(() => parseTranscript("stray\n"), SyntaxError, "line 1");
  assertThrows(() => parseTranscript("$ pacsrv x\n$ pacsrv y\n[0]\n"), SyntaxError, "line 2");
  assertThrows(() => parseTranscript("$ pacsrv x\n"), SyntaxError, "[EXIT]");
  assertEquals(splitWords(`a  'b c'`), ["a", "b c"]);
});

Deno.test("matchesLines() takes wildcards as such and the rest as it is", () => {
  assert(matchesLines("a.b\nx\ny\nend 12 s\n", ["a.b", "...", "end <*> s"]));
  assert(matchesLines("", []) && matchesLines("", ["..."]));
  assert(!matchesLines("axb\n", ["a.b"]));
  assert(!matchesLines("a\n", []));
  assert(!matchesLines("a\nb\n", ["a"]));
});
