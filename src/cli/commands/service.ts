/**
 * `pacsrv daemon` and `pacsrv directory`, which run until a signal: settings, log, ready line, and
 * an end within a bound. What they do is in src/daemon and src/directory.
 */

import { systemClock } from "../../base/clock.ts";
import { type ExitName, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { formatAddress } from "../arguments/address.ts";
import type { Arguments, EarlySignals } from "../arguments/arguments.ts";
import {
  type LogSettings,
  readDaemonSettings,
  readDirectorySettings,
} from "../settings/service_settings.ts";
import { onSignals } from "../terminal/signals.ts";
import { printLine } from "../terminal/terminal.ts";

/** What runs. */
interface Service {
  /** Resolves with the reason when it cannot go on by itself. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
  /** What SIGHUP does; without it, nothing. */
  rescan?(): void;
}

/** Runs a daemon until a signal, or until it dies of itself. */
export function runDaemon(args: Arguments, early?: EarlySignals): Promise<ExitName> {
  return runService("daemon", {
    early,
    settings: () => readDaemonSettings(args),
    async start(settings, log) {
      const { startDaemon } = await import("../../daemon/daemon.ts");
      return await startDaemon({ ...settings, log });
    },
    ready: ({ node, client, nodeId, gateway, filesShared }) =>
      `ready node=${formatAddress(node)} client=${formatAddress(client)} id=${nodeId}` +
      (gateway === undefined ? "" : ` gateway=${formatAddress(gateway)}`) +
      ` shared=${filesShared}`,
  });
}

/** Runs a directory until a signal, or until it dies of itself. */
export function runDirectory(args: Arguments, early?: EarlySignals): Promise<ExitName> {
  return runService("directory", {
    early,
    settings: () => readDirectorySettings(args),
    async start(settings, log) {
      const { startDirectory } = await import("../../directory/server.ts");
      return startDirectory({ ...settings, log });
    },
    ready: ({ address, instance }) => `ready directory=${formatAddress(address)} id=${instance}`,
  });
}

/**
 * Runs a service from its start to its end.
 *
 * @param what It in the words of the log.
 * @param options.ready The line on stdout that says where it is to be found.
 * @throws what starting it throws, and the reason of its own end.
 */
async function runService<T extends LogSettings, S extends Service>(
  what: string,
  options: {
    readonly early: EarlySignals | undefined;
    readonly settings: () => Promise<T>;
    readonly start: (settings: T, log: Logger) => Promise<S>;
    readonly ready: (service: S) => string;
  },
): Promise<ExitName> {
  const { promise: ended, resolve } = Promise.withResolvers<Deno.Signal>();
  let rescan = () => {};
  let endsBy: Deno.Signal | undefined;
  const take = (signal: Deno.Signal) => {
    if (signal === "SIGHUP") return rescan();
    endsBy ??= signal;
    resolve(signal);
  };
  // From the start, so that none ends it halfway.
  using _ = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], take);
  for (const signal of options.early?.release() ?? []) take(signal);
  const settings = await options.settings();
  const { openLog } = await import("../log/log_sink.ts");
  const log = await openLog({ level: settings.logLevel, format: settings.logFormat });
  if (endsBy !== undefined) {
    log.info("ended before the start", { signal: endsBy });
    return "done";
  }
  const starting = options.start(settings, log);
  const first = await Promise.race([starting, ended]);
  if (typeof first === "string") {
    log.info("stopping before the start was complete", { signal: first });
    return await stopInTime(starting.then((service) => service.stop()), log);
  }
  rescan = () => first.rescan?.();
  try {
    await printLine(options.ready(first));
  } catch (error) {
    log.warn("nobody reads the ready line", { error: messageOf(error) });
  }
  const end = await Promise.race([ended, first.failed]);
  if (typeof end === "string") {
    log.info("stopping", { signal: end });
    return await stopInTime(first.stop(), log);
  }
  log.error(`the ${what} cannot go on`, { error: end });
  await stopInTime(first.stop(), log);
  throw end;
}

async function stopInTime(stopping: Promise<void>, log: Logger): Promise<ExitName> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  using _ = systemClock.after(limits.serviceStopMs, () => resolve("late"));
  if (await Promise.race([stopping, late]) !== "late") return "done";
  log.error(`not stopped within ${limits.serviceStopMs} ms; ending anyway`);
  return "failed";
}
