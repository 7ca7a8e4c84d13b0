// What a daemon is started with: defaults, files, precedence, the network's secret.

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import { limits } from "../../../../src/base/limits.ts";
import { parseCommandLine } from "../../../../src/cli/arguments/command_line.ts";
import { findCommand } from "../../../../src/cli/command_table.ts";
import { readKeyFile } from "../../../../src/cli/settings/network_settings.ts";
import {
  type DaemonSettings,
  defaultDataDir,
  readDaemonSettings,
} from "../../../../src/cli/settings/service_settings.ts";
import { inFolder } from "../in_folder.ts";

async function settings(...words: string[]): Promise<DaemonSettings> {
  return await readDaemonSettings(await parseCommandLine(await findCommand("daemon"), words));
}

Deno.test("readDaemonSettings() has the documented defaults", async () => {
  const { node, client, peers, shares, network, networkKey, ttl, logLevel, logFormat } =
    await settings();
  assert(["::", "0.0.0.0"].includes(node.host), node.host);
  assertEquals(node.port, 8048);
  assertEquals(client, { host: "127.0.0.1", port: 8049 });
  assertEquals({ peers, shares, network, networkKey, ttl, logLevel, logFormat }, {
    peers: [],
    shares: [],
    network: "pacsrv",
    networkKey: undefined,
    ttl: 7,
    logLevel: "info",
    logFormat: "text",
  });
});

Deno.test("readDaemonSettings() reads what the node takes, and its full load", async () => {
  const given = async (...words: string[]) => {
    const { acceptBytes, uploadsLoaded, relaysFiles } = await settings(...words);
    return [acceptBytes, uploadsLoaded, ...(relaysFiles ? ["relays"] : [])];
  };
  assertEquals(await given(), [0, limits.uploadsLoadedDefault]);
  assertEquals(await given("--accept-uploads", "2G", "--max-load", "1"), [2_000_000_000, 1]);
  const relays = ["--accept-uploads", "2G", "--max-load", "1", "--relay-files"];
  assertEquals(await given(...relays), [2_000_000_000, 1, "relays"]);
  const none = await assertRejects(() => given("--relay-files"), UsageError);
  assertEquals(
    none.message,
    "Cannot use --relay-files without --accept-uploads: there is no room for files",
  );
  await inFolder(async (folder) => {
    const path = `${folder}/c.toml`;
    await Deno.writeTextFile(path, 'accept-uploads = "500M"\nmax-load = 9');
    assertEquals(await given("--config", path), [500_000_000, 9]);
  });
  for (const words of [["--accept-uploads", "much"], ["--max-load", "0"], ["--max-load", "257"]]) {
    await assertRejects(() => settings(...words), UsageError, words[0]);
  }
});

Deno.test("readDaemonSettings() reads what of the downloads is kept", async () => {
  const given = async (...words: string[]) => (await settings(...words)).keeping;
  assertEquals(await given(), { keepBytes: null, minFree: null, versions: null });
  assertEquals(await given("--keep", "500M", "--min-free", "10%", "--keep-versions", "3"), {
    keepBytes: 500_000_000,
    minFree: { kind: "percent", percent: 10 },
    versions: 3,
  });
  assertEquals((await given("--min-free", "20Gi")).minFree, {
    kind: "bytes",
    bytes: 20 * 2 ** 30,
  });
  await inFolder(async (folder) => {
    const path = `${folder}/c.toml`;
    await Deno.writeTextFile(path, 'keep = "2G"\nmin-free = "5%"\nkeep-versions = 1');
    assertEquals(await given("--config", path), {
      keepBytes: 2_000_000_000,
      minFree: { kind: "percent", percent: 5 },
      versions: 1,
    });
  });
  const notBytes = "it is not an amount of bytes, as in 500M, 2G or 1500000";
  const wrong: readonly (readonly [string, string, string])[] = [
    ["--keep", "much", notBytes],
    ["--keep", "-5G", notBytes],
    ["--keep", "1.5G", notBytes],
    ["--keep", "50%", notBytes],
    ["--keep", "9999999T", notBytes],
    ["--keep", "0", "it is less than 1000000 bytes"],
    ["--keep", "999999", "it is less than 1000000 bytes"],
    ["--min-free", "lots", notBytes],
    ["--min-free", "1e9", notBytes],
    ["--min-free", "0%", "it is not 1% to 99% of the disk"],
    ["--min-free", "100%", "it is not 1% to 99% of the disk"],
    ["--min-free", "5.5%", "it is not a whole number of percent, as in 10%"],
    ["--min-free", "10 %", "it is not a whole number of percent, as in 10%"],
    ["--min-free", "-1%", "it is not a whole number of percent, as in 10%"],
    ["--keep-versions", "0", "it is not a whole number from 1 to 1000"],
    ["--keep-versions", "1001", "it is not a whole number from 1 to 1000"],
    ["--keep-versions", "all", "it is not a whole number from 1 to 1000"],
  ];
  for (const [flag, value, why] of wrong) {
    const error = await assertRejects(() => settings(`${flag}=${value}`), UsageError);
    assertEquals(error.message, `Cannot use ${flag} ${JSON.stringify(value)}: ${why}`);
  }
});

