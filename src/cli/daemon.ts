/**
 * `pacsrv daemon`: settings, log, start, the ready line, then signals until the end. What a daemon
 * does is in src/daemon.
 */

import { type ExitName, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { RunningDaemon } from "../daemon/daemon.ts";
import { formatAddress } from "./address.ts";
import type { Arguments } from "./arguments.ts";
import { readDaemonSettings } from "./daemon_settings.ts";
import { printLine } from "./terminal.ts";

/** A person who ends the daemon waits no longer than 2 s, the end of the process included. */
const STOP_MS = 1_800;

/** Runs a daemon until a signal, or until it dies of itself. */
export async function runDaemon(args: Arguments): Promise<ExitName> {
  using signals = new DaemonSignals();
  const settings = await readDaemonSettings(args);
  const { openLog } = await import("./log_sink.ts");
  const log = await openLog({ level: settings.logLevel, format: settings.logFormat });
  const { startDaemon } = await import("../daemon/daemon.ts");
  const starting = startDaemon({
    dataDir: settings.dataDir,
    node: settings.node,
    client: settings.client,
    peers: settings.peers,
    shares: settings.shares,
    network: settings.network,
    networkKey: settings.networkKey,
    ttl: settings.ttl,
    isReachable: settings.isReachable,
    linksMin: settings.linksMin,
    linksMax: settings.linksMax,
    log,
  });
  const first = await Promise.race([starting, signals.ended]);
  if (typeof first === "string") {
    log.info("stopping before the start was complete", { signal: first });
    return await stopInTime(starting.then((daemon) => daemon.stop()), log);
  }
  return await serve(first, { signals, log });
}

async function serve(
  daemon: RunningDaemon,
  { signals, log }: { readonly signals: DaemonSignals; readonly log: Logger },
): Promise<ExitName> {
  signals.onRescan = () => daemon.rescan();
  try {
    await printLine(
      `ready node=${formatAddress(daemon.node)} client=${formatAddress(daemon.client)} ` +
        `id=${daemon.nodeId}`,
    );
  } catch (error) {
    log.warn("nobody reads the ready line", { error: messageOf(error) });
  }
  const end = await Promise.race([signals.ended, daemon.failed]);
  if (typeof end === "string") {
    log.info("stopping", { signal: end });
    return await stopInTime(daemon.stop(), log);
  }
  log.error("the daemon cannot go on", { error: end });
  await stopInTime(daemon.stop(), log);
  throw end;
}

async function stopInTime(stopping: Promise<void>, log: Logger): Promise<ExitName> {
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), STOP_MS);
  try {
    const outcome = await Promise.race([stopping.then(() => "stopped" as const), late.promise]);
    if (outcome === "stopped") return "done";
    log.error(`not stopped within ${STOP_MS} ms; ending all the same`);
    return "failed";
  } finally {
    clearTimeout(timer);
  }
}

/** The signals of a daemon, listened to from the start, so that none ends it halfway. */
class DaemonSignals implements Disposable {
  /** Resolves with the name of the signal that ends the daemon. */
  readonly ended: Promise<Deno.Signal>;
  /** What SIGHUP does; nothing until the daemon runs. */
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
