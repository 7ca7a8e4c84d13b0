/** The figures of a daemon, from real nodes that fetch from each other. */

import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { FetchFailure } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { daemonFigures } from "../../../../src/daemon/control/figures.ts";
import type { FetchEnd } from "../../../../src/daemon/node/fetch_ends.ts";
import type { Node } from "../../../../src/daemon/node/node.ts";
import { requestFor } from "../../../support/fetch_request.ts";
import { NodeNetwork } from "../../../support/node_network.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  rootOf,
} from "../../store/store_fixture.ts";

const SIGNAL = new AbortController().signal;
const OBSERVER = { event() {}, readable() {}, gained() {} };

function figuresOf(node: Node) {
  return daemonFigures({
    node,
    clients: { clientCount: 2 },
    gateway: undefined,
    prefetch: undefined,
  });
}

Deno.test("daemonFigures() tells of a fetch from a peer, and of one in vain", async () => {
  await using network = new NodeNetwork();
  const node = await network.start();
  const holder = await network.neighbour(node);
  const bytes = content(20 * CHUNK_BYTES);
  await addDownloaded(holder.store, "f", bytes);
  const ends: FetchEnd[] = [];
  node.transfers.fetches.ends.listen((end) => ends.push(end));
  const before = figuresOf(node);
  assertEquals([before.links, before.fetchesEnded.done, before.clients], [1, 0, 2]);
  assertEquals(before.gateway, undefined);

  const options = { observer: OBSERVER, signal: SIGNAL };
  await network.answer(node.fetch(requestFor("f"), options));
  await assertRejects(
    () => network.answer(node.fetch(requestFor("nothing"), options)),
    FetchFailure,
  );
  // What is here already brings nothing.
  await network.answer(node.fetch(requestFor("f"), options));

  const after = figuresOf(node);
  assertEquals(after.fetchesRunning, 0);
  assertEquals(after.fetchesEnded, { ...before.fetchesEnded, done: 2, not_found: 1 });
  assertEquals(after.brought, {
    bytesLocal: bytes.length,
    bytesPeers: bytes.length,
    bytesMirror: 0,
    bytesMirrors: 0,
    bytesThrownAway: 0,
  });
  assertEquals(after.searchesEnded, { answered: 1, unanswered: 1 });
  assertEquals(after.storeFiles, { complete: 1, partial: 0 });
  assertEquals(after.storeBytes, { complete: bytes.length, partial: 0 });
  assertGreater(after.bytesIn, bytes.length);
  assertGreater(after.messagesSent.query_or_hit, 0);
  assertEquals(ends.map(({ outcome, bytesPeers }) => [outcome, bytesPeers]), [
    ["done", bytes.length],
    ["not_found", 0],
    ["done", 0],
  ]);

  const given = figuresOf(holder);
  await network.until(() => figuresOf(holder).uploads === 0);
  assertEquals([given.uploadedBytes, given.queriesSeen], [bytes.length, 2]);
  assertGreater(given.bytesOut, bytes.length);
  assertEquals(given.peersGiven, { linked: 1, dialling: 0, failed: 0 });
});

Deno.test("daemonFigures() tells what is in the store, parts apart", async () => {
  await using network = new NodeNetwork();
  const node = await network.start();
  await addDownloaded(node.store, "whole", content(10));
  const bytes = content(3 * CHUNK_BYTES, 2);
  const download = node.store.beginDownload({
    root: rootOf(bytes),
    name: "part",
    sizeBytes: bytes.length,
  });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 1, count: 1 });
  const { storeBytes, storeFiles, filesShared } = figuresOf(node);
  assertEquals(storeBytes, { complete: 10, partial: CHUNK_BYTES });
  assertEquals(storeFiles, { complete: 1, partial: 1 });
  assertEquals(filesShared, 0);
});
