/**
 * `pacsrv directory`: settings, log and start. How it runs until a signal is in `service.ts`; what
 * a directory does is in src/directory.
 */

import type { ExitName } from "../../base/errors.ts";
import { formatAddress } from "../address.ts";
import type { Arguments } from "../arguments.ts";
import { readDirectorySettings } from "../settings/directory_settings.ts";
import { runService, ServiceSignals } from "../service.ts";

/** Runs a directory until a signal, or until it dies of itself. */
export async function runDirectory(args: Arguments): Promise<ExitName> {
  using signals = new ServiceSignals();
  const { logLevel, logFormat, ...settings } = await readDirectorySettings(args);
  const { openLog } = await import("../log/log_sink.ts");
  const log = await openLog({ level: logLevel, format: logFormat });
  const { startDirectory } = await import("../../directory/directory.ts");
  return await runService(Promise.resolve(startDirectory({ ...settings, log })), {
    what: "directory",
    signals,
    log,
    ready: ({ address, instance }) => `ready directory=${formatAddress(address)} id=${instance}`,
  });
}
