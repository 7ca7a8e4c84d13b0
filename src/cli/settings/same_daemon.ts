/** The daemon that a command asks, so that what it tells a person to run next asks the same. */

import { HintedError } from "../../base/errors.ts";
import { formatAddress } from "../arguments/address.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { withClient } from "../terminal/command_words.ts";
import { isService } from "../terminal/early_signals.ts";
import { parseDialledClient } from "./network_settings.ts";

/**
 * The daemon that `--client` of a command line names, as HOST:PORT; undefined without that flag, and
 * for a service, which listens there.
 */
export function givenClient(args: Arguments): string | undefined {
  const { name, flags } = args.command;
  const isAsking = !isService(name) && flags.some((flag) => flag.name === "client");
  return isAsking && args.isGiven("client")
    ? formatAddress(args.value("client", parseDialledClient))
    : undefined;
}

/** An error of a command, its hint with commands that ask the same daemon. */
export function hintingAtSame(error: unknown, args: Arguments): unknown {
  if (error instanceof HintedError && error.hint !== undefined) {
    error.hint = withClient(error.hint, givenClient(args));
  }
  return error;
}
