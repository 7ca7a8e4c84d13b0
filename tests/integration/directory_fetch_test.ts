// Fetching through directories: daemons as real processes, without links where the directory alone
// shall lead to the file, and with directories that are dead, silent, or talk nonsense.

import { assert, assertEquals, assertLess } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { newNodeId, type NodeId, type Root } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Message } from "../../src/wire/messages.ts";
import { type DaemonOptions, type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { type DirectoryProcess, startDirectory } from "./support/directory.ts";
import { bytesFetched, type DoneEvent, FetchProcess } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { RawNode } from "./support/raw_node.ts";
import { SilentListener } from "./support/silent_listener.ts";
import { SOON_MS, waitUntil } from "./support/wait.ts";

const FILE_BYTES = 300_000;

/** The arguments that make a daemon use these directories. */
function told(...directories: readonly { readonly address: string }[]): DaemonOptions {
  return { args: directories.flatMap(({ address }) => ["--directory", address]) };
}

/** A daemon that shares one new file of this name. */
async function holderOf(
  dir: TempDir,
  name: string,
  options: DaemonOptions = {},
): Promise<DaemonProcess> {
  const path = await dir.sub("shared", name);
  const seed = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 0);
  await randomFile(path, FILE_BYTES, seed);
  const daemon = await startDaemon({ ...options, shares: [path] });
  await daemon.holds(name);
  return daemon;
}

/** Fetches a file that lies in `shared` of `dir`, and compares it. */
async function fetched(dir: TempDir, name: string, by: DaemonProcess): Promise<DoneEvent> {
  const output = await dir.sub(`got-${crypto.randomUUID()}`);
  await using fetch = by.fetch([name, "-o", output]);
  const done = await fetch.done();
  await assertSameFile(output, await dir.sub("shared", name));
  return done;
}

async function lists(directory: DirectoryProcess, files: number, timeoutMs?: number) {
  const what = `${files} files to be listed at ${directory.address}`;
  return await directory.reports(what, ({ filesListed }) => filesListed === files, timeoutMs);
}

Deno.test("a fetch finds its file through a directory, between daemons without any link", async () => {
  await using dir = await TempDir.make();
  await using directory = await startDirectory();
  const byName = { address: directory.address.replace("127.0.0.1", "localhost") };
  await using holder = await holderOf(dir, "one.bin", told(directory));
  await using bystander = await startDaemon(told(directory));
  await using requester = await startDaemon(told(byName));
  await lists(directory, 1);

  const done = await fetched(dir, "one.bin", requester);
  assertEquals(done.sources.map(({ nodeId }) => nodeId as string), [holder.id]);
  for (const daemon of [holder, bystander, requester]) {
    assertEquals((await daemon.peers()).length, 0);
  }
  await lists(directory, 2);
  const status = await requester.status();
  assertEquals(
    status.directories.map(({ directory, answers, filesListed }) => {
      return { directory, answers, filesListed };
    }),
    [{ directory: byName.address, answers: true, filesListed: 1 }],
  );

  // A node for one fetch, too, and one that nobody can dial: it dials.
  for (const more of [[], ["--no-callback"]]) {
    const output = await dir.sub(`alone${more.length}`);
    const alone = ["--alone", "--directory", directory.address, "--node", "127.0.0.1:0"];
    await using fetch = new FetchProcess(["one.bin", "-o", output, ...alone, ...more]);
    await fetch.done();
    await assertSameFile(output, await dir.sub("shared", "one.bin"));
  }
  // Both have left as they should.
  assertEquals((await directory.status()).clients, 3);
});

Deno.test("a fetch by root asks directories as well", async () => {
  await using dir = await TempDir.make();
  await using directory = await startDirectory();
  await using holder = await holderOf(dir, "root.bin", told(directory));
  await using requester = await startDaemon(told(directory));
  await lists(directory, 1);
  const { root } = await holder.holds("root.bin");
  const output = await dir.sub("got");
  await using fetch = requester.fetch([root, "-o", output]);
  assertEquals(bytesFetched(await fetch.done()), FILE_BYTES);
});

Deno.test("a part of a file is found through a directory, at a node that has no more of it", async () => {
  await using dir = await TempDir.make();
  await using directory = await startDirectory();
  await using holder = await holderOf(dir, "part.bin", told(directory));
  await using part = await startDaemon(told(directory));
  await using requester = await startDaemon(told(directory));
  await lists(directory, 1);
  const { code, stderr } = await part.run(["fetch", "part.bin", "--chunks", "3-9"]);
  assertEquals(code, 0, stderr);
  await lists(directory, 2);
  await holder.stop();
  const output = await dir.sub("range");
  await using fetch = requester.fetch(["part.bin", "--chunks", "4-5", "-o", output]);
  const done = await fetch.done();
  assertEquals(done.sources.map(({ nodeId }) => nodeId as string), [part.id]);
  const whole = await Deno.readFile(await dir.sub("shared", "part.bin"));
  assertEquals(await Deno.readFile(output), whole.slice(4 * CHUNK_BYTES, 6 * CHUNK_BYTES));
});

