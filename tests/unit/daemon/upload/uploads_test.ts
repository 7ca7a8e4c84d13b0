/** Who is served when more want to be than may: idle requesters hold no place for ever. */

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Uploads } from "../../../../src/daemon/upload/uploads.ts";
import { Connection } from "../../../../src/net/connection.ts";
import type { Message } from "../../../../src/wire/messages.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { memoryPair } from "../../../support/memory_transport.ts";
import { testContext } from "../../../support/test_node.ts";
import { addDownloaded, content, openStore, rootOf, TempDir } from "../../store/store_fixture.ts";

const BYTES = content(3 * CHUNK_BYTES);
const REMOTE = {
  nodeId: "11".repeat(16) as NodeId,
  purpose: "transfer",
  version: 1,
  listenPort: 0,
  nonces: new Uint8Array(32),
} as const;

/** A holder of one file, with its own time, and requesters at any host. */
class Holder implements Disposable {
  readonly uploads: Uploads;
  readonly clock = new ManualClock();
  readonly root: Root;
  readonly #requesters: Connection[] = [];

  constructor(store: Awaited<ReturnType<typeof openStore>>["store"], root: Root) {
    this.root = root;
    this.uploads = new Uploads(testContext({ store, clock: this.clock }));
  }

  /** A requester at `host` that has been offered the file, and what becomes of it. */
  requester(
    host: string,
    isPushed = false,
  ): { connection: Connection; served: Promise<number> } {
    const [near, far] = memoryPair({
      bufferBytes: 64 * 1024,
      farRemote: { host, port: 1 },
    });
    const connection = new Connection(near);
    this.#requesters.push(connection);
    const served = this.uploads.serve(new Connection(far), REMOTE, { root: this.root, isPushed });
    return { connection, served };
  }

  get count(): number {
    return this.uploads.reports().length;
  }

  [Symbol.dispose](): void {
    for (const connection of this.#requesters) connection.close();
  }
}

async function holding(test: (holder: Holder) => Promise<void>): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await addDownloaded(store, "f", BYTES);
  using holder = new Holder(store, rootOf(BYTES));
  await test(holder);
}

/** Lets the holder answer one request, which is how a requester is not idle. */
async function use(connection: Connection): Promise<void> {
  connection.send({ kind: "request", first: 0, count: 1 });
  await connection.receiveFrame();
}

const IDLE: Message = { kind: "bye", reason: "idle" };
const FULL: Message = { kind: "bye", reason: "too many uploads" };

Deno.test("Uploads.tick() ends an upload that nobody uses any more, and no other", () =>
  holding(async (holder) => {
    const idle = holder.requester("192.0.2.1"), used = holder.requester("192.0.2.1");
    await holder.clock.advance(limits.uploadIdleMs);
    holder.uploads.tick(holder.clock.nowMs());
    assertEquals(holder.count, 2);
    await use(used.connection);
    await holder.clock.advance(1);
    holder.uploads.tick(holder.clock.nowMs());
    assertEquals(holder.count, 1);
    assertEquals(await idle.connection.receiveOne(), IDLE);
    await idle.served;
    await use(used.connection);
    holder.uploads.gained(holder.root, { first: 1, count: 1 });
    holder.uploads.tick(holder.clock.nowMs());
    assertEquals((await used.connection.receiveOne()).kind, "have");
  }));

Deno.test("Uploads.tick() ends a push to one that asks for the same again and again", () =>
  holding(async (holder) => {
    const pushed = holder.requester("192.0.2.1", true), other = holder.requester("192.0.2.2");
    const everyMs = 5_000;
    let takenMs = 0;
    while (holder.count === 2) {
      assert(takenMs <= limits.pushMsMin + everyMs, "it goes on for ever");
      await use(pushed.connection);
      await use(other.connection);
      await holder.clock.advance(everyMs);
      takenMs += everyMs;
      holder.uploads.tick(holder.clock.nowMs());
    }
    // The first chunk was of use, once.
    assert(takenMs >= limits.pushMsMin);
    assertEquals(await pushed.connection.receiveOne(), { kind: "bye", reason: "too slow" });
    await pushed.served;
    await use(other.connection);
  }));

