/** Whether bytes that are here are those of a mirror, however they are cut into pieces. */

import { assertEquals, assertRejects } from "@std/assert";
import { FetchFailure } from "../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../src/base/geometry.ts";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { chunksOf, differenceOf, withHeadCheck } from "../../../src/http/head_check.ts";
import type { FetchEvent } from "../../../src/wire/fetching.ts";
import { requestFor } from "../../support/fetch_request.ts";
import { FileServer, noAbort } from "../net/mirror_fixture.ts";
import { content, TempDir } from "../store/store_fixture.ts";

/** Bytes in pieces of this length. */
function pieces(bytes: Uint8Array, length: number, sizeBytes: number | null = bytes.length) {
  let at = 0;
  return {
    sizeBytes,
    read: () => Promise.resolve(at < bytes.length ? bytes.subarray(at, at += length) : null),
  };
}

Deno.test("differenceOf() finds none whatever the pieces are", async () => {
  const bytes = content(1_000);
  for (const [ours, theirs] of [[1, 1_000], [7, 13], [1_000, 3], [999, 999]] as const) {
    assertEquals(await differenceOf(pieces(bytes, ours), pieces(bytes, theirs, null)), undefined);
  }
  assertEquals(await differenceOf(pieces(bytes, 9, 5_000), pieces(bytes, 4, 5_000)), undefined);
});

Deno.test("differenceOf() tells what differs first", async () => {
  const bytes = content(1_000);
  const wrong = bytes.slice();
  wrong[777]! ^= 1;
  const ours = () => pieces(bytes, 100);
  assertEquals(await differenceOf(ours(), pieces(wrong, 30)), { kind: "byte", at: 777 });
  assertEquals(await differenceOf(ours(), pieces(bytes, 30, 1_001)), { kind: "size" });
  const first = bytes.subarray(0, 999);
  assertEquals(await differenceOf(ours(), pieces(first, 30, null)), { kind: "shorter" });
  const empty = pieces(bytes.subarray(0, 0), 1);
  assertEquals(await differenceOf(empty, pieces(bytes, 30, null)), { kind: "longer" });
});

Deno.test("chunksOf() reads all chunks of a range", async () => {
  const bytes = content((limits.requestChunksMax + 3) * CHUNK_BYTES + 5);
  const reader = {
    sizeBytes: bytes.length,
    readRun({ first, count }: ChunkRange, target: Uint8Array): number {
      const part = bytes.subarray(first * CHUNK_BYTES, (first + count) * CHUNK_BYTES);
      target.set(part);
      return part.length;
    },
  };
  const chunks = chunksOf(reader, { first: 1, count: limits.requestChunksMax + 3 });
  const wanted = pieces(bytes.subarray(CHUNK_BYTES), 10_000, bytes.length);
  assertEquals(await differenceOf(chunks, wanted), undefined);
});

/** What a fetch that peers gave this file ends with, where the server has another or the same. */
async function checked(here: Uint8Array, there: Uint8Array<ArrayBuffer>): Promise<string[]> {
  using dir = new TempDir();
  await using server = new FileServer(there);
  const path = dir.join("file");
  await Deno.writeFile(path, here);
  const done = { kind: "done", sizeBytes: here.length, sources: [{}] } as unknown as FetchEvent;
  const kinds: string[] = [];
  const events = withHeadCheck(ReadableStream.from([done]), {
    request: requestFor("file"),
    url: new URL(server.url()),
    path,
    log: silentLogger,
    signal: noAbort(),
  });
  for await (const { kind } of events) kinds.push(kind);
  return kinds;
}

Deno.test("withHeadCheck() lets a file pass that begins as the one at its URL, and no other", async () => {
  const bytes = content(200_000);
  const wrong = bytes.slice();
  wrong[9]! ^= 1;
  assertEquals(await checked(bytes, bytes), ["done"]);
  for (const other of [wrong, bytes.slice(0, 199_999), content(200_001)]) {
    const error = await assertRejects(() => checked(bytes, other), FetchFailure);
    assertEquals(error.exit, "checkFailed");
  }
});
