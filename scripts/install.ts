// The task `install`: puts a command `pacsrv` into DIR/bin that runs a copy of the source with this
// very deno. `deno install --global` is of no use here: it resolves imports by a copy of deno.json
// alone, so not from npm, and its command needs a `deno` on the PATH, which npx does not give.

import { parseArgs } from "node:util";
import { COMPLETION_FILES } from "./manual/completion_files.ts";
import { runPermissions } from "./permissions.ts";
import { ROOT_URL, rootPath } from "./std_source.ts";

const HELP = `deno task install --root DIR

Puts the command pacsrv into DIR/bin and what it runs into DIR/lib/pacsrv, in place of what an
earlier install put there; its man pages and what completes it in bash, zsh and fish into DIR/share
(not on Windows). The checkout may be moved or deleted afterwards. The command runs with
the deno that installs it, or, should that be gone, with the one on the PATH; the libraries lie in
deno's cache, and are downloaded again should that be emptied.

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
  try {
    const { values } = parseArgs({
      args,
      options: { root: { type: "string" }, help: { type: "boolean" } },
    });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    if (!values.root) throw new Error("Cannot install: --root DIR says where to");
    root = absolutePath(values.root);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return 2;
  }
  const lib = `${root}/lib/pacsrv`;
  await copyProgram(lib);
  // The flags name files of the checkout; the same files lie in the copy.
  const flags = denoFlags.map((flag) => flag.replace(rootPath("."), `${lib}/`));
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", ...flags, `${lib}/main.ts`],
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (code !== 0) {
    console.error(`Cannot install: the libraries could not be fetched (exit code ${code}).`);
    return 1;
  }
  const command = ["run", "--quiet", ...flags, ...runPermissions(), `${lib}/main.ts`];
  if (Deno.build.os !== "windows") await writeShare(root, { command, denoFlags });
  console.log(await writeCommand(root, command));
  return 0;
}

/** Writes the man pages and the completion scripts to where man and the shells look for them. */
async function writeShare(
  root: string,
  { command, denoFlags }: { readonly command: string[]; readonly denoFlags: string[] },
): Promise<void> {
  const man = `${root}/share/man/man1`;
  await outputOf(["run", "--allow-all", ...denoFlags, rootPath("scripts/man.ts"), "--out", man]);
  for (const [shell, file] of Object.entries(COMPLETION_FILES)) {
    const path = `${root}/share/${file}`;
    await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeFile(path, await outputOf([...command, "completions", shell]));
  }
}

/** What deno prints with these arguments. */
async function outputOf(args: string[]): Promise<Uint8Array> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (code !== 0) {
    throw new Error(`Cannot install: deno ${args.at(-1)} ended with exit code ${code}`);
  }
  return stdout;
}

/** The text of the command for a POSIX shell: `deno` with the arguments, then the person's own. */
export function shellCommand(denoPath: string, denoArgs: readonly string[]): string {
  const words = denoArgs.map(quoteForShell).join(" ");
  return `#!/bin/sh
# Runs the pacsrv that was installed together with this file.
deno=${quoteForShell(denoPath)}
[ -x "$deno" ] || deno=deno
exec "$deno" ${words} "$@"
`;
}

/** The text of the command for cmd.exe. */
export function batchCommand(denoPath: string, denoArgs: readonly string[]): string {
  const words = denoArgs.map((word) => `"${word.replaceAll("%", "%%")}"`).join(" ");
  return [
    "@echo off",
    "rem Runs the pacsrv that was installed together with this file.",
    "setlocal",
    `set "DENO=${denoPath.replaceAll("%", "%%")}"`,
    `if not exist "%DENO%" set "DENO=deno"`,
    `"%DENO%" ${words} %*`,
    "",
  ].join("\r\n");
}

function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A path as a person gave it, relative to where they are, without a slash at the end. */
function absolutePath(path: string): string {
  const isAbsolute = path.startsWith("/") || /^([A-Za-z]:)?[\\/]/.test(path);
  const here = Deno.env.get("INIT_CWD") ?? Deno.cwd();
  const whole = isAbsolute ? path : `${here}/${path}`;
  return whole.replace(/[\\/]+$/, "");
}

/** Copies the program beside the old one, and only when it is whole puts it in its place. */
async function copyProgram(lib: string): Promise<void> {
  const fresh = `${lib}.new`;
  await removeTree(fresh);
  await Deno.mkdir(`${fresh}/scripts`, { recursive: true });
  for (const part of PARTS) await copyTree(rootPath(part), `${fresh}/${part}`);
  // The checkout's tasks, lint rules and the like have no meaning in the copy.
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT_URL)));
  const { name, version, exports, imports, compilerOptions } = config;
  const kept = { name, version, exports, imports, compilerOptions };
  await Deno.writeTextFile(`${fresh}/deno.json`, JSON.stringify(kept, undefined, 2) + "\n");
  await removeTree(lib);
  await Deno.rename(fresh, lib);
}

async function copyTree(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await copyTree(`${from}/${name}`, `${to}/${name}`);
  }
}

async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Writes the command, and gives its path. */
async function writeCommand(root: string, denoArgs: readonly string[]): Promise<string> {
  await Deno.mkdir(`${root}/bin`, { recursive: true });
  if (Deno.build.os === "windows") {
    const path = `${root}\\bin\\pacsrv.cmd`;
    await Deno.writeTextFile(path, batchCommand(Deno.execPath(), denoArgs));
    return path;
  }
  const path = `${root}/bin/pacsrv`;
  await Deno.writeTextFile(`${path}.new`, shellCommand(Deno.execPath(), denoArgs), { mode: 0o755 });
  await Deno.rename(`${path}.new`, path);
  return path;
}
