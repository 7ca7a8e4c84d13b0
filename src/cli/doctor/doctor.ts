/** `pacsrv doctor`: looks at everything, judges it, prints it. Changes nothing. */

import { messageOf } from "../../base/errors.ts";
import { VERSION } from "../../base/version.ts";
import { isLoopbackHost } from "../arguments/address.ts";
import type { Arguments, CommandRun, CommandSpec } from "../arguments/arguments.ts";
import { parseCommandLine } from "../arguments/command_line.ts";
import { printItems } from "../commands/ask.ts";
import { CLIENT_DEFAULT, parseDialledClient } from "../settings/network_settings.ts";
import { type DaemonSettings, readDaemonSettings } from "../settings/service_settings.ts";
import { hintOf } from "../terminal/exits.ts";
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
} from "./doctor_checks.ts";
import type { Asked, GatewayAnswer, PacmanFacts, UserFacts } from "./doctor_facts.ts";
import {
  askClock,
  askDaemonFacts,
  askGateway,
  askMirrors,
  lookAtData,
  lookAtPacman,
  lookAtShare,
  ownAddresses,
} from "./doctor_look.ts";
import {
  checkGateway,
  checkMirrors,
  checkPacman,
  hasMirrors,
  mirrorsUnknown,
} from "./doctor_pacman.ts";
import { type Finding, hasProblem, ok, problem, reportText } from "./doctor_report.ts";

/**
 * The command, for the command that runs the daemon: its settings are read as it reads them. Exit
 * code 1 when something is wrong.
 */
export function doctorFor(daemon: CommandSpec): CommandRun {
  return async (args) => {
    const findings = await examine(args, daemon);
    await printItems(args, findings, reportText);
    return hasProblem(findings) ? "failed" : "done";
  };
}

async function examine(args: Arguments, command: CommandSpec): Promise<Finding[]> {
  const findings: Finding[] = [];
  const settings = await readSettings(args, { command, findings });
  const client = args.optional("client", parseDialledClient) ?? settings?.client ?? CLIENT_DEFAULT;
  const confPath = args.text("pacman-conf") ?? "";
  const [asked, pacman, mirrors] = await Promise.all([
    askDaemonFacts(client),
    lookAtPacman(confPath),
    askMirrors(settings?.gateway?.mirrors ?? []),
  ]);
  findings.push(checkDaemon(asked, VERSION));
  const daemon = asked.kind === "known" ? asked.value : undefined;
  if (daemon !== undefined) {
    findings.push(...checkNetwork(daemon), ...checkOpenPorts(daemon, ownAddresses()));
  }
  const user = await examineData(daemon?.dataDir ?? settings?.dataDir, findings);
  const shares = [...new Set([...settings?.shares ?? [], ...daemon?.sharedDirs ?? []])];
  for (const path of settings?.shares ?? shares) {
    findings.push(checkShare(await lookAtShare(path), user));
  }
  if (daemon !== undefined) findings.push(...checkWithheld(daemon), ...checkKeeping(daemon));
  let answer: Asked<GatewayAnswer> | undefined;
  const conf = pacman?.kind === "known" ? pacman.value.conf : undefined;
  if (daemon !== undefined) {
    const options = { nowMs: Date.now(), dbPath: conf?.dbPath };
    findings.push(...checkDatabases(daemon, options), ...checkStale(daemon));
    if (daemon.gateway !== null || conf !== undefined) {
      if (daemon.gateway !== null) answer = await askGateway(daemon.gateway);
      findings.push(checkGateway(daemon.gateway, answer));
    }
  }
  findings.push(...checkMirrors(mirrors));
  const hasGateway = daemon !== undefined && daemon.gateway !== null;
  if (args.text("config") === undefined && hasGateway) findings.push(mirrorsUnknown());
  if (pacman?.kind === "unknown") {
    findings.push(problem("pacman", `cannot read ${confPath}: ${pacman.reason}`));
  } else if (pacman !== undefined) {
    // A daemon may run with other settings than those of the file.
    const hasMirror = hasMirrors(answer) ??
      (settings && (settings.gateway?.mirrors.length ?? 0) > 0);
    findings.push(...checkPacman(pacman.value, daemon, { shares, hasMirror }));
  }
  findings.push(checkClock(await askClock(firstMirror(settings, pacman))));
  return findings;
}

/** The settings of the file that `--config` names, read as the daemon reads them. */
async function readSettings(
  args: Arguments,
  { command, findings }: { readonly command: CommandSpec; readonly findings: Finding[] },
): Promise<DaemonSettings | undefined> {
  const path = args.text("config");
  if (path === undefined) return undefined;
  try {
    const settings = await readDaemonSettings(await parseCommandLine(command, ["--config", path]));
    findings.push(ok("config", `${path} can be read`));
    return settings;
  } catch (error) {
    const hint = hintOf(error);
    findings.push(problem("config", messageOf(error), ...(hint === undefined ? [] : [hint])));
    return undefined;
  }
}

async function examineData(
  dataDir: string | undefined,
  findings: Finding[],
): Promise<UserFacts | undefined> {
  if (dataDir === undefined || Deno.build.os === "windows") return undefined;
  const data = await lookAtData(dataDir);
  findings.push(...checkData(data, dataDir));
  return data.kind === "known" ? data.value.user : undefined;
}

/** A mirror whose clock this machine's can be compared with. */
function firstMirror(
  settings: DaemonSettings | undefined,
  pacman: Asked<PacmanFacts> | undefined,
): string | undefined {
  const servers = pacman?.kind === "known"
    ? pacman.value.conf.repositories.flatMap((one) => one.servers.map(({ value }) => value))
    : [];
  const isOther = (url: string) =>
    /^https?:/i.test(url) && URL.canParse(url) && !isLoopbackHost(new URL(url).hostname);
  return settings?.gateway?.mirrors[0] ?? servers.find(isOther);
}
