// Whom a directory names of few holders, when many ask at once for a file that is worth sparing them.

import { assertEquals } from "@std/assert";
import { chunkCount } from "../../../src/base/geometry.ts";
import type { NodeId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { type Spared, Sparing } from "../../../src/core/sparing.ts";
import type { ClientKey } from "../../../src/core/directory_events.ts";
import { DirectoryFixture, fileOf, IDLE, nodeOf, type TestClient } from "./directory_fixture.ts";

const SIZE_BYTES = limits.spareBytesMin;
const FILE = fileOf(1, { sizeBytes: SIZE_BYTES });
const PART = fileOf(1, { sizeBytes: SIZE_BYTES, chunksHave: chunkCount(SIZE_BYTES) >> 1 });
/** Nodes that a holder with the default load serves before it is busy. */
const BUSY = Math.max(limits.spareUploadsMin, IDLE.uploadsMax / 8);

function holder(number: number, load: Partial<Spared["load"]> = {}): Spared {
  return { key: `10.0.0.${number} 5` as ClientKey, load: { ...IDLE, ...load } };
}

/** A directory with one holder of the file that can be dialled, and `sent` nodes sent to it. */
function rush(options: {
  readonly sent: number;
  readonly file?: typeof FILE;
  readonly replicas?: number;
}): { fixture: DirectoryFixture; holder: TestClient } {
  const { sent, file = FILE, replicas = 3 } = options;
  const fixture = new DirectoryFixture({ replicas });
  const holder = fixture.client(1);
  fixture.list(holder, [file]);
  fixture.checked(holder, "proved");
  for (let i = 0; i < sent; i++) named(fixture, nodeOf(100 + i));
  return { fixture, holder };
}

/** The nodes that are named to one that is about to fetch the file. */
function named(
  fixture: DirectoryFixture,
  node: NodeId,
  max: number = limits.directoryHoldersAsked,
) {
  const answer = fixture.directory.holders({
    sought: { by: "root", value: FILE.file.root },
    max,
    asker: "192.0.2.1",
    askerNode: node,
  }, fixture.nowMs);
  if (!Array.isArray(answer)) throw new Error(answer.message);
  return answer.map(({ nodeId }) => nodeId);
}

Deno.test("Sparing.isBusy() is true from an eighth of the full load on, and not below four", () => {
  const sparing = new Sparing();
  const isBusyWith = (one: Spared, nodes: number) => {
    for (let i = 0; i < nodes; i++) sparing.sent(one, nodeOf(i), 0);
    return sparing.isBusy(one, 0);
  };
  assertEquals(isBusyWith(holder(1), 3), false);
  assertEquals(isBusyWith(holder(1), 4), true);
  assertEquals(isBusyWith(holder(2, { uploadsMax: 80 }), 9), false);
  assertEquals(isBusyWith(holder(2, { uploadsMax: 80 }), 10), true);
  assertEquals(isBusyWith(holder(3, { uploadsMax: 2 }), 1), false);
  assertEquals(isBusyWith(holder(3, { uploadsMax: 2 }), 2), true);
  assertEquals(sparing.isBusy(holder(4, { uploads: 4 }), 0), true);
});

Deno.test("Sparing.sent() counts a node once, and forgets it after a while", () => {
  const sparing = new Sparing();
  const one = holder(1);
  for (let i = 0; i < 10; i++) sparing.sent(one, nodeOf(1), i);
  assertEquals(sparing.isBusy(one, 10), false);
  for (let i = 2; i <= 4; i++) sparing.sent(one, nodeOf(i), 10);
  assertEquals(sparing.isBusy(one, 10), true);
  assertEquals(sparing.wasSent(one, nodeOf(1), 8 + limits.sentMs), true);
  assertEquals(sparing.wasSent(one, nodeOf(1), 9 + limits.sentMs), false);
  assertEquals(sparing.isBusy(one, 9 + limits.sentMs), false);
});

Deno.test("Sparing.sent() forgets whoever was sent longest ago when there are too many", () => {
  const sparing = new Sparing();
  const one = holder(1);
  for (let i = 0; i <= limits.sentMax; i++) sparing.sent(one, nodeOf(i), 0);
  assertEquals(sparing.wasSent(one, nodeOf(0), 0), false);
  assertEquals(sparing.wasSent(one, nodeOf(1), 0), true);
});

Deno.test("Directory.holders() spares a busy holder until the asker has waited", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  const late = nodeOf(500);
  assertEquals(named(fixture, late), []);
  fixture.nowMs += limits.spareMs - 1;
  assertEquals(named(fixture, late), []);
  fixture.nowMs += 1;
  assertEquals(named(fixture, late), [holder.nodeId]);
});

Deno.test("Directory.holders() names a busy holder again to whom it was named before", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  assertEquals(named(fixture, nodeOf(100)), [holder.nodeId]);
});

Deno.test("Directory.holders() names those who have a part in the stead of a busy holder", () => {
  const { fixture } = rush({ sent: BUSY });
  const begun = fixture.client(2);
  fixture.list(begun, [PART]);
  fixture.checked(begun, "proved");
  const late = fixture.client(3);
  assertEquals(named(fixture, late.nodeId), [begun.nodeId]);
  // Once it has a part itself, the others do for as long as there are any.
  fixture.list(late, [PART]);
  fixture.nowMs += limits.spareMs;
  assertEquals(named(fixture, late.nodeId), [begun.nodeId]);
});

Deno.test("Directory.holders() names a busy holder in the end to one who has begun elsewhere", () => {
  const { fixture, holder } = rush({ sent: 0 });
  fixture.list({ ...holder, load: { ...IDLE, uploads: BUSY }, sequence: 10 }, [FILE]);
  const begun = fixture.client(2);
  fixture.list(begun, [PART]);
  fixture.checked(begun, "proved");
  const late = fixture.client(3);
  fixture.list(late, [PART]);
  assertEquals(named(fixture, late.nodeId), [begun.nodeId]);
  // Those who have a part may lack the rest, or claim what they do not give.
  fixture.nowMs += limits.spareBegunMs;
  assertEquals(named(fixture, late.nodeId).sort(), [holder.nodeId, begun.nodeId].sort());
});

Deno.test("Directory.holders() names a busy holder to the client that is to take a copy", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  const willing = fixture.client(3, { load: { acceptBytes: 2 * SIZE_BYTES } });
  fixture.list(willing, []);
  fixture.checked(willing, "proved");
  fixture.tick();
  assertEquals(fixture.directory.uploadsPending, 1);
  assertEquals(named(fixture, willing.nodeId), [holder.nodeId]);
});

Deno.test("Directory.holders() names a busy holder to whoever wants to know all of them", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  assertEquals(named(fixture, nodeOf(500), limits.directoryHoldersAsked + 1), [holder.nodeId]);
});

Deno.test("Directory.holders() spares nobody for a small file, or with balancing off", () => {
  const small = fileOf(1, { sizeBytes: limits.spareBytesMin - 1 });
  for (const options of [{ file: small }, { replicas: 0 }]) {
    const { fixture, holder } = rush({ sent: 2 * BUSY, ...options });
    assertEquals(named(fixture, nodeOf(500)), [holder.nodeId]);
  }
});

Deno.test("Directory.holders() spares nobody when more nodes ask than it remembers", () => {
  const { fixture, holder } = rush({ sent: limits.demandAskersMax });
  assertEquals(named(fixture, nodeOf(999)), [holder.nodeId]);
});
