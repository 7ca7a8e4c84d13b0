// What a person sees of a fetch on a terminal: a bar that is one line, whatever happens to it.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { pacsrvArgs } from "../../scripts/deno_args.ts";
import { untilShared } from "./support/client.ts";
import { startDaemon } from "./support/daemon.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { PseudoTerminal } from "./support/pseudo_terminal.ts";

const problem = PseudoTerminal.problem();
if (problem !== undefined) console.log(`Skipped is the test of a terminal: ${problem}`);

const BAR = /^big\.bin \[=* *\] +\d+% /;

Deno.test({
  name: "fetch draws one bar on a terminal: stopped, going on, made narrower, and ended",
  ignore: problem !== undefined,
  async fn() {
    await using dir = await TempDir.make();
    await randomFile(await dir.sub("mirror", "big.bin"), 20_000_000, 1);
    await using mirror = Mirror.start(`${dir.path}/mirror`);
    mirror.misbehave({ bytesPerSecond: 400_000 });
    const words = [Deno.execPath(), ...pacsrvArgs(), "fetch", `${mirror.url}/big.bin`];
    const command = [...words, "-o", "big.part", "--client", "127.0.0.1:9"];
    const script = `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(" ")}\n`;
    await Deno.writeTextFile(`${dir.path}/get`, script, { mode: 0o755 });
    await using terminal = new PseudoTerminal({ cwd: dir.path, columns: 80 });
    const typed = async (line: string) => {
      await terminal.until("the prompt", (lines) => lines.at(-1) === "$");
      await terminal.type(`${line}\n`);
      await terminal.until(`${line} to be typed`, (lines) => lines.includes(`$ ${line}`));
    };
    /** What is shown after this line was typed. */
    const after = (lines: readonly string[], line: string) =>
      lines.slice(lines.lastIndexOf(`$ ${line}`) + 1).filter((line) => line !== "");

    await typed("./get");
    await terminal.until("the bar", (lines) => BAR.test(lines.at(-1)!));
    await terminal.type("\x1a");
    await terminal.until("it to be stopped", (lines) => lines.some((line) => /Stopped/.test(line)));
    await typed("fg");
    const resumed = await terminal.until("the bar again", (lines) => BAR.test(lines.at(-1)!));
    // The shell names what goes on.
    assertEquals(after(resumed, "fg").length, 2, resumed.join("\n"));

    const [wide] = after(resumed, "fg").slice(-1);
    assert(wide!.length > 50 && wide!.length < 80, wide);
    await terminal.resize(50);
    const narrow = await terminal.until("a shorter bar", (lines) => BAR.test(lines.at(-1)!));
    assert(narrow.at(-1)!.length < 50, narrow.join("\n"));
    assertEquals(after(narrow, "fg").length, 2, narrow.join("\n"));

    await terminal.type("\x03");
    await typed("echo code=$?");
    const ended = await terminal.until("the exit code", (lines) => lines.includes("code=130"));
    // The message is longer than 50 columns.
    const text = after(ended, "fg").slice(1).join("");
    assertMatch(
      text,
      /^(\^C)?pacsrv: Ended by SIGINT: .* of 20 MB are kept; the same command goes on/,
    );
    assertEquals(ended.filter((line) => BAR.test(line)), [], ended.join("\n"));
  },
});

Deno.test({
  name: "fetch --match draws one bar for each file that comes, below the lines of those that came",
  ignore: problem !== undefined,
  async fn() {
    await using dir = await TempDir.make();
    const shared = await dir.folder("shared"), out = await dir.folder("out");
    const names = ["1.iso", "2.iso", "3.iso"];
    for (const [i, name] of names.entries()) {
      await randomFile(`${shared}/${name}`, (i === 0 ? 1 : 100) * 1024 * 1024, i);
    }
    await using holder = await startDaemon({ shares: [shared] });
    for (const name of names) await untilShared(holder, name);
    await using daemon = await startDaemon({ peers: [holder.node] });
    await daemon.linked(1);
    const words = [...pacsrvArgs(), "fetch", "--match", "*.iso", "--client", daemon.client];
    await using terminal = new PseudoTerminal({ cwd: out, columns: 80 });
    await terminal.until("the prompt", (lines) => lines.at(-1) === "$");
    const command = [Deno.execPath(), ...words].map((word) => `'${word}'`).join(" ");
    await Deno.writeTextFile(`${dir.path}/get`, `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });
    await terminal.type("../get\n");
    const isBar = (line: string) => /^[23]\.iso \[=* *\] +\d+% /.test(line);
    // Each is one line, whatever else was printed.
    const both = await terminal.until(
      "two bars below all else",
      (lines) =>
        lines.filter(isBar).length === 2 &&
        lines.filter((line) => line !== "").slice(-2).every(isBar),
    );
    assertMatch(both.join("\n"), /^[01] of 3 files done$/m);
    const ended = await terminal.until(
      "the end",
      (lines) => lines.at(-1) === "$" && lines.length > 2,
    );
    assertEquals(ended.filter(isBar), [], ended.join("\n"));
    const text = ended.join("");
    for (const name of names) assertMatch(text, new RegExp(`${name}: \\d.* MB in `));
    assertMatch(text, /Fetched 3 of 3 files\$$/);
  },
});
