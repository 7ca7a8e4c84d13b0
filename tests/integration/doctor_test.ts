// `pacsrv doctor` on whole setups: one that is right, and ones in which something is not.

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Finding } from "../../src/cli/doctor/doctor_report.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { runPacsrv } from "./support/process.ts";
import { Repository } from "./support/repository.ts";

/** A machine with a package cache, the databases of a repository, and a configuration of both. */
async function setUp(dir: TempDir, mirror: Mirror): Promise<{ config: string; conf: string }> {
  const cache = await dir.folder("cache");
  await Deno.chmod(dir.path, 0o755);
  const config = await dir.sub("pacsrv.toml");
  await Deno.writeTextFile(
    config,
    `data = "data"
node = "0.0.0.0:0"
client = "127.0.0.1:0"
gateway = "127.0.0.1:0"
mirror = "${mirror.url}/$repo/os/$arch"
sync-db = "mirror/core/os/x86_64"
share = "cache"
`,
  );
  const conf = await dir.sub("pacman.conf");
  await Deno.writeTextFile(conf, pacmanConf(dir, cache, "127.0.0.1:1"));
  return { config, conf };
}

function pacmanConf(dir: TempDir, cache: string, gateway: string): string {
  return `[options]
CacheDir = ${cache}
DBPath = ${dir.path}/db
[core]
CacheServer = http://${gateway}/$repo/os/$arch
Server = http://127.0.0.1:1/$repo/os/$arch
`;
}

async function examine(
  daemon: DaemonProcess | undefined,
  paths: { config: string; conf: string },
): Promise<{ code: number; findings: Finding[] }> {
  const client = ["--client", daemon?.client ?? "127.0.0.1:1"];
  const { code, stdout, stderr } = await runPacsrv([
    ...["doctor", "--json", "--config", paths.config, "--pacman-conf", paths.conf],
    ...client,
  ]);
  assertEquals(stderr, "");
  return { code, findings: stdout.trim().split("\n").map((line) => JSON.parse(line)) };
}

function of(findings: readonly Finding[], check: string): [string, string][] {
  return findings.filter((one) => one.check === check).map(({ level, text }) => [level, text]);
}

Deno.test("doctor finds nothing wrong with a setup that is right", async () => {
  await using dir = await TempDir.make();
  const root = await dir.folder("mirror");
  await Repository.build(root, { packages: [{ name: "x", payloadBytes: 1_000 }] });
  await using mirror = Mirror.start(root);
  const { config, conf } = await setUp(dir, mirror);
  await using other = await startDaemon({ node: "127.0.0.1:0" });
  await using daemon = await startDaemon({
    node: "0.0.0.0:0",
    peers: [other.node],
    dataDir: `${dir.path}/data`,
    args: ["--config", config, "--gateway", "127.0.0.1:0"],
  });
  await daemon.linked(1);
  await Deno.mkdir(`${dir.path}/db/local/pacman-6.1.0-3`, { recursive: true });
  await Deno.writeTextFile(conf, pacmanConf(dir, `${dir.path}/cache`, daemon.gateway));
  const { code, findings } = await examine(daemon, { config, conf });
  const wrong = findings.filter(({ level, check }) =>
    // Room is what the machine that runs the test has.
    level === "problem" || level === "warning" && check !== "disk"
  );
  assertEquals([code, wrong], [0, []]);
  assertEquals(of(findings, "gateway")[0]![0], "ok");
  assertEquals(of(findings, "share"), [["ok", `${dir.path}/cache can be read`]]);
  assertEquals(of(findings, "pacman"), [["ok", "asks the gateway for 1 repository"]]);
  assertEquals(of(findings, "package cache"), [["ok", `${dir.path}/cache is shared`]]);
  assertStringIncludes(of(findings, "sync-db")[0]![1], "core: 1 package");
  assertEquals(of(findings, "config"), [["ok", `${config} can be read`]]);
});

Deno.test("doctor says what to change where things are wrong", async () => {
  await using dir = await TempDir.make();
  const root = await dir.folder("mirror");
  await using mirror = Mirror.start(root);
  const { config, conf } = await setUp(dir, mirror);
  await using daemon = await startDaemon({ dataDir: `${dir.path}/data` });
  await Deno.chmod(`${dir.path}/data`, 0o777);
  await Deno.remove(`${dir.path}/cache`);
  const { code, findings } = await examine(daemon, { config, conf });
  assertEquals(code, 1);
  const fixes = findings.flatMap(({ fix }) => fix);
  for (
    const fix of [
      `chmod go-w ${dir.path}/data`,
      `peer = ["HOST:8048"]`,
      `gateway = "127.0.0.1:8050"`,
      `sync-db = "${dir.path}/db/sync"`,
    ]
  ) assertEquals(fixes.includes(fix), true, `${fix} is not among ${fixes.join("; ")}`);
  assertEquals(of(findings, "share")[0]![0], "problem");
  const { code: none, findings: without } = await examine(undefined, {
    config: `${dir.path}/none.toml`,
    conf: `${dir.path}/none.conf`,
  });
  assertEquals(none, 1);
  assertEquals(of(without, "daemon")[0]![0], "problem");
  assertEquals(of(without, "config")[0]![0], "problem");
  assertEquals(of(without, "pacman"), []);
});
