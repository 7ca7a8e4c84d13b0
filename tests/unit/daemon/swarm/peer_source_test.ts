/** The requester's side of a transfer: what it takes from a holder, and what it does not. */

import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { systemClock } from "../../../../src/base/clock.ts";
import { PeerFault, type PeerFaultCode } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import type { FrameClass } from "../../../../src/core/download/download.ts";
import { ChunkCheck } from "../../../../src/daemon/swarm/chunk_check.ts";
import { UNLIMITED } from "../../../../src/base/rates/pace.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import { type PeerSink, PeerSource } from "../../../../src/daemon/swarm/peer_source.ts";
import type { ChunkSink } from "../../../../src/daemon/swarm/swarm_events.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { CHUNKS_HEADER_BYTES, writeChunksHeader } from "../../../../src/wire/codec.ts";
import type { Message } from "../../../../src/wire/messages.ts";
import { content } from "../../store/store_fixture.ts";
import { memoryPair } from "../../../support/memory_transport.ts";

const BYTES = content(20 * CHUNK_BYTES - 100);
const CHUNKS = 20;
const SIZE = BYTES.length;

/** Notes what a source tells; every run is asked for unless it is named here. */
class Observer implements ChunkSink, PeerSink {
  readonly file: { readonly sizeBytes: number };
  readonly log: string[] = [];
  arrived = 0;
  readonly #standing: FrameClass;
  #awaited: (() => void) | null = null;

  constructor(standing: FrameClass = "asked", sizeBytes = SIZE) {
    this.#standing = standing;
    this.file = { sizeBytes };
  }

  classify(): FrameClass {
    return this.#standing;
  }

