/** Runs the command line and sets the exit code; nothing else. */

import { keepEarlySignals } from "./src/cli/terminal/early_signals.ts";

if (import.meta.main) {
  // Before anything else is loaded.
  const early = keepEarlySignals(Deno.args);
  const { runCli } = await import("./src/cli/run.ts");
  Deno.exit(await runCli(Deno.args, early));
}
