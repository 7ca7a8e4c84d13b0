// The check of a whole file, held to what the store computes.

import { createHash } from "node:crypto";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { HASH_BYTES, type Root } from "../../../src/base/ids.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { type Expected, WholeCheck } from "../../../src/http/whole_check.ts";
import { MerkleBuilder } from "../../../src/store/hashing/merkle.ts";

const NOTHING: Expected = { sizeBytes: null, sha256: null, root: null };

function rootOf(bytes: Uint8Array): Root {
  const builder = new MerkleBuilder();
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    builder.addLeaf(createHash("sha256").update(bytes.subarray(at, at + CHUNK_BYTES)).digest());
  }
  return builder.root();
}

function problemOf(
  expected: Partial<Expected>,
  bytes: Uint8Array,
  step = 1000,
): string | undefined {
  const check = new WholeCheck({ ...NOTHING, ...expected });
  for (let at = 0; at < bytes.length; at += step) check.update(bytes.subarray(at, at + step));
  return check.problem();
}

Deno.test("WholeCheck computes the root that the store computes, for trees of every shape", () => {
  const bytes = seededRandom(7).bytes(17 * CHUNK_BYTES);
  for (let chunks = 0; chunks <= 17; chunks++) {
    for (const odd of [0, 1, CHUNK_BYTES - 1]) {
      const length = Math.max(0, chunks * CHUNK_BYTES - odd);
      const part = bytes.subarray(0, length);
      const label = `${length} bytes`;
      assertEquals(problemOf({ root: rootOf(part) }, part, 7_001), undefined, label);
    }
  }
});

Deno.test("WholeCheck.problem() names what is wrong: size, SHA-256 or root", () => {
  const bytes = seededRandom(8).bytes(3 * CHUNK_BYTES + 5);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const right = { sizeBytes: bytes.length, sha256, root: rootOf(bytes) };
  assertEquals(problemOf(right, bytes), undefined);
  const other = bytes.slice();
  other[CHUNK_BYTES] = other[CHUNK_BYTES]! ^ 1;
  assertStringIncludes(problemOf({ sha256 }, other)!, `not ${sha256}`);
  assertStringIncludes(problemOf({ root: right.root }, other)!, `not ${right.root}`);
  assertStringIncludes(
    problemOf({ sizeBytes: 5 }, bytes)!,
    `it has ${bytes.length} bytes, not 5`,
  );
});

Deno.test("WholeCheck.skip() counts bytes where only the size matters", () => {
  const check = new WholeCheck({ ...NOTHING, sizeBytes: HASH_BYTES + 1 });
  assertEquals(check.looksAtBytes, false);
  check.skip(HASH_BYTES);
  check.update(new Uint8Array(1));
  assertEquals(check.problem(), undefined);
});
