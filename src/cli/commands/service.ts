/**
 * `pacsrv daemon` and `pacsrv directory`, which run until a signal: settings, log, ready line, and
 * an end within a bound. What they do is in src/daemon and src/directory.
 */

import { type ExitName, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { formatAddress } from "../arguments/address.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { readDaemonSettings, readDirectorySettings } from "../settings/service_settings.ts";
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
export async function runDaemon(args: Arguments): Promise<ExitName> {
  using signals = new ServiceSignals();
  const { logLevel: level, logFormat: format, ...settings } = await readDaemonSettings(args);
  const { openLog } = await import("../log/log_sink.ts");
  const log = await openLog({ level, format });
  const { startDaemon } = await import("../../daemon/daemon.ts");
  return await runService(startDaemon({ ...settings, log }), {
    what: "daemon",
    signals,
    log,
    ready: ({ node, client, nodeId, gateway }) =>
      `ready node=${formatAddress(node)} client=${formatAddress(client)} id=${nodeId}` +
      (gateway === undefined ? "" : ` gateway=${formatAddress(gateway)}`),
  });
}

/** Runs a directory until a signal, or until it dies of itself. */
export async function runDirectory(args: Arguments): Promise<ExitName> {
  using signals = new ServiceSignals();
  const { logLevel: level, logFormat: format, ...settings } = await readDirectorySettings(args);
  const { openLog } = await import("../log/log_sink.ts");
  const log = await openLog({ level, format });
  const { startDirectory } = await import("../../directory/directory.ts");
  return await runService(Promise.resolve(startDirectory({ ...settings, log })), {
    what: "directory",
    signals,
    log,
    ready: ({ address, instance }) => `ready directory=${formatAddress(address)} id=${instance}`,
  });
}

/**
 * Runs a service from its start to its end.
 *
 * @param options.what It in the words of the log: "daemon".
 * @param options.ready The line on stdout that says where it is to be found.
 * @throws what starting it throws, and the reason of its own end.
 */
async function runService<S extends Service>(
  starting: Promise<S>,
  options: {
    readonly what: string;
    readonly signals: ServiceSignals;
    readonly log: Logger;
    readonly ready: (service: S) => string;
  },
): Promise<ExitName> {
  const { what, signals, log } = options;
  const first = await Promise.race([starting, signals.ended]);
  if (typeof first === "string") {
    log.info("stopping before the start was complete", { signal: first });
    return await stopInTime(starting.then((service) => service.stop()), log);
  }
  signals.onRescan = () => first.rescan?.();
  try {
    await printLine(options.ready(first));
  } catch (error) {
    log.warn("nobody reads the ready line", { error: messageOf(error) });
  }
  const end = await Promise.race([signals.ended, first.failed]);
  if (typeof end === "string") {
    log.info("stopping", { signal: end });
    return await stopInTime(first.stop(), log);
  }
  log.error(`the ${what} cannot go on`, { error: end });
  await stopInTime(first.stop(), log);
  throw end;
}

async function stopInTime(stopping: Promise<void>, log: Logger): Promise<ExitName> {
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), limits.serviceStopMs);
  try {
    const outcome = await Promise.race([stopping.then(() => "stopped" as const), late.promise]);
    if (outcome === "stopped") return "done";
    log.error(`not stopped within ${limits.serviceStopMs} ms; ending all the same`);
    return "failed";
  } finally {
    clearTimeout(timer);
  }
}

/** The signals of a service, listened to from the start, so that none ends it halfway. */
class ServiceSignals implements Disposable {
  /** Resolves with the name of the signal that ends the service. */
  readonly ended: Promise<Deno.Signal>;
  /** What SIGHUP does; nothing until the service runs. */
  onRescan: () => void = () => {};
  readonly #listeners: [Deno.Signal, () => void][];

  constructor() {
    const { promise, resolve } = Promise.withResolvers<Deno.Signal>();
    this.ended = promise;
    this.#listeners = [
      ["SIGINT", () => resolve("SIGINT")],
      // Windows has neither of these two.
      ...(Deno.build.os === "windows" ? [] : [
        ["SIGTERM", () => resolve("SIGTERM")],
        ["SIGHUP", () => this.onRescan()],
      ] satisfies [Deno.Signal, () => void][]),
    ];
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
