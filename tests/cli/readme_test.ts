// Holds README.md to the program: its tables of flags, configuration keys, exit codes and libraries
// say what the code says. And src/ARCHITECTURE.md to the files that there are. `UPDATE_README=1 deno task test tests/cli/readme_test.ts` writes the
// tables anew; `deno task fmt README.md` then aligns them.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { rootPath } from "../../scripts/std_source.ts";
import { parseCommandLine } from "../../src/cli/arguments.ts";
import { COMMANDS, findCommand } from "../../src/cli/command_table.ts";
import { parseConfig } from "../../src/cli/settings/config.ts";
import type { FlagSpec } from "../../src/cli/flag_spec.ts";
import { EXIT_CODES, helpFor } from "../../src/cli/help.ts";
import { FILE_TRUSTS } from "../../src/wire/reports.ts";
import { splitWords } from "./transcript.ts";

/** What each library is for; its version is that of deno.json. */
const REASONS: Readonly<Record<string, string>> = {
  "@logtape/logtape": "log levels, and a log that costs nothing where it is off",
  "@redis/client": "asks Redis what the benchmark asks a directory",
  "@std/assert": "assertions of the tests",
  "@std/cli": "splits the command line into words and flags",
  "@std/fs": "walks and makes directories",
  "@std/path": "paths of every system",
  "@types/cli-progress": "types of the progress bar, for the compiler only",
  "cli-progress": "draws the progress bar; loaded only on a terminal",
  "fast-check": "property tests",
  "fastest-levenshtein": '"Did you mean ...?"; loaded only after a mistake',
  "pretty-bytes": "sizes as people read them",
  "smol-toml": "reads the configuration file; loaded only with --config",
};

type Row = readonly string[];

/** The tables of the README by the comment that stands above each. */
async function tables(): Promise<Map<string, Row[]>> {
  const found = new Map<string, Row[]>();
  for (const command of COMMANDS) {
    const rows = command.flags.map((flag) => [flagCell(flag), fallback(flag), flag.help]);
    found.set(`flags ${command.name}`, [["Flag", "Default", "What it does"], ...rows]);
  }
  const keys = (await findCommand("daemon")).flags.filter((flag) => flag.inConfig);
  found.set("config", [
    ["Key", "Value", "Default", "What it sets"],
    ...keys.map((key) => [
      `\`${key.name}\``,
      typeName(key),
      key.value === undefined ? "`false`" : fallback(key),
      key.help,
    ]),
  ]);
  found.set("exit codes", [
    ["Code", "Meaning"],
    ...EXIT_CODES.map(([code, meaning]) => [String(code), meaning]),
  ]);
  const config = JSON.parse(await Deno.readTextFile(rootPath("deno.json")));
  const imports: [string, string][] = Object.entries(config.imports);
  found.set("dependencies", [
    ["Library", "Version", "What for"],
    ...imports.map(([name, target]) => {
      const version = target.slice(target.lastIndexOf("@") + 1);
      return [`\`${name}\``, version, REASONS[name] ?? ""];
    }),
  ]);
  return found;
}

function flagCell(flag: FlagSpec): string {
  const long = `--${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
  return flag.short === undefined ? `\`${long}\`` : `\`-${flag.short}\`, \`${long}\``;
}

function fallback(flag: FlagSpec): string {
  return flag.default === undefined ? flag.defaultText ?? "" : `\`${flag.default}\``;
}

function typeName(flag: FlagSpec): string {
  if (flag.isNumber) return "number";
  if (flag.value === undefined) return "true or false";
  return flag.repeatable ? "text, or list of texts" : "text";
}

/** A table as Markdown has it. */
function markdownOf([head = [], ...rows]: readonly Row[]): string {
  const lineOf = (row: Row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [lineOf(head), lineOf(head.map(() => "---")), ...rows.map(lineOf)].join("\n");
}

/** The cells of the table that follows a comment; undefined when the comment is not there. */
function tableAfter(text: string, name: string): Row[] | undefined {
  const marker = `<!-- ${name} -->\n`;
  const at = text.indexOf(marker);
  if (at < 0) return undefined;
  const lines = text.slice(at + marker.length).replace(/^\n+/, "").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(0, end < 0 ? undefined : end).map((line) =>
    line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"))
  );
}

async function readReadme(): Promise<string> {
  return (await Deno.readTextFile(rootPath("README.md"))).replaceAll("\r\n", "\n");
}

async function update(): Promise<void> {
  let text = await readReadme();
  for (const [name, rows] of await tables()) {
    const pattern = new RegExp(`<!-- ${name} -->\\n\\n?((\\|.*\\n)*)`);
    text = text.replace(pattern, () => `<!-- ${name} -->\n\n${markdownOf(rows)}\n`);
  }
  await Deno.writeTextFile(rootPath("README.md"), text);
}

if (Deno.env.get("UPDATE_README") === "1") await update();

Deno.test("README.md has the tables that the code makes", async (t) => {
  const text = await readReadme();
  for (const [name, [head, ...rows]] of await tables()) {
    await t.step(name, () => {
      const table = tableAfter(text, name);
      assert(table !== undefined, `there is no <!-- ${name} -->`);
      const [foundHead, line, ...found] = table;
      assertEquals(foundHead, head);
      assert(line?.every((cell) => /^:?-+:?$/.test(cell)), "the line under the head is missing");
      assertEquals(found, rows);
    });
  }
});

Deno.test("README.md gives a reason for each library, and for no other", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(rootPath("deno.json")));
  assertEquals(Object.keys(REASONS).sort(), Object.keys(imports).sort());
});

