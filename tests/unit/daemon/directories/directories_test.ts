/** A node as a client of directories, over a real store; the directories are the test's. */

import { assert, assertEquals, assertMatch, equal } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { newNodeId, type Root } from "../../../../src/base/ids.ts";
import { type Logger, silentLogger } from "../../../../src/base/log.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import {
  Directories,
  type DirectoryAnswer,
} from "../../../../src/daemon/directories/directories.ts";
import type { HostPort } from "../../../../src/base/address.ts";
import { OldVersions } from "../../../../src/net/version_fallback.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import type { Message, MessageOf } from "../../../../src/wire/messages.ts";
import { sessionMac } from "../../../../src/wire/proofs.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import {
  denied,
  type Heard,
  listed,
  type Script,
  ScriptedDirectory,
} from "../../../support/scripted_directory.ts";
import { testContext } from "../../../support/test_node.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";

const SOUGHT = { by: "name", value: "a" } as const;
const LOAD = { uploads: 3, uploadsMax: 32, bytesPerSecond: 7, acceptBytes: 9 };

/** Directories of a node that is nothing else; time passes by itself. */
class Client implements AsyncDisposable {
  readonly transport = new MemoryTransport();
  readonly lines: string[] = [];
  readonly oldVersions = new OldVersions();
  directories!: Directories;
  readonly store: ChunkStore;
  readonly #dir: TempDir;
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(dir: TempDir, store: ChunkStore) {
    this.#dir = dir;
    this.store = store;
  }

  static async open(): Promise<Client> {
    const dir = new TempDir();
    return new Client(dir, (await openStore(dir.path)).store);
  }

  /** Begins to tell directories at these addresses. */
  start(addresses: readonly HostPort[]): Directories {
    const log = (message: string, fields: object = {}) =>
      this.lines.push(`${message} ${JSON.stringify(fields)}`);
    const logger: Logger = { ...silentLogger, info: log, warn: log, error: log };
    const context = testContext({ store: this.store, log: logger, transport: this.transport });
    this.directories = new Directories(context, {
      addresses,
      load: () => LOAD,
      oldVersions: this.oldVersions,
    });
    this.directories.start();
    this.#timer = setInterval(() => this.directories.tick(performance.now()), 10);
    return this.directories;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.directories.stop();
    await this.store.close();
    this.#dir[Symbol.dispose]();
  }
}

/** How many directories, each counted once, answered the last batch. */
function answering(directories: Directories): number {
  return directories.reports().filter(({ answers, sameAs }) => answers && sameAs === null).length;
}

/** Takes every batch; counts files as a directory does that forgets nothing. */
function taking(
  answer: Script["answer"] = () => [],
): (heard: Heard, on: ScriptedDirectory) => Message[] {
  const files = new Map<string, true>();
  return (heard, { instance }) => {
    const message = heard.at(-1)!;
    if (message.kind === "refresh" && message.whole) files.clear();
    if (message.kind === "advertise") {
      for (const { file } of message.files) files.set(`${file.root} ${file.name}`, true);
    }
    if (message.kind === "remove") {
      for (const { root, name } of message.files) files.delete(`${root} ${name}`);
    }
    if (message.kind === "batch-end" || message.kind === "leave") {
      return [listed(instance, { filesListed: files.size })];
    }
    return [...answer(heard, undefined as never)];
  };
}

function directoryOf(
  client: Client,
  answer: (heard: Heard, on: ScriptedDirectory) => readonly Message[],
): ScriptedDirectory {
  const script: Script = { answer: (heard) => answer(heard, directory) };
  const directory: ScriptedDirectory = new ScriptedDirectory(client.transport, script);
  return directory;
}

function names(message: MessageOf<"advertise">): string[] {
  return message.files.map(({ file }) => file.name);
}

Deno.test("Directories tells new directories what is here, and those that go goodbye", async () => {
  await using client = await Client.open();
  await addDownloaded(client.store, "a", content(CHUNK_BYTES, 1));
  await using first = directoryOf(client, taking());
  await using second = directoryOf(client, taking());
  const directories = client.start([]);
  assertEquals(directories.size, 0);
  directories.setAddresses([first.address]);
  assertEquals(names(await first.nth("advertise", 1)), ["a"]);
  await first.until(() => answering(directories) === 1 ? true : undefined);
  directories.setAddresses([second.address]);
  await first.nth("leave", 1);
  assertEquals(names(await second.nth("advertise", 1)), ["a"]);
  assertEquals(directories.size, 1);
  // What was there already is not told anew.
  directories.setAddresses([second.address]);
  assertEquals(directories.reports().map(({ directory }) => directory).length, 1);
});

