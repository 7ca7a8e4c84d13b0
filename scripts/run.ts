// The one way into every task of deno.json. It decides where the standard library comes from, and
// runs deno with the flags that follow, for itself and (through PACSRV_DENO_ARGS) for the children
// of its children. It imports nothing that has to be downloaded.

import { waitFor } from "./child.ts";
import { compileTask } from "./compile.ts";
import { debTask } from "./deb.ts";
import { installTask } from "./install.ts";
import { runFlags } from "./run_flags.ts";
import { stageTask } from "./stage.ts";
import { chooseStdSource, DENO_ARGS_VARIABLE, denoFlags, rootPath } from "./std_source.ts";
import { runTests } from "./test_task.ts";

/** A task: gets the arguments of the person and the flags for deno, and gives the exit code. */
type Task = (args: string[], flags: string[]) => Promise<number>;

const TASKS: Readonly<Record<string, Task>> = {
  demo: (args, flags) =>
    deno(["run", "--allow-all", ...flags, rootPath("scripts/demo.ts"), ...args]),
  test: runTests,
  bench: (args, flags) =>
    deno(["run", "--allow-all", ...flags, rootPath("scripts/bench/main.ts"), ...args]),
  crowd: (args, flags) =>
    deno(["run", "--allow-all", ...flags, rootPath("scripts/crowd.ts"), ...args]),
  rates: (args, flags) =>
    deno(["run", "--allow-all", ...flags, rootPath("scripts/rates.ts"), ...args]),
  ok: runGate,
  files: (_args, flags) => deno(["run", "--allow-all", ...flags, rootPath("scripts/files.ts")]),
  unused: (_args, flags) =>
    deno(["run", "--allow-all", ...flags, rootPath("scripts/unused_exports.ts")]),
  check: (_args, flags) => deno(["check", ...flags, "."], { cwd: rootPath(".") }),
  // Neither resolves an import, so neither takes the flags.
  lint: (args) => deno(["lint", ...args], { cwd: rootPath(".") }),
  fmt: (args) => deno(["fmt", ...args], { cwd: rootPath(".") }),
  man: (args, flags) => deno(["run", "--allow-all", ...flags, rootPath("scripts/man.ts"), ...args]),
  picture: (args, flags) =>
    deno(["run", "--allow-all", ...flags, rootPath("scripts/picture.ts"), ...args]),
  install: installTask,
  compile: compileTask,
  stage: stageTask,
  deb: debTask,
  pacsrv: (args, flags) =>
    deno(["run", "--quiet", ...flags, ...runFlags(), rootPath("main.ts"), ...args]),
  lock: renewLock,
};

/** The tasks that never need the standard library. */
const PLAIN_TASKS = ["lint", "fmt"];

if (import.meta.main) Deno.exit(await runTask(Deno.args));

/** Runs the task that the first word names, with the words after it. */
async function runTask(words: readonly string[]): Promise<number> {
  const [name = "", ...args] = words;
  const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (!task) {
    console.error(`No task "${name}". There are: ${Object.keys(TASKS).join(", ")}.`);
    return 2;
  }
  const flags = PLAIN_TASKS.includes(name) ? [] : await chooseFlags();
  return await task(args, flags);
}

/** The flags of deno for this run: what a task around this one chose, or what is found out now. */
async function chooseFlags(): Promise<string[]> {
  const inherited = Deno.env.get(DENO_ARGS_VARIABLE);
  if (inherited) return JSON.parse(inherited);
  const source = await chooseStdSource();
  if (source === "npm") {
    console.error("The registry of @std cannot be reached; taking the same code from npm.");
  }
  const flags = denoFlags(source);
  Deno.env.set(DENO_ARGS_VARIABLE, JSON.stringify(flags));
  return flags;
}

/** The gate: each step only if the one before it found nothing. */
async function runGate(args: string[], flags: string[]): Promise<number> {
  const steps: [name: string, args: string[]][] = [
    ["fmt", ["--check"]],
    ["lint", []],
    ["check", []],
    ["unused", []],
    ["test", args],
  ];
  for (const [name, stepArgs] of steps) {
    const code = await TASKS[name]?.(stepArgs, flags);
    if (code !== 0) {
      console.error(`Not ok: ${name}.`);
      return code ?? 1;
    }
  }
  return 0;
}

/** Writes the lock file in use anew, after a dependency was changed on purpose. */
async function renewLock(_args: string[], flags: string[]): Promise<number> {
  const lock = flags.find((flag) => flag.startsWith("--lock="))?.slice("--lock=".length);
  if (lock === undefined) throw new Error(`No lock file among the flags: ${flags.join(" ")}`);
  const others = flags.filter((flag) => flag !== "--frozen");
  return await deno(["check", ...others, "--frozen=false", "."], { cwd: rootPath(".") });
}

/** Runs deno in the foreground, by default where the person is, and gives its exit code. */
async function deno(args: string[], options: { cwd?: string } = {}): Promise<number> {
  const cwd = options.cwd ?? Deno.env.get("INIT_CWD") ?? Deno.cwd();
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return await waitFor(child);
}
