// The configuration file: every key, paths relative to it, and each kind of rubbish.

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { EnvironmentError, UsageError } from "../../../../src/base/errors.ts";
import { limits } from "../../../../src/base/limits.ts";
import { COMMANDS } from "../../../../src/cli/command_table.ts";
import { parseConfig, readConfig } from "../../../../src/cli/settings/config.ts";
import { inFolder } from "../in_folder.ts";

const command = COMMANDS.find(({ name }) => name === "daemon")!;

async function parse(text: string): Promise<Record<string, readonly string[]>> {
  const path = "/etc/pacsrv/pacsrv.toml";
  return Object.fromEntries(await parseConfig(text, { path, command }));
}

async function refused(text: string): Promise<{ message: string; hint: string }> {
  const { message, hint } = await assertRejects(() => parse(text), UsageError);
  return { message, hint: hint ?? "" };
}

Deno.test("parseConfig() reads a key for each flag of the daemon but --config", async () => {
  const text = `
    data = "data"
    node = "0.0.0.0:8048"
    client = "127.0.0.1:8049"
    peer = ["10.0.0.2:8048", "b"]
    discover = "eth0,wlan0"
    directory = "d"
    share = ["/srv/files", "isos"]
    network = "office"
    network-key-file = "network.key"
    ttl = 3
    site = "here"
    no-callback = true
    relay-files = true
    min-connections = 1
    max-connections = 9
    accept-uploads = "2G"
    keep = "20G"
    min-free = "5%"
    keep-versions = 3
    max-load = 5
    gateway = "127.0.0.1:8050"
    mirror = ["https://a/$repo/os/$arch", "http://b"]
    sync-db = "sync"
    pacman-conf = "pacman.conf"
    gateway-name = "cache.lan"
    gateway-wait = 0.25
    stale-databases = "7d"
    prefetch = true
    mirror-delay = 60
    metrics = "127.0.0.1:8052"
    metrics-name = ["node7.lan"]
    upload-rate = "2M"
    download-rate = "unlimited"
    mirror-rate = "500K"
    log-level = "debug"
    log-format = "json"
    [rate]
    "10.0.0.0/8" = "unlimited"
    [[schedule]]
    from = "11:30"
    to = "13:30"
    days = ["mon", "tue"]
    upload-rate = "100K"
  `;
  const values = await parse(text);
  assertEquals(values, {
    data: ["/etc/pacsrv/data"],
    node: ["0.0.0.0:8048"],
    client: ["127.0.0.1:8049"],
    peer: ["10.0.0.2:8048", "b"],
    discover: ["eth0,wlan0"],
    directory: ["d"],
    share: ["/srv/files", "/etc/pacsrv/isos"],
    network: ["office"],
    "network-key-file": ["/etc/pacsrv/network.key"],
    ttl: ["3"],
    site: ["here"],
    "no-callback": ["true"],
    "relay-files": ["true"],
    "min-connections": ["1"],
    "max-connections": ["9"],
    "accept-uploads": ["2G"],
    "keep": ["20G"],
    "min-free": ["5%"],
    "keep-versions": ["3"],
    "max-load": ["5"],
    "gateway": ["127.0.0.1:8050"],
    "mirror": ["https://a/$repo/os/$arch", "http://b"],
    "sync-db": ["/etc/pacsrv/sync"],
    "pacman-conf": ["/etc/pacsrv/pacman.conf"],
    "gateway-name": ["cache.lan"],
    "gateway-wait": ["0.25"],
    "stale-databases": ["7d"],
    "prefetch": ["true"],
    "mirror-delay": ["60"],
    "metrics": ["127.0.0.1:8052"],
    "metrics-name": ["node7.lan"],
    "upload-rate": ["2M"],
    "download-rate": ["unlimited"],
    "mirror-rate": ["500K"],
    "rate": ["10.0.0.0/8=unlimited"],
    "schedule": ["from=11:30 to=13:30 days=mon,tue upload-rate=100K"],
    "log-level": ["debug"],
    "log-format": ["json"],
  });
  const flags = command.flags.map((flag) => flag.name).filter((name) => name !== "config");
  assertEquals(Object.keys(values).sort(), flags.sort());
});

Deno.test("parseConfig() takes one text for a list, and nothing for nothing", async () => {
  assertEquals(await parse(`peer = "a"`), { peer: ["a"] });
  assertEquals(await parse("# nothing\n"), {});
  assertEquals(await parse("peer = []"), { peer: [] });
  assertEquals(await parse("no-callback = false"), { "no-callback": [] });
});

Deno.test("parseConfig() names the nearest key, the file and the line", async () => {
  const { message, hint } = await refused(`ttl = 7\n\nnetwrok = "x"\n`);
  assertStringIncludes(message, '/etc/pacsrv/pacsrv.toml, line 3: there is no key "netwrok"');
  assertStringIncludes(hint, "Did you mean network?");
  assertStringIncludes((await refused(`log_level = "x"`)).hint, "Did you mean log-level?");
  assertStringIncludes((await refused(`Peers = ["x"]`)).hint, "Did you mean peer?");
  assertStringIncludes((await refused(`[daemon]\nttl = 1`)).message, 'line 1: there is no key "da');
  assertStringIncludes((await refused(`config = "x"`)).message, 'no key "config"');
  assertStringIncludes((await refused(`__proto__ = 1`)).message, 'no key "__proto__"');
});