  checkOf(range: ChunkRange): ChunkCheck {
    const hasher = new ChunkHasher(systemClock);
    return new ChunkCheck(range, { leaves: this.#leafDigits(range), hasher, ...this.file });
  }

  #leafDigits(range: ChunkRange): string {
    let digits = "";
    for (let chunk = range.first; chunk < range.first + range.count; chunk++) {
      digits += createHash("sha256").update(chunksOf(chunk, 1)).digest("hex");
    }
    return digits;
  }

  arriving(_source: PeerSource, bytes: number): void {
    this.arrived += bytes;
  }

  chunks(_source: PeerSource, range: ChunkRange, data: Uint8Array, bad: readonly number[]): void {
    assertEquals(data.length, chunksOf(range.first, range.count).length);
    this.#note(`chunks ${range.first}+${range.count} bad [${bad}]`);
  }

  passed(_source: PeerSource, range: ChunkRange): void {
    this.#note(`passed ${range.first}+${range.count}`);
  }

  leaves(_source: PeerSource, first: number, hashes: Uint8Array): void {
    this.#note(`leaves ${first}+${hashes.length / 32}`);
  }

  leavesArriving(): void {}

  dropped(): void {}

  mirrorLost(): void {}

  has(_source: PeerSource, ranges: readonly ChunkRange[]): void {
    this.#note(`has ${ranges.map(({ first, count }) => `${first}+${count}`)}`);
  }

  rejected(_source: PeerSource, range: ChunkRange, rejection: string): void {
    this.#note(`rejected ${range.first}+${range.count} ${rejection}`);
  }

  /** Resolves when there are so many notes. */
  async until(count: number): Promise<readonly string[]> {
    while (this.log.length < count) {
      await new Promise<void>((resolve) => this.#awaited = resolve);
    }
    return this.log;
  }

  #note(line: string): void {
    this.log.push(line);
    this.#awaited?.();
  }
}

function chunksOf(first: number, count: number): Uint8Array {
  return BYTES.subarray(first * CHUNK_BYTES, (first + count) * CHUNK_BYTES);
}

/** A holder that sends whatever it likes to a source. */
function holding(observer: Observer) {
  const [near, far] = memoryPair({ bufferBytes: 5_000 });
  const holder = new Connection(far), connection = new Connection(near);
  const source = new PeerSource(connection, {
    sink: observer,
    peers: observer,
    id: 1,
    nodeId: "11".repeat(16) as NodeId,
    peer: "192.0.2.1:1",
    pace: UNLIMITED,
  });
  const ended = source.run().then(() => connection.reason);
  return {
    holder,
    ended,
    async [Symbol.asyncDispose]() {
      holder.close();
      connection.close();
      await ended;
    },
  };
}

/** Sends one CHUNKS frame. */
function sendChunks(holder: Connection, first: number, data: Uint8Array): void {
  const frame = new Uint8Array(CHUNKS_HEADER_BYTES + data.length);
  writeChunksHeader(frame, first, data.length);
  frame.set(data, CHUNKS_HEADER_BYTES);
  let isGiven = false;
  holder.setBulk({
    nextFrame() {
      if (isGiven) return null;
      isGiven = true;
      return frame;
    },
  });
  holder.wake();
}

async function faultAfter(
  messages: readonly Message[],
  sizeBytes = SIZE,
): Promise<PeerFaultCode | undefined> {
  const observer = new Observer("asked", sizeBytes);
  await using talk = holding(observer);
  for (const message of messages) talk.holder.send(message);
  const closing = talk.holder.closeAfterWriting();
  const reason = await talk.ended;
  await closing;
  return reason instanceof PeerFault ? reason.code : undefined;
}

function have(...ranges: [first: number, count: number][]): Message {
  return { kind: "have", ranges: ranges.map(([first, count]) => ({ first, count })) };
}

function bitfield(firstByte: number, ...bits: number[]): Message {
  return { kind: "bitfield", firstByte, bits: Uint8Array.from(bits) };
}

Deno.test("PeerSource hands on right chunks, and names those that are wrong", async () => {
  const observer = new Observer();
  await using talk = holding(observer);
  const data = chunksOf(16, 4).slice();
  data[CHUNK_BYTES]! ^= 1;
  data[data.length - 1]! ^= 1;
  sendChunks(talk.holder, 16, data);
  assertEquals(await observer.until(1), ["chunks 16+4 bad [17,19]"]);
  sendChunks(talk.holder, 0, chunksOf(0, 20));
  assertEquals((await observer.until(2))[1], "chunks 0+20 bad []");
  assertEquals(observer.arrived, data.length + SIZE + 8);
});

Deno.test("PeerSource lets a cancelled frame pass unread, and ends at one that nobody asked for", async () => {
  const cancelled = new Observer("cancelled");
  await using talk = holding(cancelled);
  sendChunks(talk.holder, 4, new Uint8Array(2 * CHUNK_BYTES));
  assertEquals(await cancelled.until(1), ["passed 4+2"]);

  const unasked = new Observer("unasked");
  await using other = holding(unasked);
  sendChunks(other.holder, 4, new Uint8Array(2 * CHUNK_BYTES));
  const reason = await other.ended;
  assert(reason instanceof PeerFault);
  assertEquals([reason.code, unasked.log], ["unexpected", []]);
});

Deno.test("PeerSource ends at a frame that is no run of whole chunks of the file", async () => {
  const wrong: [first: number, length: number][] = [
    [0, 0],
    [0, CHUNK_BYTES - 1],
    [0, CHUNK_BYTES + 1],
    [19, CHUNK_BYTES],
    [20, 1],
    [19, 2 * CHUNK_BYTES - 100],
    [0xffff_ffff, CHUNK_BYTES],
  ];
  for (const [first, length] of wrong) {
    const observer = new Observer();
    await using talk = holding(observer);
    sendChunks(talk.holder, first, new Uint8Array(length));
    const reason = await talk.ended;
    assert(reason instanceof PeerFault, `${length} bytes from ${first}: ${reason}`);
    assertEquals([reason.code, observer.log], ["malformed", []]);
  }
});

Deno.test("PeerSource passes on what the holder has, by HAVE and by pages of its bitfield", async () => {
  const observer = new Observer();
  await using talk = holding(observer);
  talk.holder.send(bitfield(1, 0x0f, 0x80));
  talk.holder.send(have([0, 2], [2, 1], [19, 1]));
  talk.holder.send({ kind: "reject", range: { first: 3, count: 2 }, rejection: "busy" });
  talk.holder.send({ kind: "leaves", first: 5, hashes: new Uint8Array(64) });
  assertEquals(await observer.until(4), [
    "has 12+5",
    "has 0+2,2+1,19+1",
    "rejected 3+2 busy",
    "leaves 5+2",
  ]);
});

Deno.test("PeerSource ends at a HAVE whose ranges are not in order, overlap or leave the file", async () => {
  const wrong = [
    have([4, 1], [3, 1]),
    have([0, 5], [4, 1]),
    have([0, 20], [0, 20]),
    have([0, 0]),
    have([20, 1]),
    have([0, 21]),
    have([0xffff_ffff, 0xffff_ffff]),
  ];
  for (const message of wrong) assertEquals(await faultAfter([message]), "malformed");
  assertEquals(await faultAfter([have([0, 5], [5, 15])]), undefined);
});

Deno.test("PeerSource ends at a bitfield that leaves the file or sets spare bits", async () => {
  for (const message of [bitfield(3, 0), bitfield(0, 0, 0, 0, 0), bitfield(2, 0x01)]) {
    assertEquals(await faultAfter([message]), "malformed");
  }
  assertEquals(await faultAfter([bitfield(0, 0xff, 0xff, 0xf0)]), undefined);
});

Deno.test("PeerSource ends when a holder announces the same things again and again", async () => {
  const times = (count: number, message: Message) => Array<Message>(count).fill(message);
  // Four times 20 chunks, and eight more for the last byte of a bitfield, each time.
  assertEquals(await faultAfter(times(5, have([0, CHUNKS]))), undefined);
  assertEquals(await faultAfter(times(6, have([0, CHUNKS]))), "flooding");
  assertEquals(await faultAfter(times(15, bitfield(0, 0xff))), "flooding");
  assertEquals(await faultAfter(times(14, bitfield(0, 0xff))), undefined);
});

Deno.test("PeerSource looks through a page at the cost of the page, however big the file is", async () => {
  const sizeBytes = 2 ** 32 * CHUNK_BYTES;
  const observer = new Observer("asked", sizeBytes);
  await using talk = holding(observer);
  for (let page = 0; page < 200; page++) talk.holder.send(bitfield(page * 1_000_000, 0x80));
  const log = await observer.until(200);
  assertEquals(log.at(-1), `has ${199 * 8_000_000}+1`);
});

Deno.test("PeerSource ends at what is not for a requester", async () => {
  const wrong: Message[] = [
    { kind: "request", first: 0, count: 1 },
    { kind: "want", root: "00".repeat(32) as never, searchOn: false },
    { kind: "ping", token: 1 },
    { kind: "accepted" },
  ];
  for (const message of wrong) assertEquals(await faultAfter([message]), "unexpected");
  assertEquals(await faultAfter([{ kind: "bye", reason: "" }]), undefined);
});
