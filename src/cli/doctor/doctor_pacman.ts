/**
 * The checks of `pacsrv doctor` of gateway, mirrors and pacman: whether the one uses the other. How
 * pacman downloads is in `doctor_downloads.ts`.
 */

import type { PacmanSetting } from "../../pacman/pacman_conf.ts";
import { isLoopbackHost, splitAddress } from "../arguments/address.ts";
import { count } from "../terminal/text_format.ts";
import type {
  Asked,
  AskedMirror,
  DaemonFacts,
  GatewayAnswer,
  PacmanFacts,
} from "./doctor_facts.ts";
import { checkLeftovers, checkSignatures, checkXferCommand } from "./doctor_downloads.ts";
import { type Finding, note, ok, problem, warning } from "./doctor_report.ts";

/** From this version on pacman knows CacheServer. */
const CACHE_SERVER_SINCE = [6, 1];
const PATH = "$repo/os/$arch";

/** Whether the gateway answers. */
export function checkGateway(
  gateway: string | null,
  answer: Asked<GatewayAnswer> | undefined,
): Finding {
  if (gateway === null || answer === undefined) {
    const text = "there is none: pacman can use pacsrv only by XferCommand";
    return note("gateway", text, `gateway = "127.0.0.1:8050"`);
  }
  if (answer.kind === "unknown") {
    return problem("gateway", `nothing answers at ${gateway}: ${answer.reason}`);
  }
  const { status, text } = answer.value;
  if (status === 200) return ok("gateway", `${gateway} answers: ${text}`);
  return problem("gateway", `${gateway} answers ${status}, not 200: ${text}`);
}

/** Whether a gateway that answers has mirrors, as it says of itself; undefined where it says nothing. */
export function hasMirrors(answer: Asked<GatewayAnswer> | undefined): boolean | undefined {
  if (answer?.kind !== "known") return undefined;
  const role = /: (Cache)?Server = /.exec(answer.value.text);
  return role === null ? undefined : role[1] === undefined;
}

/** Whether the mirrors of the configuration answer: one that does is enough for packages to come. */
export function checkMirrors(mirrors: readonly AskedMirror[]): Finding[] {
  const checked = mirrors.map(({ host, status }) => ({ host, fault: faultOf(status) }));
  const bad = checked.every(({ fault }) => fault !== undefined) ? problem : warning;
  return checked.map(({ host, fault }) =>
    fault === undefined ? ok("mirror", `${host} answers`) : bad("mirror", `${host} ${fault}`)
  );
}

function faultOf(status: Asked<number>): string | undefined {
  if (status.kind === "unknown") return `does not answer: ${status.reason}`;
  return status.value >= 500 ? `answers ${status.value}` : undefined;
}

/** What is said of the mirrors where no configuration names them. */
export function mirrorsUnknown(): Finding {
  const text = "mirrors are checked only if --config names the daemon's configuration";
  return note("mirror", text, "pacsrv doctor --config /etc/pacsrv.toml");
}

/** Whether pacman is set up to use pacsrv, and in the right order. */
export function checkPacman(
  pacman: PacmanFacts,
  daemon: DaemonFacts | undefined,
  options: { readonly shares: readonly string[]; readonly hasMirror: boolean | undefined },
): Finding[] {
  const { conf } = pacman;
  return [
    ...conf.problems.map(({ path, line, problem }) =>
      warning("pacman", `${path}${line > 0 ? `, line ${line}` : ""}: ${problem}`)
    ),
    ...checkXferCommand(pacman),
    ...(daemon === undefined || daemon.gateway === null ? [] : [
      ...checkServers(pacman, daemon.gateway, options.hasMirror),
      ...checkSignatures(pacman, options),
    ]),
    ...conf.cacheDirs.map((path) => checkCacheDir(path, options.shares)),
    ...checkLeftovers(pacman.leftovers),
  ];
}

