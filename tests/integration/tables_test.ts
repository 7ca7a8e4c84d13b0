// The tables of the commands on a terminal, which has so many columns, and in a pipe.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { displayWidth } from "../../src/cli/terminal/text_format.ts";
import { untilShared } from "./support/client.ts";
import { startDaemon } from "./support/daemon.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { PseudoTerminal } from "./support/pseudo_terminal.ts";

const problem = PseudoTerminal.problem();
if (problem !== undefined) console.log(`Skipped is the test of tables on a terminal: ${problem}`);

Deno.test({
  name: "tables fit a terminal, and are whole in a pipe and with --wide",
  ignore: problem !== undefined,
  async fn() {
    await using dir = await TempDir.make();
    const name = "日本語の長い長い名前のファイル.iso";
    const names = [name, `${"x".repeat(200)}.iso`, "short.iso"];
    for (const [i, name] of names.entries()) {
      await randomFile(await dir.sub("shared", name), 1_000 + i, i);
    }
    await using holder = await startDaemon({ shares: [`${dir.path}/shared`] });
    await untilShared(holder, ...names);
    await using daemon = await startDaemon({ peers: [holder.node, "127.0.0.1:9"] });
    await daemon.linked(1);
    const calls = [
      ["list", holder],
      ["status --files", holder],
      ["verify", holder],
      ["search '*.iso'", daemon],
      ["where short.iso", daemon],
      [`files ${holder.node}`, daemon],
      ["peers", daemon],
    ] as const;
    const words = [Deno.execPath(), ...pacsrvArgs()].map((word) => `'${word}'`).join(" ");
    const lines = calls.map(([call, { client }]) => `${words} ${call} --client ${client}\n`);
    await Deno.writeTextFile(`${dir.path}/all`, lines.join(""));
    const whole = lines.map((line) => line.replace("\n", " | cat\n"));
    await Deno.writeTextFile(`${dir.path}/piped`, whole[0]! + whole[3]!);
    await Deno.writeTextFile(`${dir.path}/wide`, lines[0]!.replace("\n", " --wide\n"));
    await using terminal = new PseudoTerminal({ cwd: dir.path, columns: 80 });
    const run = async (script: string) => {
      await terminal.until("the prompt", (lines) => lines.at(-1) === "$");
      await terminal.type(`sh ./${script}; echo done ${script}\n`);
      const lines = await terminal.until("the end", (lines) => lines.includes(`done ${script}`));
      return lines.slice(lines.indexOf(`$ sh ./${script}; echo done ${script}`) + 1);
    };
    const shown = await run("all");
    const titles = shown.filter((line) => /^(NAME|TRUST|RESULT|PEER|ADDRESS) /.test(line));
    assertEquals(titles.length, calls.length, shown.join("\n"));
    // The terminal breaks what is longer, and then a line begins otherwise.
    const rows = shown.filter((line) => /\b(here|flood|shared|local|good|all 1)\b/.test(line));
    // Three files five times, a holder, and that all is good.
    assertEquals(rows.length, 3 * 5 + 1 + 1, shown.join("\n"));
    for (const line of shown) assert(displayWidth(line) <= 80, line);
    assert(!shown.some((line) => /[0-9a-f]{32}/.test(line)), shown.join("\n"));
    const roots = (lines: readonly string[]) =>
      lines.join("").matchAll(/[0-9a-f]{64}/g).toArray().length;
    assertEquals(roots(await run("piped")), 6);
    const wide = await run("wide");
    assertEquals(roots(wide), 3, wide.join("\n"));
    assertStringIncludes(wide.join(""), `${dir.path}/shared/short.iso`);
  },
});
