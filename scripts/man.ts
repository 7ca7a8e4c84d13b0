// The task `man`: writes the man pages of pacsrv and of its commands, made from the table of commands.
//
//     deno task man [--out DIR]
//
// DIR is dist/man unless it is given. The date in the pages is today's, or that of
// SOURCE_DATE_EPOCH, by which packagers make the same package twice.
//
// Exit codes: 0 done, 1 failed, 2 usage.

import { parseArgs } from "node:util";
import { dateOfBuild } from "./build_date.ts";
import { VERSION } from "../src/base/version.ts";
import { manPages } from "./manual/man_pages.ts";
import { rootPath } from "./std_source.ts";

/** Writes the pages into the folder in `args`; gives the exit code. */
export async function writeManPages(args: string[]): Promise<number> {
  let out: string;
  try {
    const { values } = parseArgs({ args, options: { out: { type: "string" } } });
    out = values.out ?? rootPath("dist/man");
  } catch (error) {
    console.error(`Cannot write the man pages: ${(error as Error).message}`);
    return 2;
  }
  await Deno.mkdir(out, { recursive: true });
  for (const [name, text] of manPages({ version: VERSION, date: dateOfBuild() })) {
    await Deno.writeTextFile(`${out}/${name}`, text);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await writeManPages(Deno.args));
