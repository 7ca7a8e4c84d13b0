import { assertEquals, assertThrows } from "@std/assert";
import { PeerFault } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { LeafFetch, type LeafSource } from "../../../../src/daemon/swarm/leaf_fetch.ts";
import type { PartialDownload } from "../../../../src/store/downloads/partial_download.ts";
import { naiveRoot, openStore, TempDir } from "../../store/store_fixture.ts";

const FRAME = limits.leavesPerFrameMax;
const CHUNKS = 5 * FRAME + 10;
const LEAVES = seededRandom(1).bytes(CHUNKS * 32);

/** Notes what it is asked for. */
class AskedSource implements LeafSource {
  readonly asked: ChunkRange[] = [];

  requestLeaves(range: ChunkRange): void {
    this.asked.push(range);
  }
}

/** A download that has no leaves yet, in a store of its own. */
async function withDownload(test: (download: PartialDownload) => void): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const download = store.beginDownload({
    root: naiveRoot(LEAVES),
    name: "f",
    sizeBytes: CHUNKS * CHUNK_BYTES,
  });
  test(download);
}

function leavesOf(range: ChunkRange): Uint8Array {
  return LEAVES.subarray(range.first * 32, (range.first + range.count) * 32);
}

/** Answers the oldest question; whether the layer is whole then. */
function answer(fetch: LeafFetch<AskedSource>, source: AskedSource): boolean {
  const range = source.asked.shift()!;
  return fetch.take(source, range.first, leavesOf(range), 0);
}

Deno.test("LeafFetch asks four frames ahead and takes the layer in order", () =>
  withDownload((download) => {
    const fetch = new LeafFetch<AskedSource>(CHUNKS, download), source = new AskedSource();
    fetch.offer(source, 0);
    assertEquals(source.asked, [0, 1, 2, 3].map((i) => ({ first: i * FRAME, count: FRAME })));
    assertEquals(answer(fetch, source), false);
    assertEquals(source.asked.at(-1), { first: 4 * FRAME, count: FRAME });
    assertEquals(answer(fetch, source), false);
    assertEquals(source.asked.at(-1), { first: 5 * FRAME, count: 10 });
    for (let left = 4; left > 1; left--) assertEquals(answer(fetch, source), false);
    assertEquals([answer(fetch, source), source.asked.length, download.hasLeaves], [true, 0, true]);
  }));

Deno.test("LeafFetch asks one source at a time, and the next when it leaves, from the start", () =>
  withDownload((download) => {
    const fetch = new LeafFetch<AskedSource>(CHUNKS, download);
    const first = new AskedSource(), second = new AskedSource(), third = new AskedSource();
    for (const source of [first, second, third]) fetch.offer(source, 0);
    assertEquals([second.asked, third.asked], [[], []]);
    answer(fetch, first);
    fetch.leave(second, 0);
    fetch.leave(first, 0);
    assertEquals(second.asked, []);
    assertEquals(third.asked[0], { first: 0, count: FRAME });
    while (third.asked.length > 1) answer(fetch, third);
    assertEquals([answer(fetch, third), download.hasLeaves], [true, true]);
  }));

Deno.test("LeafFetch blames the one source whose layer does not make the root", () =>
  withDownload((download) => {
    const fetch = new LeafFetch<AskedSource>(CHUNKS, download);
    const liar = new AskedSource(), honest = new AskedSource();
    fetch.offer(liar, 0);
    fetch.offer(honest, 0);
    const lie = assertThrows(() => {
      for (let range = liar.asked.shift(); range !== undefined; range = liar.asked.shift()) {
        const hashes = leavesOf(range).slice();
        hashes[0]! ^= 1;
        fetch.take(liar, range.first, hashes, 0);
      }
    }, PeerFault);
    assertEquals([lie.code, download.hasLeaves], ["bad-data", false]);
    fetch.leave(liar, 0);
    while (honest.asked.length > 1) answer(fetch, honest);
    assertEquals([answer(fetch, honest), download.hasLeaves], [true, true]);
  }));

