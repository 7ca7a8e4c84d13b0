import { assert, assertEquals, assertRejects } from "@std/assert";
import { EnvironmentError, PeerFault } from "../../../src/base/errors.ts";
import { newNodeId, newSessionId, type NodeId, type Root } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { Connection } from "../../../src/net/connection.ts";
import { DirectoryConnection } from "../../../src/net/directory_connection.ts";
import type { LocalIdentity } from "../../../src/net/handshake.ts";
import type { Message, MessageOf } from "../../../src/wire/messages.ts";
import type { Holder, KnownFile, ListedFile } from "../../../src/wire/structures.ts";
import { MemoryTransport } from "../../support/memory_transport.ts";
import {
  denied,
  listed,
  type Script,
  ScriptedDirectory,
} from "../../support/scripted_directory.ts";

const ROOT = "ab".repeat(32) as Root;
const REFRESH = {
  session: newSessionId(systemRandom),
  sequence: 1,
  load: { uploads: 0, uploadsMax: 32, bytesPerSecond: 0, acceptBytes: 0 },
  whole: true,
  filesListed: 0,
};

function file(name: string): ListedFile {
  const offer = { root: ROOT, name, type: "", sizeBytes: 1, chunksHave: 1, whole: true };
  return { file: offer, sha256: null };
}

function known(name: string): KnownFile {
  return { root: ROOT, name, type: "", sizeBytes: 1, sha256: null, whole: 1, part: 0 };
}

function holder(port: number): Holder {
  const nodeId = newNodeId(systemRandom);
  const place = { nodeId, host: "192.0.2.1", port };
  return { root: ROOT, sizeBytes: 1, ...place, chunksHave: 1, loadPermille: 0 };
}

/** A connection with a directory that keeps to the script, whose answers get its instance. */
async function connected(
  answer: (heard: readonly Message[], instance: NodeId) => readonly Message[],
  use: (connection: DirectoryConnection, directory: ScriptedDirectory) => Promise<void>,
): Promise<void> {
  const transport = new MemoryTransport({ bufferBytes: 10_000 });
  const script: Script = { answer: (heard) => answer(heard, directory.instance) };
  await using directory: ScriptedDirectory = new ScriptedDirectory(transport, script);
  const identity: LocalIdentity = {
    nodeId: newNodeId(systemRandom),
    listenPort: 8048,
    network: "test",
    networkKey: undefined,
    random: systemRandom,
  };
  const duplex = await transport.dial(directory.address, { timeoutMs: 1_000 });
  const connection = await DirectoryConnection.open(new Connection(duplex), identity);
  assertEquals(connection.instance, directory.instance);
  await use(connection, directory);
  connection.close();
}

const last = (heard: readonly Message[]) => heard.at(-1)!.kind;

Deno.test("DirectoryConnection.batch() sends the lists in frames of a bounded length", async () => {
  await connected(
    (heard, instance) =>
      last(heard) === "batch-end" ? [listed(instance, { filesListed: 300 })] : [],
    async (connection, directory) => {
      const files = Array.from({ length: 300 }, (_, i) => file(`${i}`));
      const removed = [{ root: ROOT, name: "gone" }];
      const answer = await connection.batch(REFRESH, { files, removed });
      assert(answer.kind === "listed");
      assertEquals(answer.filesListed, 300);
      const { advertisedPerMessageMax: max } = limits;
      assertEquals(directory.heard.map(({ kind }) => kind), [
        "refresh",
        "remove",
        ...["advertise", "advertise", "advertise"],
        "batch-end",
      ]);
      const parts = directory.heard.filter(({ kind }) => kind === "advertise");
      assertEquals(
        (parts as MessageOf<"advertise">[]).map(({ files }) => files.length),
        [max, max, 300 - 2 * max],
      );
      const names = (parts as MessageOf<"advertise">[]).flatMap(({ files }) => files);
      assertEquals(names, files);
    },
  );
});

Deno.test("DirectoryConnection.batch() ends early when the directory refuses early", async () => {
  let made = 0;
  await connected(
    (heard, instance) => last(heard) === "refresh" ? [denied(instance)] : [],
    async (connection, directory) => {
      const files = (function* () {
        for (; made < 100_000; made++) yield file(`${made}`);
      })();
      const answer = await connection.batch(REFRESH, { files, removed: [] });
      assert(answer.kind === "denied");
      assertEquals(answer.limit, "sequence");
      assert(made < 100_000, "the rest of the list was not even made");
      assert(!directory.heard.some(({ kind }) => kind === "batch-end"));
    },
  );
});

