// A small file system of its own, in memory: for disks that fill up or cannot be written.

/** A tmpfs that is mounted until it is disposed of. */
export class SmallDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Why there can be none here, or undefined when there can. */
  static async problem(): Promise<string | undefined> {
    if (Deno.build.os !== "linux") return "it needs Linux";
    if (Deno.uid() !== 0) return "only root can mount one";
    try {
      await using _ = await SmallDisk.mount("64k");
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Mounts one of `size`, as mount(8) writes it: `8m`. */
  static async mount(size: string): Promise<SmallDisk> {
    const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "pacsrv-test-" }));
    try {
      await run("mount", "-t", "tmpfs", "-o", `size=${size}`, "pacsrv-test", path);
    } catch (error) {
      await Deno.remove(path);
      throw error;
    }
    return new SmallDisk(path);
  }

  /** Makes it read-only, or writable again. */
  async remount(mode: "ro" | "rw"): Promise<void> {
    await run("mount", "-o", `remount,${mode}`, this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", this.path);
    await Deno.remove(this.path);
  }
}

/** A folder that can be made read-only while all around it can be written, until it is disposed of. */
export class BoundFolder implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async bind(path: string): Promise<BoundFolder> {
    await run("mount", "--bind", path, path);
    return new BoundFolder(path);
  }

  /** Makes it read-only, or writable again. */
  async remount(mode: "ro" | "rw"): Promise<void> {
    await run("mount", "-o", `remount,bind,${mode}`, this.#path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Files in it may be open still.
    await run("umount", "--lazy", this.#path);
  }
}

const whyNot = await SmallDisk.problem();
if (whyNot !== undefined) console.log(`Skipped are tests that need a small disk: ${whyNot}`);

/** A test that needs a {@linkcode SmallDisk}; ignored, with the reason printed, where none can be. */
export function smallDiskTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, fn, ignore: whyNot !== undefined });
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr).trim()}`);
}
