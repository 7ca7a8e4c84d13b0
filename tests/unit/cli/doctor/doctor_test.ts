// What the doctor says of what it knows: each check with what is right and what is not.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { splitAddress } from "../../../../src/cli/arguments/address.ts";
import type { DirectoryReport, PeerReport } from "../../../../src/client/types.ts";
import {
  checkClock,
  checkDaemon,
  checkData,
  checkDatabases,
  checkNetwork,
  checkShare,
  mayRead,
} from "../../../../src/cli/doctor/doctor_checks.ts";
import type { DaemonFacts, PathFacts, UserFacts } from "../../../../src/cli/doctor/doctor_facts.ts";
import {
  checkGateway,
  checkMirrors,
  checkPacman,
  isAtLeast,
} from "../../../../src/cli/doctor/doctor_pacman.ts";
import {
  type Finding,
  hasProblem,
  type Level,
  ok,
  problem,
  reportText,
} from "../../../../src/cli/doctor/doctor_report.ts";
import { readPacmanConf } from "../../../../src/pacman/pacman_conf.ts";
import { inFolder } from "../in_folder.ts";

const PEER = { direction: "in" } as PeerReport;
const DIRECTORY: DirectoryReport = {
  directory: "10.0.0.1:8047",
  sameAs: null,
  answers: true,
  reach: "reachable",
  denied: null,
  filesListed: 1,
  answeredMs: 5,
};

function daemon(facts: Partial<DaemonFacts> = {}): DaemonFacts {
  return {
    version: "1.0.0",
    node: "0.0.0.0:8048",
    client: "127.0.0.1:8049",
    gateway: "127.0.0.1:8050",
    dataDir: "/var/lib/pacsrv",
    peers: [PEER],
    directories: [],
    syncDatabases: [],
    sharedDirs: [],
    ...facts,
  };
}

function levels(findings: readonly Finding[]): Level[] {
  return findings.map(({ level }) => level);
}

Deno.test("checkDaemon() wants one that answers, of this version", () => {
  assertEquals(checkDaemon({ kind: "known", value: daemon() }, "1.0.0").level, "ok");
  assertEquals(checkDaemon({ kind: "known", value: daemon() }, "1.0.1").level, "warning");
  const none = checkDaemon({ kind: "unknown", reason: "refused" }, "1.0.0");
  assertEquals([none.level, none.text], ["problem", "refused"]);
});

Deno.test("checkNetwork() wants somebody to ask, and a port that others reach", () => {
  assertEquals(levels(checkNetwork(daemon())), ["ok", "ok"]);
  const alone = checkNetwork(daemon({ peers: [] }));
  assertEquals(levels(alone), ["note", "problem"]);
  assertEquals(alone[1]!.fix[0], `peer = ["HOST:8048"]`);
  const bound = checkNetwork(daemon({ node: "127.0.0.1:8048" }))[0]!;
  assertEquals([bound.level, ...bound.fix], ["warning", `node = "0.0.0.0:8048"`]);
  const out = checkNetwork(daemon({ peers: [{ ...PEER, direction: "out" }] }))[0]!;
  assertEquals(out.level, "note");
  assertStringIncludes(out.fix[0]!, "TCP port 8048");
  const barred = { ...DIRECTORY, reach: "unreachable" };
  assertEquals(levels(checkNetwork(daemon({ directories: [barred] }))), ["problem", "ok"]);
  const silent = { ...DIRECTORY, answers: false };
  assertEquals(levels(checkNetwork(daemon({ directories: [silent] }))), ["ok", "ok", "warning"]);
  const twin = { ...silent, sameAs: "10.0.0.2:8047" };
  assertEquals(levels(checkNetwork(daemon({ directories: [twin] }))), ["ok", "ok"]);
  const only = daemon({ peers: [], directories: [silent] });
  assertEquals(levels(checkNetwork(only)), ["note", "problem", "warning"]);
});