Deno.test("Directories tells a directory all there is, then what changes", async () => {
  await using client = await Client.open();
  const [a, b] = [content(3 * CHUNK_BYTES, 1), content(CHUNK_BYTES, 2)];
  await addDownloaded(client.store, "a", a);
  await using directory = directoryOf(client, taking());
  const directories = client.start([directory.address]);
  const first = await directory.nth("refresh", 1);
  assertEquals([first.whole, first.load], [true, LOAD]);
  assertEquals((await directory.nth("advertise", 1)).files, [{
    file: {
      root: rootOf(a),
      name: "a",
      type: "",
      sizeBytes: a.length,
      chunksHave: 3,
      whole: true,
    },
    sha256: null,
  }]);

  await addDownloaded(client.store, "b", b);
  const second = await directory.nth("refresh", 2);
  assertEquals([second.session, second.whole, second.filesListed], [first.session, false, 1]);
  assert(second.sequence > first.sequence);
  assertEquals(names(await directory.nth("advertise", 2)), ["b"]);

  client.store.remove(rootOf(a));
  assertEquals((await directory.nth("remove", 1)).files, [{ root: rootOf(a), name: "a" }]);
  await directory.nth("batch-end", 3);
  const [report] = await directory.until(() => {
    const reports = directories.reports();
    return reports[0]?.filesListed === 1 ? reports : undefined;
  });
  assertEquals(report?.directory, `127.0.0.1:${directory.address.port}`);
  assertEquals([report?.answers, report?.reach], [true, "reachable"]);
});

Deno.test("Directories tells of a part of a file, and of how it grows", async () => {
  await using client = await Client.open();
  await using directory = directoryOf(client, taking());
  client.start([directory.address]);
  await directory.nth("batch-end", 1);
  const bytes = content(4 * CHUNK_BYTES, 3);
  const download = client.store.beginDownload({
    root: rootOf(bytes),
    name: "part",
    sizeBytes: bytes.length,
  });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 2 });
  const part = (await directory.nth("advertise", 1)).files[0]?.file;
  assertEquals([part?.name, part?.chunksHave, part?.whole], ["part", 2, false]);
  giveChunks(download, bytes, { first: 2, count: 2 });
  await download.finish();
  const whole = await directory.until(() =>
    (directory.heard.filter(({ kind }) => kind === "advertise") as MessageOf<"advertise">[])
      .flatMap(({ files }) => files)
      .find(({ file }) => file.whole)
  );
  assertEquals(whole.file.chunksHave, 4);
});

Deno.test("Directories asks all at once, and hears what each answers", async () => {
  await using client = await Client.open();
  const holder = (port: number, values: object = {}) => ({
    root: "ab".repeat(32) as Root,
    sizeBytes: 1,
    nodeId: newNodeId(systemRandom),
    host: "127.0.0.1",
    port,
    chunksHave: 1,
    loadPermille: 0,
    ...values,
  });
  const answers = (port: number) => (heard: Heard, on: ScriptedDirectory) =>
    heard.at(-1)!.kind === "holders-query"
      ? [{
        kind: "holders" as const,
        instance: on.instance,
        holders: [holder(port), holder(port, { chunksHave: 9 })],
        last: true,
      }]
      : taking()(heard, on);
  await using one = directoryOf(client, answers(1));
  await using two = directoryOf(client, answers(2));
  await using refusing = directoryOf(client, (_heard, on) => [denied(on.instance, "queries")]);
  await using silent = directoryOf(client, () => []);
  const nobody = { host: "127.0.0.1", port: 9 };
  const all = [one, two, refusing, silent].map(({ address }) => address);
  const directories = client.start([...all, nobody]);
  assertEquals(directories.size, 5);
  const heard: DirectoryAnswer[] = [];
  const both = Promise.withResolvers<void>();
  directories.findHolders(SOUGHT, (answer) => {
    heard.push(answer);
    if (heard.length === 2) both.resolve();
  }, { max: 2 });
  await both.promise;
  heard.sort((a, b) => a.holders[0]!.port - b.holders[0]!.port);
  assertEquals(heard.map(({ directory, holders }) => [directory, holders.length]), [
    [`127.0.0.1:${one.address.port}`, 1],
    [`127.0.0.1:${two.address.port}`, 1],
  ]);
  const asked = await silent.nth("holders-query", 1);
  assertEquals([asked.sought, asked.max], [SOUGHT, 2]);
  await refusing.nth("holders-query", 1);
});

