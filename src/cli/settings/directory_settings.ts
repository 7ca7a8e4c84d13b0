/** The settings of a directory: flags over the configuration file over the defaults, all checked. */

import type { HostPort } from "../../base/address.ts";
import { limits } from "../../base/limits.ts";
import type { Arguments } from "../arguments.ts";
import {
  DIRECTORY_PORT,
  type NetworkSettings,
  readListenAddress,
  readNetwork,
} from "./network_settings.ts";
import { type LogSettings, readLogSettings, withConfig } from "./service_settings.ts";
import { parseWhole } from "../values.ts";

/** What `pacsrv directory` runs with. */
export interface DirectorySettings
  extends Pick<NetworkSettings, "network" | "networkKey">, LogSettings {
  readonly listen: HostPort;
  /** Whole copies of a popular file below which more are made; 0: no balancing. */
  readonly replicas: number;
  /** How often clients shall say that they are there. */
  readonly refreshMs: number;
  /** Questions that one host may ask in a second. */
  readonly queriesPerSecond: number;
}

/**
 * Reads all of it, the files that it names included.
 *
 * @throws {UsageError} for what is wrong in flags or file.
 * @throws {EnvironmentError} when a file cannot be read.
 */
export async function readDirectorySettings(given: Arguments): Promise<DirectorySettings> {
  const args = await withConfig(given);
  const whole = (name: string, range: { min: number; max: number }) =>
    parseWhole(args.text(name) ?? "", args.origin(name), range);
  const refreshSeconds = whole("refresh", {
    min: limits.directoryRefreshMsMin / 1000,
    max: limits.directoryRefreshMsMax / 1000,
  });
  return {
    listen: readListenAddress(args, {
      flag: "listen",
      port: DIRECTORY_PORT,
      portUnset: DIRECTORY_PORT,
    }),
    ...await readNetwork(args),
    replicas: whole("replicas", { min: 0, max: limits.replicasMax }),
    refreshMs: refreshSeconds * 1000,
    queriesPerSecond: whole("max-queries", { min: 1, max: limits.directoryQueriesCeiling }),
    ...readLogSettings(args),
  };
}
