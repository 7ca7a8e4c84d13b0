import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { Changes } from "../../../../src/base/changes.ts";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { BodySlots } from "../../../../src/gateway/server/body_slots.ts";
import {
  FileBody,
  type FileSupply,
  type RestBody,
  type RestOfFile,
} from "../../../../src/gateway/server/file_body.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { content } from "../../store/store_fixture.ts";

const BYTES = content(200 * CHUNK_BYTES - 5);

/** A file of which so much is released as the test says. */
class Supply implements FileSupply {
  round = 0;
  failure: Error | null = null;
  isOver = false;
  here = 0;
  reads: number[] = [];
  subscribers = 0;
  readonly changes = new Changes();

  subscribe(): () => void {
    this.subscribers++;
    return () => this.subscribers--;
  }

  releasedEnd(offset: number, { max }: { readonly max: number }): number {
    return Math.max(offset, Math.min(this.here, offset + max));
  }

  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    this.reads.push(length);
    return BYTES.slice(offset, offset + length);
  }
}

/** What all bodies of one gateway share. */
function gateway() {
  const clock = new ManualClock();
  return { clock, slots: new BodySlots(clock) };
}

/** A supply that has all of the file. */
function wholeSupply(): Supply {
  const supply = new Supply();
  supply.here = BYTES.length;
  supply.isOver = true;
  return supply;
}

/** A body of `supply`, and how it ended. */
function bodyOf(
  supply: Supply,
  range = { start: 0, end: BYTES.length },
  { clock, slots } = gateway(),
  rest?: RestOfFile,
) {
  const ended = Promise.withResolvers<Error | undefined>();
  const body = new FileBody(supply, {
    ...range,
    clock,
    slots,
    sent() {},
    ended: ended.resolve,
    ...(rest === undefined ? {} : { rest }),
  });
  return { body, clock, ended: ended.promise, reader: body.stream.getReader() };
}

Deno.test("FileBody reads nothing ahead of its client", async () => {
  const supply = new Supply();
  supply.here = BYTES.length;
  const { reader, ended } = bodyOf(supply);
  await reader.read();
  assertEquals(supply.reads, [limits.requestChunksMax * CHUNK_BYTES]);
  await reader.cancel();
  assertEquals((await ended)?.name, "ClientLeft");
  assertEquals(supply.subscribers, 0);
});

Deno.test("FileBody holds a little back while the rest is waited for, and pays it out", async () => {
  const supply = new Supply();
  supply.here = 3 * CHUNK_BYTES;
  const { body, clock, reader } = bodyOf(supply);
  assertEquals((await reader.read()).value?.length, 2 * CHUNK_BYTES);
  assertEquals((await reader.read()).value?.length, limits.gatewayDripBytes);
  const next = reader.read();
  // The stream asks for it in a turn of its own.
  await clock.advance(limits.gatewayDripMs - 1);
  body.tick(clock.nowMs());
  await clock.advance(1);
  body.tick(clock.nowMs());
  assertEquals((await next).value?.length, limits.gatewayDripBytes);
  const last = reader.read();
  supply.here = BYTES.length;
  supply.isOver = true;
  supply.changes.tell();
  // Up to where a chunk ends: what follows is read whole.
  const drippedBytes = 2 * limits.gatewayDripBytes;
  assertEquals((await last).value?.length, limits.requestChunksMax * CHUNK_BYTES - drippedBytes);
  await reader.cancel();
});

Deno.test("FileBody sends away a client that takes nothing, and nobody who waits", async () => {
  const waiting = bodyOf(new Supply());
  const read = waiting.reader.read();
  const supply = new Supply();
  supply.here = BYTES.length;
  const stalled = bodyOf(supply);
  await stalled.reader.read();
  const lateMs = limits.gatewayStalledMs + 1;
  waiting.body.tick(lateMs);
  stalled.body.tick(lateMs);
  assertEquals((await stalled.ended)?.message, "the client took nothing for 60 s");
  await assertRejects(() => stalled.reader.read(), Error, "took nothing");
  await waiting.reader.cancel();
  assertEquals((await waiting.ended)?.name, "ClientLeft");
  assertEquals((await read).done, true);
});

Deno.test("FileBody breaks off when the file failed, became another, or this part never came", async () => {
  for (
    const [change, message] of [
      [
        (supply: Supply) => supply.failure = new Error("nobody has the rest"),
        "nobody has the rest",
      ],
      [(supply: Supply) => supply.round++, "turned out not to be the file"],
      [(supply: Supply) => supply.isOver = true, "this part of the file never came"],
    ] as const
  ) {
    const supply = new Supply();
    const { reader, ended } = bodyOf(supply, { start: 10, end: 500 });
    const read = reader.read();
    change(supply);
    supply.changes.tell();
    await assertRejects(() => read, Error, message);
    assertEquals((await ended)?.message.includes(message), true);
    assertEquals(supply.subscribers, 0);
  }
});

