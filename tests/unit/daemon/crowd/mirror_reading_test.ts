/** What a reading of a mirror for a crowd gives, and where it ends. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CHUNK_BYTES,
  chunkCount,
  type ChunkRange,
  rangeBytes,
} from "../../../../src/base/geometry.ts";
import { MirrorReading } from "../../../../src/daemon/crowd/mirror_reading.ts";
import { MirrorError } from "../../../../src/http/mirror_error.ts";
import type { MirrorFile } from "../../../../src/http/mirrors.ts";
import type { ByteRange, RangeBody } from "../../../../src/http/resumable_read.ts";

/** Files of less than a chunk, of exactly one, of one byte more, and of several. */
const SIZES = [
  1,
  CHUNK_BYTES - 1,
  CHUNK_BYTES,
  CHUNK_BYTES + 1,
  3 * CHUNK_BYTES,
  4 * CHUNK_BYTES + 77,
];
/** Pieces in which it comes: they end everywhere in a chunk, at its end, and behind several. */
const PIECES = [1_000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 40_000, 1_000_000];

/** A file at a mirror that gives it in pieces of a size, whatever is asked. */
class FakeMirror {
  readonly data: Uint8Array;
  readonly asked: ByteRange[] = [];
  /** Called before each piece; it may throw. */
  onPiece: (piece: number) => void = () => {};
  readonly #pieceBytes: number;
  #pieces = 0;

  constructor(sizeBytes: number, pieceBytes: number) {
    this.data = new Uint8Array(sizeBytes).map((_, i) => i % 251);
    this.#pieceBytes = pieceBytes;
  }

  get file(): MirrorFile {
    return this as unknown as MirrorFile;
  }

  open(range: ByteRange): Promise<RangeBody> {
    this.asked.push(range);
    const { offset, end = this.data.length } = range;
    let at = offset;
    return Promise.resolve({
      mirror: "mirror.example.org",
      offset,
      sizeBytes: this.data.length,
      read: () => {
        if (at >= end) return Promise.resolve(null);
        this.onPiece(this.#pieces++);
        const piece = this.data.subarray(at, Math.min(end, at + this.#pieceBytes));
        at += piece.length;
        // Only valid until the next read.
        return Promise.resolve(piece.slice());
      },
      [Symbol.dispose]: () => {},
    });
  }
}

/** A reading, and the chunks that it gave, which must be right and come in order. */
function readingOf(
  mirror: FakeMirror,
  range: ChunkRange,
  { takesWhole = false, signal = new AbortController().signal } = {},
) {
  const sizeBytes = mirror.data.length;
  const given = { next: range.first };
  const reading = new MirrorReading(mirror.file, {
    range,
    sizeBytes,
    takesWhole,
    signal,
    take(firstChunk, bytes) {
      assertEquals(firstChunk, given.next, "in order, none twice");
      const count = Math.ceil(bytes.length / CHUNK_BYTES);
      const { offset, length } = rangeBytes(sizeBytes, { first: firstChunk, count });
      assertEquals(bytes.length, length, "whole chunks");
      assert(bytes.every((byte, i) => byte === mirror.data[offset + i]), `chunk ${firstChunk}`);
      given.next += count;
    },
  });
  return { reading, given };
}

Deno.test("MirrorReading gives each chunk of each run once, in files and pieces of odd sizes", async () => {
  for (const sizeBytes of SIZES) {
    const chunks = chunkCount(sizeBytes);
    for (const pieceBytes of PIECES) {
      for (let first = 0; first < chunks; first++) {
        for (let count = 1; first + count <= chunks; count++) {
          const mirror = new FakeMirror(sizeBytes, pieceBytes);
          const { reading, given } = readingOf(mirror, { first, count });
          await reading.run();
          assertEquals(given.next, first + count, `${first}+${count} of ${sizeBytes}`);
          assertEquals(mirror.asked.length, 1);
        }
      }
    }
  }
});

Deno.test("MirrorReading.cutTo() ends where it says, whenever it is said", async () => {
  const sizeBytes = 4 * CHUNK_BYTES + 77;
  for (const pieceBytes of PIECES) {
    for (let chunk = 0; chunk <= 6; chunk++) {
      for (let moment = 0; moment * pieceBytes < sizeBytes; moment++) {
        const mirror = new FakeMirror(sizeBytes, pieceBytes);
        const { reading, given } = readingOf(mirror, { first: 1, count: 4 });
        /** What was given when it was cut; null: it was at its end by then. */
        let before: number | null = null;
        mirror.onPiece = (piece) => {
          if (piece !== moment) return;
          before = given.next;
          reading.cutTo(chunk);
        };
        await reading.run();
        const wanted = before === null ? 5 : Math.min(5, Math.max(before, chunk));
        const what = `cut to ${chunk} at piece ${moment} of ${pieceBytes}`;
        assertEquals(given.next, wanted, what);
      }
    }
  }
});

Deno.test("MirrorReading.cutTo() said while chunks are taken ends it", async () => {
  const mirror = new FakeMirror(100 * CHUNK_BYTES, CHUNK_BYTES);
  let given = 0;
  const reading = new MirrorReading(mirror.file, {
    range: { first: 0, count: 100 },
    sizeBytes: mirror.data.length,
    takesWhole: false,
    take() {
      given++;
      if (given === 3) reading.cutTo(5);
    },
  });
  await reading.run();
  assertEquals(given, 5);
});

Deno.test("MirrorReading.stop() ends it at once, and is no failure", async () => {
  const mirror = new FakeMirror(10 * CHUNK_BYTES, CHUNK_BYTES);
  const { reading, given } = readingOf(mirror, { first: 0, count: 10 });
  mirror.onPiece = (piece) => piece === 4 && reading.stop();
  await reading.run();
  assertEquals(given.next, 4);
});

Deno.test("MirrorReading goes on after an answer that broke off, from the next byte", async () => {
  const mirror = new FakeMirror(3 * CHUNK_BYTES, 10_000);
  const { reading, given } = readingOf(mirror, { first: 0, count: 3 });
  mirror.onPiece = (piece) => {
    if (piece === 2) throw new MirrorError("broken", "It broke off", { mirror: "x" });
  };
  await reading.run();
  assertEquals(given.next, 3);
  assertEquals(mirror.asked.map(({ offset }) => offset), [0, 20_000]);
});

Deno.test("MirrorReading takes no answer with all of the file for a part, unless that will do", async () => {
  for (const takesWhole of [false, true]) {
    const mirror = new FakeMirror(3 * CHUNK_BYTES, CHUNK_BYTES);
    const { reading } = readingOf(mirror, { first: 0, count: 2 }, { takesWhole });
    await reading.run();
    assertEquals(mirror.asked.map(({ needsRange }) => needsRange), [!takesWhole]);
  }
  const refusing = new FakeMirror(3 * CHUNK_BYTES, CHUNK_BYTES);
  refusing.open = () => Promise.reject(new MirrorError("no-range", "No", { mirror: "x" }));
  const { reading } = readingOf(refusing, { first: 1, count: 1 });
  await assertRejects(() => reading.run(), MirrorError, "No");
});

Deno.test("MirrorReading.run() rejects when its signal is aborted, and gives no more", async () => {
  const mirror = new FakeMirror(10 * CHUNK_BYTES, CHUNK_BYTES);
  const ending = new AbortController();
  const { reading, given } = readingOf(mirror, { first: 0, count: 10 }, { signal: ending.signal });
  mirror.onPiece = (piece) => piece === 4 && ending.abort(new Error("No more"));
  await assertRejects(() => reading.run(), Error, "No more");
  assertEquals(given.next, 4);
});
