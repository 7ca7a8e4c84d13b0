// Whom a directory names of few holders, when many ask at once for a file that is worth sparing them.

import { assertEquals } from "@std/assert";
import { chunkCount } from "../../../../src/base/geometry.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import {
  type ProtectedSeeder,
  SeederProtection,
} from "../../../../src/core/directory/seeder_protection.ts";
import type { ClientKey } from "../../../../src/core/directory/directory_events.ts";
import { DirectoryFixture, fileOf, IDLE, nodeOf, type TestClient } from "../directory_fixture.ts";

const SIZE_BYTES = limits.protectBytesMin;
const FILE = fileOf(1, { sizeBytes: SIZE_BYTES });
const PART = fileOf(1, { sizeBytes: SIZE_BYTES, chunksHave: chunkCount(SIZE_BYTES) >> 1 });
/** Nodes that a holder with the default load serves before it is busy. */
const BUSY = Math.max(limits.protectUploadsMin, IDLE.uploadsMax / 8);

function holder(number: number, load: Partial<ProtectedSeeder["load"]> = {}): ProtectedSeeder {
  return { key: `10.0.0.${number} 5` as ClientKey, load: { ...IDLE, ...load }, loadMs: -1_000 };
}

/** An address with many clients. */
const BIG_HOST = "192.0.2.1";

function newSparing(): SeederProtection {
  return new SeederProtection((host) => host === BIG_HOST ? 1_000 : 0);
}

function to(number: number): { node: NodeId; host: string } {
  return { node: nodeOf(number), host: BIG_HOST };
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
    // Each node has an address of its own.
    asker: `2001:db8::${node.slice(-4)}`,
    askerNode: node,
  }, fixture.nowMs);
  if (!Array.isArray(answer)) throw new Error(answer.message);
  return answer.map(({ nodeId }) => nodeId);
}

Deno.test("SeederProtection.isBusy() is true from an eighth of the full load on, and not below four", () => {
  const protection = newSparing();
  const isBusyWith = (one: ProtectedSeeder, nodes: number) => {
    for (let i = 0; i < nodes; i++) protection.sent(one, to(i), 0);
    return protection.isBusy(one, 0);
  };
  assertEquals(isBusyWith(holder(1), 3), false);
  assertEquals(isBusyWith(holder(1), 4), true);
  assertEquals(isBusyWith(holder(2, { uploadsMax: 80 }), 9), false);
  assertEquals(isBusyWith(holder(2, { uploadsMax: 80 }), 10), true);
  assertEquals(isBusyWith(holder(3, { uploadsMax: 2 }), 1), false);
  assertEquals(isBusyWith(holder(3, { uploadsMax: 2 }), 2), true);
  assertEquals(protection.isBusy(holder(4, { uploads: 4 }), 0), true);
});

Deno.test("SeederProtection.sent() counts a node once, and forgets it after a while", () => {
  const protection = newSparing();
  const one = holder(1);
  for (let i = 0; i < 10; i++) protection.sent(one, to(1), i);
  assertEquals(protection.isBusy(one, 10), false);
  for (let i = 2; i <= 4; i++) protection.sent(one, to(i), 10);
  assertEquals(protection.isBusy(one, 10), true);
  assertEquals(protection.wasSent(one, nodeOf(1), 8 + limits.sentMs), true);
  assertEquals(protection.wasSent(one, nodeOf(1), 9 + limits.sentMs), false);
  assertEquals(protection.isBusy(one, 9 + limits.sentMs), false);
});

Deno.test("SeederProtection.sent() forgets those who were sent longest ago when there are too many", () => {
  const protection = newSparing();
  const one = holder(1);
  for (let i = 0; i <= limits.sentPerHolderMax + 1; i++) protection.sent(one, to(i), 0);
  assertEquals(protection.wasSent(one, nodeOf(0), 0), false);
  assertEquals(protection.wasSent(one, nodeOf(2), 0), true);
  const holders = Math.ceil(limits.sentMax / limits.sentPerHolderMax) + 1;
  for (let h = 2; h <= holders + 1; h++) {
    for (let i = 0; i < limits.sentPerHolderMax; i++) protection.sent(holder(h), to(i), 0);
  }
  assertEquals(protection.wasSent(one, nodeOf(2), 0), false);
  assertEquals(protection.wasSent(holder(holders + 1), nodeOf(2), 0), true);
});

Deno.test("SeederProtection.isBusy() is false again when a report says that those who were sent are done", () => {
  const protection = newSparing();
  const one = holder(1);
  for (let i = 0; i < BUSY; i++) protection.sent(one, to(i), 0);
  assertEquals(protection.isBusy(one, 400), true);
  assertEquals(protection.isBusy({ ...one, loadMs: limits.sentSettleMs - 1 }, 400), true);
  assertEquals(protection.isBusy({ ...one, loadMs: limits.sentSettleMs }, 400), false);
  assertEquals(protection.wasSent(one, nodeOf(0), 400), true);
});

