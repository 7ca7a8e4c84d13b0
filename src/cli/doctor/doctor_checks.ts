/**
 * The checks of `pacsrv doctor` of the daemon itself: from what is known to what is said of it.
 * What they judge is found out in `doctor_look.ts`; what pacman has to do with it is in
 * `doctor_pacman.ts`.
 */

import { limits } from "../../base/limits.ts";
import { NEVER_SYNCED } from "../../base/package_index.ts";
import type { DirectoryReport, GivenPeerReport, ReachReport } from "../../client/types.ts";
import { overText } from "../commands/keeping.ts";
import { noLinkText } from "../commands/network.ts";
import { isLoopbackHost, splitAddress } from "../arguments/address.ts";
import { commandLine, pathWord, shellWord } from "../terminal/command_words.ts";
import { count, formatBytes, formatDuration } from "../terminal/text_format.ts";
import type {
  Asked,
  ClockFacts,
  DaemonFacts,
  DataFacts,
  PathFacts,
  ShareFacts,
  UserFacts,
} from "./doctor_facts.ts";
import { type Finding, note, ok, problem, warning } from "./doctor_report.ts";

/** Whether a daemon answers, and which. */
export function checkDaemon(daemon: Asked<DaemonFacts>, version: string): Finding {
  if (daemon.kind === "unknown") {
    return problem("daemon", daemon.reason, "systemctl enable --now pacsrv");
  }
  const { version: running, client } = daemon.value;
  const text = `version ${running} answers at ${client}`;
  if (running === version) return ok("daemon", text);
  return warning("daemon", `${text}; this program is ${version}`, "systemctl restart pacsrv");
}

/** Whether other nodes can reach this one, and whom it knows. */
export function checkNetwork(daemon: DaemonFacts): Finding[] {
  const { peers, given, directories } = daemon;
  const answering = directories.filter(({ answers, sameAs }) => answers && sameAs === null);
  const nobody = "no link to another node and no directory that answers: there is nobody to ask";
  // Whom it was told of is named below, each with what is to be done.
  const isToldOfSome = given.length > 0 || directories.length > 0;
  const whom = isToldOfSome ? ["pacsrv peers"] : [
    `peer = ["HOST:8048"]`,
    `directory = ["HOST:8047"]`,
    ...daemon.lan ? [] : [`discover = "all"`],
  ];
  return [
    ...checkNodeId(daemon),
    checkNodePort(daemon, answering),
    peers.length === 0 && answering.length === 0 ? problem("network", nobody, ...whom) : ok(
      "network",
      `${count(peers.length, "link")}, ` +
        `${count(answering.length, "directory", "directories")} answering`,
    ),
    ...checkLan(daemon),
    ...given.flatMap(checkPeer),
    ...directories.flatMap(checkDirectory),
  ];
}

/** Whom the daemon hears on its LANs. */
function checkLan({ lan }: DaemonFacts): Finding[] {
  // A daemon of an older version does not tell.
  if (!lan) return [];
  const { segments, nodes, strangers, heard } = lan;
  const on = segments.filter(({ problem }) => problem === null).map(({ segment }) => segment);
  const not = segments.flatMap(({ segment, problem }) =>
    problem === null ? [] : [`${segment} (${problem})`]
  );
  if (on.length === 0) {
    const why = not.length === 0 ? "no interface with others on it" : not.join(", ");
    return [warning("lan", `cannot look for nodes on the LAN: ${why}`, `discover = "none"`)];
  }
  const own = heard.filter(({ network }) => network === "own").map(({ peer }) => peer);
  const more = nodes > own.length ? ` and ${nodes - own.length} more` : "";
  const others = strangers === 0 ? "" : `; ${strangers} of other networks`;
  const where = `on ${on.join(", ")}${not.length === 0 ? "" : `; not on ${not.join(", ")}`}`;
  const who = own.length === 0 ? "" : `: ${own.join(", ")}${more}`;
  const text = `hears ${count(nodes, "node")} of its network${who}${others}; ${where}`;
  if (nodes > 0) return [ok("lan", text)];
  const fix = strangers === 0
    ? "Open UDP port 5353 in the firewalls, on this machine and on the others."
    : "Give all machines of one network the same network and network-key-file.";
  return [note("lan", text, fix)];
}

