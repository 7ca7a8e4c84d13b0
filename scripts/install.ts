// The task `install`: puts a command `pacsrv` into DIR/bin that runs a copy of the source with a copy
// of this very deno, so that users who see nothing of this one's home can run it: pacman's downloads
// have a user of their own. `deno install --global` is of no use here: it resolves imports by a copy of
// deno.json alone, so not from npm, and its command needs a `deno` on the PATH, which npx does not give.
// Packages are laid out by the same functions (scripts/stage.ts).

import { parseArgs } from "node:util";
import { COMPLETION_FILES } from "./manual/completion_files.ts";
import { runFlags } from "./run_flags.ts";
import { rootPath } from "./std_source.ts";

const HELP = `deno task install --root DIR [--destdir DIR]

Puts the command pacsrv into DIR/bin and what it runs into DIR/lib/pacsrv, in place of what an
earlier install put there; its man pages and what completes it in bash, zsh and fish into DIR/share
(not on Windows). The checkout may be moved or deleted afterwards. Deno and the libraries lie in
DIR/lib/pacsrv as well: every user who can get to DIR can run the command, and needs nothing else.
With --destdir all of it is written below that folder, for a package: it runs once it lies in DIR.

Exit codes: 0 done, 1 failed, 2 usage.`;

/** What the installed program consists of, from the root of the project. */
const PARTS: readonly string[] = [
  "main.ts",
  "src",
  "deno.json",
  "deno.lock",
  "scripts/npm_imports.json",
  "scripts/npm_deno.lock",
  "scripts/npm_std",
];

/** Installs into the folder in `args` with the given flags of deno, and gives the exit code. */
export async function installTask(args: string[], denoFlags: string[]): Promise<number> {
  let root: string;
  let destdir: string;
  try {
    const { values } = parseArgs({
      args,
      options: {
        root: { type: "string" },
        destdir: { type: "string" },
        help: { type: "boolean" },
      },
    });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    if (!values.root) throw new Error("Cannot install: --root DIR says where to");
    root = absolutePath(values.root);
    destdir = values.destdir === undefined ? "" : absolutePath(values.destdir);
    if (destdir !== "" && Deno.build.os === "windows") {
      throw new Error("Cannot install: --destdir is for packages, which Windows has none of");
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return 2;
  }
  return await installSource({ root, destdir }, denoFlags);
}

/** Where a program is to run, and the folder that stands for / until it lies there. */
interface Place {
  readonly root: string;
  /** Empty where it is installed right there. */
  readonly destdir: string;
}

/** Installs a copy of the source that runs with a copy of this deno, and gives the exit code. */
export async function installSource(
  { root, destdir }: Place,
  denoFlags: readonly string[],
): Promise<number> {
  const written = `${destdir}${root}`;
  const lib = `${written}/lib/pacsrv`;
  for (const folder of ["bin", "lib"]) await makeFolder(`${written}/${folder}`);
  await copyProgram(lib, denoFlags);
  const flags = flagsOf(lib, denoFlags);
  const code = await fetchLibraries(lib, flags);
  if (code !== 0) {
    console.error(`Cannot install: the libraries could not be fetched (exit code ${code}).`);
    return 1;
  }
  // What is kept by the path of a file, which it will not have.
  if (destdir !== "") await removeTree(`${cacheOf(lib)}/gen`);
  const command = ["run", "--quiet", ...flags, ...runFlags(), `${lib}/main.ts`];
  if (Deno.build.os !== "windows") {
    await writeShare(`${written}/share`, { command: [Deno.execPath(), ...command], denoFlags });
    await openToAll(lib);
  }
  const denoArgs = command.map((word) => word.replace(lib, `${root}/lib/pacsrv`));
  console.log(await writeCommand(written, { lib: `${root}/lib/pacsrv`, denoArgs }));
  return 0;
}

/** Has deno put into the program's own cache what it needs; gives its exit code. */
async function fetchLibraries(lib: string, flags: readonly string[]): Promise<number> {
  const workers = await Array.fromAsync(workersBelow(`${lib}/src`));
  const { code } = await new Deno.Command(denoOf(lib), {
    args: ["cache", "--quiet", ...flags, `${lib}/main.ts`, ...workers],
    env: { DENO_DIR: cacheOf(lib) },
    stdin: "null",
    stderr: "inherit",
  }).output();
  // What only makes it faster, and is written to at each run: others may not.
  for await (const { name } of Deno.readDir(cacheOf(lib))) {
    if (/_cache_v\d+/.test(name)) await Deno.remove(`${cacheOf(lib)}/${name}`);
  }
  return code;
}

/** The files that are begun as workers: no import leads to them. */
async function* workersBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* workersBelow(path);
    else if (name.endsWith("_worker.ts")) yield path;
  }
}

