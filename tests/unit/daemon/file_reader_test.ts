import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { rangeBytes } from "../../../src/base/geometry.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { fileSha256 } from "../../../src/daemon/file_reader.ts";
import type { FileReader } from "../../../src/wire/fetch_observer.ts";

function readerOf(bytes: Uint8Array): FileReader {
  return {
    sizeBytes: bytes.length,
    readRun(range, target, at) {
      const { offset, length } = rangeBytes(bytes.length, range);
      target.set(bytes.subarray(offset, offset + length), at);
      return length;
    },
  };
}

Deno.test("fileSha256() is the SHA-256 of all of the file, whatever its size", async () => {
  for (const size of [0, 1, 16_384, 32 * 16_384, 32 * 16_384 + 1, 100 * 16_384 - 7]) {
    const bytes = seededRandom(size).bytes(size);
    const expected = createHash("sha256").update(bytes).digest("hex");
    assertEquals(await fileSha256(readerOf(bytes)), expected, `${size} bytes`);
  }
});

Deno.test("fileSha256() lets other work go on between its reads", async () => {
  const bytes = new Uint8Array(100 * 32 * 16_384);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await fileSha256(readerOf(bytes));
  clearInterval(timer);
  assert(turns > 5, `${turns} turns of the event loop`);
});

Deno.test("fileSha256() rejects with what the reader throws", async () => {
  const gone: FileReader = {
    sizeBytes: 1,
    readRun() {
      throw new EnvironmentError("not-found", "the file is gone");
    },
  };
  await assertRejects(() => fileSha256(gone), EnvironmentError, "gone");
});
