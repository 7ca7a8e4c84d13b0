/**
 * The checks of `pacsrv doctor` of the daemon itself: from what is known to what is said of it.
 * What they judge is found out in `doctor_look.ts`; what pacman has to do with it is in
 * `doctor_pacman.ts`.
 */

import type {
  Asked,
  ClockFacts,
  DaemonFacts,
  DataFacts,
  PathFacts,
  ShareFacts,
  UserFacts,
} from "./doctor_facts.ts";
import { type Finding, finding } from "./doctor_report.ts";
import { isLoopbackHost, splitAddress } from "../arguments/address.ts";
import { count, formatBytes, formatDuration } from "../terminal/text_format.ts";

/** Less free space than this is a problem, or worth a warning. */
const FREE_BYTES_LEAST = 256_000_000;
const FREE_BYTES_GOOD = 4_000_000_000;
/** Repositories change daily: what is this old names few files that are still wanted. */
const DATABASE_AGE_MS = 30 * 24 * 60 * 60 * 1000;
/** With clocks further apart, certificates and signatures fail. */
const CLOCK_MS = 5 * 60 * 1000;

/** Whether a daemon answers, and which. */
export function checkDaemon(daemon: Asked<DaemonFacts>, version: string): Finding {
  if (daemon.kind === "unknown") {
    return finding("daemon", "problem", daemon.reason, "systemctl enable --now pacsrv");
  }
  const { version: running, client } = daemon.value;
  const text = `version ${running} answers at ${client}`;
  if (running === version) return finding("daemon", "ok", text);
  return finding(
    "daemon",
    "warning",
    `${text}, and this program is version ${version}`,
    "systemctl restart pacsrv",
  );
}

/** Whether other nodes can reach this one, and whom it knows. */
export function checkNetwork(daemon: DaemonFacts): Finding[] {
  const { node, peers, directories } = daemon;
  const answering = directories.filter(({ answers, sameAs }) => answers && sameAs === null);
  const unreachable = answering.filter(({ reach }) => reach === "unreachable");
  const findings: Finding[] = [];
  const { host, port } = splitAddress(node);
  const open = `Open TCP port ${port} in the firewall of this machine, if it has one.`;
  if (isLoopbackHost(host)) {
    findings.push(finding(
      "node port",
      "warning",
      `${node} can be reached from this machine only`,
      `node = "0.0.0.0:${port}"`,
    ));
  } else if (unreachable.length > 0) {
    const who = unreachable.map(({ directory }) => directory).join(", ");
    findings.push(finding("node port", "problem", `${who} cannot connect to port ${port}`, open));
  } else if (peers.some(({ direction }) => direction === "in")) {
    findings.push(finding("node port", "ok", `${node}: other nodes do connect`));
  } else {
    findings.push(
      finding("node port", "note", `${node}: no other node has connected so far`, open),
    );
  }
  const links = count(peers.length, "link");
  if (peers.length === 0 && answering.length === 0) {
    findings.push(finding(
      "network",
      "problem",
      "no link to another node, and no directory that answers: nobody can be asked",
      `peer = ["HOST:8048"]`,
      `directory = ["HOST:8047"]`,
    ));
  } else {
    const told = `${links}, ${count(answering.length, "directory", "directories")} answering`;
    findings.push(finding("network", "ok", told));
  }
  for (const one of directories) {
    if (one.sameAs !== null || one.answers && one.denied === null) continue;
    const what = one.answers ? `refused: ${one.denied}` : "does not answer";
    findings.push(finding(
      "directory",
      "warning",
      `${one.directory} ${what}`,
      `pacsrv status --directory ${one.directory}`,
    ));
  }
  return findings;
}

