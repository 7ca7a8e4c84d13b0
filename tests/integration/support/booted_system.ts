// A machine with Debian whose systemd runs: in namespaces of its own, on a copy of the system that
// debian_root.ts keeps which is gone with the machine. It sees nothing of this machine but one folder,
// and has a network of its own.

import { assertEquals } from "@std/assert";
import type { DebianRoot } from "./debian_root.ts";
import type { TempDir } from "./files.ts";
import type { Outcome } from "./process.ts";
import { runTool, tool, ToolProcess } from "./tool.ts";

/** Where the folder of the test is in the machine. */
export const SHARED = "/srv/test";

/** The kernel's folder of control groups of the second version, by the layouts that there are. */
const CGROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

const MAX_MS = 60_000;

/** Makes the machine's file system of $1 in $2, with $3 at $4, and begins its first process. */
const BOOT = `set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$2"
cd "$2"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=$1,upperdir=upper,workdir=work" root
cd root
mkdir -p ".$4" old
mount --bind "$3" ".$4"
mount -t proc proc proc
# What it sets there would be set for this machine.
mount --bind -o ro proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for name in null zero full random urandom tty; do
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ip link set lo up
# What it need not do: it is not made anew, and its kernel is that of this machine.
touch etc/.updated var/.updated
mkdir -p run/systemd/system
ln -s /dev/null run/systemd/system/systemd-modules-load.service
# It says so when it is up.
mkfifo ".$4/up"
printf '[Unit]\\nRequires=basic.target\\nAfter=basic.target\\n[Service]\\nType=oneshot\\n%s\\n' \
  "ExecStart=/bin/sh -c 'echo up > $4/up'" > run/systemd/system/up.service
echo booting
pivot_root . old
umount -l old
rmdir old
exec env -i container=test PATH=/usr/sbin:/usr/bin /usr/lib/systemd/systemd --show-status=no --unit=up.service
`;

/** A machine that runs; disposing ends all that runs in it. */
export class BootedSystem implements AsyncDisposable {
  /** Waits for the first process of the machine. */
  readonly #process: ToolProcess;
  readonly #cgroup: string;

  private constructor(process: ToolProcess, cgroup: string) {
    this.#process = process;
    this.#cgroup = cgroup;
  }

  /** Why there can be none here; undefined if there can. */
  static async problem(): Promise<string | undefined> {
    const folder = await cgroupsFolder();
    if (folder === undefined) return "there are no control groups of version 2";
    const path = newGroup(folder);
    try {
      await Deno.mkdir(path);
      await Deno.remove(path);
      return undefined;
    } catch (error) {
      return `no control group can be made: ${(error as Error).message}`;
    }
  }

  /**
   * Boots one, and waits until it is up.
   *
   * @param dir Holds the machine's changes, and in `shared` what both see.
   */
  static async boot(root: DebianRoot, dir: TempDir): Promise<BootedSystem> {
    const shared = await dir.folder("shared");
    const changes = await dir.folder("changes");
    const cgroup = newGroup((await cgroupsFolder())!);
    await Deno.mkdir(cgroup);
    const unshare = ["unshare", "--cgroup", "--mount", "--pid", "--fork", "--kill-child"];
    const words = [...unshare, "--uts", "--ipc", "--net", "sh", "-c", BOOT, "sh"];
    const process = new ToolProcess("sh", [
      ...["-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', cgroup],
      ...[...words, root.path, changes, shared, SHARED],
    ]);
    const system = new BootedSystem(process, cgroup);
    try {
      await process.stdout.matching("booting");
      assertEquals(await tool("cat", [`${shared}/up`]), "up\n");
      return system;
    } catch (error) {
      await system[Symbol.asyncDispose]();
      throw new Error(`The system does not boot; it said:\n${process.stderr.text()}`, {
        cause: error,
      });
    }
  }

  /** Runs a program in it, whatever its exit code. */
  async outcome(command: string, ...args: string[]): Promise<Outcome> {
    const env = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"];
    return await runTool("nsenter", [
      ...[
        `--target=${await this.#firstPid()}`,
        "--all",
        "--",
        ...env,
        "DEBIAN_FRONTEND=noninteractive",
      ],
      ...[command, ...args],
    ], { timeoutMs: MAX_MS });
  }

  /**
   * Runs a program in it; gives what it printed.
   *
   * @throws {Error} with what it said, when its exit code is not 0.
   */
  async run(command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.outcome(command, ...args);
    const said = `${stdout}${stderr}`;
    if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit code ${code}\n${said}`);
    return stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = await this.#firstPid();
    if (pid !== undefined) {
      // With the first process of a namespace goes all that runs in it, and who waits for it ends last.
      Deno.kill(pid, "SIGKILL");
      await this.#process.ended();
    }
    await this.#process[Symbol.asyncDispose]();
    await removeGroups(this.#cgroup);
  }

  /** As it is seen from here; undefined when there is none any more. */
  async #firstPid(): Promise<number | undefined> {
    const { pid } = this.#process;
    const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
    return children === "" ? undefined : Number(children);
  }
}

async function cgroupsFolder(): Promise<string | undefined> {
  for (const path of CGROUPS) {
    const isThere = await Deno.stat(`${path}/cgroup.procs`).then(() => true, () => false);
    if (isThere) return path;
  }
  return undefined;
}

/** The path of one that is not there yet. */
function newGroup(folder: string): string {
  return `${folder}/pacsrv-test-${crypto.randomUUID()}`;
}

/** Removes a control group with those in it, from the innermost on. */
async function removeGroups(path: string): Promise<void> {
  for (const { name, isDirectory } of [...Deno.readDirSync(path)]) {
    if (isDirectory) await removeGroups(`${path}/${name}`);
  }
  await Deno.remove(path);
}
