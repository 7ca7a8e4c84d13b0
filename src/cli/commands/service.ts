/**
 * `pacsrv daemon` and `pacsrv directory`, which run until a signal: settings, log, ready line, and
 * an end within a bound. What they do is in src/daemon and src/directory.
 */

import type { HostPort } from "../../base/address.ts";
import { systemClock } from "../../base/clock.ts";
import { type ExitName, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LeveledLogger, Logger } from "../../base/log.ts";
import { formatAddress } from "../arguments/address.ts";
import type { Arguments, CommandRun, EarlySignals } from "../arguments/arguments.ts";
import type { RunningDaemon } from "../../daemon/daemon.ts";
import type { RunningDirectory } from "../../directory/server.ts";
import type { Monitor, MonitoredKind, MonitoredService } from "../../metrics/monitor.ts";
import type { PageState } from "../../metrics/page/state_streams.ts";
import { RATE_KEYS } from "../settings/rate_settings.ts";
import { type LiveKeys, Reload } from "../settings/reload.ts";
import {
  type DaemonSettings,
  daemonSettingsOf,
  type DirectorySettings,
  directorySettingsOf,
  readSettings,
  type ServiceSettings,
} from "../settings/service_settings.ts";
import { ServiceManager } from "../terminal/service_manager.ts";
import { onSignals } from "../terminal/signals.ts";
import { printLine } from "../terminal/terminal.ts";

/** What runs. */
interface Service extends MonitoredService {
  /** Resolves with the reason when it cannot go on by itself. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
  /** What SIGHUP does beside reading the configuration again. */
  rescan?(): void;
}

/** The keys that are of the gateway, and wait for it. */
const GATEWAY_KEYS = ["mirror", "gateway-name", "prefetch"].map((key) => [key, "gateway"] as const);

/**
 * The command that runs a daemon until a signal, or until it dies of itself.
 *
 * @param page What the page of its port for monitoring shows.
 */
export function daemonWith(page: (daemon: RunningDaemon) => Promise<PageState>): CommandRun {
  return (args, early) => runDaemon(args, { early, page });
}

function runDaemon(
  args: Arguments,
  { early, page }: {
    readonly early: EarlySignals | undefined;
    readonly page: (daemon: RunningDaemon) => Promise<PageState>;
  },
): Promise<ExitName> {
  return runService<DaemonSettings, RunningDaemon>("daemon", {
    args,
    early,
    settingsOf: daemonSettingsOf,
    async start(settings, log) {
      const { startDaemon } = await import("../../daemon/daemon.ts");
      return await startDaemon({ ...settings, log });
    },
    kind: async () => ({ ...(await import("../../metrics/daemon_families.ts")).DAEMON, page }),
    ready: ({ node, client, nodeId, gateway, filesShared }, metrics) =>
      `ready node=${formatAddress(node)} client=${formatAddress(client)} id=${nodeId}` +
      optionalAddress("gateway", gateway) + optionalAddress("metrics", metrics) +
      ` shared=${filesShared}`,
    live: ({ live }) => ({
      "peer": (settings) => live.setPeers(settings),
      "discover": ({ discover }) => live.setDiscover(discover),
      "directory": ({ directories }) => live.setDirectories(directories),
      "site": ({ site }) => live.setSite(site),
      "share": ({ shares }) => live.setShares(shares),
      "accept-uploads": (settings) => live.setAccepting(settings),
      "relay-files": (settings) => live.setAccepting(settings),
      "keep": ({ keeping }) => live.setKeeping(keeping),
      "min-free": ({ keeping }) => live.setKeeping(keeping),
      "keep-versions": ({ keeping }) => live.setKeeping(keeping),
      ...Object.fromEntries(RATE_KEYS.map((key) => [
        key,
        ({ rates }: DaemonSettings) => live.setRates(rates),
      ])),
      "mirror": ({ gateway }) => live.setMirrors(gateway?.mirrors ?? []),
      "gateway-name": ({ gateway }) => live.setGatewayNames(gateway?.names ?? []),
      "prefetch": ({ gateway }) => live.setPrefetch(gateway?.prefetch ?? false),
    }),
    parts: new Map(GATEWAY_KEYS),
  });
}

/** Runs a directory until a signal, or until it dies of itself. */
export function runDirectory(args: Arguments, early?: EarlySignals): Promise<ExitName> {
  return runService<DirectorySettings, RunningDirectory>("directory", {
    args,
    early,
    settingsOf: directorySettingsOf,
    async start(settings, log) {
      const { startDirectory } = await import("../../directory/server.ts");
      return startDirectory({ ...settings, log });
    },
    kind: async () => (await import("../../metrics/directory_families.ts")).DIRECTORY,
    ready: ({ address, instance }, metrics) =>
      `ready directory=${formatAddress(address)} id=${instance}` +
      optionalAddress("metrics", metrics),
    live: () => ({}),
  });
}

