import { assert, assertEquals, assertThrows } from "@std/assert";
import { EnvironmentError, PeerFault } from "../../../../src/base/errors.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { HandleCache } from "../../../../src/store/files/handle_cache.ts";
import { ProvenLayers } from "../../../../src/store/hashing/proven_layers.ts";
import { LeafLayer, LeafLayerWriter } from "../../../../src/store/hashing/leaf_layer.ts";
import { naiveRoot, TempDir } from "../store_fixture.ts";

function setUp(count: number) {
  const dir = new TempDir();
  const handles = new HandleCache(8);
  const leaves = seededRandom(count).bytes(count * 32);
  const storedFile = { root: naiveRoot(leaves), chunks: count, path: dir.join("leaves") };
  return {
    handles,
    leaves,
    storedFile,
    writer: new LeafLayerWriter(
      new LeafLayer(storedFile, { handles, proven: new ProvenLayers() }),
      handles,
    ),
    layer: new LeafLayer(storedFile, { handles, proven: new ProvenLayers() }),
    [Symbol.dispose]() {
      handles.close();
      dir[Symbol.dispose]();
    },
  };
}

Deno.test("finish() keeps a layer that came in portions and belongs to the root", () => {
  using t = setUp(1000);
  t.writer.add(0, t.leaves.subarray(0, 700 * 32));
  assertEquals(t.writer.next, 700);
  t.writer.add(700, t.leaves.subarray(700 * 32));
  t.writer.finish();
  const read = new Uint8Array(5 + 1000 * 32);
  assertEquals(t.layer.read({ first: 0, count: 1000 }, read, 5), 32_000);
  assertEquals(read.subarray(5), t.leaves);
  assert(t.layer.isSoundNow());
});

Deno.test("finish() throws bad-data and starts over when one bit differs", () => {
  using t = setUp(100);
  const wrong = t.leaves.slice();
  wrong[1234]! ^= 1;
  t.writer.add(0, wrong);
  const fault = assertThrows(() => t.writer.finish(), PeerFault, "does not belong to root");
  assertEquals(fault.code, "bad-data");
  assertEquals(t.writer.next, 0);
  assertThrows(() => Deno.statSync(t.storedFile.path), Deno.errors.NotFound);
  t.writer.add(0, t.leaves);
  t.writer.finish();
  assert(t.layer.isSound());
});

Deno.test("finish() throws bad-data when padding is given as leaves", () => {
  using t = setUp(5);
  const storedFile = { ...t.storedFile, chunks: 7 };
  const writer = new LeafLayerWriter(
    new LeafLayer(storedFile, { handles: t.handles, proven: new ProvenLayers() }),
    t.handles,
  );
  writer.add(0, t.leaves);
  writer.add(5, new Uint8Array(2 * 32));
  const fault = assertThrows(() => writer.finish(), PeerFault, "leaf 6 is padding");
  assertEquals(fault.code, "bad-data");
  assertEquals(writer.next, 0);
});

Deno.test("finish() throws bad-data when leaves are missing", () => {
  using t = setUp(100);
  t.writer.add(0, t.leaves.subarray(0, 99 * 32));
  assertThrows(() => t.writer.finish(), PeerFault, "99 of 100");
});

Deno.test("add() refuses leaves out of order, past the end, or cut", () => {
  using t = setUp(10);
  t.writer.add(0, t.leaves.subarray(0, 160));
  const cases: [number, Uint8Array, string][] = [
    [6, t.leaves.subarray(0, 32), "unexpected"],
    [0, t.leaves.subarray(0, 32), "unexpected"],
    [5, t.leaves.subarray(0, 6 * 32), "oversized"],
    [5, t.leaves.subarray(0, 33), "malformed"],
    [5, new Uint8Array(0), "malformed"],
  ];
  for (const [first, bytes, code] of cases) {
    assertEquals(assertThrows(() => t.writer.add(first, bytes), PeerFault).code, code);
  }
  t.writer.add(5, t.leaves.subarray(160));
  t.writer.finish();
});

Deno.test("hexOf() gives 64 digits for each leaf of the range", () => {
  using t = setUp(50);
  t.writer.add(0, t.leaves);
  t.writer.finish();
  assertEquals(t.layer.hexOf({ first: 7, count: 32 }), t.leaves.subarray(7 * 32, 39 * 32).toHex());
  assertThrows(() => t.layer.hexOf({ first: 49, count: 2 }), RangeError);
  assertThrows(() => t.layer.hexOf({ first: 0, count: 2049 }), RangeError);
});

Deno.test("hexOf() is the root for a file of one chunk, without a sidecar", () => {
  using dir = new TempDir();
  using handles = new HandleCache(2);
  const root = "ab".repeat(32) as Root;
  const layer = new LeafLayer({ root, chunks: 1, path: dir.join("none") }, {
    handles,
    proven: new ProvenLayers(),
  });
  assertEquals(layer.hexOf({ first: 0, count: 1 }), root);
  assertEquals(handles.size, 0);
});

Deno.test("read() throws corrupt when the sidecar holds other leaves or is cut off", () => {
  for (const damage of ["zeros", "short"]) {
    using t = setUp(100);
    t.writer.add(0, t.leaves);
    t.writer.finish();
    Deno.writeFileSync(t.storedFile.path, new Uint8Array(damage === "zeros" ? 3200 : 3000));
    const error = assertThrows(
      () => t.layer.read({ first: 0, count: 1 }, new Uint8Array(32)),
      EnvironmentError,
    );
    assertEquals(error.code, "corrupt");
  }
});

Deno.test("isSound() is false when a large layer rotted on the disk", async () => {
  using t = setUp(5000);
  t.writer.add(0, t.leaves);
  t.writer.finish();
  assert(t.layer.isSound());
  const rotten = t.leaves.slice();
  rotten[4999 * 32]! ^= 0x40;
  Deno.writeFileSync(t.storedFile.path, rotten);
  assert(!await t.layer.isSound());
  assert(!t.layer.isSoundNow());
});
