import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Hasher } from "../../../../src/store/hashing/hasher.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { content, leavesOf, rootOf, TempDir } from "../store_fixture.ts";

function setUp() {
  const dir = new TempDir();
  Deno.mkdirSync(dir.join("leaves"));
  const clock = new ManualClock();
  const hasher = new Hasher(clock);
  return {
    dir,
    hasher,
    clock,
    hash: (path: string, options: { signal?: AbortSignal } = {}) =>
      hasher.hash({ path, leavesPath: dir.join("leaves") }, options),
    [Symbol.dispose]() {
      hasher.close();
      dir[Symbol.dispose]();
    },
  };
}

Deno.test("hash() gives the root and leaves the leaf layer in its sidecar", async () => {
  using t = setUp();
  // 70 MiB and a bit: more than one portion of leaves, and flushed to the disk.
  for (const size of [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 33 * CHUNK_BYTES, 70 * 2 ** 20 + 5]) {
    const bytes = content(size);
    const file = await t.hash(t.dir.write("f", bytes));
    const root = rootOf(bytes);
    assertEquals([file.root, file.sizeBytes, file.mtimeMs], [root, size, 1_700_000_000_000]);
    const sidecar = t.dir.join(`leaves/${root.slice(0, 2)}/${root}`);
    if (size > CHUNK_BYTES) assertEquals(Deno.readFileSync(sidecar), leavesOf(bytes));
    else assertEquals([...Deno.readDirSync(t.dir.join("leaves"))].length, 0);
  }
});

Deno.test("sha256() gives the SHA-256 of the whole file", async () => {
  using t = setUp();
  const bytes = content(40 * CHUNK_BYTES + 3);
  const { sha256, sizeBytes } = await t.hasher.sha256({ path: t.dir.write("f", bytes) });
  assertEquals(sha256, createHash("sha256").update(bytes).digest("hex"));
  assertEquals(sizeBytes, bytes.length);
});

Deno.test("hash() rejects with what failed and goes on with the next file", async () => {
  using t = setUp();
  const good = t.dir.write("good", content(100));
  const [missing, directory, file] = await Promise.allSettled([
    t.hash(t.dir.join("missing")),
    t.hash(t.dir.path),
    t.hash(good),
  ]);
  assert(missing.status === "rejected" && missing.reason instanceof EnvironmentError);
  assertEquals(missing.reason.code, "not-found");
  assert(directory.status === "rejected" && directory.reason instanceof EnvironmentError);
  assert(directory.reason.message.includes("not a regular file"));
  assert(file.status === "fulfilled" && file.value.root === rootOf(content(100)));
});

Deno.test("hash() ends at once when its signal aborts, and others still get their hash", async () => {
  using t = setUp();
  const big = t.dir.join("big");
  await Deno.create(big).then((file) => file.close());
  // Sparse; so long that it cannot be done before the signal.
  Deno.truncateSync(big, 64 * 2 ** 30);
  const small = t.dir.write("small", content(5));
  const abort = new AbortController();
  const aborted = t.hash(big, { signal: abort.signal });
  const waiting = t.hash(small);
  abort.abort(new DOMException("enough", "AbortError"));
  await assertRejects(() => aborted, DOMException, "enough");
  assertEquals((await waiting).root, rootOf(content(5)));
  await assertRejects(() => t.hash(small, { signal: abort.signal }), DOMException, "enough");
});

Deno.test("close() ends the worker and gives up what waits", async () => {
  using t = setUp();
  const path = t.dir.write("f", content(5));
  await t.hash(path);
  assert(t.hasher.isRunning);
  const given = Array.from({ length: 20 }, () => t.hash(path));
  t.hasher.close();
  assertEquals(t.hasher.isRunning, false);
  for (const result of await Promise.allSettled(given)) assertEquals(result.status, "rejected");
  await assertRejects(() => t.hash(path), DOMException);
});

Deno.test("the worker ends when it has had nothing to do for a while, and comes back", async () => {
  using t = setUp();
  const path = t.dir.write("f", content(5));
  await t.hash(path);
  await t.clock.advance(limits.hashWorkerIdleMs - 1);
  await t.hash(path);
  await t.clock.advance(limits.hashWorkerIdleMs - 1);
  assertEquals(t.hasher.isRunning, true);
  await t.clock.advance(1);
  assertEquals(t.hasher.isRunning, false);
  assertEquals((await t.hash(path)).root, rootOf(content(5)));
});
