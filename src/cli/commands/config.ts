/** `pacsrv config check [FILE]`: whether a service can start with a configuration file. */

import { systemClock } from "../../base/clock.ts";
import { type ExitName, UsageError } from "../../base/errors.ts";
import type { Arguments, CommandRun, CommandSpec } from "../arguments/arguments.ts";
import { choiceOf } from "../arguments/values.ts";
import { checkConfig } from "../settings/config_check.ts";
import {
  type DaemonSettings,
  daemonSettingsOf,
  type DirectorySettings,
  directorySettingsOf,
} from "../settings/service_settings.ts";
import { escapeText, jsonLine, printLine, warn } from "../terminal/terminal.ts";
import { count, ratesText } from "../terminal/text_format.ts";

/** The file of the packages. */
const SYSTEM_CONFIG = "/etc/pacsrv.toml";

/** The settings of each service, as it reads them itself. */
const READERS = { daemon: daemonSettingsOf, directory: directorySettingsOf } as const;

type Service = keyof typeof READERS;

/**
 * The command that prints all that is wrong with a file; it is given the commands of the services.
 *
 * It throws a UsageError when something else than a check is asked for, and an EnvironmentError when
 * the file cannot be read.
 */
export function configOf(services: Readonly<Record<Service, CommandSpec>>): CommandRun {
  return (args) => check(args, services);
}

async function check(
  args: Arguments,
  services: Readonly<Record<Service, CommandSpec>>,
): Promise<ExitName> {
  const [action = "", path = SYSTEM_CONFIG] = args.positionals;
  if (action !== "check") {
    throw new UsageError(`Cannot ${JSON.stringify(action)} a configuration: only check it`, {
      hint: "Write: pacsrv config check FILE",
    });
  }
  const service = args.value("service", choiceOf<Service>(["daemon", "directory"]));
  let known: DaemonSettings | DirectorySettings | undefined;
  const { problems, settings, warnings } = await checkConfig(path, {
    command: services[service],
    read: async (args) => known = await READERS[service](args),
  });
  for (const problem of problems) {
    const { message, hint } = problem;
    const lines = hint === null ? [message] : [message, `  ${hint}`];
    if (args.has("json")) await printLine(jsonLine(problem));
    else for (const line of lines) await printLine(escapeText(line));
  }
  for (const warning of warnings) warn(warning);
  if (problems.length > 0) return "usage";
  if (!args.has("json")) {
    const keys = count(settings, "setting");
    await printLine(`${escapeText(path)} is right: ${keys} of a ${service}`);
    const rates = known === undefined || !("rates" in known) ? undefined : await ratesNow(known);
    if (rates !== undefined) await printLine(`rates now: ${escapeText(rates)}`);
  }
  return "done";
}

/** What holds now of the rates; undefined where nothing is limited. */
async function ratesNow({ rates }: DaemonSettings): Promise<string | undefined> {
  const { ratesReport } = await import("../../daemon/rates/rates_in_force.ts");
  return ratesText(ratesReport(rates, systemClock.unixMs()));
}
