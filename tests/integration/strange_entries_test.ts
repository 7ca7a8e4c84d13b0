// What lies in a shared directory beside files: pipes, sockets, devices, and links to them. None is
// ever opened, none stops the daemon or hides what changes beside it.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ask, untilListed, untilShared } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { SOON_MS, within } from "./support/wait.ts";

const NAMES = ["pipe", "socket", "device", "to-pipe", "to-device"];

Deno.test({
  name: "pipes, sockets, devices and links to them are left alone, and nothing waits for them",
  ignore: Deno.build.os === "windows",
  fn: async (t) => {
    await using dir = await TempDir.make();
    const shared = await dir.folder("shared"), other = await dir.folder("other");
    const outside = `${dir.path}/outside`;
    await sh(dir.path, `mkfifo '${outside}'`);
    await makeStrange(`${shared}`, outside);
    await randomFile(`${shared}/first.bin`, 50_000, 1);
    await randomFile(`${shared}/swapped.bin`, 50_000, 2);
    await randomFile(`${other}/other.bin`, 50_000, 3);
    // Whoever writes into a pipe waits until somebody opens it to read.
    await using writers = new Writers([`${shared}/pipe`, outside]);
    await using daemon = await startDaemon({ shares: [shared] });

    await t.step("those that are there at the start", async () => {
      await untilShared(daemon, "first.bin", "swapped.bin");
    });
    await t.step("those that come later, in a new directory too", async () => {
      await makeStrange(`${shared}/sub/deep`, outside);
      await writers.add(`${shared}/sub/deep/pipe`);
      await randomFile(`${shared}/sub/deep/second.bin`, 50_000, 4);
      await untilShared(daemon, "second.bin");
      await randomFile(`${shared}/third.bin`, 50_000, 5);
      await untilShared(daemon, "third.bin");
    });
    await t.step("one that takes the place of a file", async () => {
      await sh(shared, "mkfifo p && mv p swapped.bin");
      await untilListed(daemon, {
        what: "swapped.bin to be withdrawn",
        find: (files) => files.every(({ name }) => name !== "swapped.bin"),
      });
    });
    await t.step("and one that takes the place of a shared path", async () => {
      assertEquals((await daemon.run(["share", other])).code, 0);
      await untilShared(daemon, "other.bin");
      await sh(dir.path, "mv other gone && mkfifo other");
      await untilListed(daemon, {
        what: "other.bin to be withdrawn",
        find: (files) => files.every(({ name }) => name !== "other.bin"),
      });
      daemon.kill("SIGHUP");
    });
    const names = (await ask(daemon, "list", {})).map(({ name }) => name).sort();
    assertEquals(names, ["first.bin", "second.bin", "third.bin"]);
    assertEquals(writers.ended, []);
    await endsInTime(daemon);
  },
});

Deno.test({
  name: "a daemon whose own files became pipes starts without them, or ends and names the one",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using dir = await TempDir.make();
    const dataDir = await dir.folder("data"), path = await dir.sub("shared", "file.bin");
    await randomFile(path, 50_000, 6);
    {
      await using daemon = await startDaemon({ dataDir, shares: [path] });
      await untilShared(daemon, "file.bin");
      await daemon.stop();
    }
    const lost = ["catalogue.sqlite", "nodes.json", "nodes.json.new", "leaves/hashing"];
    for (const name of lost) await sh(dataDir, `rm -f ${name} && mkfifo ${name}`);
    await sh(dataDir, "rm -f catalogue.sqlite-*; mkfifo incoming/1");
    {
      await using daemon = await startDaemon({ dataDir, shares: [path] });
      await untilShared(daemon, "file.bin");
      await daemon.logged("catalogue was damaged");
      await endsInTime(daemon);
    }
    for (const name of ["lock", "client.token", "node.id"]) {
      await sh(dataDir, `mv ${name} kept && mkfifo ${name}`);
      const ports = ["--node", "127.0.0.1:0", "--client", "127.0.0.1:0"];
      const { code, stderr } = await runPacsrv(["daemon", "--data", dataDir, ...ports]);
      assertEquals(code, 1, stderr);
      assertStringIncludes(stderr, `${name}: it is not a regular file`);
      await sh(dataDir, `mv kept ${name}`);
    }
  },
});

async function endsInTime(daemon: DaemonProcess): Promise<void> {
  await within(daemon.stop(), { what: "the daemon to end", timeoutMs: SOON_MS });
}

/** Makes one of each kind; devices only where the user may. */
async function makeStrange(directory: string, outside: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  await sh(directory, `mkfifo pipe; ln -s '${outside}' to-pipe; ln -s /dev/tty to-device`);
  await sh(directory, "mknod device c 1 3 2>/dev/null || true");
  // Moved, for the name by which it was bound goes with the listener.
  using _ = Deno.listen({ transport: "unix", path: `${directory}/bound` });
  await Deno.rename(`${directory}/bound`, `${directory}/socket`);
  const made = [...Deno.readDirSync(directory)].map(({ name }) => name);
  assert(NAMES.filter((name) => made.includes(name)).length >= NAMES.length - 1, made.join());
}

async function sh(cwd: string, script: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", { args: ["-c", script], cwd }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** Processes that write into pipes: each ends as soon as somebody opens its pipe. */
class Writers implements AsyncDisposable {
  readonly ended: string[] = [];
  readonly #running: Deno.ChildProcess[] = [];

  constructor(pipes: readonly string[]) {
    for (const pipe of pipes) this.add(pipe);
  }

  add(pipe: string): void {
    const args = ["-c", `echo opened > "$1"`, "sh", pipe];
    const writer = new Deno.Command("sh", { args, stderr: "null" }).spawn();
    this.#running.push(writer);
    void writer.status.then(() => this.ended.push(pipe));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const writer of this.#running) {
      try {
        writer.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await writer.status;
    }
  }
}
