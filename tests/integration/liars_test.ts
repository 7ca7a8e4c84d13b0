// Holders that lie, each in a way of its own: the file still comes, right, from an honest daemon,
// and the liar gets its strike and its name in the log.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { HASH_BYTES } from "../../src/base/ids.ts";
import {
  type Behaviour,
  chunksFrame,
  type HeldFile,
  holdFile,
  RawHolder,
} from "./support/raw_holder.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode, type DoneEvent } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, TempDir } from "./support/files.ts";

const NAME = "trusted.pkg";
/** 129 chunks, the last one short. */
const FILE_BYTES = 128 * CHUNK_BYTES + 4_321;

/** What a liar did, and what came of it. */
interface Outcome {
  readonly done: DoneEvent;
  readonly liar: RawHolder;
  /** The line of the fetching daemon's log that was waited for. */
  readonly line: string;
}

/**
 * A daemon fetches while its two neighbours are a liar and an honest daemon. The honest one is held
 * up until the liar is found out, so that the lie cannot be missed.
 */
async function fetchDespite(
  options: { readonly behaviour: (file: HeldFile) => Behaviour; readonly logged: string },
): Promise<Outcome> {
  await using dir = await TempDir.make();
  const file = holdFile(NAME, randomBytes(FILE_BYTES, 6));
  const path = await dir.sub("shared", NAME);
  await Deno.writeFile(path, file.data);
  await using honest = await startDaemon({ shares: [path] });
  assertEquals((await honest.holds(NAME)).root, file.root);
  await using daemon = await startDaemon({ peers: [honest.node] });
  await daemon.linked(1);
  honest.kill("SIGSTOP");
  const behaviour = options.behaviour(file);
  await using liar = await RawHolder.start(daemon.node, file, { behaviour });

  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  const line = await daemon.logged(options.logged);
  honest.kill("SIGCONT");
  const done = await fetch.done();
  await assertSameFile(output, path);
  assertEquals([done.root, done.sizeBytes], [file.root, FILE_BYTES]);
  assertGreater(bytesByNode(done).get(honest.id) ?? 0, 0);

  assert(line.includes(liar.nodeId) && line.includes(liar.node.address), line);
  assertGreater((await daemon.status()).counters.strikes, 0, "the strike is counted");
  assert(!daemon.log.some((text) => text.includes("WARN") && text.includes(honest.id)));
  assertEquals(done.sources.find(({ nodeId }) => nodeId === honest.id)?.strikes, 0);
  return { done, liar, line };
}

/** The frame with one bit of every chunk changed. */
function spoil(frame: Uint8Array): Uint8Array {
  for (let at = frame.length - 1; at > 16; at -= CHUNK_BYTES) frame[at]! ^= 1;
  return frame;
}

Deno.test("pacsrv fetch strikes a holder that sends wrong bytes", async () => {
  const { done, liar, line } = await fetchDespite({
    behaviour: (file) => ({
      onRequest: (range, { peer }) => peer.sendFrame(spoil(chunksFrame(file, range))),
    }),
    logged: "a peer sent wrong chunks",
  });
  assert(line.includes(NAME), line);
  assertGreater(liar.complaints.length, 0, "it is told, so that it can look at its copy");
  assertEquals(bytesByNode(done).get(liar.nodeId) ?? 0, 0);
});

Deno.test("pacsrv fetch strikes a holder that sends one wrong chunk among right ones", async () => {
  let isSpoilt = false;
  const { done, liar } = await fetchDespite({
    behaviour: (file) => ({
      onRequest(range, { peer, serve }) {
        if (isSpoilt) return serve(range);
        isSpoilt = true;
        const frame = chunksFrame(file, range);
        frame[frame.length - 1]! ^= 0x80;
        peer.sendFrame(frame);
      },
    }),
    logged: "a peer sent wrong chunks",
  });
  const [source] = done.sources.filter(({ nodeId }) => nodeId === liar.nodeId);
  assertEquals(source?.strikes, 1);
  assertGreater(source?.bytes ?? 0, 0, "what was right of it counts");
  assertEquals(liar.complaints.map(({ count }) => count), [1]);
});