/** Whether each repository asks the gateway, and asks it first. */
function checkServers(
  { conf, version }: PacmanFacts,
  gateway: string,
  hasMirror: boolean | undefined,
): Finding[] {
  const { host, port } = splitAddress(gateway);
  const isHere = isLoopbackHost(host) || isEverywhere(host);
  const base = `http://${isHere ? `127.0.0.1:${port}` : gateway}/${PATH}`;
  const isOld = version !== null && !isAtLeast(version, CACHE_SERVER_SINCE);
  const line = isOld ? `Server = ${base}` : `CacheServer = ${base}`;
  const findings: Finding[] = [];
  const without: string[] = [];
  for (const { name, servers, cacheServers } of conf.repositories) {
    const cache = cacheServers.find((one) => isGateway(one, gateway));
    const at = servers.findIndex((one) => isGateway(one, gateway));
    if (cache === undefined && at < 0) without.push(name);
    if (cache !== undefined && isOld) {
      const text = `pacman ${version} does not know CacheServer (6.1 and later do)`;
      findings.push(problem("pacman", `${place(cache)}: ${text}`, `Server = ${base}`));
    }
    if (at > 0) {
      const text = `[${name}] asks ${count(at, "other mirror")} before the gateway`;
      findings.push(
        warning("pacman", `${place(servers[at]!)}: ${text}`, `Put ${line} before them.`),
      );
    }
    if (at >= 0 && hasMirror === false) {
      const isOnly = servers.length === 1;
      const text = `${place(servers[at]!)}: [${name}] ` +
        (isOnly
          ? "has no other server, and the gateway no mirror"
          : "asks the gateway by Server, but that has no mirror: it gives no databases, and an error " +
            "for each package that no node has");
      findings.push((isOnly ? problem : warning)(
        "pacman",
        text,
        `mirror = ["https://mirror.example.org/${PATH}"]`,
        ...(isOld || isOnly ? [] : [`Or, instead of Server: CacheServer = ${base}`]),
      ));
    }
  }
  const repositories = conf.repositories.length;
  if (conf.xferCommand !== undefined && without.length === repositories) {
    return [note("pacman", "XferCommand gets everything, and no repository asks the gateway")];
  }
  if (without.length > 0) {
    const [bad, who] = without.length === repositories
      ? [problem, "no repository asks"] as const
      : [warning, `${without.join(", ")} do not ask`] as const;
    const where = `(in each repository's section of ${conf.path}, before its Include)`;
    findings.push(bad("pacman", `${who} the gateway`, `${line}   ${where}`));
  }
  if (findings.length > 0) return findings;
  return [
    ok("pacman", `asks the gateway for ${count(repositories, "repository", "repositories")}`),
  ];
}

function checkCacheDir(path: string, shares: readonly string[]): Finding {
  const directory = path.length > 1 ? path.replace(/\/+$/, "") : path;
  const isShared = shares.some((share) =>
    directory === share || directory.startsWith(share.endsWith("/") ? share : `${share}/`)
  );
  if (isShared) return ok("package cache", `${directory} is shared`);
  const text = `${directory} is not shared: other machines do not get the packages of this one`;
  return warning("package cache", text, `share = [${JSON.stringify(directory)}]`);
}

/** Whether a server of pacman is the gateway at `gateway`. */
function isGateway({ value }: PacmanSetting, gateway: string): boolean {
  const url = URL.parse(value);
  if (url === null) return false;
  const { host, port } = splitAddress(gateway);
  if (url.protocol !== "http:" || (url.port || "80") !== port) return false;
  const asked = url.hostname.replace(/^\[|\]$/g, "");
  // A gateway on all addresses is reached by any name of this machine.
  return asked === host || isEverywhere(host) || isLoopbackHost(asked) && isLoopbackHost(host);
}

function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function place({ path, line }: PacmanSetting): string {
  return `${path}, line ${line}`;
}

/** Whether a version as "6.1.0-3" is at least `least`. */
export function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.replace(/^\d+:/, "").replace(/-.*$/, "").split(".").map(Number);
  for (const [i, wanted] of least.entries()) {
    const part = parts[i] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
