/**
 * `pacsrv daemon`: settings, log and start. How it runs until a signal is in `service.ts`; what a
 * daemon does is in src/daemon.
 */

import type { ExitName } from "../../base/errors.ts";
import { formatAddress } from "../address.ts";
import type { Arguments } from "../arguments.ts";
import { readDaemonSettings } from "../settings/daemon_settings.ts";
import { runService, ServiceSignals } from "../service.ts";

/** Runs a daemon until a signal, or until it dies of itself. */
export async function runDaemon(args: Arguments): Promise<ExitName> {
  using signals = new ServiceSignals();
  const settings = await readDaemonSettings(args);
  const { openLog } = await import("../log/log_sink.ts");
  const log = await openLog({ level: settings.logLevel, format: settings.logFormat });
  const { startDaemon } = await import("../../daemon/daemon.ts");
  const starting = startDaemon({
    dataDir: settings.dataDir,
    node: settings.node,
    client: settings.client,
    peers: settings.peers,
    directories: settings.directories,
    shares: settings.shares,
    network: settings.network,
    networkKey: settings.networkKey,
    ttl: settings.ttl,
    isReachable: settings.isReachable,
    linksMin: settings.linksMin,
    linksMax: settings.linksMax,
    acceptBytes: settings.acceptBytes,
    uploadsLoaded: settings.uploadsLoaded,
    gateway: settings.gateway,
    syncDbDir: settings.syncDbDir,
    log,
  });
  return await runService(starting, {
    what: "daemon",
    signals,
    log,
    ready: (daemon) =>
      `ready node=${formatAddress(daemon.node)} client=${formatAddress(daemon.client)} ` +
      `id=${daemon.nodeId}` +
      (daemon.gateway === undefined ? "" : ` gateway=${formatAddress(daemon.gateway)}`),
  });
}
