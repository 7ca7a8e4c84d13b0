import { assert, assertEquals, assertThrows } from "@std/assert";
import { PeerFault } from "../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../src/base/geometry.ts";
import { limits } from "../../../src/base/limits.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { LeafFetch, type LeafSource } from "../../../src/daemon/leaf_fetch.ts";
import type { Download } from "../../../src/store/download.ts";
import { naiveRoot, openStore, TempDir } from "../store/store_fixture.ts";

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
async function withDownload(test: (download: Download) => void): Promise<void> {
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
function answer(fetch: LeafFetch, source: AskedSource): boolean {
  const range = source.asked.shift()!;
  return fetch.take(source, range.first, leavesOf(range), 0);
}

Deno.test("LeafFetch asks four frames ahead and takes the layer in order", () =>
  withDownload((download) => {
    const fetch = new LeafFetch(CHUNKS, download), source = new AskedSource();
    fetch.offer(source);
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
    const fetch = new LeafFetch(CHUNKS, download);
    const first = new AskedSource(), second = new AskedSource(), third = new AskedSource();
    for (const source of [first, second, third]) fetch.offer(source);
    assertEquals([second.asked, third.asked], [[], []]);
    answer(fetch, first);
    fetch.leave(second);
    fetch.leave(first);
    assertEquals(second.asked, []);
    assertEquals(third.asked[0], { first: 0, count: FRAME });
    // What the first was asked before may still come: it is neither taken nor a fault.
    assertEquals(answer(fetch, first), false);
    while (third.asked.length > 1) answer(fetch, third);
    assertEquals([answer(fetch, third), download.hasLeaves], [true, true]);
  }));

Deno.test("LeafFetch blames the one source whose layer does not make the root", () =>
  withDownload((download) => {
    const fetch = new LeafFetch(CHUNKS, download);
    const liar = new AskedSource(), honest = new AskedSource();
    fetch.offer(liar);
    fetch.offer(honest);
    const lie = assertThrows(() => {
      for (let range = liar.asked.shift(); range !== undefined; range = liar.asked.shift()) {
        const hashes = leavesOf(range).slice();
        hashes[0]! ^= 1;
        fetch.take(liar, range.first, hashes, 0);
      }
    }, PeerFault);
    assertEquals([lie.code, download.hasLeaves], ["bad-data", false]);
    fetch.leave(liar);
    while (honest.asked.length > 1) answer(fetch, honest);
    assertEquals([answer(fetch, honest), download.hasLeaves], [true, true]);
  }));

Deno.test("LeafFetch refuses leaves that it did not ask for", () => {
  const wrong = [
    { first: FRAME, count: FRAME },
    { first: 0, count: 0 },
    { first: 0, count: 4 * FRAME + 1 },
  ];
  return withDownload((download) => {
    for (const range of wrong) {
      const fetch = new LeafFetch(CHUNKS, download), source = new AskedSource();
      fetch.offer(source);
      const error = assertThrows(
        () => fetch.take(source, range.first, leavesOf(range), 0),
        PeerFault,
      );
      assertEquals(error.code, "unexpected");
      fetch.leave(source);
    }
  });
});

Deno.test("LeafFetch leaves a silent source for another, and comes back to it in turn", () =>
  withDownload((download) => {
    const fetch = new LeafFetch(CHUNKS, download);
    const silent = new AskedSource(), other = new AskedSource();
    fetch.offer(silent);
    fetch.tick(1_000);
    // With nobody else to ask there is nothing to do.
    fetch.tick(60_000);
    assertEquals(silent.asked.length, 4);
    fetch.offer(other);
    fetch.tick(60_000 + limits.snubMs);
    assertEquals([silent.asked.length, other.asked.length], [4, 4]);
    fetch.tick(60_001);
    fetch.tick(60_001 + limits.snubMs - 1);
    assertEquals(silent.asked.length, 4);
    fetch.tick(60_001 + 3 * limits.snubMs);
    assert(silent.asked.length === 8, "asked again once the other is silent as well");
  }));
