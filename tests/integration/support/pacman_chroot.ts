// pacman 7 as people have it: Debian's build of it, which is run by chroot(8) in a small Debian with the
// sandbox of its downloads. Each machine of a test is a folder in there.

import { DebianRoot } from "./debian_root.ts";
import { TempDir } from "./files.ts";

/** A small system with pacman 7. */
export class PacmanChroot {
  readonly downloadUser: string;
  readonly path: string;

  constructor({ path, downloadUser }: DebianRoot) {
    this.path = path;
    this.downloadUser = downloadUser;
  }

  /** A new folder in it, of which programs in there have the path from `inside` on. */
  async folder(): Promise<TempDir> {
    await Deno.mkdir(`${this.path}/machines`, { recursive: true });
    const dir = await TempDir.make(`${this.path}/machines`);
    // The download user passes through it.
    await Deno.chmod(dir.path, 0o755);
    return dir;
  }

  /** The path of what lies in it, for programs in there. */
  inside(path: string): string {
    return path.slice(this.path.length);
  }
}

const root = await DebianRoot.get();
if (typeof root === "string") {
  console.log(`SKIPPED ARE ALL TESTS WITH PACMAN 7, WHICH PEOPLE HAVE: ${root}`);
}

/** A test with pacman 7; ignored, with the reason printed, where there can be none. */
export function pacman7Test(name: string, fn: (chroot: PacmanChroot) => Promise<void>): void {
  const ignore = typeof root === "string";
  Deno.test({
    name,
    ignore,
    fn: async () => ignore ? undefined : await fn(new PacmanChroot(root)),
  });
}
