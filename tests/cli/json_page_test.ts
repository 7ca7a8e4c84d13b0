// JSON.md has every field that commands print with --json: it is made from their types.
// `UPDATE_PAGES=1 deno task test tests/cli/json_page_test.ts` writes it again.

import { assert, assertEquals } from "@std/assert";
import { jsonFields } from "../../scripts/manual/json_fields.ts";
import { jsonPage } from "../../scripts/manual/json_page.ts";
import { rootPath } from "../../scripts/std_source.ts";
import { COMMANDS } from "../../src/cli/command_table.ts";
import { IS_UPDATE, readPage } from "./pages.ts";

const PAGE = "src/cli/JSON.md";

if (IS_UPDATE) await Deno.writeTextFile(rootPath(PAGE), jsonPage());

Deno.test("JSON.md is what the types of the lines make", async () => {
  assertEquals(await readPage(PAGE), jsonPage());
});

Deno.test("JSON.md has the lines of each command that takes --json", () => {
  const kinds = new Set([...jsonFields().keys()].map((kind) => kind.split(" ")[0]));
  const commands = COMMANDS.filter(({ flags }) => flags.some(({ name }) => name === "json"));
  assert(commands.length > 10);
  for (const { name } of commands) assert(kinds.has(name), name);
});