function checkNodeId({ clone }: DaemonFacts): Finding[] {
  // A daemon of an older version does not tell.
  if (!clone) return [];
  const text = `another node has the id of this one: a data directory was copied; it was met at ` +
    `${clone.host} ${formatDuration(clone.agoMs)} ago`;
  return [problem("node id", text, REMEDIES["cloned-id"]!)];
}

function checkNodePort(
  { acceptsConnections, node, peers, reach }: DaemonFacts,
  answering: readonly DirectoryReport[],
): Finding {
  const check = "node port";
  const { host, port } = splitAddress(node);
  const open = `Open TCP port ${port} in the firewall of this machine, if it has one.`;
  if (acceptsConnections === false) {
    return note(
      check,
      "the daemon runs with --no-callback: it told others that they cannot connect to it, so that it " +
        "gets files from nodes that it can connect to, and gives none to those that it cannot",
      "A node that both have links with passes files on between such nodes if it runs with " +
        "--accept-uploads BYTES --relay-files.",
      `Or open TCP port ${port}, and start the daemon without --no-callback.`,
    );
  }
  if (isLoopbackHost(host)) {
    return warning(check, `only this machine can reach ${node}`, `node = "0.0.0.0:${port}"`);
  }
  const unreachable = answering.filter(({ reach }) => reach === "unreachable");
  if (unreachable.length > 0) {
    const who = unreachable.map(({ directory }) => directory).join(", ");
    return problem(check, `${who} cannot connect to port ${port}`, open);
  }
  const barred = reach.filter(({ answer }) => answer in BARRED_WORDS);
  const isReached = peers.some(({ direction }) => direction === "in") ||
    reach.some(({ answer }) => answer === "reached");
  const [first] = barred;
  if (first !== undefined) {
    const why = barred.map(({ peer, answer }) => `${peer} (${BARRED_WORDS[answer]})`).join(", ");
    const text = `cannot connect to port ${port}: ${why}`;
    return isReached
      ? warning(check, `some nodes ${text}`, barredRemedy(first, port))
      : problem(check, `other nodes ${text}`, barredRemedy(first, port));
  }
  return isReached
    ? ok(check, `${node}: other nodes connect to it`)
    : note(check, `${node}: no other node has connected to it yet`, open);
}

/** What a node met that tried to connect to this one. */
const BARRED_WORDS: Readonly<Record<string, string>> = {
  "no-answer": "no answer: a firewall or router drops it",
  "refused": "refused: nothing listens where it sees this machine",
  "no-route": "no route from there",
  "other-node": "another node answers there",
  "failed": "something else answers there",
};

function barredRemedy({ answer }: ReachReport, port: string): string {
  return answer === "no-answer"
    ? `Open TCP port ${port} in the firewall of this machine, or of the router before it.`
    : `Forward TCP port ${port} to this machine in the router before it, or start the daemon ` +
      "with --no-callback.";
}

/**
 * Which of the ports that are meant for this machine alone are open to others.
 *
 * @param addresses Of this machine, for what listens on all of them.
 */
export function checkOpenPorts(
  { client, gateway }: Pick<DaemonFacts, "client" | "gateway">,
  addresses: readonly string[],
): Finding[] {
  const open = (name: "client" | "gateway", address: string | null, what: string): Finding[] => {
    if (address === null) return [];
    const { host, port } = splitAddress(address);
    if (isLoopbackHost(host)) return [];
    const isAny = host === "0.0.0.0" || host === "::";
    const hosts = isAny && addresses.length > 0 ? addresses.join(", ") : host;
    return [warning(
      `${name} port`,
      `${address} is open: every machine that reaches ${hosts} ${what}`,
      `${name} = "127.0.0.1:${port}"`,
      `Or allow TCP port ${port} only to those who need it in the firewall of this machine.`,
    )];
  };
  return [
    ...open(
      "client",
      client,
      "can search and fetch, and see what is here; to share takes the token",
    ),
    ...open("gateway", gateway, "can get any file through it without a key"),
  ];
}

function checkPeer({ peer, problem: found }: GivenPeerReport): Finding[] {
  if (found === null) return [];
  return [warning("peer", `${peer}: ${noLinkText(found)}`, REMEDIES[found.code] ?? "pacsrv peers")];
}

