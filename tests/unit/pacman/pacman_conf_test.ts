/** pacman's configuration as its files say it, and what is wrong in them. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { type PacmanConf, readPacmanConf } from "../../../src/pacman/pacman_conf.ts";
import { tool } from "../../integration/support/tool.ts";
import { TempDir } from "../store/store_fixture.ts";

/** Writes files into a directory, where @ stands for it, and reads the one called pacman.conf. */
function read(dir: TempDir, files: Record<string, string>): Promise<PacmanConf> {
  for (const [name, text] of Object.entries(files)) {
    dir.write(name, new TextEncoder().encode(text.replaceAll("@", dir.path)));
  }
  return readPacmanConf(dir.join("pacman.conf"));
}

function problemsOf(conf: PacmanConf): string[] {
  return conf.problems.map(({ path, line, problem }) =>
    `${path.slice(path.lastIndexOf("/") + 1)}:${line}: ${problem}`
  );
}

Deno.test("readPacmanConf() takes options, repositories and what is included", async () => {
  using dir = new TempDir();
  const conf = await read(dir, {
    "pacman.conf": `# comment
[options]
DBPath = /srv/db/
CacheDir = /one /two
CacheDir=/three
  XferCommand = /usr/bin/pacsrv fetch %u -o %o  
ParallelDownloads = 5
DownloadUser = alpm
Color
SigLevel = Required DatabaseOptional
Architecture = x86_64 x86_64_v3

[core]
CacheServer = http://127.0.0.1:8050/$repo/os/$arch
Include = @/mirrorlist
[extra]
SigLevel = Never
Include = @/mirrorlist
[core]
Server = https://last/$repo
`,
    "mirrorlist": "## list\n#Server = https://no\nServer = https://a/$repo/os/$arch\n",
  });
  const list = dir.join("mirrorlist");
  const main = dir.join("pacman.conf");
  const server = { value: "https://a/$repo/os/$arch", path: list, line: 3 };
  assertEquals(conf, {
    path: main,
    files: [main, list, list],
    repositories: [
      {
        name: "core",
        servers: [server, { value: "https://last/$repo", path: main, line: 20 }],
        cacheServers: [
          { value: "http://127.0.0.1:8050/$repo/os/$arch", path: main, line: 14 },
        ],
        sigLevel: undefined,
      },
      {
        name: "extra",
        servers: [server],
        cacheServers: [],
        sigLevel: { value: "Never", path: main, line: 17 },
      },
    ],
    dbPath: "/srv/db/",
    cacheDirs: ["/one", "/two", "/three"],
    xferCommand: { value: "/usr/bin/pacsrv fetch %u -o %o", path: main, line: 6 },
    parallelDownloads: 5,
    downloadUser: "alpm",
    sigLevel: { value: "Required DatabaseOptional", path: main, line: 10 },
    architectures: ["x86_64", "x86_64_v3"],
    problems: [],
  });
});

Deno.test("readPacmanConf() gives pacman's defaults for what is not said", async () => {
  using dir = new TempDir();
  const conf = await read(dir, { "pacman.conf": "" });
  assertEquals([conf.dbPath, conf.cacheDirs, conf.parallelDownloads, conf.xferCommand], [
    "/var/lib/pacman/",
    ["/var/cache/pacman/pkg/"],
    1,
    undefined,
  ]);
});

Deno.test("readPacmanConf() includes what a glob stands for, in order", async () => {
  using dir = new TempDir();
  const conf = await read(dir, {
    "pacman.conf": "Include = @/conf.d/*.conf\n",
    "conf.d/20-b.conf": "[b]\nServer = https://b\n",
    "conf.d/10-a.conf": "[a]\nServer = https://a\n",
    "conf.d/.hidden.conf": "[h]\n",
    "conf.d/c.txt": "[c]\n",
  });
  assertEquals(conf.repositories.map(({ name }) => name), ["a", "b"]);
  assertEquals(conf.problems, []);
});

Deno.test("readPacmanConf() looks at no more than so much for a pattern, and says so", async () => {
  using dir = new TempDir();
  const empty = new Uint8Array();
  for (let i = 0; i <= limits.pacmanConfFilesMax; i++) dir.write(`many/${i}.conf`, empty);
  const many = await read(dir, { "pacman.conf": "Include = @/many/*\n" });
  assertEquals(
    problemsOf(many)[0],
    `pacman.conf:1: Include stands for too many files: ${dir.join("many/*")}`,
  );
  for (let i = 0; i < 65; i++) dir.write(`deep/${i}/x`, empty);
  // 65 directories, each with 65 beside it, and so on.
  const pattern = `${dir.join("deep")}/*${"/../*".repeat(40)}/none`;
  const deep = await read(dir, { "pacman.conf": `Include = ${pattern}\n`.repeat(3) });
  assertEquals(deep.files.length, 1);
  assertEquals(deep.problems.length, 3);
  assertStringIncludes(deep.problems[0]?.problem ?? "", "too many files");
});

