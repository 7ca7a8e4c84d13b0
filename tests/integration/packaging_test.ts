// scripts/packaging, held to the programs that will read it: systemd judges the unit and the user,
// makepkg makes the package, pacsrv reads the configuration. The one thing that does not run here is
// the compiler, whose base binary is not on every machine: a stand-in makes the binary.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { chooseTargets } from "../../scripts/compile.ts";
import { denoArgs } from "../../scripts/deno_args.ts";
import { COMPLETION_FILES } from "../../scripts/manual/completion_files.ts";
import { manPages } from "../../scripts/manual/man_pages.ts";
import { PAGES, stageTask, SYSTEM_FILES } from "../../scripts/stage.ts";
import { rootPath } from "../../scripts/std_source.ts";
import { parseCommandLine } from "../../src/cli/arguments/command_line.ts";
import { findCommand } from "../../src/cli/command_table.ts";
import { parseConfig } from "../../src/cli/settings/config.ts";
import { readPacmanConf } from "../../src/pacman/pacman_conf.ts";
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { writeProgram } from "./support/stand_in_program.ts";
import { runTool, tool } from "./support/tool.ts";

const FOLDER = "scripts/packaging";
const BUILD_MS = 120_000;
/** Tenths of systemd's scale from 0 (nothing is open) to 10. */
const EXPOSURE_TENTHS = 15;
/** makepkg does not run for root: nobody makes the package then. */
const AS_NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];

Deno.test("pacsrv.service is a unit that systemd takes, and hardened", async () => {
  await using dir = await TempDir.make();
  const path = `${dir.path}/pacsrv.service`;
  const unit = await textOf("pacsrv.service");
  assertStringIncludes(unit, "\nExecStart=/usr/bin/pacsrv daemon --config /etc/pacsrv.toml\n");
  await Deno.writeTextFile(path, unit.replace("=/usr/bin/pacsrv", "=/bin/true"));
  const verified = await runTool("systemd-analyze", ["verify", path]);
  assertEquals(verified, { code: 0, stdout: "", stderr: "" });
  const judged = await runTool("systemd-analyze", [
    ...["security", "--offline=yes", "--no-pager"],
    ...[`--threshold=${EXPOSURE_TENTHS}`, path],
  ]);
  assertEquals(judged.code, 0, judged.stdout);
});

Deno.test("pacsrv.service lets through what the runtime calls", async () => {
  const [allowed, denied] = [
    ...(await textOf("pacsrv.service")).matchAll(/^SystemCallFilter=(.*)/gm),
  ]
    .map(([, value]) => value!);
  const sets = callSets(await tool("systemd-analyze", ["syscall-filter", "--no-pager"]));
  const calls = (words: string) =>
    new Set(words.split(" ").flatMap((word) => [...expand(word, sets)]));
  const open = calls(allowed!).difference(calls(denied!.replace(/^~/, "")));
  // What a daemon was seen to call, where leaving it out would end it or blind it.
  const needed = [
    ...["mmap", "mprotect", "pkey_mprotect", "clone3", "prlimit64", "sched_getaffinity", "sysinfo"],
    ...["flock", "fsync", "rename", "sendmmsg", "statx", "epoll_wait"],
  ];
  assertEquals(needed.filter((call) => !open.has(call)), []);
});

Deno.test("pacsrv.sysusers makes the user of the unit", async () => {
  await using dir = await TempDir.make();
  const args = ["--dry-run", `--root=${dir.path}`, rootPath(`${FOLDER}/pacsrv.sysusers`)];
  const { code, stderr } = await runTool("systemd-sysusers", args);
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /Creating user '?pacsrv'? /);
  assertMatch(await textOf("pacsrv.service"), /^User=pacsrv$/m);
});

