import { assert, assertEquals, assertRejects } from "@std/assert";
import type { HostPort } from "../../../src/base/address.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { EnvironmentError, PeerFault } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { type BulkSource, Connection, type FrameHandler } from "../../../src/net/connection.ts";
import type { Duplex } from "../../../src/net/transport.ts";
import {
  CHUNKS_HEADER_BYTES,
  decodePayload,
  encodeFrame,
  writeChunksHeader,
} from "../../../src/wire/codec.ts";
import { type Frame, onlyKinds } from "../../../src/wire/framer.ts";
import { CHUNKS_CODE, type Message, MESSAGES } from "../../../src/wire/messages.ts";
import { memoryPair } from "../../support/memory_transport.ts";

/** Two connections over one stream, closed at the end of their scope. */
function connected(bufferBytes = 1_000): { near: Connection; far: Connection } & Disposable {
  const [nearEnd, farEnd] = memoryPair({ bufferBytes });
  const near = new Connection(nearEnd), far = new Connection(farEnd);
  return {
    near,
    far,
    [Symbol.dispose]() {
      near.close();
      far.close();
    },
  };
}

function ping(token: number): Message {
  return { kind: "ping", token };
}

/** Notes what comes: a token for PING, "data N" for CHUNKS full of N, the kind for the rest. */
class Recorder implements FrameHandler {
  readonly seen: (string | number)[] = [];
  readonly #awaited: { count: number; resolve: () => void }[] = [];

