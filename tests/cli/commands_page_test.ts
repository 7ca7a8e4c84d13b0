// Holds src/cli/COMMANDS.md, the man pages and the help together: all are made from the table of
// commands. `UPDATE_PAGES=1 deno task test tests/cli/commands_page_test.ts` writes the page again.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandsPage } from "../../scripts/manual/commands_page.ts";
import { manPages } from "../../scripts/manual/man_pages.ts";
import { rootPath } from "../../scripts/std_source.ts";
import { allFlags, configKeys } from "../../src/cli/arguments/arguments.ts";
import { COMMANDS, findCommand } from "../../src/cli/command_table.ts";
import { parseConfig } from "../../src/cli/settings/config.ts";
import { commandHelp, EXIT_CODES, helpFor } from "../../src/cli/help.ts";
import { TempDir } from "../integration/support/files.ts";
import { runTool, tool } from "../integration/support/tool.ts";
import { codeBlocks, IS_UPDATE, readPage, tableAfter } from "./pages.ts";

const PAGE = "src/cli/COMMANDS.md";
const MAN = manPages({ version: "1.2.3", date: new Date("2026-01-31T23:00:00Z") });

if (IS_UPDATE) await Deno.writeTextFile(rootPath(PAGE), commandsPage());

Deno.test("COMMANDS.md is what the table of commands makes", async () => {
  assertEquals(await readPage(PAGE), commandsPage());
});

Deno.test("COMMANDS.md has a section for each command, in the order of the help", async () => {
  const headings = [...(await readPage(PAGE)).matchAll(/^## pacsrv (\w+)$/gm)];
  assertEquals(headings.map(([, name]) => name), COMMANDS.map(({ name }) => name));
});

Deno.test("COMMANDS.md has the exit codes", async () => {
  const [, , ...rows] = tableAfter(await readPage(PAGE), "\n## Exit codes\n")!;
  assertEquals(rows, EXIT_CODES.map(([code, meaning]) => [String(code), meaning]));
});

Deno.test("COMMANDS.md shows the configuration files that the help shows, with all keys", async () => {
  const files = codeBlocks(await readPage(PAGE), "toml");
  assertEquals(files.length, 2);
  const help = await helpFor(["config"]);
  for (const [i, name] of ["daemon", "directory"].entries()) {
    const command = await findCommand(name);
    const values = await parseConfig(files[i]!, { path: "/etc/pacsrv.toml", command });
    const keys = configKeys(command).map((flag) => flag.name);
    assertEquals([...values.keys()].sort(), keys.sort(), name);
    for (const line of files[i]!.trim().split("\n")) assertStringIncludes(help, line);
  }
});

for (const command of COMMANDS) {
  Deno.test(`The page, the man page and the help of pacsrv ${command.name} say the same`, async () => {
    await using dir = await TempDir.make();
    const path = `${dir.path}/pacsrv-${command.name}.1`;
    await Deno.writeTextFile(path, MAN.get(`pacsrv-${command.name}.1`)!);
    const formatted = await tool("mandoc", ["-Tutf8", "-Owidth=200", path]);
    const page = (await readPage(PAGE)).split(`\n## pacsrv ${command.name}\n`)[1]!.split(
      "\n## ",
    )[0]!;
    const texts = {
      help: plain(commandHelp(command)),
      page: plain(page),
      man: plain(formatted),
    };
    for (const [where, text] of Object.entries(texts)) {
      for (const sentence of [command.summary, ...command.about]) {
        const summary = where === "man" && sentence === command.summary;
        // The man page has the summary behind the name, as man pages do.
        const wanted = summary ? sentence[0]!.toLowerCase() + sentence.slice(1) : sentence;
        assertStringIncludes(text, plain(wanted), where);
      }
      for (const flag of allFlags(command)) {
        if (where === "page" && flag.name === "help") continue; // It is said once for all.
        assertStringIncludes(text, plain(`--${flag.name}`), where);
        if (flag.value !== undefined) assertStringIncludes(text, plain(flag.value), where);
        assertStringIncludes(text, plain(flag.help), where);
      }
      for (const { line, note } of command.examples) {
        assertStringIncludes(text, plain(line), where);
        assertStringIncludes(text, plain(note), where);
      }
    }
  });
}

Deno.test("manPages() gives pages in which mandoc finds no fault", async () => {
  await using dir = await TempDir.make();
  for (const [name, text] of MAN) await Deno.writeTextFile(`${dir.path}/${name}`, text);
  const paths = [...MAN.keys()].map((name) => `${dir.path}/${name}`);
  assertEquals(paths.length, COMMANDS.length + 1);
  const { code, stdout, stderr } = await runTool("mandoc", ["-Tlint", "-Wwarning", ...paths]);
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
});

Deno.test("manPages() names all commands, the configuration and the exit codes in pacsrv.1", async () => {
  await using dir = await TempDir.make();
  await Deno.writeTextFile(`${dir.path}/pacsrv.1`, MAN.get("pacsrv.1")!);
  const text = plain(await tool("mandoc", ["-Tutf8", "-Owidth=200", `${dir.path}/pacsrv.1`]));
  for (const { name, summary } of COMMANDS) {
    assertStringIncludes(text, plain(`pacsrv-${name}(1)`));
    assertStringIncludes(text, plain(summary));
  }
  for (const line of (await helpFor(["config"])).split("\n")) {
    if (line.startsWith("  ")) assertStringIncludes(text, plain(line));
  }
  for (const [code, meaning] of EXIT_CODES) assertStringIncludes(text, plain(`${code} ${meaning}`));
  assert(text.includes(plain("pacsrv 1.2.3 January 31, 2026")), text.slice(-100));
});

/** A text without what only a format adds: line breaks, indentation, code marks, quotes, dashes. */
function plain(text: string): string {
  return text
    // deno-lint-ignore no-control-regex
    .replace(/.\x08/g, "")
    .replace(/[\u2010\u2011\u2212]/g, "-")
    .replace(/[`"“”\s]/g, "");
}
