// A line of three daemons, the middle one of which is another program: there is a link from that to one
// of the present source, and one back. Each shares a file of its own.

import { assertEquals } from "@std/assert";
import { type DaemonProcess, startDaemon } from "./daemon.ts";
import { assertSameFile, randomFile, type TempDir } from "./files.ts";

const FILE_BYTES = 1_500_001;

/** The daemons, all linked; disposing ends them. */
export class MixedLine implements AsyncDisposable {
  readonly first: DaemonProcess;
  readonly middle: DaemonProcess;
  readonly last: DaemonProcess;
  readonly #dir: TempDir;
  readonly #running: AsyncDisposableStack;

  private constructor(
    daemons: readonly [DaemonProcess, DaemonProcess, DaemonProcess],
    { dir, running }: { readonly dir: TempDir; readonly running: AsyncDisposableStack },
  ) {
    [this.first, this.middle, this.last] = daemons;
    this.#dir = dir;
    this.#running = running;
  }

  /** Starts them, each with `args`, and waits until they are linked and their files are hashed. */
  static async start(
    dir: TempDir,
    { program, args = [] }: {
      readonly program: readonly string[];
      readonly args?: readonly string[];
    },
  ): Promise<MixedLine> {
    await using ends = new AsyncDisposableStack();
    const start = async (name: string, options: Parameters<typeof startDaemon>[0]) => {
      await randomFile(await dir.sub(name, `${name}.bin`), FILE_BYTES, name.length);
      const shares = [`${dir.path}/${name}`];
      return ends.use(await startDaemon({ ...options, shares, args }));
    };
    const first = await start("first", {});
    const middle = await start("middle", { program, peers: [first.node] });
    const last = await start("last", { peers: [middle.node] });
    await Promise.all([first.linked(1), middle.linked(2), last.linked(1)]);
    await Promise.all([
      first.holds("first.bin"),
      middle.holds("middle.bin"),
      last.holds("last.bin"),
    ]);
    return new MixedLine([first, middle, last], { dir, running: ends.move() });
  }

  /** Each finds what is at, and behind, a node of the other program. */
  async assertSearches(): Promise<void> {
    await Promise.all([this.first, this.middle, this.last].map(async (daemon) => {
      const { code, stdout, stderr } = await daemon.run(["search", "*.bin", "--json"]);
      assertEquals(code, 0, stderr);
      const names = stdout.trim().split("\n").map((line) => JSON.parse(line).name).sort();
      assertEquals(names, ["first.bin", "last.bin", "middle.bin"]);
    }));
  }

  /** Files go from new to old, from old to new, and to who is behind. */
  async assertTransfers(): Promise<void> {
    const ways: [to: DaemonProcess, from: DaemonProcess, name: string][] = [
      [this.middle, this.first, "first"],
      [this.last, this.middle, "middle"],
      [this.first, this.last, "last"],
    ];
    for (const [to, from, name] of ways) {
      const output = `${this.#dir.path}/${name}.got`;
      await using fetch = to.fetch([`${name}.bin`, "-o", output]);
      const { sources } = await fetch.done();
      assertEquals(sources.map(({ nodeId }) => nodeId), [from.id]);
      await assertSameFile(output, `${this.#dir.path}/${name}/${name}.bin`);
    }
  }

  /** All lines of their logs that match. */
  lines(pattern: RegExp): string[] {
    return [this.first, this.middle, this.last]
      .flatMap(({ log }) => log.filter((line) => pattern.test(line)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.disposeAsync();
  }
}
