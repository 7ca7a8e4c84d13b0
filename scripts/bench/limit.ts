// What a verified transfer cannot be faster than on this machine with this runtime, on one thread:
// its parts measured alone.

import { nextLine, runProcess, startProcess } from "./processes.ts";
import { PYTHON } from "./tools.ts";

const pathOf = (name: string) => decodeURIComponent(new URL(name, import.meta.url).pathname);

/** Seconds of each part. */
export interface LimitParts {
  readonly hashS: number;
  readonly receiveS: number;
  readonly writeFreshS: number;
  readonly writeOverS: number;
}

/** Measures the parts once, in a process of their own; `path` is written and must not exist. */
export async function measureLimit(
  path: string,
  options: { readonly sizeBytes: number; readonly limitMs: number },
): Promise<LimitParts> {
  const { sizeBytes, limitMs } = options;
  await using sender = startProcess(PYTHON, [
    pathOf("raw_sender.py"),
    `${sizeBytes}`,
    `${limitMs / 1000}`,
  ]);
  const port = await nextLine(sender, { what: "the raw sender", limitMs });
  const text = await runProcess(Deno.execPath(), [
    ...["run", "--quiet", "--no-config", "--no-lock", "--allow-all", pathOf("limit_child.ts")],
    ...[`${sizeBytes}`, port, path],
  ], { limitMs });
  return JSON.parse(text);
}