Deno.test("Uploads.tick() lets a requester stay that reads slowly", () =>
  holding(async (holder) => {
    const { connection } = holder.requester("192.0.2.1");
    // The first answer fits into what lies between the two, and the second only in part.
    for (let i = 0; i < 2; i++) connection.send({ kind: "request", first: 0, count: 3 });
    while (holder.uploads.reports()[0]!.bytes < 2 * BYTES.length) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await holder.clock.advance(2 * limits.uploadIdleMs);
    holder.uploads.tick(holder.clock.nowMs());
    assertEquals(holder.count, 1);
  }));

Deno.test("Uploads.serve() sends the longest idle away when there are as many as may be", () =>
  holding(async (holder) => {
    const all = Array.from(
      { length: limits.uploadsMax },
      (_, i) => holder.requester(`10.${i}.0.1`),
    );
    assertEquals(holder.count, limits.uploadsMax);
    assert(!holder.uploads.hasRoomFor("198.51.100.1"), "nobody has been idle for long");
    const early = holder.requester("198.51.100.1");
    assertEquals(await early.connection.receiveOne(), FULL);

    await holder.clock.advance(limits.uploadEvictMs + 1);
    for (const [i, { connection }] of all.entries()) if (i !== 7 && i !== 8) await use(connection);
    await holder.clock.advance(1);
    await use(all[8]!.connection);
    assert(holder.uploads.hasRoomFor("198.51.100.1"));
    const late = holder.requester("198.51.100.1");
    assertEquals(await all[7]!.connection.receiveOne(), IDLE);
    await use(late.connection);
    assertEquals(holder.count, limits.uploadsMax);
    const later = holder.requester("198.51.100.1");
    assertEquals(await later.connection.receiveOne(), FULL);
    await use(all[8]!.connection);
  }));

Deno.test("Uploads.serve() leaves room to others than one host, which gives up its own", () =>
  holding(async (holder) => {
    const other = holder.requester("192.0.2.9");
    const all = Array.from(
      { length: limits.uploadsPerHostMax },
      () => holder.requester("192.0.2.1"),
    );
    assert(!holder.uploads.hasRoomFor("192.0.2.1"));
    assert(holder.uploads.hasRoomFor("192.0.2.2"));
    const refused = holder.requester("192.0.2.1");
    assertEquals(await refused.connection.receiveOne(), FULL);
    await use(holder.requester("192.0.2.2").connection);

    await holder.clock.advance(limits.uploadEvictMs + 1);
    await use(holder.requester("192.0.2.1").connection);
    assertEquals(await all[0]!.connection.receiveOne(), IDLE);
    await use(other.connection);
  }));

Deno.test("Uploads.serve() has the host that holds most places give one to a host without", () =>
  holding(async (holder) => {
    const all = Array.from(
      { length: limits.uploadsMax },
      (_, i) => holder.requester(`192.0.${i % 2}.1`),
    );
    await holder.clock.advance(1_000);
    // All of them ask for a chunk now and then; one of each host takes more.
    for (const [i, { connection }] of all.entries()) {
      await use(connection);
      if (i < 2) await use(connection);
    }
    const newcomers = Array.from({ length: 20 }, (_, i) => holder.requester(`198.51.${i}.1`));
    for (const { connection } of newcomers) await use(connection);
    assertEquals(holder.count, limits.uploadsMax);
    for (const { connection } of all.slice(0, 2)) await use(connection);
    assertEquals(await all[2]!.connection.receiveOne(), { kind: "bye", reason: "others wait" });
  }));

Deno.test("Uploads.serve() has a slow one give its place after a trial, where each host has one", () =>
  holding(async (holder) => {
    const all = Array.from(
      { length: limits.uploadsMax },
      (_, i) => holder.requester(`10.${i}.0.1`),
    );
    for (let ms = 0; ms < limits.uploadTrialMs; ms += 2_500) {
      for (const { connection } of all) await use(connection);
      assert(!holder.uploads.hasRoomFor("198.51.100.1"));
      await holder.clock.advance(2_500);
    }
    // They have a chunk each 2.5 s: less than is worth a place.
    const newcomer = holder.requester("198.51.100.1");
    await use(newcomer.connection);
    assertEquals(holder.count, limits.uploadsMax);
    assertEquals(await all[0]!.connection.receiveOne(), { kind: "bye", reason: "others wait" });
  }));
