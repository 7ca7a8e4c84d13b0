// The flags of deno with which a test, the demo or the benchmark starts a program of this project
// as a process of its own. It does not find out anything by itself beyond how it was started.

import { DENO_ARGS_VARIABLE, denoFlags, rootPath } from "./std_source.ts";
import { runFlags } from "./run_flags.ts";

/**
 * The flags that make the imports of this project resolve, for `deno run <flags> file.ts`.
 *
 * Under a task they are what the task found out; else they follow from how this very process
 * resolves the standard library.
 *
 * @throws {Error} when the variable holds anything but a JSON array of strings.
 */
export function denoArgs(): string[] {
  const text = Deno.env.get(DENO_ARGS_VARIABLE);
  if (!text) {
    const isNpm = import.meta.resolve("@std/assert").startsWith("file:");
    return denoFlags(isNpm ? "npm" : "jsr");
  }
  const flags: unknown = JSON.parse(text);
  if (!Array.isArray(flags) || !flags.every((flag) => typeof flag === "string")) {
    throw new Error(`Cannot read ${DENO_ARGS_VARIABLE}: not a JSON array of strings: ${text}`);
  }
  return flags;
}

/**
 * The arguments of deno that run pacsrv from source with the permissions that an installed one has;
 * the arguments of pacsrv come after them.
 */
export function pacsrvArgs(): string[] {
  return ["run", "--quiet", ...denoArgs(), ...runFlags(), rootPath("main.ts")];
}