/** Where the program has its own deno, and its own cache of libraries. */
function denoOf(lib: string): string {
  return `${lib}/${Deno.build.os === "windows" ? "deno.exe" : "deno"}`;
}

function cacheOf(lib: string): string {
  return `${lib}/cache`;
}

/** Makes a folder, and those above it that are missing, for all users; leaves the others as they are. */
export async function makeFolder(path: string): Promise<void> {
  const isThere = await Deno.stat(path).then(() => true, () => false);
  if (isThere) return;
  await makeFolder(path.replace(/[/\\][^/\\]*$/, ""));
  await Deno.mkdir(path);
  if (Deno.build.os !== "windows") await Deno.chmod(path, 0o755);
}

/** Lets all users read what lies at a path, and pass through it, whatever the mask of this one is. */
async function openToAll(path: string): Promise<void> {
  const { isDirectory, isSymlink, mode } = await Deno.lstat(path);
  if (isSymlink) return;
  const isProgram = ((mode ?? 0) & 0o100) !== 0;
  await Deno.chmod(path, isDirectory || isProgram ? 0o755 : 0o644);
  if (!isDirectory) return;
  for await (const { name } of Deno.readDir(path)) await openToAll(`${path}/${name}`);
}

/**
 * Writes the man pages and the completion scripts to where man and the shells look for them.
 *
 * @param share The folder `share` of a prefix.
 * @param parts.command The words that run the program.
 */
export async function writeShare(
  share: string,
  parts: { readonly command: readonly string[]; readonly denoFlags: readonly string[] },
): Promise<void> {
  const man = `${share}/man/man1`;
  await makeFolder(man);
  const pages = ["run", "--allow-all", ...parts.denoFlags, rootPath("scripts/man.ts")];
  await outputOf([Deno.execPath(), ...pages, "--out", man]);
  for await (const { name } of Deno.readDir(man)) {
    if (name.startsWith("pacsrv")) await openToAll(`${man}/${name}`);
  }
  for (const [shell, file] of Object.entries(COMPLETION_FILES)) {
    const path = `${share}/${file}`;
    await makeFolder(path.replace(/\/[^/]*$/, ""));
    await Deno.writeFile(path, await outputOf([...parts.command, "completions", shell]));
    await openToAll(path);
  }
}