Deno.test("a fetch finds its file by flood when the directory is dead", async () => {
  await using dir = await TempDir.make();
  await using directory = await startDirectory();
  await using holder = await holderOf(dir, "flood.bin", told(directory));
  await using between = await startDaemon({ peers: [holder.node], ...told(directory) });
  await using requester = await startDaemon({ peers: [between.node], ...told(directory) });
  await lists(directory, 1);
  await requester.linked(1);
  await between.linked(2);
  directory.kill();
  await directory.process.ended();
  await fetched(dir, "flood.bin", requester);
  const { directories } = await waitUntil(async () => {
    const status = await requester.status();
    return status.directories[0]?.answers === false && status;
  }, { what: "the daemon to see that the directory is gone" });
  assertEquals(directories[0]?.filesListed, 0);
});

/**
 * A directory that vouches for a file that nobody has, whatever is asked, and names holders that
 * accept connections and say nothing.
 */
class Liar implements AsyncDisposable {
  readonly #node: RawNode;
  readonly #holders = Array.from({ length: 16 }, () => new SilentListener());

  constructor() {
    const node: RawNode = new RawNode({
      onPeer: async (peer) => {
        for (;;) {
          const answer = this.#answer(await peer.receive() as Message, node.nodeId);
          if (answer !== undefined) peer.send(answer);
        }
      },
    });
    this.#node = node;
  }

  get address(): string {
    return this.#node.address;
  }

  /** Waits until all its false holders were dialled that one fetch dials. */
  async believed(): Promise<void> {
    await waitUntil(
      () => this.#holders.filter(({ acceptedCount }) => acceptedCount > 0).length >= 8,
      { what: "the holders that it names to be dialled" },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
    for (const holder of this.#holders) await holder[Symbol.asyncDispose]();
  }

  #answer(message: Message, instance: NodeId): Message | undefined {
    const file = { root: "ab".repeat(32) as Root, sizeBytes: 5 };
    switch (message.kind) {
      case "batch-end":
        return {
          kind: "listed",
          instance,
          known: false,
          reach: "checking",
          filesListed: 7,
          refreshMs: 1_000,
        };
      case "metadata-query": {
        const name = message.sought.value;
        const known = { ...file, name, type: "", sha256: null, whole: 9, part: 0 };
        return { kind: "metadata", instance, files: [known], last: true };
      }
      case "holders-query": {
        const holders = this.#holders.map(({ host, port }) => {
          const nodeId = newNodeId(systemRandom);
          return { ...file, nodeId, host, port, chunksHave: 1, loadPermille: 0 };
        });
        return { kind: "holders", instance, holders, last: true };
      }
    }
    return undefined;
  }
}

/** Sends what no pacsrv would, to everybody who connects. */
class Babbler implements AsyncDisposable {
  readonly address: string;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;

  constructor() {
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#serving = this.#serve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    for await (const conn of this.#listener) {
      await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      conn.close();
    }
  }
}

Deno.test("a fetch is no slower for directories that are dead, silent, or talk nonsense", async () => {
  await using dir = await TempDir.make();
  const names = Array.from({ length: 7 }, (_, i) => `speed-${i}.bin`);
  for (const [i, name] of names.entries()) {
    await randomFile(await dir.sub("shared", name), FILE_BYTES, i);
  }
  await using holder = await startDaemon({ shares: [await dir.sub("shared")] });
  for (const name of names) await holder.holds(name);

  await using silent = new SilentListener();
  await using babbler = new Babbler();
  await using liar = new Liar();
  const dead = { address: "127.0.0.1:9" };
  const all = { none: [], silent: [silent], babbler: [babbler], liar: [liar], dead: [dead] };
  const settings = { ...all, together: [silent, babbler, liar, dead] };
  const medians = new Map<string, number>();
  for (const [what, directories] of Object.entries(settings)) {
    await using requester = await startDaemon({ peers: [holder.node], ...told(...directories) });
    await requester.linked(1);
    const elapsed: number[] = [];
    for (const name of names) elapsed.push((await fetched(dir, name, requester)).elapsedMs);
    medians.set(what, elapsed.sort((a, b) => a - b)[elapsed.length >> 1]!);
  }
  await liar.believed();
  const without = medians.get("none")!;
  for (const [what, median] of medians) {
    // One that is waited for costs seconds; a busy machine, a part of what it costs without any.
    assertLess(median, 3 * without + 500, `${what}: ${JSON.stringify([...medians])}`);
  }
});

Deno.test("a root that a directory names does not lead while nobody offers it", async () => {
  await using dir = await TempDir.make();
  await using liar = new Liar();
  await using holder = await holderOf(dir, "speed.bin");
  await using requester = await startDaemon({ peers: [holder.node], ...told(liar) });
  await requester.linked(1);
  const done = await fetched(dir, "speed.bin", requester);
  assertEquals(bytesFetched(done), FILE_BYTES);
});