function optionalAddress(what: string, address: HostPort | undefined): string {
  return address === undefined ? "" : ` ${what}=${formatAddress(address)}`;
}

interface ServiceOptions<T, S extends Service> {
  readonly args: Arguments;
  readonly early: EarlySignals | undefined;
  readonly settingsOf: (args: Arguments) => Promise<T>;
  readonly start: (settings: T, log: LeveledLogger) => Promise<S>;
  /** What monitors are told of it; loaded only for them. */
  readonly kind: () => Promise<MonitoredKind<S>>;
  /** The line on stdout that says where it is to be found. */
  readonly ready: (service: S, metrics: HostPort | undefined) => string;
  /** How its keys take effect while it runs; the log level does anyway. */
  readonly live: (service: S) => LiveKeys<T>;
  /** Keys that wait for another one; see `changesOf`. */
  readonly parts?: ReadonlyMap<string, string>;
}

/**
 * Runs a service from its start to its end.
 *
 * @param what It in the words of the log.
 * @throws what starting it throws, and the reason of its own end.
 */
async function runService<T extends DaemonSettings | DirectorySettings, S extends Service>(
  what: string,
  options: ServiceOptions<T, S>,
): Promise<ExitName> {
  const { promise: ended, resolve } = Promise.withResolvers<Deno.Signal>();
  let isHungUp = false;
  let hungUp = () => void (isHungUp = true);
  let endsBy: Deno.Signal | undefined;
  const take = (signal: Deno.Signal) => {
    if (signal === "SIGHUP") return hungUp();
    endsBy ??= signal;
    resolve(signal);
  };
  // From the start, so that none ends it halfway.
  using _ = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], take);
  for (const signal of options.early?.release() ?? []) take(signal);
  const { args, settingsOf } = options;
  const read = () => readSettings(args, settingsOf);
  const reading = read();
  await Promise.race([reading, ended]);
  // What is read may never come, as from a pipe to which nobody writes: there is no log to say so.
  const known = endsBy === undefined ? await reading : await inTime(reading);
  if (known === "late") return "done";
  const { settings, texts } = known;
  const { openLog } = await import("../log/log_sink.ts");
  const log = openLog({ level: settings.logLevel, format: settings.logFormat });
  if (endsBy !== undefined) {
    log.info("ended before the start", { signal: endsBy });
    return "done";
  }
  using manager = ServiceManager.open((reason) => {
    log.warn("cannot tell the service manager how it goes", { reason });
  });
  // It answers before the service does, and until after its end.
  await using monitor = await openMonitor(settings, { log, kind: options.kind });
  const starting = options.start(settings, log);
  const first = await Promise.race([starting, ended]);
  if (typeof first === "string") {
    log.info("stopping before the start was complete", { signal: first });
    monitor?.stopping();
    manager?.stopping();
    return await stopInTime(starting.then((service) => service.stop()), log);
  }
  const { parts } = options;
  const live = options.live(first);
  const reload = new Reload({
    running: texts,
    read,
    live,
    log,
    ...(parts === undefined ? {} : { parts }),
  });
  const ready = options.ready(first, monitor?.address);
  const tellReady = () => manager?.ready(reload.problem ?? ready.replace(/^ready /, ""));
  hungUp = () => {
    manager?.reloading();
    reload.run().then(() => endsBy === undefined && tellReady());
    first.rescan?.();
  };
  // What was written since it was read, before anybody could know.
  if (isHungUp) hungUp();
  monitor?.started(first);
  try {
    await printLine(ready);
  } catch (error) {
    log.warn("nobody reads the ready line", { error: messageOf(error) });
  }
  tellReady();
  const end = await Promise.race([ended, first.failed]);
  reload.end();
  monitor?.stopping();
  manager?.stopping();
  if (typeof end === "string") {
    log.info("stopping", { signal: end });
    return await stopInTime(first.stop(), log);
  }
  log.error(`the ${what} cannot go on`, { error: end });
  await stopInTime(first.stop(), log);
  throw end;
}

async function openMonitor<S extends Service>(
  { monitor }: ServiceSettings,
  { log, kind }: { readonly log: Logger; readonly kind: () => Promise<MonitoredKind<S>> },
): Promise<Monitor<S> | undefined> {
  if (monitor === undefined) return undefined;
  const { Monitor } = await import("../../metrics/monitor.ts");
  return await Monitor.open(monitor, { log, kind: await kind() });
}

async function stopInTime(stopping: Promise<void>, log: Logger): Promise<ExitName> {
  if (await inTime(stopping) !== "late") return "done";
  log.error(`not stopped within ${limits.serviceStopMs} ms; ending anyway`);
  return "failed";
}

/** What `work` gives, unless it takes longer than a person waits for the end of a service. */
async function inTime<T>(work: Promise<T>): Promise<T | "late"> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  using _ = systemClock.after(limits.serviceStopMs, () => resolve("late"));
  return await Promise.race([work, late]);
}