Deno.test("DirectoryConnection hears the answers to several questions in their order", async () => {
  const holders = [holder(1), holder(2)];
  const status: Omit<MessageOf<"directory-status">, "instance"> = {
    kind: "directory-status",
    uptimeMs: 5,
    clients: 1,
    clientsReachable: 1,
    roots: 1,
    names: 1,
    filesListed: 1,
    queries: 3,
    batches: 1,
    denied: 0,
    uploadsAccepted: 0,
    replicas: 3,
    refreshMs: 30_000,
  };
  await connected(
    (heard, instance) => {
      // Nothing is answered before all has been asked.
      if (last(heard) !== "directory-query") return [];
      return [
        { kind: "metadata", instance, files: [known("a")], last: false },
        { kind: "metadata", instance, files: [known("b")], last: true },
        { kind: "holders", instance, holders, last: true },
        denied(instance, "directoryQueriesPerSecond"),
        { kind: "metadata", instance, files: [], last: true },
        { ...status, instance },
      ];
    },
    async (connection, directory) => {
      const answers = await Promise.all([
        connection.metadata({ by: "name", value: "a" }),
        connection.holders({ by: "root", value: ROOT }, 16),
        connection.takers({ root: ROOT, sizeBytes: 1 }, 2),
        connection.search("*", 10),
        connection.status(),
      ]);
      const { instance } = directory;
      assertEquals<unknown>(answers, [
        [known("a"), known("b")],
        holders,
        denied(instance, "directoryQueriesPerSecond"),
        [],
        { ...status, instance },
      ]);
    },
  );
});

const metadataQuery = { by: "name", value: "a" } as const;

Deno.test("DirectoryConnection takes an answer of another instance for a fault", async () => {
  const other = "77".repeat(16) as NodeId;
  await connected(
    () => [{ kind: "metadata", instance: other, files: [], last: true }],
    async (connection) => {
      const error = await assertRejects(() => connection.metadata(metadataQuery), PeerFault);
      assertEquals(error.code, "unexpected");
      assert(connection.connection.isClosed);
    },
  );
});

Deno.test("DirectoryConnection takes an answer to another question, or of another connection, for a fault", async () => {
  const wrong: ((instance: NodeId) => Message)[] = [
    (instance) => ({ kind: "holders", instance, holders: [], last: true }),
    (instance) => listed(instance),
    () => ({ kind: "ping", token: 1 }),
  ];
  for (const make of wrong) {
    await connected((_, instance) => [make(instance)], async (connection) => {
      await assertRejects(() => connection.metadata(metadataQuery), PeerFault);
      assert(connection.connection.isClosed);
    });
  }
});

Deno.test("DirectoryConnection takes no more holders or files than it asked for", async () => {
  const holders = Array.from({ length: 3 }, (_, i) => holder(i + 1));
  await connected(
    (_, instance) => [{ kind: "holders", instance, holders, last: true }],
    async (connection) => {
      const sought = { by: "root", value: ROOT } as const;
      const error = await assertRejects(() => connection.holders(sought, 2), PeerFault);
      assertEquals(error.code, "flooding");
    },
  );
  const files = Array.from({ length: limits.knownPerMessageMax }, (_, i) => known(`${i}`));
  await connected(
    // Without an end: it stops where it asked for no more.
    (_, instance) =>
      Array.from({ length: 10 }, () => ({ kind: "metadata", instance, files, last: false })),
    async (connection) => {
      const error = await assertRejects(() => connection.search("*", 2 * files.length), PeerFault);
      assertEquals(error.code, "flooding");
    },
  );
});

Deno.test("DirectoryConnection rejects all that waits when the directory hangs up", async () => {
  await connected(() => [], async (connection, directory) => {
    const waiting = [
      connection.metadata(metadataQuery),
      connection.holders(metadataQuery, 1),
      connection.batch(REFRESH, { files: [], removed: [] }),
    ];
    const all = Promise.allSettled(waiting);
    await directory.nth("batch-end", 1);
    directory.hangUp();
    for (const one of await all) {
      assert(one.status === "rejected" && one.reason instanceof EnvironmentError);
    }
  });
});