  frame(frame: Frame): void {
    this.seen.push(described(frame));
    for (const { count, resolve } of this.#awaited) if (this.seen.length >= count) resolve();
  }

  /** Resolves when so many frames came. */
  async until(count: number): Promise<(string | number)[]> {
    if (this.seen.length < count) {
      await new Promise<void>((resolve) => this.#awaited.push({ count, resolve }));
    }
    return this.seen;
  }
}

function described(frame: Frame): string | number {
  if (frame.code === CHUNKS_CODE) {
    const data = frame.payload.subarray(4);
    assert(data.every((byte) => byte === data[0]), "the frame was changed while it was written");
    return `data ${data[0]}`;
  }
  const message = decodePayload(frame.code, frame.payload);
  return message.kind === "ping" ? message.token : message.kind;
}

/** Frames of chunks full of 1, 2, 3..., all made in one buffer. */
class Chunks implements BulkSource {
  asked = 0;
  readonly #buffer = new Uint8Array(CHUNKS_HEADER_BYTES + 5_000);
  readonly #count: number;
  readonly #onAsk: (asked: number) => void;

  constructor(count: number, onAsk: (asked: number) => void = () => {}) {
    this.#count = count;
    this.#onAsk = onAsk;
  }

  nextFrame(): Uint8Array | null {
    this.asked++;
    this.#onAsk(this.asked);
    if (this.asked > this.#count) return null;
    this.#buffer.fill(this.asked);
    writeChunksHeader(this.#buffer, 0, 5_000);
    return this.#buffer;
  }
}

/** An end whose reads and writes never have to wait: the worst case for everybody else. */
class EagerDuplex implements Duplex {
  readonly remote: HostPort = { host: "127.0.0.1", port: 1 };
  readonly written: Uint8Array[] = [];
  reads = 0;
  readonly #incoming: Uint8Array;
  readonly #readsMax: number;

  constructor(incoming = new Uint8Array(), readsMax = 0) {
    this.#incoming = incoming;
    this.#readsMax = readsMax;
  }

  read(target: Uint8Array): Promise<number | null> {
    if (this.reads === this.#readsMax) return Promise.resolve(null);
    this.reads++;
    target.set(this.#incoming);
    return Promise.resolve(this.#incoming.length);
  }

  write(source: Uint8Array): Promise<number> {
    this.written.push(source.slice());
    return Promise.resolve(source.length);
  }

  close(): void {}

  /** PING tokens that were written. */
  tokens(): number[] {
    const stream = concatBytes(this.written);
    const tokens: number[] = [];
    for (let at = 0; at < stream.length; at += 9) {
      tokens.push(new DataView(stream.buffer).getUint32(at + 5));
    }
    return tokens;
  }
}

Deno.test("Connection gives what was sent, in order, and counts the bytes", async () => {
  using pair = connected();
  const recorder = new Recorder();
  const receiving = pair.far.receive(recorder);
  for (let token = 0; token < 500; token++) pair.near.send(ping(token));
  assertEquals(await recorder.until(500), [...Array(500).keys()]);
  await pair.near.flushed();
  assertEquals([pair.near.bytesOut, pair.far.bytesIn], [500 * 9, 500 * 9]);
  pair.near.close();
  await receiving;
  assertEquals([pair.far.isClosed, pair.far.reason], [true, undefined]);
});

Deno.test("Connection drops a peer that leaves more than the bound unread, and not before", () => {
  using pair = connected();
  const message: Message = { kind: "bye", reason: "x".repeat(500) };
  const { length } = encodeFrame(message);
  let sent = 0;
  for (; !pair.near.isClosed && sent < 10_000; sent++) pair.near.send(message);
  // What is being written counts as well.
  assertEquals(sent, Math.floor(limits.writeQueueBytesMax / length) + 1);
  assert(pair.near.reason instanceof PeerFault);
  assertEquals(pair.near.reason.code, "slow-reader");
});

Deno.test("Connection.send() does nothing when the connection is closed", async () => {
  using pair = connected();
  pair.near.close(new Error("first"));
  pair.near.close(new Error("second"));
  pair.near.send(ping(1));
  await pair.near.flushed();
  assertEquals([pair.near.bytesOut, pair.near.reason?.message], [0, "first"]);
});

Deno.test("Connection asks for data only when no message waits", async () => {
  using pair = connected();
  const recorder = new Recorder();
  const receiving = pair.far.receive(recorder);
  const chunks = new Chunks(2);
  pair.near.setBulk(chunks);
  pair.near.wake();
  for (const token of [7, 8]) pair.near.send(ping(token));
  // The first frame of data was asked for in the very turn of `wake`, before anything was queued.
  assertEquals(await recorder.until(4), ["data 1", 7, 8, "data 2"]);
  pair.near.send(ping(9));
  pair.near.wake();
  assertEquals((await recorder.until(5)).at(-1), 9);
  pair.near.close();
  await receiving;
});

Deno.test("Connection sends a message between two frames of data, however much data waits", async () => {
  using pair = connected();
  const recorder = new Recorder();
  const receiving = pair.far.receive(recorder);
  const chunks = new Chunks(5, (asked) => {
    if (asked === 3) queueMicrotask(() => pair.near.send(ping(42)));
  });
  pair.near.setBulk(chunks);
  pair.near.wake();
  assertEquals(await recorder.until(6), ["data 1", "data 2", "data 3", 42, "data 4", "data 5"]);
  pair.near.close();
  await receiving;
});

Deno.test("Connection asks for the next frame of data only after the last is written", async () => {
  using pair = connected();
  const chunks = new Chunks(100);
  pair.near.setBulk(chunks);
  pair.near.wake();
  // The buffers between the two ends hold a part of the first frame, so it stays the only one.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(chunks.asked, 1);
  assert(pair.near.writeSinceMs !== null, "a write that waits has a beginning");
  const recorder = new Recorder();
  const receiving = pair.far.receive(recorder);
  await recorder.until(100);
  assertEquals(recorder.seen.at(-1), "data 100");
  await pair.near.flushed();
  assertEquals(pair.near.writeSinceMs, null);
  pair.near.close();
  await receiving;
});

Deno.test("Connection writes what is queued in any turn around the end of its writer", async () => {
  for (let turns = 0; turns < 16; turns++) {
    const duplex = new EagerDuplex();
    const connection = new Connection(duplex);
    connection.send(ping(1));
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    connection.send(ping(2));
    await connection.flushed();
    assertEquals(duplex.tokens(), [1, 2], `${turns} turns`);
    connection.close();
  }
});

Deno.test("Connection writes what its bulk source queues when it has no data", async () => {
  const duplex = new EagerDuplex();
  const connection = new Connection(duplex);
  connection.setBulk(new Chunks(0, (asked) => asked === 1 && connection.send(ping(5))));
  connection.wake();
  await connection.flushed();
  assertEquals(duplex.tokens(), [5]);
  connection.close();
});

Deno.test("Connection is closed when its bulk source throws", async () => {
  using pair = connected();
  pair.near.setBulk(
    new Chunks(1, () => {
      throw new EnvironmentError("changed", "the file is gone");
    }),
  );
  pair.near.wake();
  await pair.near.flushed();
  assertEquals(pair.near.reason?.message, "the file is gone");
});

Deno.test("receiveOne() leaves what came with it to receive()", async () => {
  using pair = connected();
  const recorder = new Recorder();
  for (const token of [1, 2, 3]) pair.near.send(ping(token));
  pair.near.send({ kind: "accepted" });
  assertEquals(await pair.far.receiveOne(), ping(1));
  assertEquals(await pair.far.receiveOne(), ping(2));
  const receiving = pair.far.receive(recorder);
  assertEquals(await recorder.until(2), [3, "accepted"]);
  pair.near.close();
  await receiving;
});

Deno.test("receiveOne() rejects when the other side ends, with the reason if there is one", async () => {
  using ended = connected();
  ended.near.close();
  const gone = await assertRejects(() => ended.far.receiveOne(), EnvironmentError);
  assertEquals(gone.code, "unreachable");
  using closed = connected();
  const waiting = assertRejects(() => closed.far.receiveOne(), PeerFault, "too slow");
  closed.far.close(new PeerFault("silent", "too slow"));
  await waiting;
});

Deno.test("partial() sees one frame grow, and frame() the whole of it", async () => {
  using pair = connected(700);
  const views: number[] = [];
  const whole = Promise.withResolvers<number>();
  const receiving = pair.far.receive({
    partial({ payload, payloadBytes }) {
      assertEquals(payloadBytes, 5_004);
      assert(payload.subarray(4).every((byte) => byte === 1));
      views.push(payload.length);
    },
    frame: ({ payload }) => whole.resolve(payload.length),
  });
  pair.near.setBulk(new Chunks(1));
  pair.near.wake();
  assertEquals(await whole.promise, 5_004);
  assert(views.length >= 3, `seen ${views.length} times`);
  assertEquals(views, [...views].sort((a, b) => a - b));
  assert(views.at(-1)! < 5_004);
  pair.near.close();
  await receiving;
});

Deno.test("receive() ends with the fault when bytes are no frame", async () => {
  const [near, far] = memoryPair();
  using connection = disposable(new Connection(far));
  await near.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await connection.value.receive(new Recorder());
  assert(connection.value.reason instanceof PeerFault);
  assertEquals(connection.value.reason.code, "malformed");
  assertEquals(await near.read(new Uint8Array(1)), null);
});

Deno.test("receive() ends with what its handler throws, and hands on nothing more", async () => {
  using pair = connected();
  let calls = 0;
  for (const token of [1, 2]) pair.near.send(ping(token));
  await pair.far.receive({
    frame() {
      calls++;
      throw new PeerFault("unexpected", "not now");
    },
  });
  assertEquals([calls, pair.far.reason?.message], [1, "not now"]);
});

Deno.test("receive() hands on nothing more when its handler closed the connection", async () => {
  using pair = connected();
  const seen: number[] = [];
  for (const token of [1, 2, 3]) pair.near.send(ping(token));
  await pair.far.receive({
    frame(frame) {
      seen.push(described(frame) as number);
      if (seen.length === 2) pair.far.close();
    },
  });
  assertEquals([seen, pair.far.reason], [[1, 2], undefined]);
});

Deno.test("setGate() holds for the next frame, also when it is in the buffer already", async () => {
  using pair = connected();
  pair.near.send(ping(1));
  pair.near.send({ kind: "heartbeat" });
  assertEquals(await pair.far.receiveOne(), ping(1));
  pair.far.setGate(onlyKinds("Cannot test", ["ping"]));
  await assertRejects(() => pair.far.receiveOne(), PeerFault, `kind ${MESSAGES.heartbeat.code}`);
});

Deno.test("closeAfterWriting() delivers everything that was queued to a slow reader", async () => {
  using pair = connected(16);
  for (let token = 0; token < 50; token++) pair.near.send(ping(token));
  pair.near.send({ kind: "bye", reason: "shutting down" });
  const closing = pair.near.closeAfterWriting();
  const recorder = new Recorder();
  await pair.far.receive(recorder);
  await closing;
  assertEquals(recorder.seen, [...Array(50).keys(), "bye"]);
  assertEquals([pair.near.isClosed, pair.near.reason], [true, undefined]);
});

Deno.test("closeAfterWriting() does not wait for data, nor for a peer that never reads", async () => {
  using pair = connected();
  const chunks = new Chunks(1_000);
  pair.near.setBulk(chunks);
  pair.near.wake();
  await pair.near.closeAfterWriting();
  assertEquals([pair.near.isClosed, chunks.asked], [true, 1]);
});

Deno.test("receive() lets others work though reads never have to wait", async () => {
  const duplex = new EagerDuplex(encodeFrame(ping(1)), 20_000);
  const connection = new Connection(duplex);
  const recorder = new Recorder();
  const receiving = connection.receive(recorder);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(duplex.reads < 1_000, `${duplex.reads} reads before a timer of 0 ms was served`);
  connection.close();
  await receiving;
});

Deno.test("Connection lets others work though writes never have to wait", async () => {
  const duplex = new EagerDuplex();
  const connection = new Connection(duplex);
  const chunks = new Chunks(5_000);
  connection.setBulk(chunks);
  connection.wake();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(chunks.asked < 1_000, `${chunks.asked} frames before a timer of 0 ms was served`);
  connection.close();
  await connection.flushed();
});

/** Takes all at once, and keeps nothing. */
class Sink extends EagerDuplex {
  taken = 0;

  override write(source: Uint8Array): Promise<number> {
    this.taken += source.length;
    return Promise.resolve(source.length);
  }
}

Deno.test("Connection sends file data of all together within the bytes of a turn, in order", async () => {
  const frame = new Uint8Array(limits.bulkTurnBytes / 4);
  let inTurn = 0;
  const all = Array.from({ length: 20 }, () => {
    const duplex = new Sink(), connection = new Connection(duplex);
    const one = { duplex, connection, frames: 0 };
    connection.setBulk({
      nextFrame() {
        inTurn++;
        one.frames++;
        return frame;
      },
    });
    return one;
  });
  for (const { connection } of all) connection.wake();
  const seen = [inTurn];
  inTurn = 0;
  for (let turn = 0; turn < 100; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(inTurn);
    inTurn = 0;
    // It waits for a turn with its data, and not with what it has to say.
    const { connection, duplex } = all[turn % all.length]!;
    const before = duplex.taken;
    connection.send(ping(turn));
    assertEquals(duplex.taken - before, encodeFrame(ping(turn)).length, `a message in ${turn}`);
  }
  const counts = all.map(({ frames }) => frames);
  for (const { connection } of all) connection.close();
  assert(Math.max(...seen) <= 4, `${Math.max(...seen)} frames in one turn`);
  assert(Math.max(...counts) - Math.min(...counts) <= 1, `unfair: ${counts}`);
  assert(Math.min(...counts) >= 10, `too slow: ${counts}`);
});

function disposable(value: Connection): { value: Connection } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}
