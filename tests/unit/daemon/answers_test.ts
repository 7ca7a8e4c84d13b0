/** The answers to a client, from a real node and store. */

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { Answerer } from "../../../src/daemon/answers.ts";
import { testNode } from "../../support/test_node.ts";
import { MemoryTransport } from "../../support/memory_transport.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../store/store_fixture.ts";

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
  const answerer = new Answerer({
    node,
    store,
    version: "1",
    network: "test",
    isKeyed: false,
    clientAddress: () => "127.0.0.1:1",
  });
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
