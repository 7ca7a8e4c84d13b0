// A popular file: many fetch at once what one daemon holds, in a network without links and with one
// directory, real processes all. What is counted is what the first holder gave, and the copies that
// other daemons hold in the end. The benchmark has the same with figures.

import { assertEquals, assertLess } from "@std/assert";
import { ask } from "../integration/support/client.ts";
import { type DaemonProcess, startDaemon } from "../integration/support/daemon.ts";
import { type DirectoryProcess, startDirectory } from "../integration/support/directory.ts";
import { FetchProcess } from "../integration/support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "../integration/support/files.ts";
import { waitUntil } from "../integration/support/wait.ts";

const NAME = "popular.bin";
const FILE_BYTES = 32 * 1024 * 1024;
/** Daemons with nothing to do and room for the file. */
const WILLING = 4;
const REPLICAS = 3;
/** They share the processors of the machine. */
const FETCH_MS = 180_000;

/** One directory, one holder, idle daemons with room; no links anywhere. */
class Rush implements AsyncDisposable {
  readonly directory: DirectoryProcess;
  readonly holder: DaemonProcess;
  readonly willing: readonly DaemonProcess[];
  readonly #dir: TempDir;
  readonly #file: string;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(parts: {
    readonly directory: DirectoryProcess;
    readonly holder: DaemonProcess;
    readonly willing: readonly DaemonProcess[];
    readonly dir: TempDir;
    readonly file: string;
    readonly cleanup: AsyncDisposableStack;
  }) {
    this.directory = parts.directory;
    this.holder = parts.holder;
    this.willing = parts.willing;
    this.#dir = parts.dir;
    this.#file = parts.file;
    this.#cleanup = parts.cleanup;
  }

  static async start(options: { readonly replicas: number }): Promise<Rush> {
    await using cleanup = new AsyncDisposableStack();
    const dir = cleanup.use(await TempDir.make());
    const file = await dir.sub("shared", NAME);
    await randomFile(file, FILE_BYTES, 8_047);
    const directory = cleanup.use(await startDirectory(options));
    const args = ["--directory", directory.address];
    const holder = cleanup.use(await startDaemon({ shares: [file], args }));
    const willing: DaemonProcess[] = [];
    for (let i = 0; i < WILLING; i++) {
      willing.push(
        cleanup.use(
          await startDaemon({ args: [...args, "--accept-uploads", String(4 * FILE_BYTES)] }),
        ),
      );
    }
    await directory.reports(
      "all daemons and the file",
      ({ clientsReachable, filesListed }) => clientsReachable === 1 + WILLING && filesListed === 1,
    );
    return new Rush({ directory, holder, willing, dir, file, cleanup: cleanup.move() });
  }

  /** Many fetch the file at once; all of them must get it, and right. */
  async fetchAll(count: number, label: string): Promise<void> {
    await using cleanup = new AsyncDisposableStack();
    const outputs: string[] = [];
    for (let i = 0; i < count; i++) outputs.push(await this.#dir.sub(`${label}-${i}`, NAME));
    const fetches = outputs.map((output) =>
      cleanup.use(
        new FetchProcess([
          ...[NAME, "--alone", "--node", "127.0.0.1:0"],
          ...["--directory", this.directory.address, "-o", output],
        ]),
      )
    );
    await Promise.all(fetches.map((fetch) => fetch.done(FETCH_MS)));
    for (const output of outputs) {
      await assertSameFile(output, this.#file);
      await Deno.remove(output);
    }
  }

  /** How often the first holder has given the file's bytes. */
  async holderCopies(): Promise<number> {
    const [status] = await ask(this.holder, "status", {});
    return status!.counters.bytesOut / FILE_BYTES;
  }

  /** Waits until the fetches have left the directory; gives the whole copies of all daemons. */
  async settled(): Promise<number> {
    await this.directory.reports(
      "the fetches to have left",
      ({ clients }) => clients === 1 + WILLING,
    );
    const { uploadsAccepted } = await this.directory.status();
    // Whoever accepted it has it whole in the end.
    return 1 + await waitUntil(async () => {
      const wholes = await this.#wholeCopies();
      return wholes === uploadsAccepted && { wholes };
    }, { what: `${uploadsAccepted} accepted copies to be whole` }).then(({ wholes }) => wholes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  async #wholeCopies(): Promise<number> {
    const lists = await Promise.all(this.willing.map((daemon) => ask(daemon, "list", {})));
    return lists.filter((files) => files.some(({ name, have }) => name === NAME && have === "all"))
      .length;
  }
}

Deno.test("a popular file is copied up to --replicas and no further when many fetch it", async () => {
  await using rush = await Rush.start({ replicas: REPLICAS });
  await rush.fetchAll(30, "rush");
  // Of 30 in all: how many begin before the first copy is elsewhere depends on the machine.
  assertLess(await rush.holderCopies(), 20);
  assertEquals(await rush.settled(), REPLICAS);
  // As much demand again: the copies that there are have to do.
  await rush.fetchAll(3, "late");
  assertEquals(await rush.settled(), REPLICAS);
});

Deno.test("a popular file stays where it is when balancing is off", async () => {
  await using rush = await Rush.start({ replicas: 0 });
  await rush.fetchAll(8, "rush");
  assertEquals(await rush.settled(), 1);
});