Deno.test("LeafFetch refuses leaves that it did not ask for", () => {
  const wrong = [
    { first: FRAME, count: FRAME },
    { first: 0, count: 0 },
    { first: 0, count: 1 },
    { first: 0, count: 4 * FRAME + 1 },
  ];
  return withDownload((download) => {
    for (const range of wrong) {
      const fetch = new LeafFetch<AskedSource>(CHUNKS, download), source = new AskedSource();
      fetch.offer(source, 0);
      const error = assertThrows(
        () => fetch.take(source, range.first, leavesOf(range), 0),
        PeerFault,
      );
      assertEquals(error.code, "unexpected");
      fetch.leave(source, 0);
    }
  });
});

Deno.test("LeafFetch leaves a silent source for another, and comes back to it in turn", () =>
  withDownload((download) => {
    const fetch = new LeafFetch<AskedSource>(CHUNKS, download);
    const silent = new AskedSource(), other = new AskedSource();
    fetch.offer(silent, 0);
    assertEquals([fetch.isAnswering(1_000), fetch.tick(1_000)], [true, null]);
    fetch.offer(other, 1_000);
    assertEquals(other.asked, []);
    assertEquals([fetch.isAnswering(limits.snubMs), fetch.tick(limits.snubMs)], [false, null]);
    assertEquals([silent.asked.length, other.asked.length], [4, 4]);
    // What the silent one was asked before comes now, slowly: neither taken nor a fault.
    assertEquals(answer(fetch, silent), false);
    fetch.tick(2 * limits.snubMs);
    assertEquals(silent.asked.length, 7, "asked again once the other is silent as well");
    for (let owed = 0; owed < 3; owed++) assertEquals(answer(fetch, silent), false);
    assertEquals(silent.asked[0], { first: 0, count: FRAME });
    fetch.leave(other, 0);
    while (silent.asked.length > 1) answer(fetch, silent);
    assertEquals([answer(fetch, silent), download.hasLeaves], [true, true]);
  }));

Deno.test("LeafFetch gives up a source that is silent for long when there is no other", () =>
  withDownload((download) => {
    const fetch = new LeafFetch<AskedSource>(CHUNKS, download), source = new AskedSource();
    fetch.offer(source, 0);
    assertEquals(fetch.tick(limits.sourceSilentMs - 1), null);
    // A frame that comes in slowly is a sign of life.
    fetch.arriving(source, 1_000);
    assertEquals(fetch.tick(limits.sourceSilentMs), null);
    assertEquals(fetch.tick(limits.sourceSilentMs + 1_000), source);
  }));

Deno.test("LeafFetch asks the only source again after it refused, which is no sign of life", () =>
  withDownload((download) => {
    const fetch = new LeafFetch<AskedSource>(CHUNKS, download), source = new AskedSource();
    fetch.offer(source, 0);
    // It refuses all four requests, one by one.
    for (; source.asked.length > 0; source.asked.shift()) fetch.rejected(source, 1);
    assertEquals([fetch.isAnswering(1), fetch.tick(limits.snubMs)], [false, null]);
    assertEquals(source.asked, []);
    assertEquals(fetch.tick(limits.snubMs + 1), null);
    assertEquals([source.asked.length, fetch.isAnswering(limits.snubMs + 1)], [4, false]);
    while (source.asked.length > 1) assertEquals(answer(fetch, source), false);
    assertEquals([answer(fetch, source), download.hasLeaves], [true, true]);
  }));

Deno.test("LeafFetch asks those that refused again once the one that was asked is silent", () =>
  withDownload((download) => {
    const fetch = new LeafFetch<AskedSource>(CHUNKS, download);
    const refusing = new AskedSource(), silent = new AskedSource(), gone = new AskedSource();
    for (const source of [gone, refusing, silent]) fetch.offer(source, 0);
    for (const source of [gone, refusing]) {
      for (; source.asked.length > 0; source.asked.shift()) fetch.rejected(source, 0);
    }
    fetch.leave(gone, 0);
    assertEquals([silent.asked.length, refusing.asked.length], [4, 0]);
    assertEquals(fetch.tick(limits.snubMs), null);
    assertEquals([refusing.asked.length, gone.asked.length], [4, 0]);
    while (refusing.asked.length > 1) answer(fetch, refusing);
    assertEquals([answer(fetch, refusing), download.hasLeaves], [true, true]);
  }));
