/** Who takes over what another one reads of a mirror, what of it, and what ends that. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Changes } from "../../../src/base/changes.ts";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../../src/base/geometry.ts";
import { limits } from "../../../src/base/limits.ts";
import {
  type CoalescedRead,
  CoalescedReads,
  type OngoingRead,
  type ReadBody,
} from "../../../src/http/coalesced_reads.ts";
import type { MirrorFile } from "../../../src/http/mirrors.ts";
import type { ByteRange } from "../../../src/http/resumable_read.ts";

const SIZE = 10 * CHUNK_BYTES + 77;
const CHUNKS = 11;
const RIGHT = new Uint8Array(SIZE).map((_, i) => (i * 7) % 251);
const URL = "http://mirror.example.org/file";
const { signal } = new AbortController();

/** A read of a fetch that tests drive: all else is that of one that just asked its mirror. */
class Read implements OngoingRead {
  request: OngoingRead["request"] = { root: null, sha256: null };
  readonly changes = new Changes();
  readonly asked: ByteRange[] = [];
  readonly coalesced: CoalescedRead;
  url: string | null = URL;
  answer: ReadBody | null = null;
  isShared = false;
  sizeBytes: number | null = null;
  bytes = 0;
  firstChunk = 0;
  nextChunk = 0;
  beginnings = 0;
  isGoingOn = true;
  isEnded = false;
  reader = readerOf(RIGHT);
  readonly file: MirrorFile;

  constructor(reads: CoalescedReads) {
    this.file = {
      get url() {
        return urlOf();
      },
      mirror: "mirror.example.org",
      asks: (url: string) => url === this.url,
      open: (range: ByteRange) => {
        this.asked.push(range);
        return Promise.resolve(bodyOf('"one"'));
      },
    } as unknown as MirrorFile;
    const urlOf = () => this.url;
    this.coalesced = reads.join(this);
  }

  /** Its mirror answers, and so many chunks come. */
  async begin(chunks: number, etag = '"one"'): Promise<this> {
    await this.coalesced.open({ offset: 0 }, { signal });
    this.answer = bodyOf(etag);
    this.sizeBytes = SIZE;
    this.reach(chunks);
    return this;
  }

  reach(chunks: number): void {
    this.nextChunk = chunks;
    this.bytes = Math.min(SIZE, chunks * CHUNK_BYTES);
    this.changes.tell();
  }

  async open(offset = 0, options = { signal }): Promise<ReadBody> {
    return await this.coalesced.open({ offset }, options);
  }
}

function bodyOf(etag: string): ReadBody {
  return {
    mirror: "mirror.example.org",
    validators: { etag, lastModified: null },
    offset: 0,
    sizeBytes: SIZE,
    read: () => Promise.resolve(null),
    [Symbol.dispose]: () => {},
  };
}

function readerOf(bytes: Uint8Array) {
  return {
    sizeBytes: bytes.length,
    readRun(range: ChunkRange, target: Uint8Array, at: number): number {
      if (bytes.length === 0) throw new EnvironmentError("changed", "It rotted");
      const { offset, length } = rangeBytes(bytes.length, range);
      target.set(bytes.subarray(offset, offset + length), at);
      return length;
    },
  };
}

/** All that a body gives, which has to be right from `offset` on. */
async function taken(body: ReadBody, offset: number): Promise<number> {
  let position = offset;
  for (let bytes = await body.read(); bytes !== null; bytes = await body.read()) {
    assertEquals(bytes, RIGHT.subarray(position, position + bytes.length));
    position += bytes.length;
  }
  return position;
}

Deno.test("CoalescedRead.open() gives what another one reads, as it comes, from any byte on", async () => {
  for (const offset of [0, 5, CHUNK_BYTES, 3 * CHUNK_BYTES - 1]) {
    const reads = new CoalescedReads();
    const one = await new Read(reads).begin(1), two = new Read(reads);
    const body = await two.open(offset);
    assert(body.isTakenOver);
    assertEquals([body.offset, body.sizeBytes, two.asked], [offset, SIZE, []]);
    const all = taken(body, offset);
    for (let chunks = 2; chunks <= CHUNKS; chunks++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      one.reach(chunks);
    }
    assertEquals(await all, SIZE);
  }
});

Deno.test("CoalescedRead.open() waits for the answer to another one, and asks itself when none comes", async () => {
  const reads = new CoalescedReads();
  const one = new Read(reads), two = new Read(reads);
  await one.open();
  const opening = two.open();
  one.isGoingOn = false;
  one.changes.tell();
  assertEquals((await opening).isTakenOver, undefined);
  assertEquals(two.asked, [{ offset: 0 }]);
});

