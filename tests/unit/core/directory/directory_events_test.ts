/** What the refusals of a directory tell a person. */

import { assert, assertGreater } from "@std/assert";
import { findCommand } from "../../../../src/cli/command_table.ts";
import { wrongAddress } from "../../../../src/core/directory/directory_events.ts";

Deno.test("wrongAddress() names flags that pacsrv daemon has", async () => {
  const { flags } = await findCommand("daemon");
  const named = [...wrongAddress().message.matchAll(/--([a-z-]+)/g)].map(([, name]) => name);
  assertGreater(named.length, 0);
  for (const name of named) assert(flags.some((flag) => flag.name === name), `no --${name}`);
});