Deno.test("FileBody waits its turn when many give, and gives a little until then", async () => {
  const shared = gateway();
  const { clock } = shared;
  const whole = { start: 0, end: BYTES.length };
  const many = Array.from(
    { length: limits.gatewayBodiesMax },
    () => bodyOf(wholeSupply(), whole, shared),
  );
  for (const { reader } of many) await reader.read();
  const waiting = [1, 2].map(() => bodyOf(wholeSupply(), whole, shared));
  // What is small needs no turn.
  const small = bodyOf(wholeSupply(), { start: 5, end: 5 + CHUNK_BYTES }, shared);
  assertEquals((await small.reader.read()).value?.length, CHUNK_BYTES);
  assertEquals(await small.ended, undefined);
  for (const { reader } of waiting) {
    assertEquals((await reader.read()).value?.length, limits.gatewayDripBytes);
  }
  const [first, second] = waiting.map(({ reader }) => reader.read());
  await clock.advance(limits.gatewayDripMs);
  for (const { body } of waiting) body.tick(clock.nowMs());
  assertEquals((await first)?.value?.length, limits.gatewayDripBytes);
  assertEquals((await second)?.value?.length, limits.gatewayDripBytes);
  const next = waiting[0]!.reader.read();
  await many[0]!.reader.cancel();
  const drippedBytes = 2 * limits.gatewayDripBytes;
  assertEquals((await next).value?.length, limits.gatewayRunBytesMin - drippedBytes);
  for (const { reader } of [...many, ...waiting]) await reader.cancel();
});

Deno.test("FileBody sends a slow client away for those who wait, and only then", async () => {
  const shared = gateway();
  const { clock } = shared;
  const whole = { start: 0, end: BYTES.length };
  const slow = Array.from(
    { length: limits.gatewayBodiesMax },
    () => bodyOf(wholeSupply(), whole, shared),
  );
  for (const { reader } of slow) await reader.read();
  const tick = () => slow.forEach(({ body }) => body.tick(clock.nowMs()));
  await clock.advance(limits.gatewaySlotIdleMs + 1);
  tick();
  assertEquals(slow.some(({ body }) => body.hasEnded), false);
  const waiting = bodyOf(wholeSupply(), whole, shared);
  assertEquals((await waiting.reader.read()).value?.length, limits.gatewayDripBytes);
  await clock.advance(limits.gatewaySlotWaitMs - 1);
  tick();
  assertEquals(slow.some(({ body }) => body.hasEnded), false);
  await clock.advance(1);
  // One goes for one who waits.
  tick();
  assertEquals(slow.filter(({ body }) => body.hasEnded).length, 1);
  assertEquals((await slow[0]!.ended)?.message, "the client took less than 16384 bytes a second");
  assertGreater((await waiting.reader.read()).value!.length, CHUNK_BYTES);
  for (const { body, reader } of [...slow.slice(1), waiting]) {
    await reader.cancel();
    assertEquals(body.hasEnded, true);
  }
});

Deno.test("FileBody goes on elsewhere when this machine can keep no more of the file", async () => {
  const full = new EnvironmentError("no-space", "the disk is full");
  const asked: unknown[] = [];
  const rest: RestOfFile = {
    open({ offset, end, before }, { why }) {
      asked.push([offset, end, why]);
      assertEquals(before, BYTES.slice(offset - CHUNK_BYTES, offset));
      let at = offset;
      return Promise.resolve({
        read: () => Promise.resolve(BYTES.slice(at, at = Math.min(end, at + 100_000))),
      });
    },
  };
  const supply = new Supply();
  supply.here = 40 * CHUNK_BYTES;
  const { reader, ended } = bodyOf(supply, { start: 5, end: BYTES.length }, gateway(), rest);
  const got = new Uint8Array(BYTES.length - 5);
  let bytes = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    got.set(read.value, bytes);
    bytes += read.value.length;
    supply.failure = full;
    supply.isOver = true;
    supply.changes.tell();
  }
  assertEquals(await ended, undefined);
  assertEquals(got, BYTES.slice(5));
  // What is here is given first.
  assertEquals(asked, [[40 * CHUNK_BYTES, BYTES.length, full]]);
});

Deno.test("FileBody breaks off when the rest cannot be had elsewhere, or is not wanted", async () => {
  const opened: AbortSignal[] = [];
  let asked = Promise.withResolvers<void>();
  const rest = (open: Promise<RestBody>): RestOfFile => ({
    open(_range, { signal }) {
      opened.push(signal);
      asked.resolve();
      return open;
    },
  });
  const full = new EnvironmentError("no-space", "the disk is full");
  const failed = () => Object.assign(new Supply(), { failure: full, isOver: true });
  const whole = { start: 0, end: BYTES.length };
  const other = Promise.reject(new Error("the file at the mirror is another one"));
  const { reader, ended } = bodyOf(failed(), whole, gateway(), rest(other));
  await assertRejects(() => reader.read(), Error, "is another one");
  assertEquals((await ended)?.message, "the file at the mirror is another one");
  asked = Promise.withResolvers<void>();
  const left = bodyOf(failed(), whole, gateway(), rest(new Promise(() => {})));
  const read = left.reader.read();
  await asked.promise;
  await left.reader.cancel();
  assertEquals(((await left.ended) as Error).name, "ClientLeft");
  await read;
  assertEquals(opened.map(({ aborted }) => aborted), [true, true]);
  // A fetch that failed is no matter of this machine.
  const wrong = Object.assign(new Supply(), { failure: new Error("wrong"), isOver: true });
  const broken = bodyOf(wrong, whole, gateway(), rest(new Promise(() => {})));
  wrong.changes.tell();
  assertEquals((await broken.ended)?.message, "wrong");
  await assertRejects(() => broken.reader.read(), Error, "wrong");
});