/** What is to be done about a peer without a link, where it is not said already. */
const REMEDIES: Readonly<Record<string, string>> = {
  "refused": "Start its daemon, or give the port that it listens on.",
  "no-answer": "Open its TCP port in the firewall of that machine, if it is on.",
  "no-route": "See to the network of this machine: `ip route`.",
  "name-not-found": "Correct the name in --peer, or make it known.",
  "no-service": "Correct its SRV records in DNS, or take the name out of --peer.",
  "wrong-network": "Give both the same --network and --network-key-file.",
  "wrong-key": "Give both the same --network-key-file.",
  "hung-up": "Give both the same --network and --network-key-file.",
  "self": "Take this address out of --peer.",
  "cloned-id": "Stop one of the two, remove node.id from its data directory, and start it again.",
  "not-supported": "Name it with --directory.",
};

function checkDirectory(
  { directory, sameAs, answers, denied, problem: found }: DirectoryReport,
): Finding[] {
  if (sameAs !== null || answers && denied === null) return [];
  const why = found === null ? "" : `: ${found.text}`;
  const what = answers ? `refused: ${denied}` : `does not answer${why}`;
  return [
    warning("directory", `${directory} ${what}`, commandLine("status", [["directory", directory]])),
  ];
}

/** Whose the data directory is, who can read it, and whether there is room. */
export function checkData(data: Asked<DataFacts>, dataDir: string): Finding[] {
  if (data.kind === "unknown") {
    const fix = "Run pacsrv doctor as root, or as the daemon's user.";
    return [note("data", `cannot look at ${dataDir}: ${data.reason}`, fix)];
  }
  const { directory: { path, mode }, token, user, freeBytes } = data.value;
  const fixes: string[] = [];
  if ((mode & 0o022) !== 0) fixes.push(`chmod go-w ${pathWord(path)}`);
  if (token !== null && (token.mode & 0o077) !== 0) fixes.push(`chmod 600 ${pathWord(token.path)}`);
  const findings = [
    fixes.length === 0
      ? ok("data", `${path} belongs to ${user.name}, and the daemon runs as that user`)
      : problem("data", `others can change ${path}, or read its token`, ...fixes),
  ];
  if (token !== null && token.uid !== user.uid) {
    const text = `${token.path} does not belong to ${user.name}, but its directory does`;
    findings.push(problem("data", text, `chown -R ${shellWord(user.name)} ${pathWord(path)}`));
  }
  return [...findings, checkRoom(path, freeBytes)];
}

function checkRoom(path: string, freeBytes: number): Finding {
  const free = `${formatBytes(freeBytes)} free at ${path}`;
  if (freeBytes >= limits.doctorFreeBytesGood) return ok("disk", free);
  const level = freeBytes < limits.doctorFreeBytesLeast ? problem : warning;
  return level("disk", free, `data = "/a/directory/with/more/room/pacsrv"`);
}

/** Whether the daemon's user can read what is shared. */
export function checkShare(share: ShareFacts, user: UserFacts | undefined): Finding {
  const { path, way } = share;
  if (way.kind === "unknown") {
    return problem("share", `cannot look at ${path}: ${way.reason}`);
  }
  const barred = user === undefined
    ? undefined
    : way.value.find((one, i) => !mayRead(one, user, { isList: i === way.value.length - 1 }));
  if (barred !== undefined && user !== undefined) {
    const entry = shellWord(`u:${user.name}:${barred.isDirectory ? "rX" : "r"}`);
    const fix = `setfacl -m ${entry} ${pathWord(barred.path)}`;
    return problem("share", `the daemon's user, ${user.name}, cannot read ${barred.path}`, fix);
  }
  return ok("share", `${path} can be read`);
}

/** Which shared files are withheld, and what to do about them. */
export function checkWithheld({ withheld, filesWithheld }: DaemonFacts): Finding[] {
  const [first] = withheld;
  if (first === undefined) return [];
  const more = filesWithheld === 1 ? "" : `, and ${filesWithheld - 1} more`;
  return [problem(
    "files",
    `${first.path} changed though its time did not, and is not offered${more}; its disk may fail`,
    "Put the file right, or offer it as it is:",
    commandLine("share", [["again", true]], first.path),
  )];
}