Deno.test("two directories are both asked, and one that dies in mid-query is no error", async () => {
  await using dir = await TempDir.make();
  await using one = await startDirectory();
  await using two = await startDirectory();
  await using a = await holderOf(dir, "half-a.bin", told(one));
  await using b = await holderOf(dir, "half-b.bin", told(two));
  await using requester = await startDaemon(told(one, two));
  await Promise.all([lists(one, 1), lists(two, 1)]);
  for (const [name, holder] of [["half-a.bin", a], ["half-b.bin", b]] as const) {
    const done = await fetched(dir, name, requester);
    assertEquals(done.sources.map(({ nodeId }) => nodeId as string), [holder.id]);
  }
  // All three know something at both now.
  await Promise.all([lists(one, 3), lists(two, 3)]);

  await using c = await holderOf(dir, "late.bin", told(two));
  await lists(two, 4);
  one.kill("SIGSTOP");
  const output = await dir.sub("late");
  await using fetch = requester.fetch(["late.bin", "-o", output]);
  await fetch.event("found");
  one.kill();
  const done = await fetch.done();
  assertEquals(done.sources.map(({ nodeId }) => nodeId as string), [c.id]);
  await assertSameFile(output, await dir.sub("shared", "late.bin"));
});

Deno.test("a search goes through directories, and says from where each answer came", async () => {
  await using dir = await TempDir.make();
  await using directory = await startDirectory();
  await using far = await holderOf(dir, "seen-far.bin", told(directory));
  await using near = await holderOf(dir, "seen-near.bin");
  await using requester = await startDaemon({ peers: [near.node], ...told(directory) });
  await requester.linked(1);
  await lists(directory, 1);
  const { code, stdout, stderr } = await requester.run(["search", "seen-*.bin", "--json"]);
  assertEquals(code, 0, stderr);
  const found = stdout.trim().split("\n").map((line) => JSON.parse(line))
    .map(({ name, peersWhole, from }) => ({ name, peersWhole, from }));
  assertEquals(found.sort((a, b) => a.name < b.name ? -1 : 1), [
    { name: "seen-far.bin", peersWhole: 1, from: [directory.address] },
    { name: "seen-near.bin", peersWhole: 1, from: ["flood"] },
  ]);
  assert(far.log.some((line) => line.includes("listed at a directory")));
});

Deno.test("a directory forgets a daemon that was killed, and no fetch waits for it meanwhile", async () => {
  await using dir = await TempDir.make();
  await using directory = await startDirectory();
  await using dying = await holderOf(dir, "both.bin", told(directory));
  await using living = await holderOf(dir, "both.bin", told(directory));
  await using requester = await startDaemon(told(directory));
  await lists(directory, 2);
  dying.kill();
  await dying.process.ended();
  const done = await fetched(dir, "both.bin", requester);
  assertEquals(done.sources.map(({ nodeId }) => nodeId as string), [living.id]);
  // Well under what a dial to nobody may take.
  assertLess(done.elapsedMs, limits.dialMs);
  // Three intervals of a second, one question to it, and the time that asking takes here.
  const status = await directory.reports("to be forgotten", ({ clients }) => clients === 2, 10_000);
  assertEquals(status.filesListed, 2, "the requester has it now");
});

Deno.test("a daemon that stops is gone from its directory at once, with all it offered", async () => {
  await using dir = await TempDir.make();
  // So seldom are refreshes here that nothing else could have told it.
  await using directory = await startDirectory({ refresh: 600 });
  await using leaving = await holderOf(dir, "gone.bin", told(directory));
  await lists(directory, 1);
  await leaving.stop();
  const { clients, filesListed } = await directory.status();
  assertEquals([clients, filesListed], [0, 0]);
});

Deno.test("a directory that was killed and started again knows all within one interval", async () => {
  await using dir = await TempDir.make();
  const refresh = 4;
  await using first = await startDirectory({ refresh });
  const listen = first.address;
  await using cleanup = new AsyncDisposableStack();
  const holders: DaemonProcess[] = [];
  for (const name of ["again-a.bin", "again-b.bin", "again-c.bin"]) {
    holders.push(cleanup.use(await holderOf(dir, name, told(first))));
  }
  const peers = holders.map(({ node }) => node);
  await using requester = await startDaemon({ peers, ...told(first) });
  await requester.linked(3);
  await lists(first, 3);
  first.kill();
  await first.process.ended();
  await fetched(dir, "again-a.bin", requester);
  // All have noticed, so that what they do about it is what is seen.
  for (const daemon of [...holders, requester]) {
    await waitUntil(async () => !(await daemon.status()).directories[0]!.answers, {
      what: "the daemon to see that the directory is gone",
    });
  }

  await using second = await startDirectory({ listen, refresh });
  assert(second.id !== first.id);
  // One interval, and the time that asking takes here.
  await lists(second, 4, refresh * 1_000 + SOON_MS);
  await fetched(dir, "again-b.bin", requester);
});
