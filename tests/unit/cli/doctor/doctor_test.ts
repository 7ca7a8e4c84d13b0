// What the doctor says of what it knows: each check with what is right and what is not.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { splitAddress } from "../../../../src/cli/arguments/address.ts";
import { NEVER_SYNCED } from "../../../../src/base/package_index.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import type {
  DirectoryReport,
  KeepingReport,
  LanReport,
  PeerReport,
  ReachReport,
} from "../../../../src/client/types.ts";
import {
  checkClock,
  checkDaemon,
  checkData,
  checkDatabases,
  checkKeeping,
  checkNetwork,
  checkOpenPorts,
  checkShare,
  checkStale,
  checkWithheld,
  mayRead,
} from "../../../../src/cli/doctor/doctor_checks.ts";
import type {
  DaemonFacts,
  LeftoverFacts,
  PathFacts,
  ProgramFacts,
  UserFacts,
} from "../../../../src/cli/doctor/doctor_facts.ts";
import {
  checkGateway,
  checkMirrors,
  checkPacman,
  hasMirrors,
  isAtLeast,
} from "../../../../src/cli/doctor/doctor_pacman.ts";
import { NOTHING_KEPT } from "../../../support/keeping_report.ts";
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
  problem: null,
};

const KEEPING: KeepingReport = { ...NOTHING_KEPT, bytes: 9_500_000, keepBytes: 10_000_000 };

function daemon(facts: Partial<DaemonFacts> = {}): DaemonFacts {
  return {
    version: "1.0.0",
    node: "0.0.0.0:8048",
    acceptsConnections: true,
    clone: null,
    client: "127.0.0.1:8049",
    gateway: "127.0.0.1:8050",
    lan: null,
    dataDir: "/var/lib/pacsrv",
    peers: [PEER],
    given: [],
    reach: [],
    directories: [],
    staleDatabases: [],
    syncDatabases: [],
    withheld: [],
    filesWithheld: 0,
    keeping: KEEPING,
    sharedDirs: [],
    ...facts,
  };
}

function levels(findings: readonly Finding[]): Level[] {
  return findings.map(({ level }) => level);
}

Deno.test("checkWithheld() names a damaged file and what to do about it", () => {
  assertEquals(checkWithheld(daemon()), []);
  const withheld = [{ path: "/srv/a.iso", root: "ab".repeat(32) as Root }];
  const [finding] = checkWithheld(daemon({ withheld, filesWithheld: 3 }));
  assertEquals(finding!.level, "problem");
  assert(finding!.text.includes("/srv/a.iso changed though its time did not"), finding!.text);
  assert(finding!.text.includes("2 more"), finding!.text);
  assertEquals(finding!.fix.at(-1), "pacsrv share --again /srv/a.iso");
});

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
  const found = { code: "refused", text: "nothing listens there", sinceMs: 61_000 };
  const dead = { peer: "10.0.0.9:8048", nodeId: null, state: "failed", problem: found } as const;
  const [, , warned] = checkNetwork(daemon({ given: [dead, { ...dead, problem: null }] }));
  assertEquals(warned?.text, "10.0.0.9:8048: no link for 1 min 1 s: nothing listens there");
  assertEquals(warned?.fix, ["Start its daemon, or give the port that it listens on."]);
  const twin = { ...silent, sameAs: "10.0.0.2:8047" };
  assertEquals(levels(checkNetwork(daemon({ directories: [twin] }))), ["ok", "ok"]);
  const only = daemon({ peers: [], directories: [silent] });
  assertEquals(levels(checkNetwork(only)), ["note", "problem", "warning"]);
  for (const told of [{ directories: [silent] }, { given: [dead] }]) {
    assertEquals(checkNetwork(daemon({ peers: [], ...told }))[1]!.fix, ["pacsrv peers"]);
  }
});

