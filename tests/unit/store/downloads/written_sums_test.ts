// The checksums of what was written of a file whose leaves nobody knows.

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { WrittenSums } from "../../../../src/store/downloads/written_sums.ts";
import { content } from "../store_fixture.ts";

Deno.test("WrittenSums.wrongChunk() finds each byte that is not what was written, in pieces of any length", () => {
  const random = seededRandom(7);
  const bytes = content(300 * CHUNK_BYTES + 100);
  const sums = new WrittenSums();
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + Math.floor(random.unit() * 3 * CHUNK_BYTES);
    sums.written(at, bytes.subarray(at, end));
    at = end;
  }
  assertEquals(sums.wrongChunk(0, bytes), undefined);
  assertEquals(sums.wrongChunk(10, bytes.subarray(10 * CHUNK_BYTES)), undefined);
  for (let i = 0; i < 200; i++) {
    const rotten = bytes.slice();
    const at = Math.floor(random.unit() * bytes.length);
    rotten[at] = rotten[at]! ^ (1 << i % 8);
    assertEquals(sums.wrongChunk(0, rotten), Math.floor(at / CHUNK_BYTES));
  }
});

Deno.test("WrittenSums.written() takes what is written over, and knows nothing of what came out of order", () => {
  const before = content(2 * CHUNK_BYTES, 1), after = content(2 * CHUNK_BYTES, 2);
  const sums = new WrittenSums();
  sums.written(0, before);
  sums.written(CHUNK_BYTES, after.subarray(CHUNK_BYTES));
  assertEquals(sums.wrongChunk(0, before), 1);
  assertEquals(sums.wrongChunk(0, after), 0);
  // The second half of a chunk before its first: it has no sum.
  sums.restart();
  assertEquals(sums.wrongChunk(0, before), undefined);
  sums.written(CHUNK_BYTES / 2, after.subarray(CHUNK_BYTES / 2, CHUNK_BYTES));
  sums.written(0, after.subarray(0, CHUNK_BYTES / 2));
  assertEquals(sums.wrongChunk(0, before), undefined);
});
