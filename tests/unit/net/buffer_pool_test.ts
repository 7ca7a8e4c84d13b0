import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { giveSendBuffer, SEND_BUFFER_BYTES, takeSendBuffer } from "../../../src/net/buffer_pool.ts";
import { CHUNKS_HEADER_BYTES, DATA_HEADER_BYTES } from "../../../src/wire/codec.ts";

Deno.test("takeSendBuffer() gives room for the largest frame of either kind", () => {
  const buffer = takeSendBuffer();
  assertEquals(buffer.length, SEND_BUFFER_BYTES);
  assert(buffer.length >= Math.max(CHUNKS_HEADER_BYTES, DATA_HEADER_BYTES) + 512 * 1024);
  giveSendBuffer(buffer);
});

Deno.test("takeSendBuffer() gives what came back again, and never one to two at once", () => {
  const taken = Array.from({ length: 20 }, takeSendBuffer);
  assertEquals(new Set(taken).size, 20);
  for (const buffer of taken) giveSendBuffer(buffer);
  const again = Array.from({ length: 20 }, takeSendBuffer);
  assertEquals(new Set(again).size, 20);
  const kept = again.filter((buffer) => taken.includes(buffer));
  assertEquals(kept.length, 8, "a bounded number is kept");
  assertStrictEquals(kept.every((buffer) => buffer.length === SEND_BUFFER_BYTES), true);
});