Deno.test("readDaemonSettings() reads peers, and names that DNS lists peers for", async () => {
  const given = async (...peers: string[]) => {
    const { peers: nodes, srvNames } = await settings(...peers.flatMap((one) => ["--peer", one]));
    return [...nodes.map(({ host, port }) => `${host}:${port}`), ...srvNames];
  };
  assertEquals(
    await given("10.0.0.2", "srv:DC.example.org.", "srv:_x._tcp.a", "srv:dc.example.org"),
    [
      "10.0.0.2:8048",
      "_pacsrv._tcp.dc.example.org",
      "_x._tcp.a",
    ],
  );
  // A machine of that name.
  assertEquals(await given("srv:9000", "srv"), ["srv:9000", "srv:8048"]);
  await assertRejects(() => given("srv:"), UsageError, "no name of a machine");
  await assertRejects(() => given("srv:dc.test:80"), UsageError, "no name of a machine");
  const many = Array.from({ length: limits.srvNamesMax + 1 }, (_, i) => `srv:d${i}.test`);
  await assertRejects(() => given(...many), UsageError, "at most 16");
});

Deno.test("readDaemonSettings() reads how long peers are given before a mirror", async () => {
  const given = async (...words: string[]) => (await settings(...words)).mirrorDelayMs;
  assertEquals(await given(), null);
  assertEquals(await given("--mirror-delay", "0"), 0);
  await inFolder(async (folder) => {
    const path = `${folder}/c.toml`;
    await Deno.writeTextFile(path, "mirror-delay = 2.5");
    assertEquals(await given("--config", path), 2_500);
  });
  await assertRejects(() => settings("--mirror-delay", "86401"), UsageError, "from 0 to 86400");
});

Deno.test("readDaemonSettings() takes the pacman.conf of the root whose databases are read", async () => {
  const cases: readonly [expected: string, ...words: string[]][] = [
    ["/etc/pacman.conf"],
    ["/etc/pacman.conf", "--sync-db", "/var/lib/pacman/sync"],
    ["/srv/box/etc/pacman.conf", "--sync-db", "/srv/box/var/lib/pacman/sync/"],
    ["/etc/pacman.conf", "--sync-db", "/x"],
    ["/y", "--sync-db", "/srv/box/var/lib/pacman/sync", "--pacman-conf", "/y"],
  ];
  for (const [expected, ...words] of cases) {
    assertEquals((await settings(...words)).pacmanConfPath, expected, words.join(" "));
  }
});

Deno.test("readDaemonSettings() reads the port for monitors, and its names", async () => {
  const monitor = async (...words: string[]) => (await settings(...words)).monitor;
  assertEquals(await monitor(), undefined);
  const host = "127.0.0.1";
  assertEquals(await monitor("--metrics", host), { listen: { host, port: 8052 }, names: [] });
  assertEquals(await monitor("--metrics", "[::1]:0", "--metrics-name", "Node7.lan."), {
    listen: { host: "::1", port: 0 },
    names: ["node7.lan"],
  });
  for (
    const [words, message] of [
      [["--metrics-name", "a"], "Cannot use --metrics-name without --metrics: it is for that port"],
      [
        ["--metrics", host, "--metrics-name", "node7.lan:8052"],
        'Cannot use --metrics-name "node7.lan:8052": it is no name of a machine',
      ],
      [["--metrics", "a:b"], 'Cannot use --metrics "a:b": the port is not a number'],
      [["--metrics", ":70000"], 'Cannot use --metrics ":70000": port 70000 is above 65535'],
    ] as const
  ) {
    assertEquals((await assertRejects(() => monitor(...words), UsageError)).message, message);
  }
});

