/** The answers to a client, from a real node and store. */

import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { Answerer } from "../../../../src/daemon/control/answers.ts";
import { FetchRecorder, keepRecord } from "../../../../src/daemon/fetch/fetch_recorder.ts";
import type { Node } from "../../../../src/daemon/node/node.ts";
import type { Verb } from "../../../../src/wire/messages.ts";
import { testNode } from "../../../support/test_node.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";

function answererOf(node: Node): Answerer {
  return new Answerer({
    node,
    version: "1",
    clientAddress: () => "127.0.0.1:1",
    gatewayAddress: () => null,
    syncDatabases: () => [],
  });
}

async function ask(answerer: Answerer, verb: Verb, args: unknown): Promise<unknown[]> {
  const { signal } = new AbortController();
  return await Array.fromAsync(answerer.answer(verb, JSON.stringify(args), { signal }));
}

Deno.test("Answerer.answer() leaves a download out of a list when it ends meanwhile", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await addDownloaded(store, "whole", content(10));
  for (const [i, name] of ["goes", "stays"].entries()) {
    const bytes = content(3 * CHUNK_BYTES, i + 2);
    const download = store.beginDownload({ root: rootOf(bytes), name, sizeBytes: bytes.length });
    giveLeaves(download, bytes);
    giveChunks(download, bytes, { first: 1, count: 2 });
  }
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = answererOf(node);
  const listed: unknown[] = [];
  const { signal } = new AbortController();
  for await (const item of answerer.answer("list", "{}", { signal })) {
    const { name, have } = item as { name: string; have: string };
    listed.push([name, have]);
    if (name === "whole") store.remove(store.definitionsByName("goes")[0]!.root);
  }
  assertEquals(listed, [["whole", "all"], ["stays", "1-2"]]);
  await node.stop();
});

Deno.test("Answerer.answer() tells what of a name is here, with its SHA-256 and all its roots", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const [whole, part] = [content(10), content(3 * CHUNK_BYTES, 2)];
  await addDownloaded(store, "x", whole);
  const sha256 = "01".repeat(32);
  store.noteSha256(rootOf(whole), sha256);
  const root = rootOf(part);
  const download = store.beginDownload({ root, name: "x", sizeBytes: part.length });
  giveLeaves(download, part);
  giveChunks(download, part, { first: 1, count: 2 });
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = answererOf(node);
  const here = { name: "x", type: "", from: ["here"] };
  const infoOfPart = {
    ...here,
    root,
    sizeBytes: part.length,
    sha256: null,
    peersWhole: 0,
    peersPart: 1,
  };
  const timeoutMs = 1;
  assertEquals(await ask(answerer, "info", { target: "x", timeoutMs }), [
    { ...here, root: rootOf(whole), sizeBytes: 10, sha256, peersWhole: 1, peersPart: 0 },
    infoOfPart,
  ]);
  assertEquals(await ask(answerer, "info", { target: root.toUpperCase(), timeoutMs }), [
    infoOfPart,
  ]);
  assertEquals(await ask(answerer, "where", { target: root, timeoutMs }), [{
    peer: `127.0.0.1:${node.address.port}`,
    nodeId: node.nodeId,
    root,
    sizeBytes: part.length,
    chunks: 3,
    chunksHave: 2,
    loadPermille: 0,
    from: ["here"],
  }]);
  assertEquals(await ask(answerer, "where", { target: "y", timeoutMs }), []);
  await assertRejects(() => ask(answerer, "info", { target: "a/b" }), UsageError, "slash");
  await assertRejects(() => ask(answerer, "where", {}), UsageError, "target is not a text");
  await node.stop();
});

Deno.test("Answerer.answer() explains fetches by name and root, and sums up what they saved", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const root = rootOf(content(10));
  const journal = new FetchRecorder(0);
  journal.received({ kind: "peer", label: "h:1", nodeId: null }, { first: 0, count: 1 }, {
    sizeBytes: 10,
  });
  journal.note("asked h:1", 5);
  const facts = { name: "x", root, sizeBytes: 10, trust: "sync-db", hasMirror: true } as const;
  const record = journal.record("done", { ...facts, nowMs: 7, unixMs: 7 });
  keepRecord(store, record);
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = answererOf(node);
  assertEquals(await ask(answerer, "explain", { target: "x" }), [record]);
  assertEquals(await ask(answerer, "explain", { target: root.toUpperCase() }), [record]);
  assertEquals(await ask(answerer, "explain", { target: "y" }), []);
  await assertRejects(() => ask(answerer, "explain", {}), UsageError, "target");
  const [{ savings }] = await ask(answerer, "status", {}) as [{ savings: unknown }];
  const none = { bytesLocal: 0, bytesMirror: 0 };
  assertEquals(savings, { ...none, files: 1, bytesPeers: 10, bytesSaved: 10 });
  await node.stop();
});
