/** The checks of `pacsrv doctor` of gateway, mirrors and pacman: whether the one uses the other. */

import type { PacmanSetting } from "../../pacman/pacman_conf.ts";
import { isLoopbackHost, splitAddress } from "../arguments/address.ts";
import type {
  Asked,
  DaemonFacts,
  GatewayAnswer,
  MirrorFacts,
  PacmanFacts,
} from "./doctor_facts.ts";
import { type Finding, finding } from "./doctor_report.ts";
import { count } from "../terminal/text_format.ts";

/** From this version on pacman knows CacheServer. */
const CACHE_SERVER_SINCE = [6, 1];
const PATH = "$repo/os/$arch";

/** Whether the gateway answers. */
export function checkGateway(
  gateway: string | null,
  answer: Asked<GatewayAnswer> | undefined,
): Finding {
  if (gateway === null || answer === undefined) {
    return finding(
      "gateway",
      "note",
      "there is none: pacman can use pacsrv by XferCommand only",
      `gateway = "127.0.0.1:8050"`,
    );
  }
  if (answer.kind === "unknown") {
    return finding("gateway", "problem", `nothing answers at ${gateway}: ${answer.reason}`);
  }
  const { status, text } = answer.value;
  if (status === 200) return finding("gateway", "ok", `${gateway} answers: ${text}`);
  return finding("gateway", "problem", `${gateway} answers ${status}, not 200: ${text}`);
}

/** Whether the mirrors of the configuration answer: one that does is enough for packages to come. */
export function checkMirrors(mirrors: readonly MirrorFacts[]): Finding[] {
  const why = ({ status }: MirrorFacts) => {
    if (status.kind === "unknown") return `does not answer: ${status.reason}`;
    return status.value >= 500 ? `answers ${status.value}` : undefined;
  };
  const level = mirrors.every((one) => why(one) !== undefined) ? "problem" : "warning";
  return mirrors.map((mirror) => {
    const wrong = why(mirror);
    return wrong === undefined
      ? finding("mirror", "ok", `${mirror.host} answers`)
      : finding("mirror", level, `${mirror.host} ${wrong}`);
  });
}

/** What is said of the mirrors where no configuration names them. */
export function mirrorsUnknown(): Finding {
  return finding(
    "mirror",
    "note",
    "mirrors are looked at only where --config names the daemon's configuration",
    "pacsrv doctor --config /etc/pacsrv.toml",
  );
}

/** Whether pacman is set up to use pacsrv, and in the right order. */
export function checkPacman(
  pacman: PacmanFacts,
  daemon: DaemonFacts | undefined,
  options: { readonly shares: readonly string[]; readonly hasMirror: boolean | undefined },
): Finding[] {
  const { conf } = pacman;
  const problems = conf.problems.map(({ path, line, problem }) =>
    finding("pacman", "warning", `${path}${line > 0 ? `, line ${line}` : ""}: ${problem}`)
  );
  return [
    ...problems,
    ...checkXferCommand(pacman),
    ...(daemon === undefined ? [] : checkServers(pacman, daemon, options.hasMirror)),
    ...conf.cacheDirs.map((path) => checkCacheDir(path, options.shares)),
  ];
}

function checkXferCommand({ conf }: PacmanFacts): Finding[] {
  const { xferCommand, parallelDownloads } = conf;
  if (xferCommand === undefined) return [];
  const at = `${xferCommand.path}, line ${xferCommand.line}`;
  const words = xferCommand.value.split(/\s+/);
  if (!words.some((word) => /(?:^|\/)pacsrv$/.test(word))) {
    return [finding("pacman", "note", `${at}: XferCommand is another program: ${words[0]}`)];
  }
  const findings: Finding[] = [];
  const right = "XferCommand = /usr/bin/pacsrv fetch %u -o %o";
  const isRight = words.includes("fetch") && words.includes("%u") && words.includes("%o");
  if (!isRight) {
    findings.push(
      finding("pacman", "problem", `${at}: pacsrv needs %u, and -o with %o, as words`, right),
    );
  } else findings.push(finding("pacman", "ok", `${at}: XferCommand is pacsrv`));
  if (parallelDownloads > 1) {
    findings.push(finding(
      "pacman",
      "warning",
      "with XferCommand pacman downloads one file after the other, whatever ParallelDownloads says",
      "Use the gateway instead, and remove XferCommand.",
    ));
  }
  return findings;
}