Deno.test("parseConfig() refuses wrong types and shows a right one", async () => {
  const cases: [text: string, message: string, hint: string][] = [
    [`ttl = "7"`, '"7" is not a whole number', "ttl = 7"],
    [`ttl = 7.5`, "7.5 is not a whole number", "ttl = 7"],
    [`ttl = true`, "true is not a whole number", "ttl = 7"],
    [`no-callback = "yes"`, '"yes" is not true or false', "no-callback = true"],
    [`node = 8048`, "8048 is not a text in quotes", 'node = "HOST:PORT"'],
    [`node = ["a"]`, "a list is not a text in quotes", "node ="],
    [`data = ""`, "an empty text", "data ="],
    [`peer = 1`, "1 is not a list", 'peer = ["HOST:PORT|srv:NAME"]'],
    [`peer = ["a", 1]`, "1 in its list is not a text in quotes", "peer ="],
    [
      `directory = [""]`,
      'an empty text ("") in its list is not a text',
      'directory = ["HOST:PORT"]',
    ],
    [`share = { a = 1 }`, "a table is not a list", 'share = ["PATH"]'],
    [`site = ""`, 'site in /etc/pacsrv/pacsrv.toml, line 1: an empty text ("")', 'site = "office"'],
    [`upload-rate = 5000`, "line 1: 5000 is not a text in quotes", 'upload-rate = "500K"'],
    [`keep = 20`, "20 is not a text in quotes", 'keep = "20G"'],
    ["[rate]\n'10.0.0.0/8' = 5", "10.0.0.0/8: 5 is not a text", '"10.0.0.0/8" = "500K"'],
    ["[[schedule]]\ndays = []", "days: an empty list ([])", 'days = ["mon-fri"], or leave it out'],
    ["[[schedule]]\nupload-rate = 5", "upload-rate: 5 is not a text", 'upload-rate = "500K"'],
    [`network = 2025-01-01`, "a date is not a text", "network ="],
  ];
  for (const [text, message, hint] of cases) {
    const error = await refused(text);
    assertStringIncludes(error.message, message, text);
    assertStringIncludes(error.hint, hint, text);
  }
});

Deno.test("parseConfig() refuses what is no TOML, with the line, in one line", async () => {
  for (const text of ["ttl = 7\nttl = 8", "ttl 7", "peer = [", "\u0000", '{"ttl": 7}', "ttl ="]) {
    const { message } = await refused(text);
    assertStringIncludes(message, "/etc/pacsrv/pacsrv.toml, line ", text);
    assertEquals(message.split("\n").length, 1, message);
  }
  await refused(`peer = ${"[".repeat(5000)}`);
});

Deno.test("readConfig() bounds the file before it reads it, whatever it is", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/big.toml`;
    await Deno.writeTextFile(path, "#".repeat(limits.configBytesMax + 1));
    const big = await assertRejects(() => readConfig(path, command), UsageError);
    assertStringIncludes(big.message, `more than ${limits.configBytesMax} bytes`);
    const endless = await assertRejects(() => readConfig("/dev/zero", command), UsageError);
    assertStringIncludes(endless.message, "/dev/zero");
    const directory = await assertRejects(() => readConfig(dir, command), UsageError);
    assertStringIncludes(directory.message, "it is a directory");
    await Deno.writeFile(path, new Uint8Array([0xff, 0xfe, 0x80]));
    const binary = await assertRejects(() => readConfig(path, command), UsageError);
    assertStringIncludes(binary.message, "not UTF-8");
    const gone = await assertRejects(() => readConfig(`${dir}/none`, command), EnvironmentError);
    assertStringIncludes(gone.message, "there is no such file");
  });
});

Deno.test({
  name: "readConfig() does not wait for a writer of a pipe, but reads that of a shell",
  ignore: Deno.build.os === "windows",
  async fn() {
    await inFolder(async (dir) => {
      const path = `${dir}/pipe.toml`;
      await new Deno.Command("mkfifo", { args: [path] }).output();
      const pipe = await assertRejects(() => readConfig(path, command), UsageError);
      assertStringIncludes(pipe.message, `${path}: it is a pipe`);
    });
    assertEquals((await readConfig("/dev/null", command)).values.size, 0);
  },
});

Deno.test("readConfig() resolves paths against the file, not against the process", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/p.toml`, `data = "d"\nshare = ["../s"]`);
    const { values } = await readConfig(`${dir}/p.toml`, command);
    assertEquals(values.get("data"), [`${dir}/d`]);
    assertEquals(values.get("share"), [`${dir.slice(0, dir.lastIndexOf("/"))}/s`]);
  });
});
