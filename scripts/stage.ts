// The task `stage`: lays out in a folder what a package of pacsrv for Linux installs, each file where it
// lies in a system. The packages (scripts/packaging/PKGBUILD, scripts/deb.ts) add only what their own
// distribution wants. It imports nothing that has to be downloaded.

import { parseArgs } from "node:util";
import { absolutePath, installSource, makeFolder, writeShare } from "./install.ts";
import { rootPath } from "./std_source.ts";

const HELP = `deno task stage --out DIR [--program FILE]

Lays out in DIR, which must not be there yet, what a package installs: /usr/bin/pacsrv, man pages,
completions, the pages of the documentation, the systemd unit, its user and /etc/pacsrv.toml. FILE is
a binary for this machine that deno task compile made. Without it the package has the source and a
copy of this deno in /usr/lib/pacsrv instead, as deno task install makes them.

Exit codes: 0 done, 1 failed, 2 usage.`;

const DOC = "usr/share/doc/pacsrv";

/** Pages, in their folders, so that their links lead from one to the other. */
export const PAGES: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  "scripts/picture/fetch.svg",
  "src/cli/COMMANDS.md",
  "src/daemon/OPERATING.md",
  "src/directory/GUIDE.md",
  "src/gateway/GUIDE.md",
];

/** Where the files of scripts/packaging lie in a system. */
export const SYSTEM_FILES: Readonly<Record<string, string>> = {
  "pacsrv.service": "usr/lib/systemd/system/pacsrv.service",
  "pacsrv.sysusers": "usr/lib/sysusers.d/pacsrv.conf",
  "pacsrv.toml": "etc/pacsrv.toml",
  "pacman.conf.example": `${DOC}/pacman.conf.example`,
  "grafana-dashboard.json": `${DOC}/grafana-dashboard.json`,
};

/** Lays out into the folder in `args` with the given flags of deno, and gives the exit code. */
export async function stageTask(args: string[], denoFlags: string[]): Promise<number> {
  let out: string;
  let program: string | undefined;
  try {
    const { values } = parseArgs({
      args,
      options: {
        out: { type: "string" },
        program: { type: "string" },
        help: { type: "boolean" },
      },
    });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    if (!values.out) throw new Error("Cannot lay out a package: --out DIR says where");
    out = absolutePath(values.out);
    if (values.program !== undefined) program = absolutePath(values.program);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return 2;
  }
  return await stage(out, { program, denoFlags });
}

/**
 * Lays out into a new folder.
 *
 * @param options.program The binary; undefined for the source with a copy of deno.
 * @returns The exit code.
 */
export async function stage(
  out: string,
  { program, denoFlags }: { program: string | undefined; denoFlags: readonly string[] },
): Promise<number> {
  await makeFolder(out.replace(/\/[^/]*$/, ""));
  try {
    await Deno.mkdir(out);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    console.error(`Cannot lay out a package in ${out}: it is there already; remove it first.`);
    return 1;
  }
  // Not by the mask of this user.
  await Deno.chmod(out, 0o755);
  if (program === undefined) {
    const code = await installSource({ root: "/usr", destdir: out }, denoFlags);
    if (code !== 0) return code;
  } else {
    await put(program, { path: `${out}/usr/bin/pacsrv`, mode: 0o755 });
    await writeShare(`${out}/usr/share`, { command: [`${out}/usr/bin/pacsrv`], denoFlags });
  }
  for (const page of PAGES) await put(rootPath(page), { path: `${out}/${DOC}/${page}` });
  for (const [name, path] of Object.entries(SYSTEM_FILES)) {
    await put(rootPath(`scripts/packaging/${name}`), { path: `${out}/${path}` });
  }
  return 0;
}

/** Copies a file to a path, for all users to read, with the folders on the way. */
async function put(from: string, { path, mode = 0o644 }: { path: string; mode?: number }) {
  await makeFolder(path.replace(/\/[^/]*$/, ""));
  await Deno.copyFile(from, path);
  await Deno.chmod(path, mode);
}