Deno.test("checkData() wants a directory of one's own, with room", () => {
  const user: UserFacts = { name: "pacsrv", uid: 7, gids: [7] };
  const directory = path("/d", { uid: 7, mode: 0o700 });
  const token = path("/d/client.token", { uid: 7, mode: 0o600, isDirectory: false });
  const check = (facts: Partial<{ directory: PathFacts; token: PathFacts; freeBytes: number }>) =>
    checkData({
      kind: "known",
      value: { directory, token, user, freeBytes: 10_000_000_000, ...facts },
    }, "/d");
  assertEquals(levels(check({})), ["ok", "ok"]);
  const open = check({
    directory: { ...directory, mode: 0o770 },
    token: { ...token, mode: 0o644 },
  });
  assertEquals(open[0]!.fix, ["chmod go-w /d", "chmod 600 /d/client.token"]);
  assertEquals(open[0]!.level, "problem");
  assertEquals(levels(check({ token: { ...token, uid: 0 } })), ["ok", "problem", "ok"]);
  assertEquals(levels(check({ freeBytes: 1_000_000_000 })), ["ok", "warning"]);
  assertEquals(levels(check({ freeBytes: 1_000_000 })), ["ok", "problem"]);
  assertEquals(levels(checkData({ kind: "unknown", reason: "no" }, "/d")), ["note"]);
});

Deno.test("checkShare() names the first directory on the way that the daemon cannot enter", () => {
  const user: UserFacts = { name: "pacsrv", uid: 7, gids: [7] };
  const way = [path("/"), path("/srv", { mode: 0o750 }), path("/srv/pkg")];
  const share = { path: "/srv/pkg", watchProblem: null };
  const barred = checkShare({ ...share, way: { kind: "known", value: way } }, user);
  assertEquals([barred.level, ...barred.fix], ["problem", "setfacl -m u:pacsrv:rX /srv"]);
  const right = { kind: "known", value: [way[0]!, way[2]!] } as const;
  assertEquals(checkShare({ ...share, way: right }, user).level, "ok");
  const late = checkShare({ ...share, way: right, watchProblem: "no watches left" }, user);
  assertEquals(late.level, "warning");
  assertStringIncludes(late.fix[0]!, "fs.inotify.max_user_watches");
  const gone = checkShare({ ...share, way: { kind: "unknown", reason: "not there" } }, user);
  assertEquals(gone.level, "problem");
});

Deno.test("mayRead() goes by owner, group and others, in that order", () => {
  const user: UserFacts = { name: "u", uid: 7, gids: [8, 9] };
  const file = (fields: Partial<PathFacts>) =>
    mayRead(path("/f", { isDirectory: false, ...fields }), user, { isList: true });
  assertEquals(file({ uid: 7, mode: 0o077 }), false);
  assertEquals(file({ gid: 9, mode: 0o707 }), false);
  assertEquals(file({ gid: 9, mode: 0o040 }), true);
  assertEquals(file({ mode: 0o004 }), true);
  const directory = path("/d", { mode: 0o711 });
  assertEquals(mayRead(directory, user, { isList: false }), true);
  assertEquals(mayRead(directory, user, { isList: true }), false);
  assertEquals(mayRead(path("/d", { mode: 0 }), { ...user, uid: 0 }, { isList: true }), true);
});

Deno.test("checkDatabases() wants databases that can be read and are fresh", () => {
  const nowMs = Date.parse("2030-02-01T00:00:00Z");
  const database = {
    repository: "core",
    path: "/s/core.db",
    packages: 3,
    writtenAt: "2030-01-31T00:00:00Z",
    problem: null,
  };
  const check = (fields: Partial<typeof database> | { problem: string }) =>
    checkDatabases(daemon({ syncDatabases: [{ ...database, ...fields }] }), {
      nowMs,
      dbPath: undefined,
    })[0]!;
  assertEquals(check({}).text, "core: 3 packages, 1 d old");
  assertEquals(check({}).level, "ok");
  assertEquals(check({ writtenAt: "2029-12-01T00:00:00Z" }).level, "warning");
  assertEquals(check({ problem: "it is no tar" }).level, "problem");
  assertEquals(checkDatabases(daemon(), { nowMs, dbPath: undefined }), []);
  const none = checkDatabases(daemon(), { nowMs, dbPath: "/var/lib/pacman/" })[0]!;
  assertEquals([none.level, ...none.fix], ["warning", `sync-db = "/var/lib/pacman/sync"`]);
});

