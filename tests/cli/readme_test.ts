// Holds README.md to the program: it is short, and its table of libraries says what deno.json says.
// And each file of src to its head. `UPDATE_PAGES=1 deno task test
// tests/cli/readme_test.ts` writes the table again.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { walk } from "@std/fs";
import { markdownTable } from "../../scripts/manual/commands_page.ts";
import { rootPath } from "../../scripts/std_source.ts";
import { IS_UPDATE, readPage, tableAfter } from "./pages.ts";

const LINES_MAX = 160;
const CELL_MAX = 80;

/** What each library is for; its version is that of deno.json. */
const REASONS: Readonly<Record<string, string>> = {
  "@logtape/logtape": "logging; costs nothing where it is off",
  "@redis/client": "benchmark: asks Redis what it asks a directory",
  "@std/assert": "tests: assertions",
  "@std/fs": "walks and makes directories",
  "@std/path": "paths of every system",
  "axe-core": "tests: whether the page is accessible",
  "dns-packet": "packets of multicast DNS; loaded only with --discover",
  "fast-check": "tests: properties",
  "fastest-levenshtein": '"Did you mean ...?"; loaded only after a mistake',
  "playwright-core": "tests and picture: drives a browser without a window",
  "pretty-bytes": "sizes as people read them",
  "prom-client": "writes figures for Prometheus; loaded only with --metrics",
  "smol-toml": "reads the configuration file; loaded only with --config",
  "typescript": "finds exports that nothing imports; never loaded by pacsrv",
};

const MARKER = "<!-- dependencies -->";

/** The table of libraries, from the imports of deno.json. */
async function dependencyTable(): Promise<string[][]> {
  const config = JSON.parse(await Deno.readTextFile(rootPath("deno.json")));
  const imports: [string, string][] = Object.entries(config.imports);
  return [
    ["Library", "Version", "What for"],
    ...imports.map(([name, target]) => {
      const version = target.slice(target.lastIndexOf("@") + 1);
      return [`\`${name}\``, version, REASONS[name] ?? ""];
    }),
  ];
}

if (IS_UPDATE) {
  const table = markdownTable(await dependencyTable()).join("\n");
  const text = (await readPage("README.md")).replace(
    new RegExp(`${MARKER}\\n\\n((\\|.*\\n)*)`),
    () => `${MARKER}\n\n${table}\n`,
  );
  await Deno.writeTextFile(rootPath("README.md"), text);
}

Deno.test("README.md has the libraries of deno.json, with a reason for each", async () => {
  const [foundHead, line, ...found] = tableAfter(await readPage("README.md"), MARKER)!;
  const [head, ...rows] = await dependencyTable();
  assertEquals(foundHead, head);
  assert(line?.every((cell) => /^:?-+:?$/.test(cell)), "the line under the head is missing");
  assertEquals(found, rows);
});

Deno.test("README.md gives a reason for each library, and for no other", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(rootPath("deno.json")));
  assertEquals(Object.keys(REASONS).sort(), Object.keys(imports).sort());
});

Deno.test("README.md is short, and so are the cells of its tables", async () => {
  const lines = (await readPage("README.md")).trimEnd().split("\n");
  assert(lines.length <= LINES_MAX, `it has ${lines.length} lines`);
  for (const line of lines.filter((line) => line.startsWith("|"))) {
    const longest = Math.max(...line.split(/(?<!\\)\|/).map((cell) => cell.trim().length));
    assert(longest <= CELL_MAX, line);
  }
});

Deno.test("each file of src opens with what it is for", async () => {
  for await (const { path } of walk(rootPath("src"), { exts: [".ts"], includeDirs: false })) {
    const text = await Deno.readTextFile(path);
    assertMatch(text, /^\/\*\*\s[^]*?\w[^]*?\*\//, path);
  }
});
