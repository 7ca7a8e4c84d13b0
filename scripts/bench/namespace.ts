// A file system in memory that only the benchmark sees: a tmpfs in a mount namespace of its own, which
// the kernel takes away with the last process in it, whatever ends that. /dev/shm will not do: deno
// lets a program with less than all permissions use nothing below /dev.

import { waitFor } from "../child.ts";
import { denoArgs } from "../deno_args.ts";
import { rootPath } from "../std_source.ts";
import { runProcess } from "./processes.ts";

/** Tells the process inside where its tmpfs goes. */
const VARIABLE = "PACSRV_BENCH_MEMORY";
/** Of the machine's memory; it takes only what is written. */
const SIZE = "80%";
const MOUNT_MS = 10_000;

/** Where the tmpfs of this process is; undefined when it is not in a namespace of its own yet. */
export async function mountMemory(): Promise<string | undefined> {
  const path = Deno.env.get(VARIABLE);
  if (path === undefined) return undefined;
  const options = `size=${SIZE},mode=700`;
  await runProcess("mount", ["-t", "tmpfs", "-o", options, "pacsrv-bench", path], {
    limitMs: MOUNT_MS,
  });
  return path;
}

/**
 * Runs the benchmark again in a namespace of its own, with the same arguments.
 *
 * @returns Its exit code.
 */
export async function runInNamespace(args: readonly string[], diskRoot: string): Promise<number> {
  const path = await Deno.makeTempDir({ dir: diskRoot, prefix: "pacsrv-bench-memory-" });
  // Who is not root is so inside, where nothing else can be reached by it.
  const asRoot = Deno.uid() === 0 ? [] : ["--user", "--map-root-user"];
  try {
    const child = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--propagation", "private", ...asRoot],
        ...[Deno.execPath(), "run", "--allow-all", ...denoArgs()],
        ...[rootPath("scripts/bench/main.ts"), ...args],
      ],
      env: { [VARIABLE]: path },
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    return await waitFor(child);
  } finally {
    await Deno.remove(path);
  }
}