Deno.test("CoalescedRead.open() asks the mirror where another read will not do", async () => {
  const others: ((one: Read, two: Read) => void)[] = [
    (_, two) => two.request = { root: null, sha256: "5a" },
    (one) => one.url = "http://mirror.example.org/other",
    (one) => one.firstChunk = 1,
    (one) => one.sizeBytes = null,
    (one) => one.isGoingOn = false,
    (one) => one.isEnded = true,
    (one) => one.coalesced.leave(),
    // What is here of the other one is of another file, or nobody knows.
    (_, two) => Object.assign(two, { bytes: 5, answer: bodyOf('"two"') }),
    (_, two) => two.bytes = 5,
    (_, two) => two.sizeBytes = SIZE + 1,
  ];
  for (const [index, differ] of others.entries()) {
    const reads = new CoalescedReads();
    const one = await new Read(reads).begin(3), two = new Read(reads);
    differ(one, two);
    assertEquals((await two.open()).isTakenOver, undefined, `case ${index}`);
  }
});

Deno.test("CoalescedRead.open() waits for nobody who is far from what is wanted", async () => {
  for (const isFar of [false, true]) {
    const reads = new CoalescedReads();
    await new Read(reads).begin(1);
    const offset = CHUNK_BYTES + limits.mirrorSkipBytes + (isFar ? 1 : 0);
    const { isTakenOver = false } = await new Read(reads).open(offset);
    assertEquals(isTakenOver, !isFar);
  }
});

Deno.test("CoalescedRead takes over from none who takes over, so that nobody waits for itself", async () => {
  const reads = new CoalescedReads();
  const one = await new Read(reads).begin(3), two = new Read(reads), three = new Read(reads);
  two.answer = await two.open();
  two.sizeBytes = SIZE;
  assert((await three.open()).isTakenOver);
  one.coalesced.leave();
  assertEquals((await three.open()).isTakenOver, undefined);
});

Deno.test("CoalescedRead's answer ends where the other one ends, stops or starts over", async () => {
  const ends: ((one: Read) => void)[] = [
    (one) => one.coalesced.leave(),
    (one) => one.isGoingOn = false,
    (one) => one.beginnings++,
    (one) => {
      one.reader = readerOf(new Uint8Array());
      one.nextChunk++;
    },
  ];
  for (const end of ends) {
    const reads = new CoalescedReads();
    const one = await new Read(reads).begin(3), two = new Read(reads);
    const all = taken(await two.open(), 0);
    await new Promise((resolve) => setTimeout(resolve, 0));
    end(one);
    one.changes.tell();
    assertEquals(await all, 3 * CHUNK_BYTES);
  }
});

Deno.test("CoalescedRead takes over from one that shares the file, though no mirror answered it", async () => {
  const reads = new CoalescedReads();
  const one = Object.assign(new Read(reads), { isShared: true, sizeBytes: SIZE });
  const two = new Read(reads);
  const all = taken(await two.open(), 0);
  one.reach(2);
  await new Promise((resolve) => setTimeout(resolve, 0));
  one.coalesced.land(readerOf(RIGHT));
  assertEquals(await all, SIZE);
  one.isShared = false;
  // What was asked for may have been less than what is wanted by now.
  two.bytes = 3 * CHUNK_BYTES;
  assert((await two.open(3 * CHUNK_BYTES)).isTakenOver);
  assertEquals([one.asked, two.asked], [[], []]);
});

Deno.test("CoalescedRead.open() waits for one that listens for fellows, and takes what that one got", async () => {
  const reads = new CoalescedReads();
  const one = Object.assign(new Read(reads), { isShared: true });
  const two = new Read(reads);
  const opening = two.open();
  Object.assign(one, { isShared: false, isGoingOn: false, sizeBytes: SIZE });
  one.coalesced.land(readerOf(RIGHT));
  assertEquals([await taken(await opening, 0), two.asked], [SIZE, []]);
});

Deno.test("CoalescedRead takes over from nobody while it shares the file", async () => {
  const reads = new CoalescedReads();
  await new Read(reads).begin(3);
  const two = Object.assign(new Read(reads), { isShared: true, sizeBytes: SIZE });
  assertEquals((await two.open()).isTakenOver, undefined);
});

Deno.test("CoalescedRead.land() gives the rest of the file that was found to be right, and no other", async () => {
  for (const sizeBytes of [SIZE, SIZE + 1]) {
    const reads = new CoalescedReads();
    const one = await new Read(reads).begin(3), two = new Read(reads);
    const all = taken(await two.open(), 0);
    await new Promise((resolve) => setTimeout(resolve, 0));
    one.coalesced.land({ ...readerOf(RIGHT), sizeBytes });
    assertEquals(await all, sizeBytes === SIZE ? SIZE : 3 * CHUNK_BYTES);
  }
});

Deno.test("CoalescedRead's answer rejects when its signal is aborted", async () => {
  const reads = new CoalescedReads();
  await new Read(reads).begin(3);
  const ending = new AbortController();
  const body = await new Read(reads).open(3 * CHUNK_BYTES, { signal: ending.signal });
  const reading = body.read();
  ending.abort(new Error("No more"));
  await assertRejects(() => reading, Error, "No more");
});