Deno.test("readDaemonSettings() reads the gateway, its mirrors, and the databases", async () => {
  const read = async (...words: string[]) => {
    const { gateway, syncDbDir } = await settings(...words);
    return { gateway, syncDbDir };
  };
  const refused = async (...words: string[]) =>
    (await assertRejects(() => settings(...words), UsageError)).message;
  assertEquals(await read(), { gateway: undefined, syncDbDir: undefined });
  const host = "127.0.0.1";
  assertStringIncludes(
    await refused("--gateway", host, "--gateway-name", "http://cache.lan"),
    "it is no name of a machine",
  );
  assertEquals(await read("--gateway", host, "--sync-db", "/x"), {
    gateway: {
      listen: { host, port: 8050 },
      mirrors: [],
      waitMs: limits.gatewayWaitMs,
      staleMs: 0,
      names: [],
      prefetch: false,
    },
    syncDbDir: "/x",
  });
  const mirrors = ["http://a/$repo/os/$arch", "https://u:p@b:8/"];
  const more = mirrors.flatMap((mirror) => ["--mirror", mirror]);
  assertEquals(
    (await read("--gateway", ":0", ...more, "--gateway-wait", "2.5", "--stale-databases", "12h"))
      .gateway,
    {
      listen: { host, port: 0 },
      mirrors,
      waitMs: 2_500,
      staleMs: 43_200_000,
      names: [],
      prefetch: false,
    },
  );
  await inFolder(async (folder) => {
    const path = `${folder}/c.toml`;
    await Deno.writeTextFile(
      path,
      'gateway = "[::1]"\nmirror = "http://m"\ngateway-wait = 0.3\nstale-databases = "7d"',
    );
    assertEquals((await read("--config", path)).gateway, {
      listen: { host: "::1", port: 8050 },
      mirrors: ["http://m"],
      waitMs: 300,
      staleMs: 604_800_000,
      names: [],
      prefetch: false,
    });
    await Deno.writeTextFile(path, 'sync-db = "sync"');
    assertEquals((await read("--config", path)).syncDbDir, `${folder}/sync`);
  });
  assertStringIncludes(await refused("--mirror", "http://a"), "--mirror without --gateway");
  assertStringIncludes(await refused("--gateway-wait", "1"), "--gateway-wait without --gateway");
  const wrong: [flag: string, value: string, message: string][] = [
    ["--gateway-wait", "8.1", "above 0 and up to 8"],
    ["--gateway-wait", "0", "above 0 and up to 8"],
    ["--mirror", "ftp://h/x", "its scheme is not one of http, https"],
    ["--mirror", "mirror.example.org", "it is not a URL"],
    ["--mirror", "http://h/x?y", "it has a query"],
  ];
  for (const [flag, value, message] of wrong) {
    assertStringIncludes(await refused("--gateway", host, flag, value), message);
  }
  const secret = await refused(
    "--gateway",
    host,
    "--mirror",
    "http://user:secret@h/x?token=secret",
  );
  assertEquals(secret.includes("secret"), false, secret);
  const many = Array.from(
    { length: limits.mirrorsMax + 1 },
    (_, i) => ["--mirror", `http://m${i}`],
  );
  assertStringIncludes(await refused("--gateway", host, ...many.flat()), "at most 16");
  assertStringIncludes(await refused("--gateway", "h:x"), "the port is not a number");
});

Deno.test("readDaemonSettings() keeps the bounds of links in order", async () => {
  const bounds = async (...words: string[]) => {
    const { linksMin, linksMax } = await settings(...words);
    return [linksMin, linksMax];
  };
  const refused = async (...words: string[]) =>
    (await assertRejects(() => settings(...words), UsageError)).message;
  assertEquals(await bounds(), [3, 30]);
  assertEquals(await bounds("--min-connections", "0"), [0, 30]);
  // The default minimum gives way to a maximum that a person chose.
  assertEquals(await bounds("--max-connections", "2"), [2, 2]);
  assertStringIncludes(
    await refused("--min-connections", "5", "--max-connections", "4"),
    "Cannot use --min-connections 5: it is above --max-connections 4",
  );
  assertStringIncludes(await refused("--max-connections", "0"), "from 1 to 1024");
  await inFolder(async (dir) => {
    const path = `${dir}/p.toml`;
    await Deno.writeTextFile(path, "min-connections = 1\nmax-connections = 8");
    assertEquals(await bounds("--config", path), [1, 8]);
    assertEquals(await bounds("--config", path, "--min-connections", "0"), [0, 8]);
    await Deno.writeTextFile(path, "min-connections = 9\nmax-connections = 8");
    assertStringIncludes(
      await refused("--config", path),
      `Cannot use min-connections in ${path} (line 1) 9: it is above max-connections in ${path} ` +
        "(line 2) 8",
    );
  });
});

Deno.test("readDaemonSettings() fills in the part of an address that is left out", async () => {
  const { node, client, peers } = await settings(
    ...["--node", ":0", "--client", ":9", "--peer", "b", "--peer", ":7"],
  );
  assert(["::", "0.0.0.0"].includes(node.host), node.host);
  assertEquals(node.port, 0);
  assertEquals(client, { host: "127.0.0.1", port: 9 });
  assertEquals(peers, [{ host: "b", port: 8048 }, { host: "127.0.0.1", port: 7 }]);
  assertEquals((await settings("--node", "10.0.0.1")).node, { host: "10.0.0.1", port: 8048 });
});