Deno.test("pacsrv fetch bans a holder whose leaf layer does not make the root", async () => {
  const { done, liar } = await fetchDespite({
    behaviour: (file) => ({
      onLeaves(range, { peer }) {
        const hashes = file.leaves.slice(
          range.first * HASH_BYTES,
          (range.first + range.count) * HASH_BYTES,
        );
        hashes[40]! ^= 1;
        peer.send({ kind: "leaves", first: range.first, hashes });
      },
    }),
    logged: "a peer gave leaves that do not make the root",
  });
  assertEquals(liar.requested, [], "no chunk is asked of it");
  assertEquals(bytesByNode(done).get(liar.nodeId) ?? 0, 0);
});

Deno.test("pacsrv fetch strikes a holder that rejects chunks which it said it had", async () => {
  const { done, liar } = await fetchDespite({
    behaviour: () => ({
      onRequest: (range, { peer }) => peer.send({ kind: "reject", range, rejection: "not-had" }),
    }),
    logged: "a peer does not have the chunks that it said it has",
  });
  const [source] = done.sources.filter(({ nodeId }) => nodeId === liar.nodeId);
  assertGreater(source?.strikes ?? 0, 0);
});

Deno.test("pacsrv fetch strikes a holder whose bitfield names chunks that the file has not", async () => {
  await fetchDespite({
    behaviour: () => ({
      claims: { first: 0, count: 8 },
      onWanted: ({ peer }) =>
        peer.send({ kind: "bitfield", firstByte: 16, bits: Uint8Array.of(0xff) }),
    }),
    logged: "a peer broke the protocol",
  });
});

const LEAVES = "a peer gave leaves that do not make the root";
const CHUNKS = "a peer sent wrong chunks";

// A tree of leaves says how many chunks there are (padding is no leaf), but nothing of how long
// the last one is: some wrong sizes show in the leaves, others not before the last chunk.
for (
  const { what, sizeBytes, logged } of [
    { what: "half as many chunks", sizeBytes: 64 * CHUNK_BYTES, logged: LEAVES },
    { what: "twice as many chunks", sizeBytes: 2 * FILE_BYTES, logged: LEAVES },
    { what: "one chunk alone", sizeBytes: CHUNK_BYTES, logged: CHUNKS },
    { what: "one chunk more", sizeBytes: FILE_BYTES + CHUNK_BYTES, logged: LEAVES },
    { what: "one byte less", sizeBytes: FILE_BYTES - 1, logged: CHUNKS },
    { what: "one byte more", sizeBytes: FILE_BYTES + 1, logged: CHUNKS },
  ]
) {
  Deno.test(`pacsrv fetch finds out who offers the root with a size of ${what}`, async () => {
    const { done } = await fetchDespite({
      behaviour(file) {
        const data = new Uint8Array(sizeBytes);
        data.set(file.data.subarray(0, sizeBytes));
        const chunks = Math.ceil(sizeBytes / CHUNK_BYTES);
        const leaves = new Uint8Array(chunks * HASH_BYTES);
        leaves.set(file.leaves.subarray(0, leaves.length));
        return {
          offer: { sizeBytes, chunksHave: chunks },
          onLeaves({ first, count }, { peer }) {
            const hashes = leaves.slice(first * HASH_BYTES, (first + count) * HASH_BYTES);
            peer.send({ kind: "leaves", first, hashes });
          },
          onRequest: (range, { peer }) => peer.sendFrame(chunksFrame({ ...file, data }, range)),
        };
      },
      logged,
    });
    assertEquals(done.sizeBytes, FILE_BYTES);
  });
}

Deno.test("pacsrv fetch bans a holder that sends chunks which nobody asked for", async () => {
  const { done, liar, line } = await fetchDespite({
    behaviour: (file) => ({
      onRequest({ first, count }, { peer }) {
        const other = { first: (first + count) % 64, count: 3 };
        peer.sendFrame(chunksFrame(file, other));
      },
    }),
    logged: "a peer broke the protocol",
  });
  assert(line.includes("not asked for"), line);
  assertEquals(bytesByNode(done).get(liar.nodeId) ?? 0, 0);
});
