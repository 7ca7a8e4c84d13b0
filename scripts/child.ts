// Waiting for a child process that does the work of this one, so that ending this one ends the
// child too. It starts nothing itself.

/**
 * Waits for the end of a child, meanwhile handing on SIGTERM. SIGINT comes from the terminal to the
 * child as well, which ends as it sees fit; then this process ends with it.
 *
 * @returns The child's exit code.
 */
export async function waitFor(child: Deno.ChildProcess): Promise<number> {
  const ignore = () => {};
  const pass = () => child.kill("SIGTERM");
  const isWindows = Deno.build.os === "windows";
  Deno.addSignalListener("SIGINT", ignore);
  if (!isWindows) Deno.addSignalListener("SIGTERM", pass);
  try {
    return (await child.status).code;
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
    if (!isWindows) Deno.removeSignalListener("SIGTERM", pass);
  }
}
