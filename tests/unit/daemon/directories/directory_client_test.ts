/** The client of one directory, over a real store; the directory and the time are the test's. */

import { assert, assertEquals } from "@std/assert";
import type { HostPort } from "../../../../src/base/address.ts";
import { newNodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import {
  DirectoryClient,
  Duplicates,
} from "../../../../src/daemon/directories/directory_client.ts";
import type { NodeContext } from "../../../../src/daemon/discovery/node_context.ts";
import type { DirectoryConnection } from "../../../../src/net/directory_connection.ts";
import { OldVersions } from "../../../../src/net/version_fallback.ts";
import type { Message } from "../../../../src/wire/messages.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import {
  denied,
  type Heard,
  listed,
  type Script,
  ScriptedDirectory,
} from "../../../support/scripted_directory.ts";
import { testContext } from "../../../support/test_node.ts";
import { addDownloaded, content, openStore, TempDir } from "../../store/store_fixture.ts";

const LOAD = { uploads: 3, uploadsMax: 32, bytesPerSecond: 7, acceptBytes: 9 };
const ask = (connection: DirectoryConnection) => connection.metadata({ by: "name", value: "a" });

/** A node with directories, and a clock that the test advances. */
class Clients implements AsyncDisposable {
  readonly transport = new MemoryTransport();
  readonly clock = new ManualClock();
  readonly context: NodeContext;
  readonly oldVersions = new OldVersions();
  readonly #dir: TempDir;
  readonly #duplicates = new Duplicates();
  readonly #clients: DirectoryClient[] = [];

  private constructor(dir: TempDir, store: NodeContext["store"]) {
    this.#dir = dir;
    const { clock, transport } = this;
    this.context = testContext({ store, clock, transport });
  }

  static async open(): Promise<Clients> {
    const dir = new TempDir();
    return new Clients(dir, (await openStore(dir.path)).store);
  }

  add(address: HostPort): DirectoryClient {
    const duplicates = this.#duplicates, oldVersions = this.oldVersions;
    const options = { address, duplicates, oldVersions, load: () => LOAD };
    const client = new DirectoryClient(this.context, options);
    this.#clients.push(client);
    return client;
  }

