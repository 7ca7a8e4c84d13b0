// pacsrv as it was at an earlier commit, to run beside the present one. Its source comes from the
// history of this very repository; where that does not reach so far back there is none.

import { pacsrvArgs } from "../../../scripts/deno_args.ts";
import { rootPath } from "../../../scripts/std_source.ts";

/** The last commit that knew only version 1 of the protocol. */
export const VERSION_1_COMMIT = "3826506";

/** The last one before nodes found each other on a LAN, had quotas and rates, and version 5. */
export const VERSION_4_COMMIT = "95db5f2";

/** What a program needs to run from source. */
const PARTS = ["main.ts", "src", "scripts", "deno.json", "deno.lock"];

/** The source of an earlier commit, unpacked; removed when disposed of. */
export class OldProgram implements AsyncDisposable {
  /** The words that run it; the arguments of pacsrv come after them. */
  readonly program: readonly string[];
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
    // The same flags as for the present source, each path of it in the other folder.
    const args = pacsrvArgs().map((arg) => arg.replace(rootPath("."), `${path}/`));
    this.program = [Deno.execPath(), ...args];
  }

  /** Why a commit cannot be unpacked here; undefined if it can. */
  static async problem(commit: string): Promise<string | undefined> {
    try {
      await git("rev-parse", "--verify", "--quiet", `${commit}^{commit}`);
      return undefined;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "git is not installed";
      return `commit ${commit} is not in the history of this copy`;
    }
  }

  static async unpack(commit: string): Promise<OldProgram> {
    const path = await Deno.makeTempDir({ prefix: "pacsrv-test-" });
    const archive = `${path}/source.tar`;
    try {
      await git("archive", "--format=tar", `--output=${archive}`, commit, ...PARTS);
      await run("tar", "-xf", archive, "-C", path);
    } catch (error) {
      await Deno.remove(path, { recursive: true });
      throw error;
    }
    return new OldProgram(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#path, { recursive: true });
  }
}

function git(...args: string[]): Promise<void> {
  return run("git", "-C", rootPath("."), ...args);
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdout: "null" }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr).trim()}`);
}
