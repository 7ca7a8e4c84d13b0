// The Debian package as it is built: what is in it, and that lintian finds no fault with it. A stand-in
// takes the place of the binary. debian_machine_test.ts installs the package.

import { assertEquals } from "@std/assert";
import { debTask } from "../../scripts/deb.ts";
import { denoArgs } from "../../scripts/deno_args.ts";
import { COMPLETION_FILES } from "../../scripts/manual/completion_files.ts";
import { PAGES, stageTask } from "../../scripts/stage.ts";
import { VERSION } from "../../src/base/version.ts";
import { makePackage } from "./support/debian_package.ts";
import { TempDir } from "./support/files.ts";
import { writeProgram } from "./support/stand_in_program.ts";
import { runTool, tool } from "./support/tool.ts";

const CONFIG = "/etc/pacsrv.toml";
const UNIT = "pacsrv.service";
const LINTIAN_MS = 120_000;

Deno.test("debTask() makes a package with everything in its place, which lintian takes", async () => {
  await using dir = await TempDir.make();
  const program = `${dir.path}/pacsrv`;
  await writeProgram(program);
  const path = await makePackage(dir, ["--program", program], "gzip");
  const listed = (await tool("dpkg-deb", ["--contents", path])).trim().split("\n")
    .map((line) => line.split(/\s+/));
  const modes = new Map(listed.map((words) => [words[5]!.slice(1), words[0]!]));
  const expected = [
    ...[CONFIG, "/usr/bin/pacsrv", `/usr/lib/systemd/system/${UNIT}`],
    ...["/usr/lib/sysusers.d/pacsrv.conf", "/usr/share/man/man1/pacsrv-daemon.1.gz"],
    ...["copyright", "README.Debian", "changelog.Debian.gz", "examples/pacman.conf", ...PAGES]
      .map((name) => `/usr/share/doc/pacsrv/${name}`),
    `/usr/share/${COMPLETION_FILES.bash}`,
    // Debian's zsh does not look where others do.
    "/usr/share/zsh/vendor-completions/_pacsrv",
  ];
  assertEquals(expected.filter((file) => !modes.has(file)), []);
  assertEquals(modes.get("/usr/bin/pacsrv"), "-rwxr-xr-x");
  assertEquals(modes.get(CONFIG), "-rw-r--r--");
  assertEquals(new Set(listed.map((words) => words[1])), new Set(["root/root"]));
  const packaged = await tool("dpkg-deb", ["--field", path, "Version"]);
  assertEquals(packaged.trim(), `${VERSION}-1`);
  const args = ["--allow-root", "--fail-on=error,warning", path];
  const judged = await runTool("lintian", args, { timeoutMs: LINTIAN_MS });
  assertEquals(judged.code, 0, judged.stdout);
});

Deno.test("debTask() and stageTask() refuse what they cannot do whole", async () => {
  await using dir = await TempDir.make();
  assertEquals(await stageTask(["--out", dir.path], denoArgs()), 1);
  assertEquals(await stageTask([], denoArgs()), 2);
  assertEquals(await debTask(["--from-source", "--program", "/x"], denoArgs()), 2);
  assertEquals(await debTask(["--program", "/nonexistent/pacsrv"], denoArgs()), 1);
});
