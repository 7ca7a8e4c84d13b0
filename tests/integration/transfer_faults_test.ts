// Holders that die, stall or appear in the middle of a transfer.

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { ChunkRange } from "../../src/base/geometry.ts";
import { limits } from "../../src/base/limits.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode, bytesFetched } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, randomFile, TempDir } from "./support/files.ts";
import { type Behaviour, holdFile, RawHolder } from "./support/raw_holder.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "disk.img";
const MIB = 1024 * 1024;

/** A holder that lets `delayMs` go by before each answer. */
function slow(delayMs: number): Behaviour {
  return {
    async onRequest(range, { serve }) {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      serve(range);
    },
  };
}

Deno.test("pacsrv fetch goes on with the others when a holder is killed in mid-transfer", async () => {
  const sizeBytes = 96 * MIB;
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, sizeBytes, 3);
  await using cleanup = new AsyncDisposableStack();
  const holders = [];
  for (let i = 0; i < 3; i++) holders.push(cleanup.use(await startDaemon({ shares: [path] })));
  for (const holder of holders) await holder.holds(NAME);
  const daemon = cleanup.use(await startDaemon({ peers: holders.map(({ node }) => node) }));
  await daemon.linked(3);

  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  // Stopped, the fetching daemon stays in mid-transfer for as long as this test needs.
  const victim = holders[0]!;
  await victim.logged("serving");
  const given = await waitUntil(async () => {
    daemon.kill("SIGSTOP");
    const bytes = (await victim.status()).uploads[0]?.bytes ?? 0;
    if (bytes === 0) daemon.kill("SIGCONT");
    return bytes > 0 && bytes;
  }, { what: "the holder to have given something", everyMs: 1 });
  victim.kill("SIGKILL");
  await victim.process.ended();
  daemon.kill("SIGCONT");

  const done = await fetch.done();
  await assertSameFile(output, path);
  assertLess(given, sizeBytes, "it was in the middle");
  assertEquals(bytesFetched(done), sizeBytes);
  const bytes = bytesByNode(done);
  assertGreater(bytes.get(holders[1]!.id) ?? 0, 0);
  assertGreater(bytes.get(holders[2]!.id) ?? 0, 0);
  assertLess(bytes.get(victim.id) ?? 0, sizeBytes / 2);
  assertEquals(fetch.events().filter(({ event }) => event === "restarted"), []);
  // Nothing is fetched anew but what was in flight, and what the end game asked for twice.
  const { counters } = await daemon.status();
  assertLess(counters.bytesIn, sizeBytes + 3 * limits.inflightBytesMax);
  assertEquals(counters.strikes, 0, "to die is no offence");
});

Deno.test("pacsrv fetch asks the chunks of a stalled holder of another one", async () => {
  const file = holdFile(NAME, randomBytes(8 * MIB, 4));
  await using dir = await TempDir.make();
  const path = await dir.sub(NAME);
  await Deno.writeFile(path, file.data);
  await using daemon = await startDaemon();
  const withheld: ChunkRange[] = [];
  await using stalling = await RawHolder.start(daemon.node, file, {
    behaviour: {
      onRequest(range, { served, serve }) {
        if (served < 2) serve(range);
        else withheld.push(range);
      },
    },
  });
  // Slow enough that it is busy until the other one has been silent for too long.
  await using honest = await RawHolder.start(daemon.node, file, { behaviour: slow(150) });
  await daemon.linked(2);

  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  const line = await daemon.logged("a source stalls");
  assert(line.includes(stalling.node.address), line);
  const done = await fetch.done();
  await assertSameFile(output, path);
  const bytes = bytesByNode(done);
  assertGreater(bytes.get(stalling.nodeId) ?? 0, 0, "it gave something before");
  assertEquals(bytesFetched(done), file.data.length);
  assertGreater(withheld.length, 0);
  for (const chunk of chunksOf(withheld)) {
    assert(chunksOf(honest.requested).has(chunk), `chunk ${chunk} was asked of nobody else`);
  }
  assertEquals((await daemon.status()).counters.strikes, 0);
});

Deno.test("pacsrv fetch uses a holder that appears in mid-transfer", async () => {
  const file = holdFile(NAME, randomBytes(8 * MIB, 5));
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await Deno.writeFile(path, file.data);
  // Hashed before, so that the new holder offers the file as soon as it is there.
  const dataDir = await dir.folder("data");
  await using before = await startDaemon({ dataDir, shares: [path] });
  await before.holds(NAME);
  await before.stop();

  await using daemon = await startDaemon();
  await using first = await RawHolder.start(daemon.node, file, { behaviour: slow(400) });
  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  await fetch.progressed(1);
  await using late = await startDaemon({ dataDir, shares: [path], peers: [daemon.node] });
  const done = await fetch.done();
  await assertSameFile(output, path);
  const bytes = bytesByNode(done);
  assertGreater(bytes.get(first.nodeId) ?? 0, 0);
  assertGreater(bytes.get(late.id) ?? 0, file.data.length / 2);
  assertEquals(bytesFetched(done), file.data.length);
});

function chunksOf(ranges: readonly ChunkRange[]): Set<number> {
  return new Set(
    ranges.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i)),
  );
}
