/** Checking on another core: a real worker, on a machine that claims to be slow. */

import { assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../../../src/base/clock.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { leafHex } from "../../../../src/base/leaves.ts";
import { limits } from "../../../../src/base/limits.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import { content } from "../../store/store_fixture.ts";

const BYTES = content(3 * CHUNK_BYTES + 5);
const LEAVES = [0, 1, 2, 3].map((index) =>
  leafHex(BYTES.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES))
).join("");

/** A clock by which each reading is a minute later, so that hashing seems slow. */
function slowClock(): Clock {
  let nowMs = 0;
  return { ...systemClock, nowMs: () => nowMs += 60_000 };
}

Deno.test({
  name: "ChunkHasher checks as many frames as it has room for, and names their wrong chunks",
  ignore: navigator.hardwareConcurrency < 2,
  async fn() {
    const hasher = new ChunkHasher(slowClock());
    hasher.prepare(limits.hashedElsewhereBytesMin);
    const wrong = BYTES.slice();
    wrong[2 * CHUNK_BYTES]! ^= 1;
    wrong[wrong.length - 1]! ^= 1;
    const check = (data: Uint8Array) =>
      new Promise((resolve) =>
        hasher.take(data, {
          first: 10,
          leaves: LEAVES,
          done: (indices, copy) => resolve([indices, copy.slice()]),
        })
      );
    const checks = [check(wrong), check(BYTES)];
    assertEquals(hasher.hasRoom, false);
    assertEquals(await Promise.all(checks), [[[12, 13], wrong], [[], BYTES]]);
    assertEquals(hasher.hasRoom, true);
    hasher.close();
    assertEquals(hasher.hasRoom, false);
  },
});

Deno.test("ChunkHasher starts no worker for a small file", () => {
  const hasher = new ChunkHasher(slowClock());
  hasher.prepare(limits.hashedElsewhereBytesMin - 1);
  assertEquals(hasher.hasRoom, false);
});
