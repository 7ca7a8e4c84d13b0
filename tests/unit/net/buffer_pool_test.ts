import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { SEND_BUFFER_BYTES, sendBuffers } from "../../../src/net/buffer_pool.ts";
import { CHUNKS_HEADER_BYTES, DATA_HEADER_BYTES } from "../../../src/wire/codec.ts";

Deno.test("sendBuffers.take() gives room for the largest frame of either kind", () => {
  const buffer = sendBuffers.take();
  assertEquals(buffer.length, SEND_BUFFER_BYTES);
  assert(buffer.length >= Math.max(CHUNKS_HEADER_BYTES, DATA_HEADER_BYTES) + 512 * 1024);
  sendBuffers.give(buffer);
});

Deno.test("sendBuffers.take() gives what came back again, and never one to two at once", () => {
  const taken = Array.from({ length: 20 }, () => sendBuffers.take());
  assertEquals(new Set(taken).size, 20);
  for (const buffer of taken) sendBuffers.give(buffer);
  const again = Array.from({ length: 20 }, () => sendBuffers.take());
  assertEquals(new Set(again).size, 20);
  const kept = again.filter((buffer) => taken.includes(buffer));
  assertEquals(kept.length, 8, "a bounded number is kept");
  assertStrictEquals(kept.every((buffer) => buffer.length === SEND_BUFFER_BYTES), true);
});
