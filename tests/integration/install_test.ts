// The task `install` as a person uses it: the command that it makes runs, from anywhere and for every
// user, without a deno on the PATH, and takes the place of an older one; its man pages and completions
// come with it.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exists } from "@std/fs";
import { denoArgs } from "../../scripts/deno_args.ts";
import { installTask } from "../../scripts/install.ts";
import { COMPLETION_FILES } from "../../scripts/manual/completion_files.ts";
import { rootPath } from "../../scripts/std_source.ts";
import config from "../../deno.json" with { type: "json" };
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { tool } from "./support/tool.ts";

/** A user who owns nothing: what they can run, pacman's download user can. */
const NOBODY = 65_534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
/** What lies in the home of who installs, and is the home of nobody else. */
const NO_HOME = "/nonexistent";

Deno.test({
  name:
    "installTask() makes a command that runs on its own, in place of an older one, for all users",
  ignore: Deno.build.os === "windows",
  async fn(t) {
    await using dir = await TempDir.make();
    await Deno.chmod(dir.path, 0o755);
    const root = `${dir.path}/the root`;
    await Deno.mkdir(`${root}/lib/pacsrv/src`, { recursive: true });
    await Deno.writeTextFile(`${root}/lib/pacsrv/src/old.ts`, "");
    await Deno.mkdir(`${root}/share/private`, { recursive: true, mode: 0o700 });
    // Of a user who lets nobody see anything by default.
    const run = ["run", "-A", "--no-config", "--no-lock", rootPath("scripts/run.ts")];
    await tool(
      "sh",
      ["-c", 'umask 077 && exec "$@"', "sh", Deno.execPath(), ...run, "install", "--root", root],
      { timeoutMs: 120_000 },
    );
    await t.step("it runs with what it brought, and nothing is left of the older one", async () => {
      const { code, stdout, stderr } = await new Deno.Command(`${root}/bin/pacsrv`, {
        args: ["--version"],
        cwd: "/",
        clearEnv: true,
        env: { HOME: NO_HOME },
      }).output();
      const notes = new TextDecoder().decode(stderr);
      assertEquals({ code, notes }, { code: 0, notes: "" });
      assertStringIncludes(new TextDecoder().decode(stdout), config.version);
      assert(!(await exists(`${root}/lib/pacsrv/src/old.ts`)), "a file of the older one is left");
      const command = await Deno.readTextFile(`${root}/bin/pacsrv`);
      for (const path of [rootPath("."), Deno.execPath(), Deno.env.get("HOME")]) {
        assert(!command.includes(`${path}`), `the command depends on ${path}`);
      }
    });
    await t.step("its manual and completions are there", async () => {
      const man = await Deno.readTextFile(`${root}/share/man/man1/pacsrv-fetch.1`);
      assertStringIncludes(man, `\n.Os pacsrv ${config.version}\n`);
      for (const [shell, file] of Object.entries(COMPLETION_FILES)) {
        const script = await Deno.readTextFile(`${root}/share/${file}`);
        assertStringIncludes(script, `made by "pacsrv completions ${shell}"`);
      }
    });
    await t.step("every user can read all of it, and nothing else", async () => {
      const closed = await tool("find", [root, "!", "-perm", "-o=r"]);
      assertEquals(closed.trim().split("\n"), [`${root}/share`, `${root}/share/private`]);
    });
    await t.step({
      name:
        "another user's second start parses nothing again, and nothing is written for that here",
      ignore: Deno.uid() !== 0,
      fn: () => startsOfNobody(dir, root),
    });
    await t.step({
      name: "another user's daemon shares what it can read, and tells once of what it cannot",
      ignore: Deno.uid() !== 0,
      fn: () => daemonOfNobody(dir, `${root}/bin/pacsrv`),
    });
  },
});

Deno.test("installTask() refuses to guess where to install", async () => {
  assertEquals(await installTask([], denoArgs()), 2);
  assertEquals(await installTask(["--rot", "x"], denoArgs()), 2);
});

async function startsOfNobody(dir: TempDir, root: string): Promise<void> {
  const home = await dir.folder("home");
  await Deno.chown(home, NOBODY, NOBODY);
  const program = [...AS_NOBODY, "env", "-i", `HOME=${home}`, `${root}/bin/pacsrv`];
  const before = await tool("find", [root]);
  for (const start of ["first", "second"]) {
    const dataDir = await dir.folder(`data of the ${start} start`);
    await Deno.chown(dataDir, NOBODY, NOBODY);
    await using _daemon = await startDaemon({ dataDir, program });
  }
  assertEquals(await tool("find", [root]), before);
  const own = `${home}/.cache/pacsrv${root}/lib/pacsrv/cache`;
  const kept = await Array.fromAsync(Deno.readDir(own), ({ name }) => name);
  assert(kept.some((name) => name.startsWith("dep_analysis_cache")), kept.join(" "));
  for (const part of ["gen", "npm"]) {
    assertEquals(await Deno.readLink(`${own}/${part}`), `${root}/lib/pacsrv/cache/${part}`);
  }
}

async function daemonOfNobody(dir: TempDir, command: string): Promise<void> {
  const shared = await dir.folder("cache");
  for (const name of ["download-Xy3zA9", "private"]) {
    await Deno.writeTextFile(await dir.sub("cache", name, "file"), "for root alone");
    await Deno.chmod(`${shared}/${name}`, 0o700);
  }
  await Deno.writeTextFile(await dir.sub("cache", "sub", "first"), "for all");
  const dataDir = await dir.folder("data");
  await Deno.chown(dataDir, NOBODY, NOBODY);
  await using daemon = await startDaemon({
    dataDir,
    shares: [shared],
    program: [...AS_NOBODY, "env", "-i", `HOME=${NO_HOME}`, command],
  });
  await daemon.holds("first");
  await Deno.writeTextFile(`${shared}/sub/second`, "for all, and later");
  await daemon.holds("second");
  // What is there is looked at again.
  for (const name of ["private", "download-Xy3zA9"]) {
    await Deno.writeTextFile(`${shared}/${name}/more`, "for root alone");
  }
  await Deno.writeTextFile(`${shared}/sub/third`, "for all, after that");
  await daemon.holds("third");
  assertEquals((await daemon.list()).map(({ name }) => name).sort(), ["first", "second", "third"]);
  const warnings = daemon.log.filter((line) => /\bwarn/i.test(line));
  assertEquals(warnings.length, 1, warnings.join("\n"));
  assertStringIncludes(warnings[0]!, `${shared}/private`);
}
