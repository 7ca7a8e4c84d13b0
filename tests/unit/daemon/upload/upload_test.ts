/** The holder's side of a transfer over a real connection and a real store. */

import { assert, assertEquals } from "@std/assert";
import { PeerFault } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Upload } from "../../../../src/daemon/upload/upload.ts";
import { Connection } from "../../../../src/net/connection.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import { decodePayload } from "../../../../src/wire/codec.ts";
import { CHUNKS_CODE, type Message } from "../../../../src/wire/messages.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  leavesOf,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";
import { type Damage, damage } from "../../../support/rot.ts";
import { memoryPair } from "../../../support/memory_transport.ts";
import { testContext } from "../../../support/test_node.ts";

const BYTES = content(70 * CHUNK_BYTES + 5);
const CHUNKS = 71;

/** A requester that sees every frame. */
interface Requester {
  readonly connection: Connection;
  readonly upload: Upload;
  readonly store: ChunkStore;
  readonly root: Root;
  /** The next message, or the run and the bytes of the next CHUNKS. */
  next(): Promise<Message | { kind: "chunks"; first: number; data: Uint8Array }>;
  /** Resolves when the holder has ended it, with its reason. */
  readonly ended: Promise<Error | undefined>;
}

/** Runs `test` against an upload of a file that is there whole, or only in `parts`. */
async function serving(
  parts: readonly ChunkRange[] | "whole",
  test: (requester: Requester) => Promise<void>,
): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const root = rootOf(BYTES);
  if (parts === "whole") await addDownloaded(store, "f", BYTES);
  else {
    const download = store.beginDownload({ root, name: "f", sizeBytes: BYTES.length });
    giveLeaves(download, BYTES);
    for (const range of parts) giveChunks(download, BYTES, range);
  }
  const [near, far] = memoryPair({ bufferBytes: 64 * 1024 });
  const connection = new Connection(near), holder = new Connection(far);
  const upload = new Upload(testContext({ store }), holder, {
    root,
    name: "f",
    sizeBytes: BYTES.length,
    nodeId: "11".repeat(16) as NodeId,
    peer: "192.0.2.1:1",
  });
  const ended = upload.run().then(() => holder.reason);
  const next = async () => {
    const { code, payload } = await connection.receiveFrame();
    if (code !== CHUNKS_CODE) return decodePayload(code, payload);
    const first = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    return { kind: "chunks", first, data: payload.slice(4) } as const;
  };
  try {
    await test({ connection, upload, store, root, next, ended });
  } finally {
    connection.close();
    await ended;
  }
}

function request(first: number, count: number): Message {
  return { kind: "request", first, count };
}

function bytesOf(first: number, count: number): Uint8Array {
  return BYTES.subarray(first * CHUNK_BYTES, (first + count) * CHUNK_BYTES);
}

Deno.test("Upload answers requests in order, the last chunk with its real length", () =>
  serving("whole", async ({ connection, next, upload }) => {
    const runs = [[32, 32], [64, 7], [0, 1]] as const;
    for (const [first, count] of runs) connection.send(request(first, count));
    for (const [first, count] of runs) {
      assertEquals(await next(), { kind: "chunks", first, data: bytesOf(first, count) });
    }
    assertEquals(upload.bytesSent, 39 * CHUNK_BYTES + 5);
  }));

Deno.test("Upload gives leaves, however many were asked for in one go", () =>
  serving("whole", async ({ connection, next }) => {
    connection.send({ kind: "leaves-request", first: 0, count: CHUNKS });
    connection.send({ kind: "leaves-request", first: 70, count: 1 });
    const leaves = leavesOf(BYTES);
    assertEquals(await next(), { kind: "leaves", first: 0, hashes: leaves });
    assertEquals(await next(), { kind: "leaves", first: 70, hashes: leaves.subarray(70 * 32) });
  }));

Deno.test("Upload answers with right leaves, in order, though its layer is damaged again and again", () =>
  serving("whole", async ({ connection, store, root, next }) => {
    const sidecar = `${store.dataDir}/leaves/${root.slice(0, 2)}/${root}`;
    const leaves = leavesOf(BYTES);
    const damages: Damage[] = [{ kind: "byte", at: 40 }, { kind: "cut", from: 64 }, {
      kind: "gone",
    }];
    for (const damaged of damages) {
      damage(sidecar, damaged, { showsTime: true });
      connection.send({ kind: "leaves-request", first: 0, count: 70 });
      connection.send({ kind: "leaves-request", first: 70, count: 1 });
      assertEquals(await next(), { kind: "leaves", first: 0, hashes: leaves.subarray(0, 70 * 32) });
      assertEquals(await next(), { kind: "leaves", first: 70, hashes: leaves.subarray(70 * 32) });
    }
    assertEquals(store.isComplete(root), true);
  }));

Deno.test("Upload refuses leaves of a file whose layer and bytes are both damaged", () =>
  serving("whole", async ({ connection, store, root, next }) => {
    damage(store.definition(root)!.path, { kind: "byte", at: 5 });
    damage(`${store.dataDir}/leaves/${root.slice(0, 2)}/${root}`, { kind: "cut", from: 40 });
    const range = { first: 0, count: CHUNKS };
    connection.send({ kind: "leaves-request", ...range });
    assertEquals(await next(), { kind: "reject", range, rejection: "withdrawn" });
  }));

