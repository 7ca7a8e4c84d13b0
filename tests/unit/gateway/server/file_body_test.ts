import { assertEquals, assertRejects } from "@std/assert";
import { Changes } from "../../../../src/base/changes.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { FileBody, type FileSupply } from "../../../../src/gateway/server/file_body.ts";
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

/** A body of `supply`, and how it ended. */
function bodyOf(supply: Supply, range = { start: 0, end: BYTES.length }) {
  const ended = Promise.withResolvers<Error | undefined>();
  const clock = new ManualClock();
  const body = new FileBody(supply, { ...range, clock, sent() {}, ended: ended.resolve });
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
  assertEquals((await last).value?.length, limits.requestChunksMax * CHUNK_BYTES);
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