Deno.test("readDaemonSettings() makes paths absolute and lets flags win over the file", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/p.toml`;
    await Deno.writeTextFile(path, `ttl = 3\npeer = ["a"]\ndata = "d"\nnetwork = "n"`);
    const read = await settings("--config", path, "--ttl", "5", "--share", "x");
    assertEquals(read.ttl, 5);
    assertEquals(read.peers, [{ host: "a", port: 8048 }]);
    assertEquals(read.dataDir, `${dir}/d`);
    assertEquals(read.network, "n");
    assertEquals(read.shares, [`${Deno.cwd()}/x`]);
  });
});

Deno.test("readDaemonSettings() names the file when a value in it cannot be used", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/p.toml`;
    const message = async (text: string) => {
      await Deno.writeTextFile(path, text);
      return (await assertRejects(() => settings("--config", path), UsageError)).message;
    };
    assertStringIncludes(await message("ttl = 99"), `Cannot use ttl in ${path} (line 1) "99"`);
    assertStringIncludes(
      await message(`node = "x:y"`),
      `Cannot use node in ${path} (line 1) "x:y"`,
    );
    assertStringIncludes(
      await message(`peer = ["a:0"]`),
      `Cannot use peer in ${path} (line 1) "a:0"`,
    );
    assertStringIncludes(await message(`log-level = "loud"`), "debug, info, warn, error");
  });
});

Deno.test("readKeyFile() trims one newline and holds the bounds", async () => {
  await inFolder(async (dir) => {
    const path = `${dir}/key`;
    const read = async (text: string) => {
      await Deno.writeTextFile(path, text, { mode: 0o600 });
      return new TextDecoder().decode(await readKeyFile(path));
    };
    const key = "k".repeat(limits.networkKeyBytesMin);
    assertEquals(await read(key), key);
    assertEquals(await read(`${key}\n`), key);
    assertEquals(await read(`${key}\r\n`), key);
    assertEquals(await read(`${key}\n\n`), `${key}\n`);
    const longest = "k".repeat(limits.networkKeyBytesMax);
    assertEquals(await read(`${longest}\n`), longest);
    for (const bad of ["", "\n", key.slice(1), `${longest}k`, `${longest}kkkk`]) {
      const error = await assertRejects(() => read(bad), UsageError);
      assertStringIncludes(error.message, path);
      assert(!error.message.includes("kkk"), "the secret is in the message");
    }
  });
});

Deno.test("defaultDataDir() follows the system's conventions", () => {
  const dir = (os: typeof Deno.build.os, uid: number | null, env: Record<string, string>) =>
    defaultDataDir({ os, uid, env: (name) => env[name] });
  assertEquals(dir("linux", 0, { HOME: "/root" }), "/var/lib/pacsrv");
  assertEquals(dir("linux", 1000, { HOME: "/home/a" }), "/home/a/.local/share/pacsrv");
  assertEquals(dir("linux", 1000, { HOME: "/home/a", XDG_DATA_HOME: "/x" }), "/x/pacsrv");
  assertEquals(
    dir("linux", 1000, { HOME: "/home/a", XDG_DATA_HOME: "relative" }),
    "/home/a/.local/share/pacsrv",
  );
  assertEquals(dir("windows", null, { LOCALAPPDATA: "C:\\L" }), "C:\\L\\pacsrv");
  const error = assertThrows(() => dir("linux", 1000, {}), UsageError);
  assertStringIncludes(error.hint ?? "", "--data");
});

Deno.test("readDaemonSettings() takes no port twice", async () => {
  const at = (flag: string, address: string) => [`--${flag}`, address];
  for (
    const [words, message] of [
      [
        [...at("client", "127.0.0.1:9000"), ...at("metrics", "127.0.0.1:9000")],
        "Cannot use --metrics: it is the port of --client, port 9000",
      ],
      [
        at("gateway", "127.0.0.1:8048"),
        "Cannot use --gateway: it is the port of --node, port 8048",
      ],
      [at("node", "0.0.0.0:8049"), "Cannot use --node: it is the port of --client, port 8049"],
    ] as const
  ) {
    await assertRejects(() => settings(...words), UsageError, message);
  }
  await settings(...at("client", "127.0.0.1:0"), ...at("metrics", "127.0.0.1:0"));
  await settings(...at("node", "127.0.0.2:8049"));
});

Deno.test("readDaemonSettings() names a peer of DNS as it was given when its name is none", async () => {
  const { message, hint } = await assertRejects(
    () => settings("--peer", "srv:dc..test"),
    UsageError,
  );
  assertEquals(message, 'Cannot use --peer "srv:dc..test": it is no name of a machine');
  assertStringIncludes(hint ?? "", "for instance srv:dc.example.org");
  assertEquals((await settings("--peer", "SRV:dc.test")).srvNames, ["_pacsrv._tcp.dc.test"]);
});