Deno.test("Upload of a part sends its bitfield first, and rejects what is not there", () =>
  serving([{ first: 8, count: 16 }, { first: 70, count: 1 }], async ({ connection, next }) => {
    connection.send(request(8, 16));
    const bits = new Uint8Array(9);
    bits.set([0xff, 0xff], 1);
    bits[8] = 0b0000_0010;
    assertEquals(await next(), { kind: "bitfield", firstByte: 0, bits });
    assertEquals(await next(), { kind: "chunks", first: 8, data: bytesOf(8, 16) });
    connection.send(request(7, 2));
    const range = { first: 7, count: 2 };
    assertEquals(await next(), { kind: "reject", range, rejection: "not-had" });
  }));

Deno.test("Upload tells what was gained in order and once, and serves it then", () =>
  serving([{ first: 0, count: 1 }], async ({ connection, upload, store, root, next }) => {
    assertEquals((await next()).kind, "bitfield");
    store.onChange((change) => {
      if (change.kind === "gained") upload.gained(change.range);
    });
    const download = store.download(root)!;
    for (const first of [50, 40, 41, 10]) giveChunks(download, BYTES, { first, count: 1 });
    upload.flushGained();
    const ranges = [{ first: 10, count: 1 }, { first: 40, count: 2 }, { first: 50, count: 1 }];
    assertEquals(await next(), { kind: "have", ranges });
    connection.send(request(40, 2));
    assertEquals(await next(), { kind: "chunks", first: 40, data: bytesOf(40, 2) });
    upload.flushGained();
    upload.withdraw("enough");
    assertEquals(await next(), { kind: "bye", reason: "enough" });
  }));

Deno.test("Upload splits what is more than one HAVE may carry", () =>
  serving("whole", async ({ upload, next }) => {
    for (let i = limits.haveRangesMax; i >= 0; i--) upload.gained({ first: 2 * i, count: 1 });
    upload.flushGained();
    const first = await next(), second = await next();
    assert(first.kind === "have" && second.kind === "have");
    assertEquals([first.ranges.length, second.ranges], [
      limits.haveRangesMax,
      [{ first: 2 * limits.haveRangesMax, count: 1 }],
    ]);
  }));

Deno.test("Upload rejects at once when the file cannot be read any more", () =>
  serving("whole", async ({ connection, store, root, next }) => {
    Deno.removeSync(store.definition(root)!.path);
    connection.send(request(0, 32));
    const range = { first: 0, count: 32 };
    assertEquals(await next(), { kind: "reject", range, rejection: "withdrawn" });
  }));

Deno.test("Upload drops a cancelled request that waits, and answers the others", () =>
  serving("whole", async ({ connection, next }) => {
    for (const first of [0, 32, 0]) connection.send(request(first, 32));
    connection.send(request(64, 7));
    connection.send({ kind: "cancel", first: 32, count: 32 });
    connection.send({ kind: "cancel", first: 1, count: 1 });
    for (const [first, count] of [[0, 32], [0, 32], [64, 7]] as const) {
      assertEquals(await next(), { kind: "chunks", first, data: bytesOf(first, count) });
    }
  }));

Deno.test("Upload rejects as busy what its queue cannot take", () =>
  serving("whole", async ({ connection, next }) => {
    const sent = limits.uploadQueueMax + 10;
    for (let i = 0; i < sent; i++) connection.send(request(i % CHUNKS, 1));
    let busy = 0;
    for (let i = 0; i < sent; i++) {
      const answer = await next();
      if (answer.kind === "reject") {
        assertEquals(answer.rejection, "busy");
        busy++;
      } else assertEquals(answer.kind, "chunks");
    }
    assert(busy > 0 && busy <= 10, `${busy} busy`);
  }));

Deno.test("Upload ends with a fault when a message has no place or names no such chunks", async () => {
  const wrong: Message[] = [
    request(CHUNKS, 1),
    request(0, 0),
    request(0, 33),
    request(0xffff_ffff, 2),
    { kind: "leaves-request", first: 70, count: 2 },
    { kind: "leaves-request", first: 0, count: limits.leavesPerFrameMax + 1 },
    { kind: "bad-chunk", first: CHUNKS, count: 1 },
    { kind: "have", ranges: [] },
    { kind: "ping", token: 1 },
    { kind: "want", root: rootOf(BYTES), searchOn: false },
  ];
  for (const message of wrong) {
    await serving("whole", async ({ connection, ended }) => {
      connection.send(message);
      const reason = await ended;
      assert(reason instanceof PeerFault, `${message.kind}: ${reason}`);
    });
  }
});

Deno.test("Upload ends when the requester says BYE", () =>
  serving("whole", async ({ connection, ended }) => {
    connection.send({ kind: "bye", reason: "the file is complete" });
    assertEquals(await ended, undefined);
  }));
