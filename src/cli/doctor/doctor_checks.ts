/**
 * The checks of `pacsrv doctor` of the daemon itself: from what is known to what is said of it.
 * What they judge is found out in `doctor_look.ts`; what pacman has to do with it is in
 * `doctor_pacman.ts`.
 */

import { limits } from "../../base/limits.ts";
import type { DirectoryReport } from "../../client/types.ts";
import { isLoopbackHost, splitAddress } from "../arguments/address.ts";
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
  const { peers, directories } = daemon;
  const answering = directories.filter(({ answers, sameAs }) => answers && sameAs === null);
  const nobody = "no link to another node and no directory that answers: there is nobody to ask";
  return [
    checkNodePort(daemon, answering),
    peers.length === 0 && answering.length === 0
      ? problem("network", nobody, `peer = ["HOST:8048"]`, `directory = ["HOST:8047"]`)
      : ok(
        "network",
        `${count(peers.length, "link")}, ` +
          `${count(answering.length, "directory", "directories")} answering`,
      ),
    ...directories.flatMap(checkDirectory),
  ];
}

function checkNodePort(
  { node, peers }: DaemonFacts,
  answering: readonly DirectoryReport[],
): Finding {
  const check = "node port";
  const { host, port } = splitAddress(node);
  const open = `Open TCP port ${port} in the firewall of this machine, if it has one.`;
  if (isLoopbackHost(host)) {
    return warning(check, `only this machine can reach ${node}`, `node = "0.0.0.0:${port}"`);
  }
  const unreachable = answering.filter(({ reach }) => reach === "unreachable");
  if (unreachable.length > 0) {
    const who = unreachable.map(({ directory }) => directory).join(", ");
    return problem(check, `${who} cannot connect to port ${port}`, open);
  }
  return peers.some(({ direction }) => direction === "in")
    ? ok(check, `${node}: other nodes connect to it`)
    : note(check, `${node}: no other node has connected to it yet`, open);
}

function checkDirectory({ directory, sameAs, answers, denied }: DirectoryReport): Finding[] {
  if (sameAs !== null || answers && denied === null) return [];
  const what = answers ? `refused: ${denied}` : "does not answer";
  return [warning("directory", `${directory} ${what}`, `pacsrv status --directory ${directory}`)];
}

/** Whose the data directory is, who can read it, and whether there is room. */
export function checkData(data: Asked<DataFacts>, dataDir: string): Finding[] {
  if (data.kind === "unknown") {
    const fix = "Run pacsrv doctor as root, or as the daemon's user.";
    return [note("data", `cannot look at ${dataDir}: ${data.reason}`, fix)];
  }
  const { directory: { path, mode }, token, user, freeBytes } = data.value;
  const fixes: string[] = [];
  if ((mode & 0o022) !== 0) fixes.push(`chmod go-w ${path}`);
  if (token !== null && (token.mode & 0o077) !== 0) fixes.push(`chmod 600 ${token.path}`);
  const findings = [
    fixes.length === 0
      ? ok("data", `${path} belongs to ${user.name}, and the daemon runs as that user`)
      : problem("data", `others can change ${path}, or read its token`, ...fixes),
  ];
  if (token !== null && token.uid !== user.uid) {
    const text = `${token.path} does not belong to ${user.name}, but its directory does`;
    findings.push(problem("data", text, `chown -R ${user.name} ${path}`));
  }
  return [...findings, checkRoom(path, freeBytes)];
}

function checkRoom(path: string, freeBytes: number): Finding {
  const free = `${formatBytes(freeBytes)} free at ${path}`;
  if (freeBytes >= limits.doctorFreeBytesGood) return ok("disk", free);
  const level = freeBytes < limits.doctorFreeBytesLeast ? problem : warning;
  return level("disk", free, `data = "/a/directory/with/more/room/pacsrv"`);
}

/** Whether the daemon's user can read what is shared, and changes there are noticed. */
export function checkShare(share: ShareFacts, user: UserFacts | undefined): Finding {
  const { path, way, watchProblem } = share;
  if (way.kind === "unknown") {
    return problem("share", `cannot look at ${path}: ${way.reason}`);
  }
  const barred = user === undefined
    ? undefined
    : way.value.find((one, i) => !mayRead(one, user, { isList: i === way.value.length - 1 }));
  if (barred !== undefined && user !== undefined) {
    const fix = `setfacl -m u:${user.name}:${barred.isDirectory ? "rX" : "r"} ${barred.path}`;
    return problem("share", `the daemon's user, ${user.name}, cannot read ${barred.path}`, fix);
  }
  if (watchProblem !== null) {
    return warning(
      "share",
      `changes in ${path} are noticed late: ${watchProblem}`,
      "echo fs.inotify.max_user_watches=524288 > /etc/sysctl.d/90-pacsrv.conf",
      "sysctl --system",
    );
  }
  return ok("share", `${path} can be read`);
}

/** Whether the repositories' databases can be read, and are recent. */
export function checkDatabases(
  { syncDatabases }: DaemonFacts,
  { nowMs, dbPath }: { readonly nowMs: number; readonly dbPath: string | undefined },
): Finding[] {
  const check = "sync-db";
  if (syncDatabases.length === 0) {
    if (dbPath === undefined) return [];
    const text = "no pacman database is read: packages are trusted because most nodes offer them";
    return [
      warning(check, text, `sync-db = ${JSON.stringify(`${dbPath.replace(/\/+$/, "")}/sync`)}`),
    ];
  }
  return syncDatabases.map(({ repository, path, packages, writtenAt, problem: fault }) => {
    const name = repository === "" ? path : repository;
    if (fault !== null) return problem(check, `${name}: ${fault}`, `ls -l ${path}`);
    const ageMs = writtenAt === null ? 0 : Math.max(0, nowMs - Date.parse(writtenAt));
    const text = `${name}: ${count(packages, "package")}, ${formatDuration(ageMs)} old`;
    return ageMs > limits.doctorDatabaseAgeMs
      ? warning(check, text, "pacman -Syu")
      : ok(check, text);
  });
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