Deno.test("checkClock() warns of five minutes and more", () => {
  const at = (aheadMs: number) => checkClock({ kind: "known", value: { host: "m", aheadMs } });
  assertEquals([at(4 * 60_000).level, at(-301_000).level], ["ok", "warning"]);
  assertStringIncludes(at(600_000).text, "10 min behind m");
  assertStringIncludes(at(-600_000).text, "10 min ahead of m");
  assertEquals(checkClock({ kind: "unknown", reason: "none" }).level, "note");
});

Deno.test("checkGateway() wants an answer of 200", () => {
  const known = (status: number) =>
    checkGateway("h:1", { kind: "known", value: { status, text: "pacsrv" } }).level;
  assertEquals([known(200), known(404)], ["ok", "problem"]);
  assertEquals(checkGateway("h:1", { kind: "unknown", reason: "silent" }).level, "problem");
  assertEquals(checkGateway(null, undefined).level, "note");
});

/** What is said of a configuration with these lines in its only repository. */
async function pacmanFindings(
  lines: string,
  options: {
    readonly settings?: string;
    readonly version?: string | null;
    readonly gateway?: string | null;
    readonly shares?: readonly string[];
    readonly hasMirror?: boolean;
  } = {},
): Promise<Finding[]> {
  let findings: Finding[] = [];
  await inFolder(async (folder) => {
    const path = `${folder}/pacman.conf`;
    const text = `[options]\nCacheDir = /c/pkg/\n${options.settings ?? ""}\n[core]\n${lines}\n`;
    await Deno.writeTextFile(path, text);
    const { version = "7.0.0-1", gateway = "127.0.0.1:8050", shares = ["/c/pkg"] } = options;
    const conf = await readPacmanConf(path);
    findings = checkPacman({ conf, version }, daemon({ gateway }), {
      shares,
      hasMirror: options.hasMirror,
    }).filter(({ check }) => check === "pacman");
    findings = findings.map((one) => ({ ...one, text: one.text.replaceAll(folder, "") }));
  });
  return findings;
}

const GATEWAY = "http://localhost:8050/$repo/os/$arch";
const MIRROR = "Server = https://m.example/$repo/os/$arch";

Deno.test("checkMirrors() wants one that answers, and better all", () => {
  const good = { host: "good", status: { kind: "known", value: 403 } } as const;
  const bad = { host: "bad", status: { kind: "known", value: 503 } } as const;
  const silent = { host: "silent", status: { kind: "unknown", reason: "refused" } } as const;
  assertEquals(checkMirrors([]), []);
  assertEquals(levels(checkMirrors([good, good])), ["ok", "ok"]);
  assertEquals(levels(checkMirrors([bad, good, silent])), ["warning", "ok", "warning"]);
  assertEquals(levels(checkMirrors([bad, silent])), ["problem", "problem"]);
  assertEquals(checkMirrors([bad, silent]).map(({ text }) => text), [
    "bad answers 503",
    "silent does not answer: refused",
  ]);
});

Deno.test("checkPacman() wants each repository to ask the gateway, and first", async () => {
  const cache = await pacmanFindings(`CacheServer = ${GATEWAY}\n${MIRROR}`);
  assertEquals(cache.map(({ level, text }) => [level, text]), [
    ["ok", "asks the gateway for 1 repository"],
  ]);
  const server = await pacmanFindings(`Server = ${GATEWAY}\n${MIRROR}`);
  assertEquals(levels(server), ["ok"]);
  const late = await pacmanFindings(`${MIRROR}\nServer = ${GATEWAY}`);
  assertEquals(levels(late), ["warning"]);
  assertStringIncludes(late[0]!.text, "/pacman.conf, line 6: [core] asks 1 other mirror before");
  const none = await pacmanFindings(MIRROR);
  assertEquals(levels(none), ["problem"]);
  assertStringIncludes(none[0]!.fix[0]!, "CacheServer = http://127.0.0.1:8050/$repo/os/$arch");
  assertEquals(await pacmanFindings(MIRROR, { gateway: null }), []);
  const elsewhere = await pacmanFindings(MIRROR, { gateway: "10.0.0.9:8050" });
  assertEquals(elsewhere[0]!.fix[0]!.startsWith("CacheServer = http://10.0.0.9:8050/"), true);
});