/** Whether the repositories' databases can be read, and are recent. */
export function checkDatabases(
  { syncDatabases, gateway }: DaemonFacts,
  { nowMs, dbPath }: { readonly nowMs: number; readonly dbPath: string | undefined },
): Finding[] {
  const check = "sync-db";
  if (syncDatabases.length === 0) {
    // A gateway is for pacman, wherever that runs.
    if (dbPath === undefined && gateway === null) return [];
    const text = "no pacman database is read: packages are trusted because most nodes offer them";
    const path = `${(dbPath ?? "/var/lib/pacman").replace(/\/+$/, "")}/sync`;
    return [warning(check, text, `sync-db = ${JSON.stringify(path)}`)];
  }
  return syncDatabases.map(({ repository, path, packages, writtenAt, problem: fault }) => {
    const name = repository === "" ? path : repository;
    if (repository === "" && isUnsynced(fault)) {
      return warning(check, `${name}: ${fault}`, "pacman -Sy");
    }
    if (fault !== null) return problem(check, `${name}: ${fault}`, `ls -l ${pathWord(path)}`);
    const ageMs = writtenAt === null ? 0 : Math.max(0, nowMs - Date.parse(writtenAt));
    const text = `${name}: ${count(packages, "package")}, ${formatDuration(ageMs)} old`;
    return ageMs > limits.doctorDatabaseAgeMs
      ? warning(check, text, "pacman -Syu")
      : ok(check, text);
  });
}

/** Whether there is nothing to be read yet: pacman makes the directory when it syncs first. */
function isUnsynced(fault: string | null): boolean {
  return fault === NEVER_SYNCED || /No such file or directory/.test(fault ?? "");
}

/** Which databases pacman gets though no mirror vouches for them: it cannot see that itself. */
export function checkStale({ staleDatabases = [] }: Partial<DaemonFacts>): Finding[] {
  return staleDatabases.map(({ path, ageMs }) =>
    warning(
      "gateway",
      `${path} is given though no mirror has vouched for it for ${formatDuration(ageMs)}: ` +
        "pacman asks no other server for it",
      "Without stale-databases, pacman asks its next server.",
    )
  );
}

/** Whether the downloads are within what is kept, and can be removed. */
export function checkKeeping({ keeping }: Partial<DaemonFacts>): Finding[] {
  const check = "downloads";
  const findings: Finding[] = [];
  // A daemon of an older version does not tell of all this.
  if (keeping?.stuckFiles) {
    const { stuckFiles, stuckBytes, stuckWhy } = keeping;
    const text = `the disk does not let ${count(stuckFiles, "file")} go, ` +
      `${formatBytes(stuckBytes)}: ${stuckWhy}`;
    findings.push(warning(check, text, "Make the disk writable.", commandLine("clean", [])));
  }
  const over = overText(keeping);
  if (over !== undefined) {
    const bound = keeping!.keepBytes === null ? "a lower min-free" : "a higher keep";
    const isPinned = keeping!.over!.pinnedBytes > 0;
    findings.push(warning(
      check,
      over,
      isPinned ? `Unpin some (pacsrv unpin NAME), or set ${bound}.` : `Set ${bound}.`,
    ));
  }
  return findings;
}

/** Whether this machine's clock can be right. */
export function checkClock(clock: Asked<ClockFacts>): Finding {
  if (clock.kind === "unknown") return note("clock", clock.reason);
  const { host, aheadMs } = clock.value;
  const apart = formatDuration(Math.abs(aheadMs));
  if (Math.abs(aheadMs) <= limits.doctorClockMs) return ok("clock", `as at ${host}`);
  const where = aheadMs > 0 ? "behind" : "ahead of";
  return warning("clock", `${apart} ${where} ${host}`, "timedatectl set-ntp true");
}

/**
 * Whether a user can read a file, or enter a directory, by its permission bits.
 *
 * @param options.isList Whether the names in the directory must be readable too.
 */
export function mayRead(
  file: PathFacts,
  user: UserFacts,
  options: { readonly isList: boolean },
): boolean {
  if (user.uid === 0) return true;
  const shift = file.uid === user.uid ? 6 : user.gids.includes(file.gid) ? 3 : 0;
  const needed = !file.isDirectory ? 4 : options.isList ? 5 : 1;
  return (file.mode >> shift & needed) === needed;
}
