import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/base/errors.ts";
import { isHash, newNodeId, newQueryId, parseHash, parseRoot } from "../../../src/base/ids.ts";
import { seededRandom, systemRandom } from "../../../src/base/random.ts";

Deno.test("isHash() is 64 hexadecimal digits and nothing else", () => {
  assert(isHash("0123456789abcdefABCDEF".padEnd(64, "0")));
  for (const text of ["", "0".repeat(63), "0".repeat(65), "g".repeat(64), `${"0".repeat(64)}\n`]) {
    assert(!isHash(text), JSON.stringify(text));
  }
});

Deno.test("parseRoot() and parseHash() give lower case, or say what is wrong with what", () => {
  assertEquals(parseRoot("AB".repeat(32)), "ab".repeat(32));
  assertThrows(() => parseRoot("xyz"), UsageError, 'Cannot read root: "xyz"');
  assertThrows(() => parseHash("xyz"), UsageError, "Cannot read SHA-256");
  assert(assertThrows(() => parseRoot("x".repeat(1e6)), UsageError).message.length < 200);
});

Deno.test("newNodeId() and newQueryId() are 16 bytes of the randomness that is given", () => {
  assertEquals(
    newNodeId({ bytes: (n) => new Uint8Array(n).fill(0xab), unit: () => 0 }),
    "ab".repeat(16),
  );
  assertEquals(newQueryId(seededRandom(1)), newQueryId(seededRandom(1)));
  assertNotEquals(newQueryId(systemRandom), newQueryId(systemRandom));
});