Deno.test("checkPacman() knows which pacman has CacheServer", async () => {
  const old = await pacmanFindings(`CacheServer = ${GATEWAY}\n${MIRROR}`, { version: "6.0.2-1" });
  assertEquals(levels(old), ["problem"]);
  assertStringIncludes(old[0]!.text, "pacman 6.0.2-1 does not know CacheServer");
  assertStringIncludes(old[0]!.fix[0]!, "Server = http://127.0.0.1:8050/");
  const some = await pacmanFindings(`CacheServer = ${GATEWAY}\n${MIRROR}`, { version: null });
  assertEquals(levels(some), ["ok"]);
});

Deno.test("checkPacman() wants a server behind a gateway without mirrors", async () => {
  const lines = `Server = ${GATEWAY}`;
  const alone = await pacmanFindings(lines, { hasMirror: false });
  assertEquals(levels(alone), ["problem"]);
  assertEquals(levels(await pacmanFindings(lines, { hasMirror: true })), ["ok"]);
});

Deno.test("checkPacman() holds XferCommand to what pacman gives it", async () => {
  const xfer = (command: string, more = "") =>
    pacmanFindings(MIRROR, { settings: `XferCommand = ${command}\n${more}`, gateway: null });
  assertEquals(levels(await xfer("/usr/bin/pacsrv fetch %u -o %o")), ["ok"]);
  const parallel = await xfer("/usr/bin/pacsrv fetch %u -o %o", "ParallelDownloads = 5");
  assertEquals(levels(parallel), ["ok", "warning"]);
  assertEquals(levels(await xfer("/usr/bin/pacsrv fetch %u")), ["problem"]);
  assertEquals(levels(await xfer("/usr/bin/curl -o %o %u")), ["note"]);
});

Deno.test("checkPacman() wants the package cache to be shared", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/pacman.conf`;
    await Deno.writeTextFile(file, "[options]\nCacheDir = /c/pkg/\n");
    const conf = await readPacmanConf(file);
    const check = (...shares: string[]) =>
      checkPacman({ conf, version: null }, undefined, { shares, hasMirror: undefined })
        .find(({ check }) => check === "package cache")!;
    assertEquals([check("/c").level, check("/c/pkg").level], ["ok", "ok"]);
    assertEquals([check("/").level], ["ok"]);
    const none = check("/c/p");
    assertEquals([none.level, ...none.fix], ["warning", `share = ["/c/pkg"]`]);
  });
});

Deno.test("isAtLeast() compares versions by their numbers", () => {
  for (const version of ["6.1.0-3", "6.10-1", "7-1", "1:6.1-1"]) {
    assertEquals(isAtLeast(version, [6, 1]), true, version);
  }
  for (const version of ["6.0.2-1", "5.9-1", "6-1"]) {
    assertEquals(isAtLeast(version, [6, 1]), false, version);
  }
});

Deno.test("splitAddress() takes IPv6 apart", () => {
  assertEquals(splitAddress("[::]:8048"), { host: "::", port: "8048" });
  assertEquals(splitAddress("10.0.0.1:1"), { host: "10.0.0.1", port: "1" });
});

Deno.test("reportText() says what to change, and sums up; nothing moves the cursor", () => {
  const findings = [
    ok("a", "fine"),
    problem("disk", "full\u001b[2J", "buy one", "or two"),
  ];
  assertEquals(
    reportText(findings),
    "ok       a     fine\n" +
      "problem  disk  full\\x1b[2J\n" +
      "               -> buy one\n" +
      "               -> or two\n" +
      "\n" +
      "1 problem, 0 warnings.\n",
  );
  assertEquals(hasProblem(findings), true);
  assertStringIncludes(reportText([findings[0]!]), "Nothing is wrong.");
});

function path(name: string, fields: Partial<PathFacts> = {}): PathFacts {
  return { path: name, isDirectory: true, uid: 0, gid: 0, mode: 0o755, ...fields };
}
