import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { isRightChunk, leafHex, wrongChunks } from "../../../src/base/leaves.ts";

Deno.test("leafHex() hashes a short last chunk without padding", () => {
  assertEquals(
    leafHex(new TextEncoder().encode("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

Deno.test("isRightChunk() holds a chunk against the leaf at its place, and no other", () => {
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
  const leaves = leafHex(a) + leafHex(b);
  const found = [0, 1, 2].map((index) => isRightChunk(b, leaves, index));
  assertEquals(found, [false, true, false]);
});

Deno.test("wrongChunks() names the wrong ones by their index in the file, a short last one too", () => {
  const data = new Uint8Array(2 * CHUNK_BYTES + 5).map((_, at) => at % 251);
  const chunks = [0, 1, 2].map((i) => data.slice(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES));
  const leaves = chunks.map(leafHex).join("");
  assertEquals(wrongChunks(data, leaves, 7), []);
  data[CHUNK_BYTES] = data[2 * CHUNK_BYTES + 4] = 255;
  assertEquals(wrongChunks(data, leaves, 7), [8, 9]);
  assertEquals(wrongChunks(new Uint8Array(), "", 7), []);
});
