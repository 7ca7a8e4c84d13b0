// Holders of parts only: a fetch puts the whole together from them.

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode, bytesFetched } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";

const NAME = "parts.img";
/** 300 chunks, the last one of one byte. */
const FILE_BYTES = 299 * CHUNK_BYTES + 1;
/** Each chunk is in one part or two; no two parts together are all. */
const PARTS = ["0-119", "100-219", "200-299"];

Deno.test("pacsrv fetch takes from all three when no two of three partial holders are whole", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 2);
  await using cleanup = new AsyncDisposableStack();
  const origin = cleanup.use(await startDaemon({ shares: [path] }));
  const { root } = await origin.holds(NAME);

  const holders = [];
  for (const part of PARTS) {
    const holder = cleanup.use(await startDaemon({ peers: [origin.node] }));
    await using fetch = holder.fetch([NAME, "--chunks", part]);
    await fetch.done();
    const [file] = await holder.list();
    assertEquals([file?.root, file?.origin, file?.have], [root, "partial", part]);
    holders.push(holder);
  }
  await origin.stop();

  const daemon = cleanup.use(await startDaemon({ peers: holders.map(({ node }) => node) }));
  await daemon.linked(3);
  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  const done = await fetch.done();
  await assertSameFile(output, path);
  assertEquals([done.root, done.bytesLocal, bytesFetched(done)], [root, 0, FILE_BYTES]);
  const given = bytesByNode(done);
  assertEquals([...given.keys()].sort(), holders.map(({ id }) => id).sort());
  // What only one of them has can have come from nobody else.
  const alone = [100 * CHUNK_BYTES, 80 * CHUNK_BYTES, 79 * CHUNK_BYTES + 1];
  const shared = [20, 40, 20].map((chunks) => chunks * CHUNK_BYTES);
  for (const [i, { id }] of holders.entries()) {
    const bytes = given.get(id)!;
    const isFair = bytes >= alone[i]! && bytes <= alone[i]! + shared[i]!;
    assertEquals(isFair, true, `holder ${i} gave ${bytes} bytes, of which ${alone[i]} alone`);
  }
  assertEquals((await daemon.list()).map(({ name, have }) => [name, have]), [[NAME, "all"]]);
});
