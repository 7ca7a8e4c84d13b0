// A small Debian of the stable release, with pacman 7 and systemd, made once by debootstrap(8) and kept
// in the user's cache. pacman_chroot.ts runs programs in it, booted_system.ts boots a copy of it.

import { runTool, tool } from "./tool.ts";

const SUITE = "trixie";
/** Of what is in it: another number has it made anew. */
const REVISION = 2;
const PACKAGES = "pacman-package-manager,procps,systemd";
/** The user to whom pacman leaves its downloads. */
const DOWNLOAD_USER = "alpm";
/** It takes half a minute where the archive is near. */
const MAKE_MS = 600_000;
/** What debootstrap says when it does not get the first file of the archive. */
const NO_ARCHIVE = "Failed getting release file";

/** The folder with the system. */
export class DebianRoot {
  readonly path: string;
  readonly downloadUser = DOWNLOAD_USER;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * The one that is kept, made if there is none; or why there can be none here.
   *
   * @throws {Error} when it could be made and was not.
   */
  static async get(): Promise<DebianRoot | string> {
    if (Deno.build.os !== "linux") return "it is a Linux system";
    if (Deno.uid() !== 0) return "only root can make and enter it";
    const home = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") || "/root"}/.cache`;
    const folder = `${home}/pacsrv-tests`;
    const path = `${folder}/debian-${SUITE}-${REVISION}`;
    await Deno.mkdir(folder, { recursive: true });
    using lock = await Deno.open(`${folder}/lock`, { create: true, write: true });
    // Files of tests run side by side: the first makes it, the others wait.
    await lock.lock(true);
    const isThere = await Deno.stat(path).then(() => true, () => false);
    const problem = isThere ? undefined : await make(path);
    return problem ?? new DebianRoot(path);
  }
}

/** Makes one at `path`, whole or not at all; with why the archive gives nothing, if it does not. */
async function make(path: string): Promise<string | undefined> {
  console.log(`Making ${path} for the tests with a whole Debian, once`);
  const making = `${path}.making`;
  await remove(making);
  const { code, stdout, stderr } = await runTool(
    "debootstrap",
    ["--variant=minbase", `--include=${PACKAGES}`, SUITE, making],
    { timeoutMs: MAKE_MS },
  );
  const said = `${stdout}${stderr}`;
  if (code !== 0) {
    await remove(making);
    if (said.includes(NO_ARCHIVE)) return "Debian's archive cannot be reached";
    throw new Error(`debootstrap: exit code ${code}\n${said}`);
  }
  const user = ["--system", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin"];
  await tool("chroot", [making, "useradd", ...user, DOWNLOAD_USER]);
  await Deno.rename(making, path);
  return undefined;
}

/** Removes what a maker left that was killed, or failed. */
async function remove(path: string): Promise<void> {
  // What it had mounted there; most often nothing.
  for (const mounted of ["proc", "sys"]) await runTool("umount", ["--lazy", `${path}/${mounted}`]);
  await tool("rm", ["-rf", "--one-file-system", path]);
}