Deno.test("Directories reports which limit a directory named, and what stands against its answers", async () => {
  await using client = await Client.open();
  await using directory = directoryOf(client, (heard, { instance }) => {
    switch (heard.at(-1)!.kind) {
      case "batch-end":
        return [denied(instance, "wrong-address")];
      case "metadata-query":
        return [{ kind: "metadata", instance, files: [], last: true }];
      default:
        return [];
    }
  });
  await using stranger = new ScriptedDirectory(client.transport, { network: "another" });
  const directories = client.start([directory.address, stranger.address]);
  const errors = () => directories.errors.map(({ reason, isFailed }) => [reason, isFailed]);
  assertEquals(errors(), [["no answer yet", false], ["no answer yet", false]]);
  const failed = ['it is not of the network "test"', true];
  const has = (what: unknown[]) => () => equal(errors(), what) ? true : undefined;
  await directory.until(has([["it refuses: wrong-address", false], failed]));
  await directory.until(() => directories.reports()[0]?.denied === "wrong-address" || undefined);
  assertEquals(directories.reports()[1]?.denied, null);
  directories.findFiles(SOUGHT, () => {});
  await directory.until(has([failed]));
});

Deno.test("Directories says no more to who has ended the question", async () => {
  await using client = await Client.open();
  await using directory = directoryOf(
    client,
    (heard, on) =>
      heard.at(-1)!.kind === "metadata-query"
        ? [{ kind: "metadata", instance: on.instance, files: [], last: true }]
        : taking()(heard, on),
  );
  const directories = client.start([directory.address]);
  let ended = 0;
  directories.findFiles(SOUGHT, () => ended++).end();
  // Answers come in order, so the first has come when this one has.
  await new Promise<void>((resolve) => directories.findFiles(SOUGHT, () => resolve()));
  assertEquals(ended, 0);
});

Deno.test("Directories asks for metadata, searches and takers in their own words", async () => {
  await using client = await Client.open();
  await using directory = directoryOf(client, taking());
  const directories = client.start([directory.address]);
  const root = "ab".repeat(32) as Root;
  directories.findFiles({ by: "root", value: root }, () => {});
  directories.findFiles({ by: "glob", value: "*.iso" }, () => {});
  directories.findTakers({ root, sizeBytes: 5 }, () => {}, { max: 3 });
  assertEquals((await directory.nth("metadata-query", 1)).sought, { by: "root", value: root });
  assertEquals((await directory.nth("search-query", 1)).glob, "*.iso");
  const takers = await directory.nth("takers-query", 1);
  assertEquals([takers.root, takers.sizeBytes, takers.max], [root, 5, 3]);
});

Deno.test("Directories.sessionByProof() knows the session that a directory was told, of all of them", async () => {
  await using client = await Client.open();
  await using one = directoryOf(client, taking());
  await using two = directoryOf(client, taking());
  const directories = client.start([one.address, two.address]);
  const sessions = [await one.nth("refresh", 1), await two.nth("refresh", 1)]
    .map(({ session }) => session);
  assert(sessions[0] !== sessions[1], "each directory has its own");
  const nonces = systemRandom.bytes(32);
  for (const session of sessions) {
    const mac = sessionMac("directory", session, nonces);
    assertEquals(directories.sessionByProof(mac, nonces), session);
    assertEquals(directories.sessionByProof(mac, systemRandom.bytes(32)), undefined);
    const own = sessionMac("client", session, nonces);
    assertEquals(directories.sessionByProof(own, nonces), undefined, "its own answer sent back");
  }
});

Deno.test("Directories sends the whole list to an instance that is new, though a question tells it", async () => {
  await using client = await Client.open();
  await addDownloaded(client.store, "a", content(10, 4));
  await using directory = directoryOf(
    client,
    (heard, on) =>
      heard.at(-1)!.kind === "batch-end"
        ? [listed(on.instance, { filesListed: 1, refreshMs: 1_000 })]
        : [],
  );
  const directories = client.start([directory.address]);
  await directory.until(() => answering(directories) === 1 ? true : undefined);
  directory.instance = newNodeId(systemRandom);
  directory.hangUp();
  directories.findFiles(SOUGHT, () => {});
  const wholes = await directory.until(() => {
    const refreshes = directory.heard.filter(({ kind }) => kind === "refresh");
    const whole = (refreshes as MessageOf<"refresh">[]).filter(({ whole }) => whole);
    return whole.length === 2 ? whole : undefined;
  });
  assertEquals(wholes[0]?.session, wholes[1]?.session);
  assertEquals(names(await directory.nth("advertise", 2)), ["a"]);
});

Deno.test("Directories.stop() says goodbye to who answered, and waits for nobody else", async () => {
  await using client = await Client.open();
  await using directory = directoryOf(client, taking());
  await using silent = directoryOf(client, () => []);
  const nobody = client.transport.silentAddress();
  const directories = client.start([directory.address, silent.address, nobody]);
  await directory.until(() => answering(directories) === 1 ? true : undefined);
  const refresh = await directory.nth("refresh", 1);
  await directories.stop();
  const leave = await directory.nth("leave", 1);
  assertEquals(leave.session, refresh.session);
  assert(leave.sequence > refresh.sequence);
  assert(!silent.heard.some(({ kind }) => kind === "leave"));
});

