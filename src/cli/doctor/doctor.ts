/** `pacsrv doctor`: looks at everything, judges it, prints it. Changes nothing. */

import { type ExitName, messageOf } from "../../base/errors.ts";
import { VERSION } from "../../base/version.ts";
import { parseAddress } from "../address.ts";
import { type Arguments, parseCommandLine } from "../arguments.ts";
import { findCommand } from "../command_table.ts";
import { type DaemonSettings, readDaemonSettings } from "../settings/daemon_settings.ts";
import {
  checkClock,
  checkDaemon,
  checkData,
  checkDatabases,
  checkNetwork,
  checkShare,
  isLoopbackHost,
} from "./doctor_checks.ts";
import type { Asked, PacmanFacts, UserFacts } from "./doctor_facts.ts";
import {
  askClock,
  askDaemonFacts,
  askGateway,
  askMirrors,
  lookAtData,
  lookAtPacman,
  lookAtShare,
} from "./doctor_look.ts";
import { checkGateway, checkMirrors, checkPacman, mirrorsUnknown } from "./doctor_pacman.ts";
import { type Finding, finding, hasProblem, reportText } from "./doctor_report.ts";
import { CLIENT_PORT } from "../settings/network_settings.ts";
import { jsonLine, writeOut } from "../terminal.ts";

/** Looks for what is wrong; exit code 1 when there is something. */
export async function runDoctor(args: Arguments): Promise<ExitName> {
  const findings = await examine(args);
  await writeOut(
    args.has("json") ? findings.map((one) => `${jsonLine(one)}\n`).join("") : reportText(findings),
  );
  return hasProblem(findings) ? "failed" : "done";
}

async function examine(args: Arguments): Promise<Finding[]> {
  const findings: Finding[] = [];
  const settings = await readSettings(args, findings);
  const clientText = args.text("client");
  const defaults = { host: "127.0.0.1", port: CLIENT_PORT };
  const client = clientText === undefined
    ? settings?.client ?? defaults
    : parseAddress(clientText, { what: "--client", defaults, isDialled: true });
  const [asked, pacman, mirrors] = await Promise.all([
    askDaemonFacts(client),
    lookAtPacman(args.text("pacman-conf") ?? ""),
    askMirrors(settings?.gateway?.mirrors ?? []),
  ]);
  findings.push(checkDaemon(asked, VERSION));
  const daemon = asked.kind === "known" ? asked.value : undefined;
  if (daemon !== undefined) findings.push(...checkNetwork(daemon));
  const user = await examineData(daemon?.dataDir ?? settings?.dataDir, findings);
  const shares = [...new Set([...settings?.shares ?? [], ...daemon?.sharedDirs ?? []])];
  for (const path of settings?.shares ?? shares) {
    findings.push(checkShare(await lookAtShare(path), user));
  }
  const conf = pacman?.kind === "known" ? pacman.value.conf : undefined;
  if (daemon !== undefined) {
    const options = { nowMs: Date.now(), dbPath: conf?.dbPath };
    findings.push(...checkDatabases(daemon, options));
    if (daemon.gateway !== null || conf !== undefined) {
      const answer = daemon.gateway === null ? undefined : await askGateway(daemon.gateway);
      findings.push(checkGateway(daemon.gateway, answer));
    }
  }
  findings.push(...checkMirrors(mirrors));
  if (args.text("config") === undefined && (daemon?.gateway ?? null) !== null) {
    findings.push(mirrorsUnknown());
  }
  if (pacman?.kind === "unknown") {
    const path = args.text("pacman-conf");
    findings.push(finding("pacman", "problem", `cannot read ${path}: ${pacman.reason}`));
  } else if (pacman !== undefined) {
    const hasMirror = settings === undefined
      ? undefined
      : (settings.gateway?.mirrors.length ?? 0) > 0;
    findings.push(...checkPacman(pacman.value, daemon, { shares, hasMirror }));
  }
  findings.push(checkClock(await askClock(firstMirror(settings, pacman))));
  return findings;
}

/** The settings of the file that `--config` names, read as the daemon reads them. */
async function readSettings(
  args: Arguments,
  findings: Finding[],
): Promise<DaemonSettings | undefined> {
  const path = args.text("config");
  if (path === undefined) return undefined;
  try {
    const daemon = await parseCommandLine(await findCommand("daemon"), ["--config", path]);
    const settings = await readDaemonSettings(daemon);
    findings.push(finding("config", "ok", `${path} can be read`));
    return settings;
  } catch (error) {
    const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
    const fix = typeof hint === "string" ? [hint] : [];
    findings.push(finding("config", "problem", messageOf(error), ...fix));
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