Deno.test("SeederProtection.isReportWanted() is true half way to busy, unless there is a new one", () => {
  const protection = newSparing();
  const one = holder(1);
  const half = Math.ceil(BUSY / 2);
  for (let i = 0; i < half - 1; i++) protection.sent(one, to(i), 0);
  assertEquals(protection.isReportWanted(one, 0), false);
  protection.sent(one, to(half), 0);
  assertEquals(protection.isReportWanted(one, 0), true);
  const reported = { ...one, loadMs: -limits.loadAgeMs + 1 };
  assertEquals(protection.isReportWanted(reported, 0), false);
  const busy = { ...holder(2, { uploads: BUSY }), loadMs: 0 };
  assertEquals(protection.isReportWanted(busy, limits.loadAgeMs), true);
});

Deno.test("SeederProtection.sent() does not count more nodes of an address than it has clients", () => {
  const protection = newSparing();
  const one = holder(1);
  for (let i = 0; i < 3 * BUSY; i++) {
    protection.sent(one, { node: nodeOf(i), host: "198.51.100.7" }, 0);
  }
  assertEquals(protection.isBusy(one, 0), false);
  for (let i = 0; i < BUSY - limits.sentPerHostMin; i++) protection.sent(one, to(100 + i), 0);
  assertEquals(protection.isBusy(one, 0), true);
});

Deno.test("Directory.holders() spares a busy holder until the asker has waited", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  const late = nodeOf(500);
  assertEquals(named(fixture, late), []);
  fixture.nowMs += limits.protectMs - 1;
  assertEquals(named(fixture, late), []);
  fixture.nowMs += 1;
  assertEquals(named(fixture, late), [holder.nodeId]);
});

Deno.test("Directory asks a holder that seems to be busy for its load, and names it when it is idle", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  fixture.nowMs += limits.loadAgeMs;
  assertEquals(named(fixture, nodeOf(500)), []);
  const checks = fixture.tick().filter(({ kind }) => kind === "check");
  assertEquals(checks.map((effect) => "client" in effect ? effect.client : ""), [holder.key]);
  const { key: client, port } = holder;
  fixture.step({ kind: "checked", client, port, outcome: "proved", load: IDLE });
  assertEquals(named(fixture, nodeOf(500)), [holder.nodeId]);
});

Deno.test("Directory keeps a holder reachable that has no time to tell its load, but no newcomer", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  fixture.nowMs += limits.loadAgeMs;
  named(fixture, nodeOf(500));
  assertEquals(fixture.tick().filter(({ kind }) => kind === "check").length, 1);
  const newcomer = fixture.client(2);
  fixture.list(newcomer, []);
  for (const { key: client, port } of [holder, newcomer]) {
    fixture.step({ kind: "checked", client, port, outcome: "unknown" });
  }
  assertEquals(fixture.directory.status().clientsReachable, 1);
  const dead = { kind: "checked", client: holder.key, port: holder.port } as const;
  fixture.nowMs += limits.loadAgeMs;
  named(fixture, nodeOf(501));
  fixture.tick();
  fixture.step({ ...dead, outcome: "unreachable" });
  assertEquals(fixture.directory.status().clientsReachable, 0);
});

Deno.test("Directory does not take a holder for busy because one address makes up nodes", () => {
  const { fixture, holder } = rush({ sent: 0 });
  for (let i = 0; i < 3 * BUSY; i++) {
    fixture.directory.holders({
      sought: { by: "root", value: FILE.file.root },
      max: limits.directoryHoldersAsked,
      asker: "198.51.100.7",
      askerNode: nodeOf(1_000 + i),
    }, fixture.nowMs);
  }
  assertEquals(named(fixture, nodeOf(500)), [holder.nodeId]);
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
  fixture.nowMs += limits.protectMs;
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
  fixture.nowMs += limits.protectBegunMs;
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

Deno.test("Directory.holders() names a busy holder to those who want to know all of them", () => {
  const { fixture, holder } = rush({ sent: BUSY });
  assertEquals(named(fixture, nodeOf(500), limits.directoryHoldersAsked + 1), [holder.nodeId]);
});

Deno.test("Directory.holders() spares nobody for a small file, or with balancing off", () => {
  const small = fileOf(1, { sizeBytes: limits.protectBytesMin - 1 });
  for (const options of [{ file: small }, { replicas: 0 }]) {
    const { fixture, holder } = rush({ sent: 2 * BUSY, ...options });
    assertEquals(named(fixture, nodeOf(500)), [holder.nodeId]);
  }
});

Deno.test("Directory.holders() spares nobody when more nodes ask than it remembers", () => {
  const { fixture, holder } = rush({ sent: limits.demandAskersMax });
  assertEquals(named(fixture, nodeOf(999)), [holder.nodeId]);
});