Deno.test("Directories logs now and then what a directory does wrong, and when it does right again", async () => {
  await using client = await Client.open();
  let isWrong = true;
  await using directory = directoryOf(
    client,
    (heard, on) => isWrong ? [{ kind: "ping", token: 1 }] : taking()(heard, on),
  );
  const directories = client.start([directory.address]);
  for (let i = 0; i < 3; i++) {
    directories.findFiles(SOUGHT, () => {});
    await directory.nth("metadata-query", i + 1);
  }
  await directory.nth("refresh", 2);
  assertEquals(client.lines.filter((line) => line.includes("protocol")).length, 1);
  isWrong = false;
  await directory.until(() => answering(directories) === 1 ? true : undefined);
  assertMatch(client.lines.at(-1)!, /listed at a directory/);
});

Deno.test("Directories logs now and then that a directory answers as another, whatever instance it names", async () => {
  await using client = await Client.open();
  await using directory = directoryOf(
    client,
    () => [{ kind: "metadata", instance: newNodeId(systemRandom), files: [], last: true }],
  );
  const directories = client.start([directory.address]);
  for (let i = 0; i < 3; i++) {
    directories.findFiles(SOUGHT, () => {});
    await directory.nth("metadata-query", i + 1);
  }
  await directory.nth("refresh", 2);
  assertEquals(client.lines.filter((line) => line.includes("it answers as")).length, 1);
});

Deno.test("Directories logs that the network key may be another when a directory closes at once", async () => {
  await using client = await Client.open();
  const networkKey = systemRandom.bytes(32);
  await using directory = new ScriptedDirectory(client.transport, { networkKey });
  client.start([directory.address]);
  const line = await directory.until(() => client.lines[0]);
  assertMatch(line, /cannot reach a directory .*network key/);
});

Deno.test("Directories uses one address of a directory that has two, the other when they differ", async () => {
  await using client = await Client.open();
  await addDownloaded(client.store, "a", content(10, 4));
  const answers = taking((heard) => {
    const isAsked = heard.at(-1)!.kind === "metadata-query";
    return isAsked ? [{ kind: "metadata", instance: one.instance, files: [], last: true }] : [];
  });
  await using one = directoryOf(client, answers);
  await using other = directoryOf(client, taking());
  other.instance = one.instance;
  const directories = client.start([one.address, other.address]);
  const [used, idle] = await one.until(() => {
    const reports = directories.reports();
    const used = reports.find(({ answers }) => answers);
    const idle = reports.find(({ sameAs }) => sameAs !== null);
    return used === undefined || idle === undefined ? undefined : [used, idle];
  });
  assertEquals([idle.sameAs, idle.answers, idle.reach], [used.directory, false, null]);
  assertEquals([directories.size, answering(directories)], [1, 1]);
  const isOne = used.directory.endsWith(`:${one.address.port}`);
  const [speaking, silent] = isOne ? [one, other] : [other, one];
  for (let i = 0; i < 3; i++) {
    directories.findFiles(SOUGHT, () => {});
    await speaking.nth("metadata-query", i + 1);
  }
  assertEquals(silent.heard, []);
  assertEquals(client.lines.filter((line) => line.includes("two addresses")).length, 1);

  speaking.instance = newNodeId(systemRandom);
  speaking.hangUp();
  // The first question shows the new instance, the next one goes to both.
  await silent.until(() => {
    directories.findFiles(SOUGHT, () => {});
    return silent.heard.some(({ kind }) => kind === "metadata-query") || undefined;
  });
  assertEquals((await silent.nth("refresh", 1)).whole, true);
  await silent.until(() =>
    directories.reports().every(({ sameAs }) => sameAs === null) || undefined
  );
  assertEquals(directories.size, 2);
});

Deno.test("Directories uses the other address of a directory when the one that it used fails", async () => {
  await using client = await Client.open();
  await using one = directoryOf(client, taking());
  await using other = directoryOf(client, taking());
  other.instance = one.instance;
  const directories = client.start([one.address, other.address]);
  await one.until(() => (directories.size === 1 && answering(directories) === 1) || undefined);
  const isOne = other.heard.length === 0;
  const [speaking, silent] = isOne ? [one, other] : [other, one];
  await speaking[Symbol.asyncDispose]();
  await silent.until(() => {
    directories.findFiles(SOUGHT, () => {});
    return silent.heard.some(({ kind }) => kind === "metadata-query") || undefined;
  });
  await silent.nth("refresh", 1);
});
