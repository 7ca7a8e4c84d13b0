// Fetches that meet another of the same content in the same daemon: a copy under another name, a
// transfer of another part.

import { assertEquals, assertGreater } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { limits } from "../../src/base/limits.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesFetched } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, randomFile, TempDir } from "./support/files.ts";
import { holdFile, RawHolder } from "./support/raw_holder.ts";

Deno.test("pacsrv fetch takes what is here under another name, once others offer it", async () => {
  await using dir = await TempDir.make();
  const there = await dir.sub("there", "there.bin");
  const here = await dir.sub("here", "here.bin");
  for (const path of [there, here]) await randomFile(path, 300_000, 40);
  await using holder = await startDaemon({ shares: [there] });
  await holder.holds("there.bin");
  await using daemon = await startDaemon({ shares: [here], peers: [holder.node] });
  await daemon.holds("here.bin");
  await daemon.linked(1);
  const output = await dir.sub("got");
  await using fetch = daemon.fetch(["there.bin", "-o", output]);
  const done = await fetch.done();
  await assertSameFile(output, there);
  assertEquals([done.bytesLocal, done.sources], [300_000, []]);
});

Deno.test("pacsrv fetch waits while another part of the same file is on its way", async () => {
  const file = holdFile("parts.bin", randomBytes(40 * CHUNK_BYTES, 41));
  await using dir = await TempDir.make();
  await using daemon = await startDaemon();
  await using holder = await RawHolder.start(daemon.node, file, {
    behaviour: {
      async onRequest(range, { serve }) {
        // The first part takes longer than a search without any offer may.
        if (range.first < 16) await new Promise((resolve) => setTimeout(resolve, 3_500));
        serve(range);
      },
    },
  });
  await daemon.linked(1);
  await using first = daemon.fetch([file.name, "--chunks", "0-15"]);
  await first.event("found");
  await using second = daemon.fetch([file.name, "--chunks", "16-31"]);
  const elapsedMs = [(await first.done()).elapsedMs, (await second.done()).elapsedMs];
  assertGreater(Math.min(...elapsedMs), limits.searchMs);
  assertEquals((await daemon.list()).map(({ have }) => have), ["0-31"]);

  await using rest = daemon.fetch([file.name, "-o", await dir.sub("got")]);
  const done = await rest.done();
  assertEquals([done.bytesLocal, bytesFetched(done)], [32 * CHUNK_BYTES, 8 * CHUNK_BYTES]);
  assertEquals(holder.complaints, []);
});