/** Whose the data directory is, who can read it, and whether there is room. */
export function checkData(data: Asked<DataFacts>, dataDir: string): Finding[] {
  if (data.kind === "unknown") {
    return [finding(
      "data",
      "note",
      `cannot look at ${dataDir}: ${data.reason}`,
      "Run pacsrv doctor as root, or as the daemon's user.",
    )];
  }
  const { directory, token, user, freeBytes } = data.value;
  const findings: Finding[] = [];
  const fixes: string[] = [];
  if ((directory.mode & 0o022) !== 0) fixes.push(`chmod go-w ${directory.path}`);
  if (token !== null && (token.mode & 0o077) !== 0) fixes.push(`chmod 600 ${token.path}`);
  const text = `${directory.path} is ${user.name}'s, and the daemon runs as that user`;
  findings.push(
    fixes.length === 0 ? finding("data", "ok", text) : finding(
      "data",
      "problem",
      `others may change ${directory.path}, or read its token`,
      ...fixes,
    ),
  );
  if (token !== null && token.uid !== user.uid) {
    findings.push(finding(
      "data",
      "problem",
      `${token.path} is not ${user.name}'s, as the directory is`,
      `chown -R ${user.name} ${directory.path}`,
    ));
  }
  const free = `${formatBytes(freeBytes)} free at ${directory.path}`;
  const room = freeBytes < FREE_BYTES_LEAST
    ? "problem"
    : freeBytes < FREE_BYTES_GOOD
    ? "warning"
    : "ok";
  findings.push(
    room === "ok"
      ? finding("disk", "ok", free)
      : finding("disk", room, free, `data = "/a/directory/with/more/room/pacsrv"`),
  );
  return findings;
}

/** Whether the daemon's user can read what is shared, and changes there are noticed. */
export function checkShare(share: ShareFacts, user: UserFacts | undefined): Finding {
  const { path, way, watchProblem } = share;
  if (way.kind === "unknown") {
    return finding("share", "problem", `cannot look at ${path}: ${way.reason}`);
  }
  const barred = user === undefined
    ? undefined
    : way.value.find((one, i) => !mayRead(one, user, { isList: i === way.value.length - 1 }));
  if (barred !== undefined && user !== undefined) {
    const right = barred.isDirectory ? "rX" : "r";
    return finding(
      "share",
      "problem",
      `${user.name}, as whom the daemon runs, cannot read ${barred.path}`,
      `setfacl -m u:${user.name}:${right} ${barred.path}`,
    );
  }
  if (watchProblem !== null) {
    return finding(
      "share",
      "warning",
      `changes in ${path} are noticed late: ${watchProblem}`,
      "echo fs.inotify.max_user_watches=524288 > /etc/sysctl.d/90-pacsrv.conf",
      "sysctl --system",
    );
  }
  return finding("share", "ok", `${path} can be read`);
}

/** Whether the repositories' databases can be read, and are of these days. */
export function checkDatabases(
  daemon: DaemonFacts,
  options: { readonly nowMs: number; readonly dbPath: string | undefined },
): Finding[] {
  const { syncDatabases } = daemon;
  const { nowMs, dbPath } = options;
  if (syncDatabases.length === 0) {
    if (dbPath === undefined) return [];
    return [finding(
      "sync-db",
      "warning",
      "no databases of repositories are read: packages are trusted because many peers offer them",
      `sync-db = ${JSON.stringify(`${dbPath.replace(/\/+$/, "")}/sync`)}`,
    )];
  }
  return syncDatabases.map(({ repository, path, packages, writtenAt, problem }) => {
    const name = repository === "" ? path : repository;
    if (problem !== null) {
      return finding("sync-db", "problem", `${name}: ${problem}`, `ls -l ${path}`);
    }
    const ageMs = writtenAt === null ? 0 : nowMs - Date.parse(writtenAt);
    const text = `${name}: ${count(packages, "package")}, ${
      formatDuration(Math.max(0, ageMs))
    } old`;
    return ageMs > DATABASE_AGE_MS
      ? finding("sync-db", "warning", text, "pacman -Syu")
      : finding("sync-db", "ok", text);
  });
}

/** Whether this machine's clock can be right. */
export function checkClock(clock: Asked<ClockFacts>): Finding {
  if (clock.kind === "unknown") return finding("clock", "note", clock.reason);
  const { host, aheadMs } = clock.value;
  const apart = formatDuration(Math.abs(aheadMs));
  if (Math.abs(aheadMs) <= CLOCK_MS) return finding("clock", "ok", `as at ${host}`);
  const where = aheadMs > 0 ? "behind" : "ahead of";
  return finding("clock", "warning", `${apart} ${where} ${host}`, "timedatectl set-ntp true");
}

/**
 * Whether a user can read a file, or enter a directory, by its permission bits.
 *
 * @param options.isList Whether the names in the directory are to be seen as well.
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