Deno.test("pacsrv.toml has only keys that there are, those in comments too", async () => {
  const command = await findCommand("daemon");
  const text = await textOf("pacsrv.toml");
  const path = "/etc/pacsrv.toml";
  const set = await parseConfig(text, { path, command });
  assertEquals(set.get("sync-db"), ["/var/lib/pacman/sync"]);
  assertEquals(set.get("share"), ["/var/cache/pacman/pkg"]);
  const all = await parseConfig(text.replace(/^# ([\w-]+ = )/gm, "$1"), { path, command });
  for (const key of ["peer", "directory", "mirror", "network-key-file"]) {
    assert(!set.has(key), key);
    assert(all.has(key), key);
  }
});

Deno.test("pacsrv.toml starts a daemon with a gateway", async () => {
  await using dir = await TempDir.make();
  await Deno.mkdir(`${dir.path}/pkg`);
  await Deno.mkdir(`${dir.path}/sync`);
  const path = `${dir.path}/pacsrv.toml`;
  const text = (await textOf("pacsrv.toml"))
    // The test gives these by flags.
    .replace(/^(data|node|log-level) = .*$/gm, "")
    .replace("/var/cache/pacman/pkg", `${dir.path}/pkg`)
    .replace("/var/lib/pacman/sync", `${dir.path}/sync`)
    .replace('"127.0.0.1:8050"', '"127.0.0.1:0"');
  await Deno.writeTextFile(path, text);
  await using daemon = await startDaemon({ args: ["--config", path] });
  const { gateway } = await daemon.status();
  assert(gateway !== null);
  const page = await fetch(`http://${gateway}/`);
  assertEquals(page.status, 200);
  assertStringIncludes(await page.text(), "pacsrv");
});

Deno.test("pacman.conf.example is what pacman and pacsrv read", async () => {
  const conf = await readPacmanConf(rootPath(`${FOLDER}/pacman.conf.example`));
  // The mirrorlist is not on every machine; all else has to be right.
  const problems = conf.problems.filter((problem) =>
    !JSON.stringify(problem).includes("mirrorlist")
  );
  assertEquals(problems, []);
  const text = await textOf("pacman.conf.example");
  const gateway = "http://127.0.0.1:8050/$repo/os/$arch";
  assertMatch(text, new RegExp(`^CacheServer = ${RegExp.escape(gateway)}$`, "m"));
  assertMatch(text, new RegExp(`^Server = ${RegExp.escape(gateway)}$`, "m"));
  const words = /^XferCommand = \/usr\/bin\/pacsrv (fetch .*)$/m.exec(text)![1]!.split(" ");
  const url = "https://mirror.example.org/core/os/x86_64/a-1-1-any.pkg.tar.zst";
  const replaced = words.map((word) =>
    word === "%u" ? url : word === "%o" ? "/var/cache/pacman/pkg/a-1-1-any.pkg.tar.zst.part" : word
  );
  const [name, ...rest] = replaced;
  const args = await parseCommandLine(await findCommand(name!), rest);
  assertEquals(args.text("output"), replaced.at(-1));
  // The port and the folders are those of the daemon's file.
  const config = await textOf("pacsrv.toml");
  assertStringIncludes(config, `gateway = "127.0.0.1:8050"`);
});

Deno.test("PKGBUILD makes a package with everything in its place", async () => {
  await using dir = await TempDir.make();
  const { version } = JSON.parse(await Deno.readTextFile(rootPath("deno.json")));
  await makeSources(dir.path, version);
  const info = srcinfoOf(await makepkg(dir.path, ["--printsrcinfo"]));
  assertEquals(info.get("pkgver"), [version]);
  assertEquals(info.get("arch"), ["x86_64", "aarch64"]);
  assertEquals(info.get("backup"), ["etc/pacsrv.toml"]);
  assertEquals(info.get("install"), ["pacsrv.install"]);
  assert(info.get("options")!.includes("!strip"));
  for (const arch of info.get("arch")!) {
    const target = `${arch}-unknown-linux-gnu`;
    assertEquals(chooseTargets([target]), [target]);
  }

  // Without its dependencies: Debian's makepkg knows no package deno.
  await makepkg(dir.path, ["--nodeps", "--noconfirm"]);
  const packages = [...Deno.readDirSync(dir.path)].map(({ name }) => name)
    .filter((name) => name.includes(".pkg.tar"));
  assertEquals(packages.length, 1, packages.join());
  const listed = (await tool("bsdtar", ["-tvf", `${dir.path}/${packages[0]}`])).trim().split("\n")
    .map((line) => line.split(/\s+/));
  const modes = new Map(listed.map((words) => [words.at(-1)!, words[0]!]));
  const files = [...modes].filter(([path, mode]) => mode.startsWith("-") && !path.startsWith("."));
  assertEquals(Object.fromEntries(files), {
    "etc/pacsrv.toml": "-rw-r--r--",
    "usr/bin/pacsrv": "-rwxr-xr-x",
    "usr/lib/systemd/system/pacsrv.service": "-rw-r--r--",
    "usr/lib/sysusers.d/pacsrv.conf": "-rw-r--r--",
    "usr/share/doc/pacsrv/grafana-dashboard.json": "-rw-r--r--",
    "usr/share/doc/pacsrv/pacman.conf.example": "-rw-r--r--",
    "usr/share/licenses/pacsrv/LICENSE": "-rw-r--r--",
    ...Object.fromEntries([
      ...PAGES.map((page) => `usr/share/doc/pacsrv/${page}`),
      ...manNames().map((name) => `usr/share/man/man1/${name}.gz`),
      ...Object.values(COMPLETION_FILES).map((file) => `usr/share/${file}`),
    ].map((path) => [path, "-rw-r--r--"])),
  });
  for (const [shell, file] of Object.entries(COMPLETION_FILES)) {
    const args = ["-xOf", `${dir.path}/${packages[0]}`, `usr/share/${file}`];
    assertEquals(await tool("bsdtar", args), `script for ${shell}\n`);
  }
  // Nothing belongs to who built it.
  assertEquals(new Set(listed.map((words) => `${words[2]}:${words[3]}`)), new Set(["root:root"]));
  assert(modes.has(".INSTALL"));
  // The unit runs what is installed, with the file that is installed.
  const unit = await textOf("pacsrv.service");
  const [, program, config] = /^ExecStart=\/(\S+) .*--config \/(\S+)$/m.exec(unit)!;
  assert(modes.has(program!));
  assert(modes.has(config!));
});

Deno.test("pacsrv.install names only files of the package", async () => {
  const path = rootPath(`${FOLDER}/pacsrv.install`);
  const text = await tool("bash", ["-euc", 'source "$1"; post_install', "-", path]);
  assertStringIncludes(text, "systemctl enable --now pacsrv");
  const paths = Object.values(SYSTEM_FILES).map((path) => `/${path}`);
  for (const [path] of text.matchAll(/\/(?:etc|usr)\/\S*pacsrv[\w/.-]*\w/g)) {
    assert(paths.includes(path), path);
  }
});

/** The names of the man pages. */
function manNames(): string[] {
  return [...manPages({ version: "0", date: new Date(0) }).keys()];
}

async function textOf(name: string): Promise<string> {
  return await Deno.readTextFile(rootPath(`${FOLDER}/${name}`));
}

/** The folder of a packager: PKGBUILD, and of the source what its functions name themselves. */
async function makeSources(dir: string, version: string): Promise<void> {
  const source = `pacsrv-${version}`;
  await Deno.mkdir(`${dir}/${source}`);
  await Deno.copyFile(rootPath("LICENSE"), `${dir}/${source}/LICENSE`);
  await tool("bsdtar", ["-czf", `${dir}/${source}.tar.gz`, "-C", dir, source]);
  await Deno.remove(`${dir}/${source}`, { recursive: true });
  for (const name of ["PKGBUILD", "pacsrv.install"]) {
    await Deno.copyFile(rootPath(`${FOLDER}/${name}`), `${dir}/${name}`);
  }
  await Deno.mkdir(`${dir}/bin`);
  await writeProgram(`${dir}/bin/pacsrv`);
  // What the task lays out with this program; who builds cannot run the deno of the test.
  const staged = `${dir}/staged`;
  assertEquals(await stageTask(["--out", staged, "--program", `${dir}/bin/pacsrv`], denoArgs()), 0);
  const script = [
    "#!/bin/bash",
    "set -eu",
    'if [[ "${*:1:5}" == "task stage --out dist/root --program" && $# == 6 ]]; then',
    `  cmp "$6" ${staged}/usr/bin/pacsrv`,
    `  cp -r ${staged} dist/root`,
    "  exit",
    "fi",
    // Takes only the command line that scripts/compile.ts takes.
    '[[ "${*:1:3}" == "task compile --target" && $# == 4 ]]',
    "mkdir -p dist",
    `cp ${dir}/bin/pacsrv "dist/pacsrv-$4"`,
    "",
  ];
  await Deno.writeTextFile(`${dir}/bin/deno`, script.join("\n"));
  await Deno.chmod(`${dir}/bin/deno`, 0o755);
}

/** Runs makepkg in a folder, as a user that it accepts; gives what it printed. */
async function makepkg(dir: string, args: readonly string[]): Promise<string> {
  const isRoot = Deno.uid() === 0;
  if (isRoot) await tool("chown", ["-R", "65534:65534", dir]);
  const [command, ...first] = isRoot ? ["setpriv", ...AS_NOBODY, "makepkg"] : ["makepkg"];
  return await tool(command!, [...first, ...args], {
    cwd: dir,
    env: {
      HOME: dir,
      PATH: `${dir}/bin:${Deno.env.get("PATH")}`,
      CARCH: "x86_64",
      PKGDEST: dir,
      SRCDEST: dir,
      BUILDDIR: dir,
      PKGEXT: ".pkg.tar.zst",
    },
    timeoutMs: BUILD_MS,
  });
}

/** The values of `--printsrcinfo`, by key. */
function srcinfoOf(text: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const [, key, value] of text.matchAll(/^\s*(\w+) = (.*)$/gm)) {
    values.set(key!, [...values.get(key!) ?? [], value!]);
  }
  return values;
}

/** What `systemd-analyze syscall-filter` prints: the members of each set. */
function callSets(text: string): Map<string, string[]> {
  const sets = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of text.split("\n")) {
    const word = line.trim();
    if (word === "" || word.startsWith("#")) continue;
    if (line.startsWith("@")) sets.set(word, members = []);
    else members.push(word);
  }
  return sets;
}

function expand(word: string, sets: ReadonlyMap<string, readonly string[]>): Set<string> {
  if (!word.startsWith("@")) return new Set([word]);
  return new Set((sets.get(word) ?? []).flatMap((member) => [...expand(member, sets)]));
}
