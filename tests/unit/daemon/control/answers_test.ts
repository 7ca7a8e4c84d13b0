/** The answers to a client, from a real node and store. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { silentLogger } from "../../../../src/base/log.ts";
import { UsageError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Answerer } from "../../../../src/daemon/control/answers.ts";
import { FetchRecorder, keepRecord } from "../../../../src/daemon/fetch/fetch_recorder.ts";
import type { Node } from "../../../../src/daemon/node/node.ts";
import type { Verb } from "../../../../src/wire/messages.ts";
import type { StatusReport } from "../../../../src/wire/reports.ts";
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
    log: { ...silentLogger, level: "info" },
    lan: () => null,
    clientAddress: () => "127.0.0.1:1",
    gatewayAddress: () => null,
    staleDatabases: () => [],
    syncDatabases: () => [],
    prefetch: () => null,
  });
}

async function ask(answerer: Answerer, verb: Verb, args: unknown): Promise<unknown[]> {
  const { signal } = new AbortController();
  return await Array.fromAsync(
    answerer.answer(verb, JSON.stringify(args), { signal, leftOut: () => {} }),
  );
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
  for await (const item of answerer.answer("list", "{}", { signal, leftOut: () => {} })) {
    const { name, have } = item as { name: string; have: string };
    listed.push([name, have]);
    if (name === "whole") store.remove(store.definitionsByName("goes")[0]!.root);
  }
  assertEquals(listed, [["whole", "all"], ["stays", "1-2"]]);
  await node.stop();
});

Deno.test("Answerer.answer() counts what is here of files that are not whole", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(5 * CHUNK_BYTES, 2);
  const download = store.beginDownload({ root: rootOf(bytes), name: "a", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 1, count: 2 });
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = answererOf(node);
  const partial = async () => {
    const [{ files }] = await ask(answerer, "status", {}) as [StatusReport];
    return [files.partial, files.bytes];
  };
  assertEquals(await partial(), [1, 2 * CHUNK_BYTES]);
  // What a mirror has begun to send has no root yet.
  const began = store.openUnverified({ name: "b", sizeBytes: null, key: "k" });
  began.write(0, content(1_000));
  const same = store.openUnverified({ name: "a", sizeBytes: null, key: "k" });
  same.write(0, content(500));
  assertEquals(await partial(), [2, 2 * CHUNK_BYTES + 1_500]);
  for (const unverified of [began, same]) unverified.discard();
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
  const here = { name: "x", type: "", peersUnreached: 0, inFlight: null, from: ["here"] };
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
    flight: null,
    sizeBytes: part.length,
    chunks: 3,
    chunksHave: 2,
    loadPermille: 0,
    reach: "here",
    problem: null,
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
  const record = journal.record("done", { ...facts, bytesMirrors: 4, nowMs: 7, unixMs: 7 });
  keepRecord(store, record);
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = answererOf(node);
  assertEquals(await ask(answerer, "explain", { target: "x" }), [record]);
  assertEquals(await ask(answerer, "explain", { target: root.toUpperCase() }), [record]);
  assertEquals(await ask(answerer, "explain", { target: "y" }), []);
  await assertRejects(() => ask(answerer, "explain", {}), UsageError, "target");
  const [{ savings, copies }] = await ask(answerer, "status", {}) as [
    Pick<StatusReport, "savings" | "copies">,
  ];
  const none = { bytesLocal: 0, bytesMirror: 0 };
  // It ended in 1970, before all hours and days that are told of.
  const spans = { hours: [], days: [] };
  assertEquals(savings, { ...none, ...spans, files: 1, bytesPeers: 10, bytesSaved: 10 });
  // The fetch ended before this daemon began to count.
  assertEquals(copies, {
    sinceStart: { bytesMirrors: 0, bytesUnique: 0, copies: null },
    allRuns: { bytesMirrors: 4, bytesUnique: 10, copies: 0.4 },
  });
  await node.stop();
});

Deno.test("Answerer.answer() names what a killed fetch left, and removes it when it is unshared", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const root = rootOf(content(5));
  dir.write(`data/partial/${root}`, content(3 * CHUNK_BYTES));
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = answererOf(node);
  const [file] = await ask(answerer, "list", {}) as {
    root: string;
    have: string;
    origin: string;
  }[];
  assertEquals([file!.root, file!.origin, file!.have], [root, "partial", "none"]);
  const [{ files }] = await ask(answerer, "status", {}) as [StatusReport];
  assertEquals([files.partial, files.bytes], [1, 3 * CHUNK_BYTES]);
  await ask(answerer, "unshare", { target: root });
  assertEquals(await ask(answerer, "list", {}), []);
  await node.stop();
});

Deno.test("Answerer.answer() unshares nothing for a name of several files, unless all are meant", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const contents = [1, 2, 3, 4, 5, 6].map((seed) => content(10 + seed, seed));
  for (const bytes of contents) await addDownloaded(store, "same", bytes);
  await addDownloaded(store, "other", content(20));
  const node = testNode({ store, transport: new MemoryTransport() });
  const answerer = answererOf(node);
  const namesLeft = () => store.fileDefinitions().map(({ name }) => name).sort();
  const refused = await assertRejects(
    () => ask(answerer, "unshare", { target: "same" }),
    UsageError,
    "6 different files here go by this name",
  );
  const lines = refused.hint!.split("\n");
  assertStringIncludes(lines[0]!, "--all");
  const roots = new Set(contents.map((bytes) => rootOf(bytes) as string));
  assertEquals(lines.slice(1, 5).filter((line) => roots.has(line.slice(0, 64))).length, 4);
  assertStringIncludes(lines[5]!, "and 2 more");
  assertEquals(lines.length, 6);
  // It has to reach the client whole.
  assert(refused.hint!.length <= limits.reasonBytesMax, refused.hint);
  assertEquals(namesLeft(), ["other", ...contents.map(() => "same")]);
  await ask(answerer, "unshare", { target: rootOf(contents[0]!) });
  assertEquals(namesLeft(), ["other", ...contents.slice(1).map(() => "same")]);
  await ask(answerer, "unshare", { target: "same", all: true });
  assertEquals(namesLeft(), ["other"]);
  await ask(answerer, "unshare", { target: "other" });
  assertEquals(namesLeft(), []);
  await node.stop();
});
