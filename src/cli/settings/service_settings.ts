/**
 * The settings of what runs until a signal, a daemon or a directory: flags over the configuration
 * file over the defaults, all checked.
 */

import { isAbsolute, join, resolve } from "node:path";
import type { HostPort } from "../../base/address.ts";
import { toHex } from "../../base/bytes.ts";
import { UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { LOG_LEVELS, type LogLevel } from "../../base/log.ts";
import { parseUrl, withoutSecrets } from "../../base/mirror_url.ts";
import type { DaemonConfig, GatewayConfig } from "../../daemon/config.ts";
import type { DirectoryConfig } from "../../directory/server.ts";
import type { MonitorConfig } from "../../metrics/monitor.ts";
import { addressParser, parseHostName } from "../arguments/address.ts";
import { type Arguments, configKeys } from "../arguments/arguments.ts";
import { about } from "../arguments/setting_faults.ts";
import {
  bytesFrom,
  bytesOrPercent,
  choiceOf,
  parseAge,
  parseBytes,
  parseDiscover,
  secondsFromZero,
  secondsUpTo,
  wholeNumber,
} from "../arguments/values.ts";
import { LOG_FORMATS, type LogFormat } from "../log/log_format.ts";
import {
  parseClient,
  readDirectoryListen,
  readNetwork,
  readNetworkSettings,
  readPeers,
} from "./network_settings.ts";
import { readRates } from "./rate_settings.ts";
import type { SettingTexts } from "./setting_changes.ts";

/** Port on which a daemon's gateway serves HTTP. */
const GATEWAY_PORT = 8050;
/** Port on which a service answers monitors. */
const METRICS_PORT = 8052;

/** How the log looks. */
export interface LogSettings {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** What every service runs with. */
export interface ServiceSettings extends LogSettings {
  /** Undefined: no monitor is answered. */
  readonly monitor: MonitorConfig | undefined;
}

/** The settings of a service as it takes them, and as a person wrote them. */
export interface SettingsRead<T> {
  readonly settings: T;
  readonly texts: SettingTexts;
}

/** What `pacsrv daemon` runs with. All paths are absolute. */
export type DaemonSettings = Omit<DaemonConfig, "log"> & ServiceSettings;

/** What `pacsrv directory` runs with. */
export type DirectorySettings = Omit<DirectoryConfig, "log"> & ServiceSettings;

/**
 * Reads all settings of a service by `settingsOf`, the files that they name included.
 *
 * @throws as {@linkcode readDaemonSettings} does.
 */
export async function readSettings<T extends DaemonSettings | DirectorySettings>(
  given: Arguments,
  settingsOf: (args: Arguments) => Promise<T>,
): Promise<SettingsRead<T>> {
  const args = await withConfig(given);
  const settings = await settingsOf(args);
  const { networkKey, otherKeys = [] } = settings;
  const keys = networkKey === undefined ? otherKeys : [networkKey, ...otherKeys];
  return {
    settings,
    texts: {
      texts: new Map(configKeys(args.command).map(({ name }) => [name, args.texts(name)])),
      contents: new Map([["network-key-file", keys.map(toHex)]]),
    },
  };
}

/**
 * Reads all settings of a daemon, the files that they name included.
 *
 * @throws {UsageError} for what is wrong in flags or file.
 * @throws {EnvironmentError} when a file cannot be read.
 */
export async function readDaemonSettings(given: Arguments): Promise<DaemonSettings> {
  return await daemonSettingsOf(await withConfig(given));
}

/** As {@linkcode readDaemonSettings}, of a command line that is over its file already. */
export async function daemonSettingsOf(args: Arguments): Promise<DaemonSettings> {
  const syncDbDir = args.text("sync-db");
  const { peers, srvNames } = readPeers(args);
  const settings: DaemonSettings = {
    ...await readNetworkSettings(args, { peers }),
    srvNames,
    dataDir: resolve(args.text("data") ?? systemDataDir()),
    client: args.value("client", parseClient),
    discover: args.value("discover", parseDiscover),
    shares: args.list("share").map((path) => resolve(path)),
    ...readLinkBounds(args),
    ...readAccepting(args),
    keeping: {
      keepBytes: args.optional("keep", bytesFrom(limits.keepBytesMin)) ?? null,
      minFree: args.optional("min-free", bytesOrPercent) ?? null,
      versions: args.optional("keep-versions", wholeNumber(1, limits.keepVersionsMax)) ?? null,
    },
    rates: readRates(args),
    uploadsLoaded: args.value("max-load", wholeNumber(1, limits.uploadsLoadedMax)),
    mirrorDelayMs: args.optional("mirror-delay", secondsFromZero(limits.mirrorDelayMsMax)) ?? null,
    gateway: readGateway(args),
    syncDbDir: syncDbDir === undefined ? undefined : resolve(syncDbDir),
    pacmanConfPath: resolve(args.text("pacman-conf") ?? pacmanConfOf(syncDbDir)),
    monitor: readMonitor(args),
    ...readLogSettings(args),
  };
  const { node, client, gateway, monitor } = settings;
  checkPorts(args, { node, client, gateway: gateway?.listen, metrics: monitor?.listen });
  return settings;
}

/** @throws {UsageError} when two of the ports are one. */
function checkPorts(args: Arguments, ports: Readonly<Record<string, HostPort | undefined>>): void {
  const all = Object.entries(ports);
  for (const [at, [flag, port]] of all.entries()) {
    const same = all.slice(0, at).find(([, other]) => port && other && isSamePort(port, other));
    if (same === undefined) continue;
    const [first] = same;
    // Of the two the one to be blamed is the one that somebody set.
    const [key, beside] = args.isSet(flag) ? [flag, first] : [first, flag];
    throw about(
      { key, beside },
      new UsageError(
        `Cannot use ${args.origin(key)}: it is the port of --${beside}, port ${port!.port}`,
        { hint: "Give each a port of its own." },
      ),
    );
  }
}

/** Whether two sockets cannot listen at these addresses side by side. */
function isSamePort(a: HostPort, b: HostPort): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  const isAll = (one: HostPort, other: HostPort) =>
    one.host === "::" || one.host === "0.0.0.0" && !other.host.includes(":");
  return a.host === b.host || isAll(a, b) || isAll(b, a);
}

/**
 * Reads all settings of a directory, the files that they name included.
 *
 * @throws {UsageError} for what is wrong in flags or file.
 * @throws {EnvironmentError} when a file cannot be read.
 */
export async function readDirectorySettings(given: Arguments): Promise<DirectorySettings> {
  return await directorySettingsOf(await withConfig(given));
}

/** As {@linkcode readDirectorySettings}, of a command line that is over its file already. */
export async function directorySettingsOf(args: Arguments): Promise<DirectorySettings> {
  const { directoryRefreshMsMin, directoryRefreshMsMax } = limits;
  const refreshSeconds = wholeNumber(directoryRefreshMsMin / 1000, directoryRefreshMsMax / 1000);
  const settings: DirectorySettings = {
    listen: readDirectoryListen(args),
    ...await readNetwork(args),
    replicas: args.value("replicas", wholeNumber(0, limits.replicasMax)),
    refreshMs: args.value("refresh", refreshSeconds) * 1000,
    queriesPerSecond: args.value("max-queries", wholeNumber(1, limits.directoryQueriesCeiling)),
    clientsMax: args.value("max-clients", wholeNumber(1, limits.directoryClientsMax)),
    listingsMax: args.value("max-files", wholeNumber(1, limits.listingsMax)),
    monitor: readMonitor(args),
    ...readLogSettings(args),
  };
  const { listen, monitor } = settings;
  checkPorts(args, { listen, metrics: monitor?.listen });
  return settings;
}

/** The command line over the file that `--config` names, if it names one. */
async function withConfig(args: Arguments): Promise<Arguments> {
  const path = args.text("config");
  if (path === undefined) return args;
  const { readConfig } = await import("./config.ts");
  return args.over(await readConfig(path, args.command));
}

/** What this node does for others. */
function readAccepting(args: Arguments): { acceptBytes: number; relaysFiles: boolean } {
  const acceptBytes = args.value("accept-uploads", parseBytes);
  const relaysFiles = args.has("relay-files");
  if (!relaysFiles || acceptBytes > 0) return { acceptBytes, relaysFiles };
  throw about(
    { key: "relay-files", beside: "accept-uploads" },
    new UsageError(
      `Cannot use ${args.origin("relay-files")} without --accept-uploads: there is no room for ` +
        "files",
      { hint: "Say how much room there is: --accept-uploads 20G" },
    ),
  );
}

/** The configuration of the pacman whose sync databases are read: it may be that of a container. */
function pacmanConfOf(syncDbDir = ""): string {
  const root = /^(.*)\/var\/lib\/pacman\/sync\/*$/.exec(syncDbDir)?.[1] ?? "";
  return `${root}/etc/pacman.conf`;
}

function readLogSettings(args: Arguments): LogSettings {
  return {
    logLevel: args.value("log-level", choiceOf(LOG_LEVELS)),
    logFormat: args.value("log-format", choiceOf(LOG_FORMATS)),
  };
}

function readGateway(args: Arguments): GatewayConfig | undefined {
  const mirrors = args.values("mirror", parseMirror);
  if (mirrors.length > limits.mirrorsMax) {
    throw about(
      { key: "mirror" },
      new UsageError(
        `Cannot use ${mirrors.length} mirrors: at most ${limits.mirrorsMax} are asked`,
      ),
    );
  }
  const waitMs = args.value("gateway-wait", secondsUpTo(limits.gatewayWaitMsMax));
  const staleMs = args.value("stale-databases", parseAge(limits.staleDatabasesMsMax));
  const listen = args.optional("gateway", addressParser(GATEWAY_PORT));
  const names = args.values("gateway-name", parseHostName);
  const prefetch = args.has("prefetch");
  if (prefetch && !args.isSet("sync-db")) {
    throw about(
      { key: "prefetch", beside: "sync-db" },
      new UsageError(
        `Cannot use ${
          args.origin("prefetch")
        } without --sync-db: new versions are known from there`,
      ),
    );
  }
  if (listen !== undefined) return { listen, mirrors, waitMs, staleMs, names, prefetch };
  const flags = ["mirror", "gateway-wait", "stale-databases", "gateway-name", "prefetch"];
  const idle = flags.find((name) => args.isSet(name));
  if (idle === undefined) return undefined;
  throw about(
    { key: idle, beside: "gateway" },
    new UsageError(`Cannot use ${args.origin(idle)} without --gateway: it is for the gateway`, {
      hint: `Name a port for HTTP: --gateway 127.0.0.1:${GATEWAY_PORT}`,
    }),
  );
}

function readMonitor(args: Arguments): MonitorConfig | undefined {
  const listen = args.optional("metrics", addressParser(METRICS_PORT));
  const names = args.values("metrics-name", parseHostName);
  if (listen !== undefined) return { listen, names };
  if (!args.isSet("metrics-name")) return undefined;
  throw about(
    { key: "metrics-name", beside: "metrics" },
    new UsageError(
      `Cannot use ${args.origin("metrics-name")} without --metrics: it is for that port`,
      { hint: `Name a port for monitors: --metrics 127.0.0.1:${METRICS_PORT}` },
    ),
  );
}

/** A mirror as a mirrorlist has it, with `$repo` and `$arch` left as they are. */
function parseMirror(text: string, what: string): string {
  parseUrl(text, { what, schemes: ["http", "https"] });
  if (/[?#]/.test(text)) {
    throw new UsageError(
      `Cannot use ${what} ${JSON.stringify(withoutSecrets(text))}: it has a query or a fragment`,
      { hint: "Write it as in a mirrorlist: https://mirror.example.org/$repo/os/$arch" },
    );
  }
  return text;
}

function readLinkBounds(args: Arguments): { linksMin: number; linksMax: number } {
  const linksMin = args.value("min-connections", wholeNumber(0, limits.linksCeiling));
  const linksMax = args.value("max-connections", wholeNumber(1, limits.linksCeiling));
  if (linksMin <= linksMax) return { linksMin, linksMax };
  // The default minimum gives way to a small maximum.
  if (args.isSet("min-connections")) {
    throw about(
      { key: "min-connections", beside: "max-connections" },
      new UsageError(
        `Cannot use ${args.origin("min-connections")} ${linksMin}: it is above ` +
          `${args.origin("max-connections")} ${linksMax}`,
      ),
    );
  }
  return { linksMin: linksMax, linksMax };
}

function systemDataDir(): string {
  return defaultDataDir({
    os: Deno.build.os,
    uid: Deno.build.os === "windows" ? null : Deno.uid(),
    env: (name) => Deno.env.get(name),
  });
}

/** What the choice of a data directory depends on. */
interface DataDirFacts {
  readonly os: typeof Deno.build.os;
  /** User id; null where there is none. */
  readonly uid: number | null;
  readonly env: (name: string) => string | undefined;
}

/**
 * Where the daemon keeps its data when nobody says where:
 * `/var/lib/pacsrv` for root, `%LOCALAPPDATA%\pacsrv` on Windows, else `$XDG_DATA_HOME/pacsrv`
 * with the default that the XDG Base Directory Specification gives.
 *
 * @throws {UsageError} when there is no home directory.
 */
export function defaultDataDir(surroundings: DataDirFacts): string {
  const { os, uid, env } = surroundings;
  const problem = () =>
    new UsageError("Cannot tell where the data directory is: no home directory is set", {
      hint: "Name one with --data DIR.",
    });
  if (os === "windows") {
    const local = env("LOCALAPPDATA");
    if (!local) throw problem();
    return `${local}\\pacsrv`;
  }
  if (uid === 0) return "/var/lib/pacsrv";
  const data = env("XDG_DATA_HOME");
  // The specification: a relative path is invalid and to be ignored.
  if (data && isAbsolute(data)) return join(data, "pacsrv");
  const home = env("HOME");
  if (!home) throw problem();
  return join(home, ".local", "share", "pacsrv");
}