Deno.test("readPacmanConf() includes what classes stand for", async () => {
  using dir = new TempDir();
  const conf = await read(dir, {
    "pacman.conf": "Include = @/conf.d/[0-4]?-[!x]*.conf\nInclude = @/conf.d/\\[e].conf\n",
    "conf.d/10-a.conf": "[a]\n",
    "conf.d/20-xb.conf": "[b]\n",
    "conf.d/40-c.conf": "[c]\n",
    "conf.d/50-d.conf": "[d]\n",
    "conf.d/[e].conf": "[e]\n",
  });
  assertEquals(conf.repositories.map(({ name }) => name), ["a", "c", "e"]);
  assertEquals(conf.problems, []);
});

Deno.test("readPacmanConf() tells no password of a server that stands in the wrong place", async () => {
  using dir = new TempDir();
  const server = "https://me:secret@h/$repo";
  Deno.writeTextFileSync(dir.join("pacman.conf"), `${server}\n[core]\n${server}\n`);
  const conf = await readPacmanConf(dir.join("pacman.conf"));
  assertEquals(problemsOf(conf), [
    "pacman.conf:1: https://h/$repo stands before the first section",
    "pacman.conf:3: pacman knows no https://h/$repo in the section of a repository",
  ]);
});

Deno.test("readPacmanConf() tells what is wrong, with file and line", async () => {
  using dir = new TempDir();
  const conf = await read(dir, {
    "pacman.conf": `Color
[options]
ParallelDownloads = none
Include = @/missing
[core]
Server
Sever = https://x
Include =
Include = @/loop
[]
`,
    "loop": "Server = https://a\nInclude = @/loop\n",
  });
  assertEquals(problemsOf(conf), [
    "pacman.conf:1: Color stands before the first section",
    `pacman.conf:4: Include names no file: ${dir.join("missing")}`,
    "pacman.conf:6: Server has no value",
    "pacman.conf:7: pacman knows no Sever in the section of a repository",
    "pacman.conf:8: Include has no value",
    `loop:2: ${dir.join("loop")} includes itself`,
    "pacman.conf:10: a section has no name",
    'pacman.conf:3: ParallelDownloads is "none", not 1 or more',
  ]);
  assertEquals(conf.repositories[0]?.servers.map(({ value }) => value), ["https://a"]);
});

Deno.test("readPacmanConf() catches files that include each other, by whatever name", async () => {
  using dir = new TempDir();
  Deno.symlinkSync(dir.join("pacman.conf"), dir.join("other.conf"));
  const conf = await read(dir, {
    "pacman.conf": "[options]\nInclude = @/one\n",
    "one": "Include = @/other.conf\n",
  });
  assertEquals(problemsOf(conf), [`one:1: ${dir.join("other.conf")} includes itself`]);
});

Deno.test("readPacmanConf() has bounds on depth, files, bytes and problems", async () => {
  using dir = new TempDir();
  const chain = Array.from({ length: limits.pacmanConfDepthMax + 1 }, (_, i) => i);
  const deep = await read(dir, {
    "pacman.conf": "Include = @/0\n",
    ...Object.fromEntries(chain.map((i) => [`${i}`, `Include = @/${i + 1}\n`])),
  });
  assertEquals(deep.files.length, limits.pacmanConfDepthMax);
  assertStringIncludes(deep.problems[0]?.problem ?? "", "deep");
  const many = await read(dir, {
    "leaf": "",
    "pacman.conf": "Include = @/leaf\n".repeat(limits.pacmanConfFilesMax),
  });
  assertEquals(many.files.length, limits.pacmanConfFilesMax);
  assertStringIncludes(many.problems[0]?.problem ?? "", "files are included");
  const wrong = "nonsense\n".repeat(limits.pacmanConfProblemsMax + 1);
  const problems = (await read(dir, { "pacman.conf": wrong })).problems;
  assertEquals(problems.length, limits.pacmanConfProblemsMax);
  const huge = "#".repeat(limits.pacmanConfBytesMax);
  assertEquals((await read(dir, { "pacman.conf": huge })).problems, []);
  await assertRejects(() => read(dir, { "pacman.conf": `${huge}#` }), Error, "more than");
});

Deno.test("readPacmanConf() does not wait for a pipe, and says when there is no file", async () => {
  using dir = new TempDir();
  await tool("mkfifo", [dir.join("pipe")]);
  const conf = await read(dir, { "pacman.conf": "[options]\nInclude = @/pipe\n" });
  assertStringIncludes(conf.problems[0]?.problem ?? "", "not a regular file");
  await assertRejects(() => readPacmanConf(dir.join("pipe")), Error, "not a regular file");
  await assertRejects(() => readPacmanConf(dir.join("nothing")), Deno.errors.NotFound);
});
