/** Runs the command line and sets the exit code; nothing else. */

import { runCli } from "./src/cli/run.ts";

if (import.meta.main) Deno.exit(await runCli(Deno.args));
