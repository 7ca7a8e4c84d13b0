// pacsrv as a process, with the permissions that an installed one has.

import { join } from "@std/path";
import { pacsrvArgs } from "../../scripts/deno_args.ts";

/** No command of a test takes longer; what hangs is ended. */
const COMMAND_MS = 60_000;

/** A call of pacsrv in a folder, both outputs piped. */
export function pacsrvCommand(dir: string, args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [...pacsrvArgs(), ...args],
    cwd: dir,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(COMMAND_MS),
  });
}

/** A process whose stdout is read line by line, and whose stderr is kept. */
export class LineProcess implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  readonly #stdout: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(process: Deno.ChildProcess) {
    this.process = process;
    this.#stderr = new Response(process.stderr).text();
    this.#stdout = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next line of stdout; undefined at its end. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#stdout.read();
      if (done) return undefined;
      this.#text += value;
    }
  }

  /** Waits for the end; gives the exit code and what stderr held. */
  async ended(): Promise<{ code: number; stderr: string }> {
    while (await this.line() !== undefined);
    return { stderr: await this.#stderr, code: (await this.process.status).code };
  }

  /** Ends it at once, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch { /* It has ended by itself. */ }
    await this.ended();
  }
}

/** A daemon that is ready, on ports of its own, its data in `data/NAME` of a folder. */
export class DaemonProcess extends LineProcess {
  node = "";
  client = "";
  id = "";
  /** Empty without a gateway. */
  gateway = "";
  /** How many files it shared when it was ready. */
  shared = "";

  /** Starts one; rejects with its log when it does not get ready. */
  static async start(
    dir: string,
    options: { readonly name: string; readonly args?: readonly string[] },
  ): Promise<DaemonProcess> {
    const { name, args = [] } = options;
    const own = ["--data", join(dir, "data", name), "--node", "127.0.0.1:0"];
    const command = pacsrvCommand(dir, ["daemon", ...own, "--client", "127.0.0.1:0", ...args]);
    const daemon = new DaemonProcess(command.spawn());
    const ready = await daemon.line() ?? "";
    const match =
      /^ready node=(\S+) client=(\S+) id=([0-9a-f]{32})(?: gateway=(\S+))?(?: shared=(\d+))?$/
        .exec(ready);
    if (match === null) {
      throw new Error(`The daemon is not ready: ${ready}\n${(await daemon.ended()).stderr}`);
    }
    [, daemon.node = "", daemon.client = "", daemon.id = "", daemon.gateway = ""] = match;
    daemon.shared = match[5] ?? "";
    return daemon;
  }
}

/** A directory that is ready, on a port of its own. */
export class DirectoryProcess extends LineProcess {
  address = "";
  id = "";

  /** Starts one; rejects with its log when it does not get ready. */
  static async start(
    dir: string,
    { args }: { readonly args: readonly string[] },
  ): Promise<DirectoryProcess> {
    const command = pacsrvCommand(dir, ["directory", "--listen", "127.0.0.1:0", ...args]);
    const directory = new DirectoryProcess(command.spawn());
    const ready = await directory.line() ?? "";
    const match = /^ready directory=(\S+) id=([0-9a-f]{32})$/.exec(ready);
    if (match === null) {
      throw new Error(`The directory is not ready: ${ready}\n${(await directory.ended()).stderr}`);
    }
    [, directory.address = "", directory.id = ""] = match;
    return directory;
  }
}
