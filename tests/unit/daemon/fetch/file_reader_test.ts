import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers";
import { Bitfield } from "../../../../src/base/bitfield.ts";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { rangeBytes } from "../../../../src/base/geometry.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { RunningSha256 } from "../../../../src/daemon/fetch/file_reader.ts";
import type { FileReader } from "../../../../src/wire/fetching.ts";

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

Deno.test("RunningSha256.finish() is the SHA-256 of all of the file, whatever its size", async () => {
  for (const size of [0, 1, 16_384, 32 * 16_384, 32 * 16_384 + 1, 100 * 16_384 - 7]) {
    const bytes = seededRandom(size).bytes(size);
    const expected = createHash("sha256").update(bytes).digest("hex");
    assertEquals(await new RunningSha256(readerOf(bytes)).finish(), expected, `${size} bytes`);
  }
});

Deno.test("RunningSha256.finish() lets other work go on between its reads", async () => {
  const bytes = new Uint8Array(100 * 32 * 16_384);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await new RunningSha256(readerOf(bytes)).finish();
  clearInterval(timer);
  assert(turns > 5, `${turns} turns of the event loop`);
});

Deno.test("RunningSha256.finish() rejects with what the reader throws", async () => {
  const gone: FileReader = {
    sizeBytes: 1,
    readRun() {
      throw new EnvironmentError("not-found", "the file is gone");
    },
  };
  await assertRejects(() => new RunningSha256(gone).finish(), EnvironmentError, "gone");
});

Deno.test("RunningSha256 hashes what comes, in any order, and never what is not there", async () => {
  const bytes = seededRandom(1).bytes(200 * 16_384 - 7);
  const have = new Bitfield(200);
  const read: number[] = [];
  const whole = readerOf(bytes);
  const running = new RunningSha256({
    sizeBytes: bytes.length,
    readRun(range, target, offset) {
      assert(have.hasRange(range), `chunk ${range.first} is not here`);
      read.push(range.first);
      return whole.readRun(range, target, offset);
    },
  });
  const come = async (first: number, count: number) => {
    have.addRange({ first, count });
    running.gained(have);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await come(32, 100);
  assertEquals(read, []);
  await come(0, 31);
  assertEquals(read, []);
  await come(31, 1);
  assertEquals(read, [0, 32, 64, 96]);
  await come(132, 68);
  assertEquals(read, [0, 32, 64, 96, 128, 160, 192]);
  assertEquals(await running.finish(), createHash("sha256").update(bytes).digest("hex"));
});

Deno.test("RunningSha256 starts over at the end when what it had to read was gone for a while", async () => {
  const bytes = seededRandom(2).bytes(70 * 16_384);
  const whole = readerOf(bytes);
  let isGone = false;
  const running = new RunningSha256({
    sizeBytes: bytes.length,
    readRun(range, target, offset) {
      if (isGone) throw new EnvironmentError("not-found", "the chunk is gone");
      return whole.readRun(range, target, offset);
    },
  });
  const have = new Bitfield(70);
  have.addRange({ first: 0, count: 40 });
  running.gained(have);
  await new Promise((resolve) => setImmediate(resolve));
  isGone = true;
  have.addRange({ first: 40, count: 30 });
  running.gained(have);
  await new Promise((resolve) => setImmediate(resolve));
  await assertRejects(() => running.finish(), EnvironmentError, "gone");
  isGone = false;
  assertEquals(await running.finish(), createHash("sha256").update(bytes).digest("hex"));
});