  /** Lets time pass, as a node does. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    while (this.clock.nowMs() < endMs) {
      for (const client of this.#clients) client.tick(this.clock.nowMs());
      await this.clock.advance(Math.min(limits.overlayTickMs, endMs - this.clock.nowMs()));
    }
  }

  /** Lets time pass until the directory has heard so many of a kind. */
  async passUntil(directory: ScriptedDirectory, kind: Message["kind"], count = 1): Promise<void> {
    const heard = () => directory.heard.filter((message) => message.kind === kind).length;
    for (let turns = 0; heard() < count; turns++) {
      assert(turns < 1_000, `no ${kind} comes`);
      await this.pass(limits.overlayTickMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) {
      const left = client.leave();
      await this.clock.advance(limits.directoryLeaveMs);
      await left;
    }
    await this.context.store.close();
    this.#dir[Symbol.dispose]();
  }
}

function directoryOf(
  clients: Clients,
  answer: (heard: Heard, on: ScriptedDirectory) => readonly Message[] = taking,
): ScriptedDirectory {
  const script: Script = { answer: (heard) => answer(heard, directory) };
  const directory: ScriptedDirectory = new ScriptedDirectory(clients.transport, script);
  return directory;
}

/** Takes every batch and every goodbye, and knows of no files. */
function taking(heard: Heard, { instance }: ScriptedDirectory): Message[] {
  switch (heard.at(-1)!.kind) {
    case "batch-end":
    case "leave":
      return [listed(instance)];
    case "metadata-query":
      return [{ kind: "metadata", instance, files: [], last: true }];
    default:
      return [];
  }
}

Deno.test("DirectoryClient tells all there is with the load, and refreshes in time", async () => {
  await using clients = await Clients.open();
  await addDownloaded(clients.context.store, "a", content(10));
  await using directory = directoryOf(clients);
  const client = clients.add(directory.address);
  await clients.passUntil(directory, "batch-end");
  const first = await directory.nth("refresh", 1);
  assertEquals([first.session, first.whole, first.load], [client.session, true, LOAD]);
  const { files } = await directory.nth("advertise", 1);
  assertEquals(files.map(({ file }) => file.name), ["a"]);
  await directory.until(() => client.error === undefined || undefined);
  await clients.pass(limits.directoryRefreshMs / 2);
  assertEquals(directory.heard.filter(({ kind }) => kind === "refresh").length, 1);
  await clients.passUntil(directory, "refresh", 2);
  const second = await directory.nth("refresh", 2);
  assert(second.sequence > first.sequence);
  assertEquals(second.whole, false);
  assertEquals(client.report(clients.clock.nowMs()).answers, true);
});

Deno.test("DirectoryClient tries again after a batch that failed, and says why it did", async () => {
  await using clients = await Clients.open();
  let isWrong = true;
  await using directory = directoryOf(
    clients,
    (heard, on) => isWrong ? [{ kind: "ping", token: 1 }] : taking(heard, on),
  );
  const client = clients.add(directory.address);
  assertEquals(client.error?.isFailed, false, "it has not answered yet");
  await clients.passUntil(directory, "refresh");
  await directory.until(() => client.error?.isFailed || undefined);
  isWrong = false;
  await clients.passUntil(directory, "refresh", directory.talks.length + 1);
  await directory.until(() => client.error === undefined || undefined);
});

Deno.test("DirectoryClient.ask() gives the answer, and undefined when the directory refuses", async () => {
  await using clients = await Clients.open();
  let isRefused = false;
  await using directory = directoryOf(
    clients,
    (heard, on) => isRefused ? [denied(on.instance, "queries")] : taking(heard, on),
  );
  const client = clients.add(directory.address);
  assertEquals(await client.ask(ask), []);
  isRefused = true;
  assertEquals(await client.ask(ask), undefined);
  assertEquals(client.error?.reason, "it refuses: queries");
});

Deno.test("DirectoryClient is idle while another client speaks to the same instance", async () => {
  await using clients = await Clients.open();
  await using one = directoryOf(clients);
  await using other = directoryOf(clients);
  other.instance = one.instance;
  const [speaking, idle] = [clients.add(one.address), clients.add(other.address)];
  assertEquals(await speaking.ask(ask), []);
  assertEquals(await idle.ask(ask), undefined);
  assertEquals([speaking.duplicateOf, idle.duplicateOf], [undefined, speaking]);
  assertEquals(idle.report(0).sameAs, speaking.label);
  assertEquals(await idle.ask(ask), undefined);
  assertEquals(other.heard, [], "it is not asked at all");

  one.instance = newNodeId(systemRandom);
  one.hangUp();
  assertEquals(await speaking.ask(ask), []);
  assertEquals(idle.duplicateOf, undefined, "they are two now");
  await clients.clock.advance(limits.directoryPauseMs);
  assertEquals(await idle.ask(ask), []);
});

Deno.test("DirectoryClient.leave() says goodbye, and waits no longer than its bound", async () => {
  await using clients = await Clients.open();
  let isSilent = false;
  await using directory = directoryOf(clients, (heard, on) => isSilent ? [] : taking(heard, on));
  const client = clients.add(directory.address);
  await clients.passUntil(directory, "batch-end");
  await directory.until(() => client.error === undefined || undefined);
  isSilent = true;
  let hasLeft = false;
  const left = client.leave().then(() => hasLeft = true);
  const goodbye = await directory.nth("leave", 1);
  assertEquals(goodbye.session, client.session);
  assert(goodbye.sequence > (await directory.nth("refresh", 1)).sequence);
  await clients.clock.advance(limits.directoryLeaveMs - 1);
  assertEquals(hasLeft, false);
  await clients.clock.advance(1);
  await left;
});

Deno.test("DirectoryClient.leave() says nothing to a directory that never answered", async () => {
  await using clients = await Clients.open();
  await using directory = directoryOf(clients, () => []);
  const client = clients.add(directory.address);
  await clients.passUntil(directory, "batch-end");
  await client.leave();
  assertEquals(directory.heard.filter(({ kind }) => kind === "leave"), []);
});