Deno.test("checkNetwork() says who was heard on the LAN, and where nobody can be", () => {
  const lanOf = (lan: Partial<LanReport>) => {
    const whole = { segments: [], nodes: 0, strangers: 0, heard: [], ...lan };
    const found = checkNetwork(daemon({ lan: whole })).find(({ check }) => check === "lan")!;
    return [found.level, found.text, ...found.fix];
  };
  const segments = [
    { segment: "eth0 IPv4", problem: null },
    { segment: "tun0 IPv4", problem: "no route" },
  ];
  const one = { peer: "10.0.0.2:8048", network: "own", segment: "eth0 IPv4", heardMs: 5 } as const;
  const other = { ...one, peer: "10.0.0.3:8048", network: "other" } as const;
  assertEquals(lanOf({ segments, nodes: 3, strangers: 1, heard: [other, one] }), [
    "ok",
    "hears 3 nodes of its network: 10.0.0.2:8048 and 2 more; 1 of other networks; on eth0 IPv4; " +
    "not on tun0 IPv4 (no route)",
  ]);
  const [level, , fix] = lanOf({ segments });
  assertEquals(level, "note");
  assertStringIncludes(fix!, "UDP port 5353");
  assertStringIncludes(lanOf({ segments, strangers: 1, heard: [other] })[2]!, "network-key-file");
  assertEquals(lanOf({ segments: segments.slice(1) }).slice(0, 2), [
    "warning",
    "cannot look for nodes on the LAN: tun0 IPv4 (no route)",
  ]);
  assertEquals(lanOf({})[0], "warning");
  assertEquals(checkNetwork(daemon({ peers: [] }))[1]!.fix[2], `discover = "all"`);
});

Deno.test("checkNetwork() says what --no-callback means, and who helps", () => {
  const barred = { ...DIRECTORY, reach: "unreachable" };
  for (const node of ["0.0.0.0:8048", "127.0.0.1:8048"]) {
    const facts = { node, acceptsConnections: false, directories: [barred] };
    const [port] = checkNetwork(daemon(facts));
    assertEquals([port!.level, port!.check], ["note", "node port"]);
    assertStringIncludes(port!.text, "--no-callback: it told others that they cannot connect");
    assertStringIncludes(port!.fix[0]!, "--relay-files");
    assertStringIncludes(port!.fix[1]!, "open TCP port 8048");
  }
});

Deno.test("checkNetwork() says that another node has the id of this one", () => {
  const clone = { host: "10.0.0.9", agoMs: 61_000 };
  const [id] = checkNetwork(daemon({ clone }));
  assertEquals([id!.level, id!.check], ["problem", "node id"]);
  assertStringIncludes(id!.text, "it was met at 10.0.0.9 1 min 1 s ago");
  assertStringIncludes(id!.fix[0]!, "remove node.id");
});

Deno.test("checkNetwork() tells a firewall by the nodes that cannot dial this one back", () => {
  const report = (peer: string, answer: ReachReport["answer"]): ReachReport => ({
    peer,
    nodeId: "a".repeat(32) as NodeId,
    answer,
  });
  const nodePort = (reach: readonly ReachReport[], direction: "in" | "out" = "out") =>
    checkNetwork(daemon({ reach, peers: [{ ...PEER, direction }] }))[0]!;
  const silent = report("10.0.0.2:8048", "no-answer");
  const barred = nodePort([silent]);
  assertEquals([barred.level, barred.text], [
    "problem",
    "other nodes cannot connect to port 8048: 10.0.0.2:8048 (no answer: a firewall or router drops it)",
  ]);
  assertStringIncludes(barred.fix[0]!, "Open TCP port 8048");
  const reached = report("10.0.0.3:8048", "reached");
  assertEquals(nodePort([silent, reached]).level, "warning");
  assertEquals(nodePort([silent], "in").level, "warning");
  assertEquals(nodePort([reached]).level, "ok");
  assertEquals(nodePort([report("10.0.0.3:8048", "busy")]).level, "note");
  for (const answer of ["refused", "no-route", "other-node", "failed"] as const) {
    const { level, fix } = nodePort([report("10.0.0.4:1", answer)]);
    assertEquals([level, fix[0]!.includes("Forward TCP port 8048")], ["problem", true]);
  }
});