/** Whether each repository asks the gateway, and asks it first. */
function checkServers(
  pacman: PacmanFacts,
  daemon: DaemonFacts,
  hasMirror: boolean | undefined,
): Finding[] {
  const { conf, version } = pacman;
  const { gateway } = daemon;
  const usesXfer = conf.xferCommand !== undefined;
  if (gateway === null) return [];
  const { host, port } = splitAddress(gateway);
  const knowsCacheServer = version === null ? undefined : isAtLeast(version, CACHE_SERVER_SINCE);
  const isHere = isLoopbackHost(host) || isEverywhere(host);
  const base = `http://${isHere ? `127.0.0.1:${port}` : gateway}/${PATH}`;
  const line = knowsCacheServer === false ? `Server = ${base}` : `CacheServer = ${base}`;
  const findings: Finding[] = [];
  if (usesXfer) {
    return [finding(
      "pacman",
      "note",
      "pacman downloads by XferCommand, so it does not ask the gateway",
    )];
  }
  const without: string[] = [];
  for (const { name, servers, cacheServers } of conf.repositories) {
    const cache = cacheServers.find((one) => isGateway(one, gateway));
    const at = servers.findIndex((one) => isGateway(one, gateway));
    if (cache === undefined && at < 0) without.push(name);
    if (cache !== undefined && knowsCacheServer === false) {
      findings.push(finding(
        "pacman",
        "problem",
        `${place(cache)}: pacman ${version} does not know CacheServer (6.1 and later do)`,
        `Server = ${base}`,
      ));
    }
    if (at > 0) {
      findings.push(finding(
        "pacman",
        "warning",
        `${place(servers[at]!)}: [${name}] asks ${count(at, "other mirror")} before the gateway`,
        `Put ${line} before them.`,
      ));
    }
    if (at === 0 && servers.length === 1 && hasMirror === false) {
      findings.push(finding(
        "pacman",
        "problem",
        `${place(servers[0]!)}: [${name}] has no other server, and the gateway no mirror`,
        `mirror = ["https://mirror.example.org/${PATH}"]`,
      ));
    }
  }
  if (without.length > 0 && conf.repositories.length > 0) {
    const all = without.length === conf.repositories.length;
    findings.push(finding(
      "pacman",
      all ? "problem" : "warning",
      `${all ? "no repository asks" : `${without.join(", ")} do not ask`} the gateway`,
      `${line}   (in each repository's section of ${conf.path}, before its Include)`,
    ));
  }
  if (findings.length === 0) {
    findings.push(
      finding(
        "pacman",
        "ok",
        `asks the gateway for ${count(conf.repositories.length, "repository", "repositories")}`,
      ),
    );
  }
  return findings;
}

function checkCacheDir(path: string, shares: readonly string[]): Finding {
  const directory = path.length > 1 ? path.replace(/\/+$/, "") : path;
  const isShared = shares.some((share) =>
    directory === share || directory.startsWith(share.endsWith("/") ? share : `${share}/`)
  );
  if (isShared) return finding("package cache", "ok", `${directory} is shared`);
  return finding(
    "package cache",
    "warning",
    `${directory} is not shared: other machines do not get the packages of this one`,
    `share = [${JSON.stringify(directory)}]`,
  );
}

/** Whether a server of pacman is the gateway at `gateway`. */
function isGateway({ value }: PacmanSetting, gateway: string): boolean {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return false;
  }
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
