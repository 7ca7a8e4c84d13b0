// The task `compile`: one self-contained binary a platform, in dist/, with their checksums. The
// binaries may do what run_flags.ts lists and no more. It does not sign or pack them.

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { runFlags } from "./run_flags.ts";
import { rootPath } from "./std_source.ts";

const HELP = `deno task compile [--target T]...

Makes dist/pacsrv-<target> for each target (default: all of them) and dist/SHA256SUMS.
Targets: x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu, x86_64-apple-darwin,
aarch64-apple-darwin, x86_64-pc-windows-msvc.

Deno puts the program into a base binary, denort, that it downloads once for each target. Where
that cannot be had, get denort of the same version and target elsewhere and name the file in
DENORT_BIN; then one target is made, by default the one of this machine.

Exit codes: 0 done, 1 a target could not be made, 2 usage.`;

const TARGETS: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

/** How the making of one target ended. */
type Outcome = "made" | "no base binary" | "failed";

/** Compiles for the targets in `args` with the given flags of deno, and gives the exit code. */
export async function compileTask(args: string[], denoFlags: string[]): Promise<number> {
  let targets: string[];
  try {
    const { values } = parseArgs({
      args,
      options: { target: { type: "string", multiple: true }, help: { type: "boolean" } },
    });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    targets = chooseTargets(values.target ?? [], Deno.env.get("DENORT_BIN"));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return 2;
  }
  await Deno.mkdir(rootPath("dist"), { recursive: true });
  const outcomes: Outcome[] = [];
  for (const target of targets) outcomes.push(await compileOne(target, denoFlags));
  await writeSums();
  const missing = targets.filter((_, i) => outcomes[i] === "no base binary");
  if (missing.length > 0) {
    console.error(
      `Cannot compile for ${missing.join(", ")}: the base binary denort ${Deno.version.deno} ` +
        "cannot be downloaded here, so get it elsewhere and name the file in DENORT_BIN.",
    );
  }
  return outcomes.every((outcome) => outcome === "made") ? 0 : 1;
}

/**
 * The targets to make.
 *
 * @param wanted What was asked for; empty for all of them.
 * @param baseBinary The one base binary to use, which is for one target only.
 * @throws {Error} for an unknown target, or several targets with one base binary.
 */
export function chooseTargets(wanted: readonly string[], baseBinary?: string): string[] {
  for (const target of wanted) {
    if (TARGETS.includes(target)) continue;
    throw new Error(`Cannot compile for "${target}": the targets are ${TARGETS.join(", ")}`);
  }
  if (!baseBinary) return wanted.length > 0 ? [...new Set(wanted)] : [...TARGETS];
  if (wanted.length > 1) {
    throw new Error(
      `Cannot compile for ${wanted.length} targets with DENORT_BIN, which is for one: name one`,
    );
  }
  return wanted.length > 0 ? [...wanted] : [Deno.build.target];
}

/** The name of the binary of a target in dist/. */
export function binaryName(target: string): string {
  return `pacsrv-${target}${target.includes("windows") ? ".exe" : ""}`;
}

async function compileOne(target: string, denoFlags: string[]): Promise<Outcome> {
  const output = rootPath(`dist/${binaryName(target)}`);
  await Deno.remove(output).catch(ignoreMissing);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      ...denoFlags,
      ...runFlags(),
      // What only the tests and the type checker need stays out.
      "--exclude-unused-npm",
      ...(await workers()).flatMap((path) => ["--include", path]),
      `--target=${target}`,
      `--output=${output}`,
      rootPath("main.ts"),
    ],
    cwd: rootPath("."),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  if (code !== 0) {
    if (/base binary|denort/i.test(text) && !Deno.env.get("DENORT_BIN")) return "no base binary";
    console.error(`Cannot compile for ${target}:\n${text.trimEnd()}`);
    return "failed";
  }
  if (target === Deno.build.target && !(await isPacsrv(output))) {
    await Deno.remove(output);
    const base = Deno.env.get("DENORT_BIN") ?? "the downloaded one";
    console.error(
      `Cannot use the base binary (${base}): what it makes does not run as pacsrv; ` +
        `it must be denort ${Deno.version.deno}, not deno itself.`,
    );
    return "failed";
  }
  console.log(`dist/${binaryName(target)}`);
  return "made";
}

/** Whether a binary for this machine starts and says that it is pacsrv. */
async function isPacsrv(path: string): Promise<boolean> {
  const { code, stdout } = await new Deno.Command(path, {
    args: ["--version"],
    stdin: "null",
    stderr: "null",
  }).output();
  return code === 0 && new TextDecoder().decode(stdout).startsWith("pacsrv ");
}

/** The files that are started as workers: no import leads to them, so they are named. */
async function workers(folder = "src"): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(rootPath(folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await workers(path));
    else if (entry.name.endsWith("_worker.ts")) found.push(rootPath(path));
  }
  return found;
}

/** Writes the checksums of all binaries in dist/, those of earlier runs too. */
async function writeSums(): Promise<void> {
  const lines: string[] = [];
  for (const name of TARGETS.map(binaryName).sort()) {
    const sum = await sha256(rootPath(`dist/${name}`));
    if (sum !== undefined) lines.push(`${sum}  ${name}\n`);
  }
  const path = rootPath("dist/SHA256SUMS");
  if (lines.length > 0) await Deno.writeTextFile(path, lines.join(""));
  else await Deno.remove(path).catch(ignoreMissing);
}

async function sha256(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    using file = await Deno.open(path);
    const buffer = new Uint8Array(1 << 20);
    for (;;) {
      const count = await file.read(buffer);
      if (count === null) return hash.digest("hex");
      hash.update(buffer.subarray(0, count));
    }
  } catch (error) {
    ignoreMissing(error);
    return undefined;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
