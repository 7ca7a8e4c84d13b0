// A program in the place of the binary that scripts/compile.ts makes, where its base binary is not to be
// had: it says its version and gives completion scripts, which is all that packagers ask of it.

import { VERSION } from "../../../src/base/version.ts";

/** Writes the program. */
export async function writeProgram(path: string): Promise<void> {
  const script = [
    "#!/bin/sh",
    `case "$1" in completions) echo "script for $2";; *) echo pacsrv ${VERSION};; esac`,
    "",
  ];
  await Deno.writeTextFile(path, script.join("\n"));
  await Deno.chmod(path, 0o755);
}