Deno.test("checkOpenPorts() names each port that is open to others, who may come, and the remedy", () => {
  assertEquals(checkOpenPorts(daemon(), ["10.0.0.1"]), []);
  assertEquals(checkOpenPorts({ client: "[::1]:8049", gateway: null }, []), []);
  const open = { client: "0.0.0.0:8049", gateway: "10.0.0.1:8050" };
  const [client, gateway] = checkOpenPorts(open, ["10.0.0.1", "2001:db8::1"]);
  assertEquals([client!.level, client!.check], ["warning", "client port"]);
  assertStringIncludes(client!.text, "every machine that reaches 10.0.0.1, 2001:db8::1 can search");
  assertEquals(client!.fix[0], 'client = "127.0.0.1:8049"');
  assertStringIncludes(gateway!.text, "every machine that reaches 10.0.0.1 can get any file");
  assertEquals(gateway!.fix[0], 'gateway = "127.0.0.1:8050"');
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
  const share = { path: "/srv/pkg" };
  const barred = checkShare({ ...share, way: { kind: "known", value: way } }, user);
  assertEquals([barred.level, ...barred.fix], ["problem", "setfacl -m u:pacsrv:rX /srv"]);
  const right = { kind: "known", value: [way[0]!, way[2]!] } as const;
  assertEquals(checkShare({ ...share, way: right }, user).level, "ok");
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
  const check = (fields: Partial<Omit<typeof database, "problem">> & { problem?: string }) =>
    checkDatabases(daemon({ syncDatabases: [{ ...database, ...fields }] }), {
      nowMs,
      dbPath: undefined,
    })[0]!;
  assertEquals(check({}).text, "core: 3 packages, 1 d old");
  assertEquals(check({}).level, "ok");
  assertEquals(check({ writtenAt: "2029-12-01T00:00:00Z" }).level, "warning");
  assertEquals(check({ problem: "it is no tar" }).level, "problem");
  for (const fault of [NEVER_SYNCED, "No such file or directory (os error 2): readdir '/s'"]) {
    const { level, fix } = check({ repository: "", problem: fault });
    assertEquals([level, fix], ["warning", ["pacman -Sy"]]);
  }
  const barred = check({ repository: "", problem: "Permission denied" });
  assertEquals(barred.fix, ["ls -l /s/core.db"]);
  const noGateway = daemon({ gateway: null });
  assertEquals(checkDatabases(noGateway, { nowMs, dbPath: undefined }), []);
  const [unsafe] = checkDatabases(daemon({ gateway: "127.0.0.1:8050" }), {
    nowMs,
    dbPath: undefined,
  });
  assertEquals(unsafe!.fix, [`sync-db = "/var/lib/pacman/sync"`]);
  const none = checkDatabases(daemon(), { nowMs, dbPath: "/var/lib/pacman/" })[0]!;
  assertEquals([none.level, ...none.fix], ["warning", `sync-db = "/var/lib/pacman/sync"`]);
});

