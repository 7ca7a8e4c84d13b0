import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { EMPTY_ROOT, MerkleBuilder } from "../../../../src/store/hashing/merkle.ts";
import { hashPair } from "../../../../src/store/hashing/sha256_block.ts";
import { naiveRoot } from "../store_fixture.ts";

Deno.test("hashPair() equals SHA-256 of the two hashes for any of them", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (pair) => {
    const words = new Int32Array(24);
    const view = new DataView(pair.buffer, pair.byteOffset);
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(4 * i);
    hashPair(words, 0, 16);
    const out = new DataView(new ArrayBuffer(32));
    for (let i = 0; i < 8; i++) out.setInt32(4 * i, words[16 + i]!);
    assertEquals(
      new Uint8Array(out.buffer).toHex(),
      createHash("sha256").update(pair).digest("hex"),
    );
  }));
});

Deno.test("hashPair() is right when the result overwrites what it came from", () => {
  const words = Int32Array.from({ length: 16 }, (_, i) => i * 0x1234567);
  const apart = new Int32Array([...words, ...new Int32Array(8)]);
  hashPair(apart, 0, 16);
  hashPair(words, 0, 4);
  assertEquals(words.slice(4, 12), apart.slice(16));
});

Deno.test("root() equals the tree built level by level after each leaf of up to 260", () => {
  const builder = new MerkleBuilder();
  const leaves = crypto.getRandomValues(new Uint8Array(260 * 32));
  for (let count = 1; count <= 260; count++) {
    builder.addLeaf(leaves, (count - 1) * 32);
    assertEquals(builder.root(), naiveRoot(leaves.subarray(0, count * 32)), `${count} leaves`);
    assertEquals(builder.count, count);
  }
});

Deno.test("root() equals the tree built level by level for any leaves in any portions", () => {
  const portions = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(portions, fc.infiniteStream(fc.integer()), (counts, numbers) => {
    const builder = new MerkleBuilder();
    const all: Uint8Array[] = [];
    for (const count of counts) {
      const bytes = new Uint8Array(count * 32);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < count; i++) view.setInt32(i * 32, numbers.next().value!);
      all.push(bytes);
      builder.addLeaves(bytes);
    }
    const leaves = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of all) {
      leaves.set(part, offset);
      offset += part.length;
    }
    assertEquals(builder.root(), naiveRoot(leaves));
  }));
});

Deno.test("root() is SHA-256 of nothing when there are no leaves", () => {
  assertEquals(new MerkleBuilder().root(), EMPTY_ROOT);
  assertEquals(EMPTY_ROOT, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

Deno.test("addLeaf() refuses bytes that hold no whole leaf", () => {
  const builder = new MerkleBuilder();
  assertThrows(() => builder.addLeaf(new Uint8Array(31)), RangeError, "32 bytes at 0 of 31");
  assertThrows(() => builder.addLeaf(new Uint8Array(64), 33), RangeError);
  assertThrows(() => builder.addLeaf(new Uint8Array(64), -1), RangeError);
  assertThrows(() => builder.addLeaves(new Uint8Array(33)), RangeError, "not whole hashes");
  assertEquals(builder.count, 0);
});
