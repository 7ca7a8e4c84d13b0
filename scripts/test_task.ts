// The task `test`: which tests run side by side and which one after the other, and the sum of all
// in one plain last line. It does not find out how imports resolve; run.ts does.

import { waitFor } from "./child.ts";
import { ROOT_URL, rootPath } from "./std_source.ts";
import { addCounts, countRun, parseSummary, type TestCounts } from "./test_summary.ts";

/** How many files are tested at a time, by their folder; those of other folders go side by side. */
const PACES: readonly { readonly folder: string; readonly pace: Pace }[] = [
  { folder: "tests/copies", pace: "a processor each" },
  { folder: "tests/alone", pace: "alone" },
];

/**
 * How many files are tested at a time: "side by side" what waits for events and never for time, two
 * more than processors, since most of them wait a lot; "a processor each" what is held to bounds with
 * room for some other work; "alone" what is held to figures that other work would move.
 */
type Pace = "side by side" | "a processor each" | "alone";

/** One run of `deno test`. */
export interface TestRun {
  /** What to run: paths from the root of the project, or as given. */
  paths: string[];
  pace: Pace;
}

/**
 * Sorts arguments of the task into runs, those that other work on the machine would move last.
 *
 * @param paths What was asked for, from the root of the project; empty for everything.
 * @param folders The folders in tests/, from the root of the project.
 */
export function planRuns(paths: readonly string[], folders: readonly string[]): TestRun[] {
  const wanted = paths.length > 0 ? paths : [...folders].sort();
  const paces: readonly Pace[] = ["side by side", "a processor each", "alone"];
  return paces
    .map((pace) => ({ paths: wanted.filter((path) => paceOf(path) === pace), pace }))
    .filter((run) => run.paths.length > 0);
}

function paceOf(path: string): Pace {
  const found = PACES.find(({ folder }) => path === folder || path.startsWith(`${folder}/`));
  return found?.pace ?? "side by side";
}

/** Splits the task's arguments into paths and flags for `deno test`. */
export function splitArgs(args: readonly string[]): { paths: string[]; flags: string[] } {
  const paths: string[] = [];
  const flags: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (!arg.startsWith("-")) {
      paths.push(arg);
      continue;
    }
    flags.push(arg);
    const value = args[i + 1];
    if (arg === "--filter" && value !== undefined) {
      flags.push(value);
      i++;
    }
  }
  return { paths, flags };
}

/**
 * Runs the tests and prints `N passed, N failed` alone as the last line of stdout.
 *
 * @returns The exit code: 0 only if tests ran and none failed.
 */
export async function runTests(
  args: readonly string[],
  denoFlags: readonly string[],
): Promise<number> {
  const { paths, flags } = splitArgs(args);
  const counts: TestCounts[] = [];
  for (const run of planRuns(paths.map(fromRoot), await testFolders())) {
    counts.push(await runOnce(run, [...denoFlags, ...flags]));
  }
  const { passed, failed } = addCounts(counts);
  if (passed + failed === 0) console.error("No test ran.");
  console.log(`${passed} passed, ${failed} failed`);
  return passed > 0 && failed === 0 ? 0 : 1;
}

/** A path as a person gave it, relative to where they are, as a path from the root. */
function fromRoot(path: string): string {
  const slashed = path.replaceAll("\\", "/").replace(/\/+$/, "");
  const here = Deno.env.get("INIT_CWD");
  const base = here ? new URL(`file://${encodeURI(here.replaceAll("\\", "/"))}/`) : ROOT_URL;
  const absolute = decodeURIComponent(new URL(encodeURI(slashed), base).pathname);
  const root = decodeURIComponent(ROOT_URL.pathname);
  return absolute.startsWith(root) ? absolute.slice(root.length) : absolute;
}

async function testFolders(): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(rootPath("tests"))) {
    if (entry.isDirectory) names.push(`tests/${entry.name}`);
  }
  return names;
}

async function runOnce(run: TestRun, flags: readonly string[]): Promise<TestCounts> {
  const isColoured = Deno.stdout.isTerminal() && !Deno.noColor;
  const child = new Deno.Command(Deno.execPath(), {
    // A folder of helpers alone, or a filter that fits elsewhere, is no fault.
    args: [
      "test",
      "--allow-all",
      "--permit-no-files",
      ...(run.pace === "alone" ? [] : ["--parallel"]),
      ...flags,
      ...run.paths,
    ],
    cwd: rootPath("."),
    env: { DENO_JOBS: jobs(run.pace), ...(isColoured ? { FORCE_COLOR: "1" } : {}) },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const ended = waitFor(child);
  let summary: TestCounts | undefined;
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    await writeAll(bytes);
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) summary = parseSummary(line) ?? summary;
  }
  return countRun(parseSummary(rest) ?? summary, await ended);
}

/** How many files are tested at a time; a person says it by `DENO_JOBS`. */
function jobs(pace: Pace): string {
  const processors = navigator.hardwareConcurrency;
  return Deno.env.get("DENO_JOBS") ??
    String(pace === "side by side" ? processors + 2 : processors);
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