/** What a command prints. */
async function outputOf(words: readonly string[]): Promise<Uint8Array> {
  const [program, ...args] = words;
  const { code, stdout } = await new Deno.Command(program!, {
    args,
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (code !== 0) {
    throw new Error(`Cannot install: ${words.join(" ")} ended with exit code ${code}`);
  }
  return stdout;
}

/** What a command runs. */
interface InstalledCommand {
  /** The deno of the program, and its cache. */
  readonly deno: string;
  readonly cache: string;
  readonly denoArgs: readonly string[];
}

/**
 * The text of the command for a POSIX shell: `deno` with the arguments, then the person's own. A user who
 * may not write to the program's cache gets one of their own beside it, with the same libraries: deno
 * keeps there what it knows of the source, else it would parse all of it at every start, which takes
 * 150 ms and 45 MB more. Root, who may write anywhere, is not led into somebody's home.
 */
export function shellCommand({ deno, cache, denoArgs }: InstalledCommand): string {
  const words = denoArgs.map(quoteForShell).join(" ");
  return `#!/bin/sh
# Runs the pacsrv that was installed together with this file.
export DENO_DIR=${quoteForShell(cache)}
if [ ! -w "$DENO_DIR" ]; then
  own="\${CACHE_DIRECTORY:-\${XDG_CACHE_HOME:-\${HOME:-}/.cache}/pacsrv}$DENO_DIR"
  if mkdir -p "$own" 2>/dev/null && [ -O "$own" ]; then
    for part in npm gen; do
      if [ -e "$DENO_DIR/$part" ] && [ ! -e "$own/$part" ]; then
        ln -s "$DENO_DIR/$part" "$own/$part" 2>/dev/null
      fi
    done
    if [ -e "$own/npm" ]; then DENO_DIR="$own"; fi
  fi
fi
exec ${quoteForShell(deno)} ${words} "$@"
`;
}

/** The text of the command for cmd.exe. */
export function batchCommand({ deno, cache, denoArgs }: InstalledCommand): string {
  const quoted = (word: string) => `"${word.replaceAll("%", "%%")}"`;
  return [
    "@echo off",
    "rem Runs the pacsrv that was installed together with this file.",
    "setlocal",
    `set "DENO_DIR=${cache.replaceAll("%", "%%")}"`,
    `${quoted(deno)} ${denoArgs.map(quoted).join(" ")} %*`,
    "",
  ].join("\r\n");
}

function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A path as a person gave it, relative to where they are, without a slash at the end. */
export function absolutePath(path: string): string {
  const isAbsolute = path.startsWith("/") || /^([A-Za-z]:)?[\\/]/.test(path);
  const here = Deno.env.get("INIT_CWD") ?? Deno.cwd();
  const whole = isAbsolute ? path : `${here}/${path}`;
  return whole.replace(/[\\/]+$/, "");
}

/** Copies the program beside the old one, and only when it is whole puts it in its place. */
async function copyProgram(lib: string, denoFlags: readonly string[]): Promise<void> {
  const fresh = `${lib}.new`;
  await removeTree(fresh);
  await Deno.mkdir(`${fresh}/scripts`, { recursive: true });
  for (const part of PARTS) await copyTree(rootPath(part), `${fresh}/${part}`);
  await trimImports(fresh, denoFlags);
  await Deno.copyFile(Deno.execPath(), denoOf(fresh));
  if (Deno.build.os !== "windows") await Deno.chmod(denoOf(fresh), 0o755);
  await copyLibraries(fresh, denoFlags);
  await removeTree(lib);
  await Deno.rename(fresh, lib);
}

/**
 * Leaves of the imports and of the lock file only what the program uses: deno has in its cache all that
 * they name, and most of that is for tests, the benchmark and the gate.
 */
async function trimImports(lib: string, denoFlags: readonly string[]): Promise<void> {
  const flags = flagsOf(lib, denoFlags);
  const entries = [`${lib}/main.ts`, ...await Array.fromAsync(workersBelow(`${lib}/src`))];
  const used = new Set<string>();
  for (const entry of entries) {
    const { modules } = await info([...flags, entry]);
    for (const { dependencies = [] } of modules) {
      for (const { specifier } of dependencies) used.add(specifier);
    }
  }
  const kept = (imports: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(imports).filter(([name]) =>
        used.has(name) || used.values().some((word) => word.startsWith(`${name}/`))
      ),
    );
  // The checkout's tasks, lint rules and the like have no meaning in the copy.
  const config = JSON.parse(await Deno.readTextFile(`${lib}/deno.json`));
  const { name, version, exports, imports, compilerOptions } = config;
  await writeJson(`${lib}/deno.json`, {
    ...{ name, version, exports },
    ...{ imports: kept(imports), compilerOptions },
  });
  const map = `${lib}/scripts/npm_imports.json`;
  await writeJson(map, { imports: kept(JSON.parse(await Deno.readTextFile(map)).imports) });
  // What is left in the lock file stays as it is pinned.
  const thawed = flags.filter((flag) => flag !== "--frozen");
  await outputOf([Deno.execPath(), "cache", "--quiet", ...thawed, "--frozen=false", ...entries]);
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(value, undefined, 2) + "\n");
}

/** The flags, which name files of the checkout, for the same files of a copy. */
function flagsOf(lib: string, denoFlags: readonly string[]): string[] {
  return denoFlags.map((flag) => flag.replace(rootPath("."), `${lib}/`));
}

/** What `deno info` says. */
async function info(args: readonly string[]) {
  const text = await outputOf([Deno.execPath(), "info", "--json", ...args]);
  return JSON.parse(new TextDecoder().decode(text));
}

/** Copies the packages of npm that are in this user's cache: then nothing has to be downloaded. */
async function copyLibraries(lib: string, denoFlags: readonly string[]): Promise<void> {
  const cache = cacheOf(lib);
  await Deno.mkdir(cache, { recursive: true });
  const { npmCache } = await info([]);
  const { npmPackages = {} } = await info([...flagsOf(lib, denoFlags), `${lib}/main.ts`]);
  const packages: readonly { localPath: string }[] = Object.values(npmPackages);
  for (const { localPath } of packages) {
    if (!localPath.startsWith(npmCache)) continue;
    const above = localPath.replace(/[/\\][^/\\]+$/, "");
    for (const path of [localPath, `${above}/registry.json`]) {
      const to = `${cache}/npm${path.slice(npmCache.length)}`;
      await Deno.mkdir(to.replace(/[/\\][^/\\]+$/, ""), { recursive: true });
      await copyTree(path, to).catch(ignoreMissing);
    }
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await copyTree(`${from}/${name}`, `${to}/${name}`);
  }
}

async function removeTree(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Writes the command, and gives its path. */
async function writeCommand(
  root: string,
  { lib, denoArgs }: { readonly lib: string; readonly denoArgs: readonly string[] },
): Promise<string> {
  const command = { deno: denoOf(lib), cache: cacheOf(lib), denoArgs };
  if (Deno.build.os === "windows") {
    const path = `${root}\\bin\\pacsrv.cmd`;
    await Deno.writeTextFile(path, batchCommand(command));
    return path;
  }
  const path = `${root}/bin/pacsrv`;
  await Deno.writeTextFile(`${path}.new`, shellCommand(command));
  await Deno.chmod(`${path}.new`, 0o755);
  await Deno.rename(`${path}.new`, path);
  return path;
}