Deno.test("README.md has a section for each command, in the order of the help", async () => {
  const headings = [...(await readReadme()).matchAll(/^### pacsrv (\w+)$/gm)].map(([, name]) =>
    name
  );
  assertEquals(headings, COMMANDS.map(({ name }) => name));
});

Deno.test("README.md shows only command lines that can be parsed", async () => {
  const lines = [...(await readReadme()).matchAll(/^(?:\$ )?pacsrv ([a-z]+)\b(.*)$/gm)];
  // As many as there are in the sections of the commands and in the tour, at the least.
  assert(lines.length > 2 * COMMANDS.length, `only ${lines.length} command lines`);
  for (const [line, name, rest] of lines) {
    if (name === "help") {
      await helpFor(splitWords(rest!));
      continue;
    }
    const command = await findCommand(name!);
    const words = splitWords(rest!.replace(/ [#|>].*|;.*/, ""));
    const args = await parseCommandLine(command, words);
    assertEquals(args.command.name, name, line);
  }
});

Deno.test("README.md shows the configuration files that the help shows", async () => {
  const files = tomlBlocks((await readReadme()).split("\n## Configuration file\n")[1]!);
  assertEquals(files.length, 2);
  const help = await helpFor(["config"]);
  for (const [i, name] of ["daemon", "directory"].entries()) {
    const command = await findCommand(name);
    const values = await parseConfig(files[i]!, { path: "/etc/pacsrv.toml", command });
    const keys = command.flags.filter((flag) => flag.inConfig).map((flag) => flag.name);
    assertEquals([...values.keys()].sort(), keys.sort(), name);
    for (const line of files[i]!.trim().split("\n")) assertStringIncludes(help, line);
  }
});

Deno.test("README.md shows elsewhere only keys that the daemon has", async () => {
  const files = tomlBlocks((await readReadme()).split("\n## Configuration file\n")[0]!);
  assert(files.length > 0);
  const command = await findCommand("daemon");
  for (const file of files) {
    const values = await parseConfig(file, { path: "/etc/pacsrv.toml", command });
    assert(values.size > 0, file);
  }
});

Deno.test("README.md explains everything that a file can be trusted by", async () => {
  const rows = (await readReadme()).split("\n| `TRUST` ")[1]!.split("\n\n")[0]!.split("\n").slice(
    2,
  );
  const named = rows.map((row) => /^\| `([\w-]+)` /.exec(row)?.[1]);
  assertEquals(named, [...FILE_TRUSTS]);
});

Deno.test("README.md and src/ARCHITECTURE.md link only to files that are there", async () => {
  for (const [file, folder] of [["README.md", ""], ["src/ARCHITECTURE.md", "src/"]]) {
    const text = await Deno.readTextFile(rootPath(file!));
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path!);
    assert(links.length > 1, file);
    const missing = links.filter((path) => !isThere(rootPath(`${folder}${path}`)));
    assertEquals(missing, [], file);
  }
});

Deno.test("src/ARCHITECTURE.md says what each file of src is for, and of no other", async () => {
  const text = await Deno.readTextFile(rootPath("src/ARCHITECTURE.md"));
  for (const { name: folder, isDirectory } of Deno.readDirSync(rootPath("src"))) {
    if (!isDirectory) continue;
    const section = new RegExp(`\n### ${folder}\n([^]*?)\n##`).exec(text)?.[1] ?? "";
    const named = [...section.matchAll(/^\| `(\w+\.ts)` +\| \S/gm)].map(([, name]) => name!);
    const files = [...Deno.readDirSync(rootPath(`src/${folder}`))].map(({ name }) => name)
      .filter((name) => name.endsWith(".ts"));
    assertEquals(named, files.sort(), `the table of src/${folder}`);
  }
});

function tomlBlocks(text: string): string[] {
  return [...text.matchAll(/```toml\n([^]*?)```/g)].map(([, block]) => block!);
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