Deno.test("checkStale() warns of each database that no mirror vouches for", () => {
  assertEquals(checkStale(daemon()), []);
  const stale = [{ path: "/core/os/x86_64/core.db", ageMs: 7_200_000, sinceMs: 1_000 }];
  const [found] = checkStale(daemon({ staleDatabases: stale }));
  assertEquals(found!.level, "warning");
  assertStringIncludes(found!.text, "core.db is given though no mirror has vouched for it for 2 h");
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
    readonly program?: ProgramFacts;
    readonly leftovers?: readonly LeftoverFacts[];
    /** The check whose findings are wanted. */
    readonly check?: string;
  } = {},
): Promise<Finding[]> {
  let findings: Finding[] = [];
  await inFolder(async (folder) => {
    const path = `${folder}/pacman.conf`;
    const text = `[options]\nCacheDir = /c/pkg/\n${options.settings ?? ""}\n[core]\n${lines}\n`;
    await Deno.writeTextFile(path, text);
    const { version = "7.0.0-1", gateway = "127.0.0.1:8050", shares = ["/c/pkg"] } = options;
    const conf = await readPacmanConf(path);
    const { leftovers = [], program, hasMirror } = options;
    const facts = { conf, version, leftovers, ...(program === undefined ? {} : { program }) };
    findings = checkPacman(facts, daemon({ gateway }), { shares, hasMirror })
      .filter(({ check }) => check === (options.check ?? "pacman"));
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

Deno.test("checkPacman() wants a mirror behind a gateway that is a Server", async () => {
  const lines = `Server = ${GATEWAY}\n${MIRROR}`;
  const [found, ...more] = await pacmanFindings(lines, { hasMirror: false });
  assertEquals([found!.level, more.length], ["warning", 0]);
  assertStringIncludes(found!.text, "[core] asks the gateway by Server, but that has no mirror");
  assertEquals(found!.fix, [
    'mirror = ["https://mirror.example.org/$repo/os/$arch"]',
    "Or, instead of Server: CacheServer = http://127.0.0.1:8050/$repo/os/$arch",
  ]);
  const old = await pacmanFindings(lines, { hasMirror: false, version: "6.0.2-1" });
  assertEquals(old[0]!.fix.length, 1);
});

Deno.test("hasMirrors() reads what the gateway says of itself", () => {
  const says = (text: string) => hasMirrors({ kind: "known", value: { status: 200, text } });
  const page = (role: string) => `pacsrv 1, a gateway for pacman: ${role} = http://h:1/$repo; 1 r`;
  assertEquals(says(page("Server")), true);
  assertEquals(says(page("CacheServer")), false);
  assertEquals(says("another server"), undefined);
  assertEquals(hasMirrors(undefined), undefined);
});

Deno.test("checkPacman() says what required signatures mean without a mirror", async () => {
  const of = (options: Parameters<typeof pacmanFindings>[1]) =>
    pacmanFindings(`CacheServer = ${GATEWAY}\n${MIRROR}`, { check: "signatures", ...options });
  const [found] = await of({ hasMirror: false });
  assertEquals(found!.level, "note");
  assertStringIncludes(found!.text, "core: signatures are required");
  assertEquals(await of({ hasMirror: true }), []);
  assertEquals(await of({}), []);
  assertEquals(await of({ hasMirror: false, gateway: null }), []);
  assertEquals(await of({ hasMirror: false, settings: "SigLevel = Optional" }), []);
});

Deno.test("checkPacman() names what interrupted downloads left", async () => {
  const of = (directories: number, bytes: number | null) =>
    pacmanFindings(MIRROR, {
      check: "package cache",
      leftovers: [{ cacheDir: "/c/pkg", directories, bytes }],
    });
  assertEquals(levels(await of(0, 0)), ["ok"]);
  const [, found] = await of(2, 51_000_000);
  assertEquals(found!.level, "warning");
  assertStringIncludes(found!.text, "/c/pkg has 2 directories of downloads that were interrupted");
  assertStringIncludes(found!.text, "with 51 MB");
  assertStringIncludes(found!.fix[0]!, "rm -r /c/pkg/download-??????");
  const [, unseen] = await of(1, null);
  assertEquals(unseen!.text.includes("with"), false);
});

Deno.test("checkPacman() wants the download user to be able to run XferCommand", async () => {
  const user = { name: "alpm", uid: 971, gids: [971] };
  const of = (...modes: number[]) => {
    const way = modes.map((mode, i) => ({
      path: `/way/${i}`,
      isDirectory: i < modes.length - 1,
      uid: 0,
      gid: 0,
      mode,
    }));
    return pacmanFindings(MIRROR, {
      settings: "DownloadUser = alpm\nXferCommand = /way/pacsrv fetch %u -o %o",
      gateway: null,
      program: { path: "/way/pacsrv", user, way: { kind: "known", value: way } },
    });
  };
  const right = await of(0o755, 0o711, 0o755);
  assertEquals(levels(right), ["ok", "note"]);
  assertStringIncludes(right[1]!.text, "as alpm, and outside of its sandbox");
  const barred = await of(0o755, 0o700, 0o755);
  assertEquals(levels(barred), ["ok", "problem"]);
  assertStringIncludes(barred[1]!.text, "alpm, cannot run /way/pacsrv: it cannot get to /way/1");
});

Deno.test("checkPacman() knows that XferCommand asks CacheServer, too", async () => {
  const settings = "XferCommand = /usr/bin/pacsrv fetch %u -o %o";
  const asks = await pacmanFindings(`CacheServer = ${GATEWAY}\n${MIRROR}`, { settings });
  assertEquals(asks.map(({ level, text }) => [level, text]).at(-1), [
    "ok",
    "asks the gateway for 1 repository",
  ]);
  assertEquals(levels(await pacmanFindings(MIRROR, { settings })), ["ok", "note"]);
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
      checkPacman({ conf, version: null, leftovers: [] }, undefined, {
        shares,
        hasMirror: undefined,
      })
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

Deno.test("checkKeeping() warns of what is over and of what cannot be removed, and of nothing else", () => {
  assertEquals(checkKeeping(daemon()), []);
  const over = {
    bytes: 4_500_000,
    pinnedBytes: 6_000_000,
    inUseBytes: 2_000_000,
    fetchingBytes: 0,
  };
  const [pinned, ...others] = checkKeeping(daemon({
    keeping: { ...KEEPING, keepBytes: 5_000_000, pinned: 1, over },
  }));
  assertEquals([pinned!.level, others], ["warning", []]);
  assertEquals(
    pinned!.text,
    "the downloads are 4.5 MB over the 5 MB that they may come to: 6 MB are pinned, 2 MB are in use",
  );
  const missing = { bytes: 1_000_000, pinnedBytes: 0, inUseBytes: 0, fetchingBytes: 0 };
  const [free] = checkKeeping(daemon({
    keeping: { ...KEEPING, keepBytes: null, minFreeBytes: 20_000_000, over: missing },
  }));
  assertEquals(free!.text, "1 MB are missing of the 20 MB that shall stay free on the disk");
  const [stuck] = checkKeeping(daemon({
    keeping: { ...KEEPING, stuckFiles: 2, stuckBytes: 3_000_000, stuckWhy: "Cannot remove /a" },
  }));
  assertEquals(stuck!.level, "warning");
  assertEquals(stuck!.text, "the disk does not let 2 files go, 3 MB: Cannot remove /a");
});
