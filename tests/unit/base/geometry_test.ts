import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  FILE_BYTES_MAX,
  isRangeWithin,
  rangeBytes,
} from "../../../src/base/geometry.ts";

const sizeBytes = fc.oneof(
  fc.nat(10 * CHUNK_BYTES),
  fc.nat(FILE_BYTES_MAX),
  fc.constantFrom(0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, FILE_BYTES_MAX),
);

Deno.test("the chunks of a file cover it, and only the last may be short", () => {
  fc.assert(fc.property(sizeBytes, (size) => {
    const chunks = chunkCount(size);
    assertEquals(rangeBytes(size, { first: 0, count: chunks }).length, size);
    if (chunks === 0) return assertEquals(size, 0);
    const last = chunkLength(size, chunks - 1);
    assert(last >= 1 && last <= CHUNK_BYTES);
    assertEquals((chunks - 1) * CHUNK_BYTES + last, size);
    if (chunks > 1) assertEquals(chunkLength(size, chunks - 2), CHUNK_BYTES);
  }));
});

Deno.test("the largest file has 2^32 chunks, the last with the highest u32 as its index", () => {
  assertEquals(chunkCount(FILE_BYTES_MAX), 2 ** 32);
  assertEquals(chunkLength(FILE_BYTES_MAX, 0xffff_ffff), CHUNK_BYTES);
});

Deno.test("rangeBytes() of two runs side by side meet", () => {
  fc.assert(fc.property(sizeBytes, fc.nat(), fc.nat(), (size, a, b) => {
    const chunks = chunkCount(size);
    if (chunks < 2) return;
    const middle = 1 + a % (chunks - 1);
    const end = middle + 1 + b % (chunks - middle);
    const head = rangeBytes(size, { first: 0, count: middle });
    const tail = rangeBytes(size, { first: middle, count: end - middle });
    assertEquals(head.offset + head.length, tail.offset);
    assertEquals(rangeBytes(size, { first: 0, count: end }).length, head.length + tail.length);
  }));
});

Deno.test("isRangeWithin() wants one chunk at least, and none past the end", () => {
  for (const range of [{ first: 0, count: 1 }, { first: 9, count: 1 }, { first: 0, count: 10 }]) {
    assert(isRangeWithin(range, 10));
  }
  for (
    const range of [
      { first: 0, count: 0 },
      { first: 10, count: 1 },
      { first: 9, count: 2 },
      { first: -1, count: 1 },
      { first: 0xffff_ffff, count: 0xffff_ffff },
    ]
  ) assert(!isRangeWithin(range, 10));
  assert(!isRangeWithin({ first: 0, count: 1 }, 0));
});
