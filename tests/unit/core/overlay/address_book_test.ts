import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { Counts } from "../../../../src/base/counts.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { AddressBook, type KnownAddress } from "../../../../src/core/overlay/address_book.ts";

const A = "a".repeat(32) as NodeId;

function book(sizeMax?: number): AddressBook {
  const random = seededRandom(1);
  return new AddressBook(sizeMax === undefined ? { random } : { random, sizeMax });
}

/** Asserts how long an address waits after each failure in a row. */
function assertWaits(
  addresses: AddressBook,
  entry: KnownAddress,
  { seconds, nowMs = 5_000, isCutOff = false }: {
    readonly seconds: readonly number[];
    readonly nowMs?: number;
    readonly isCutOff?: boolean;
  },
): void {
  for (const waits of seconds) {
    addresses.failed(entry, nowMs, { isCutOff });
    assertLessOrEqual(entry.dialAtMs - nowMs, waits * 1_000);
    assertGreaterOrEqual(entry.dialAtMs - nowMs, waits * 750);
  }
}

Deno.test("AddressBook.failed() waits 1 s to 20 s where a person said or a node was met", () => {
  const addresses = book();
  addresses.pin("10.0.0.1", 1);
  const pinned = addresses.get("10.0.0.1", 1)!;
  assertWaits(addresses, pinned, { seconds: [1, 2, 4, 8, 16, 20, 20, 20] });
  addresses.ended(pinned, 5_000);
  assertLessOrEqual(pinned.dialAtMs, 6_000);
  const met = addresses.add("10.0.0.2", 1)!;
  addresses.met(met, A, 0);
  assertWaits(addresses, met, { seconds: [1, 2, 4, 8, 16, 20, 20] });
  const nowMs = limits.metRecentlyMs;
  assertWaits(addresses, met, { seconds: [128, 256, 300], nowMs });
});

Deno.test("AddressBook.failed() waits up to 300 s for hearsay, less while there is no link", () => {
  const addresses = book();
  const learned = addresses.add("10.0.0.2", 1)!;
  assertWaits(addresses, learned, { seconds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] });
  assertWaits(addresses, learned, { seconds: [20, 20], isCutOff: true });
});

Deno.test("AddressBook.startOver() has all that failed be tried within a second", () => {
  const addresses = book();
  const [one, cause] = [addresses.add("10.0.0.2", 1)!, addresses.add("10.0.0.3", 1)!];
  assertWaits(addresses, one, { seconds: [1, 2, 4, 8, 16, 32] });
  assertWaits(addresses, cause, { seconds: [1, 2, 4] });
  addresses.startOver(5_000, [cause]);
  assertLessOrEqual(one.dialAtMs, 6_000);
  assertWaits(addresses, one, { seconds: [1] });
  assertWaits(addresses, cause, { seconds: [8] });
});

Deno.test("AddressBook.lastMet() gives whom it met, the last first, few of one host", () => {
  const addresses = book();
  addresses.add("10.0.0.9", 1);
  for (const [at, host] of ["10.0.0.1", "10.0.0.2", "127.0.0.1"].entries()) {
    for (let port = 1; port <= 20; port++) addresses.met(addresses.add(host, port)!, A, 100 * at);
  }
  const counts = new Counts<string>();
  for (const { host } of addresses.lastMet(30)) counts.add(host, 1);
  const share = limits.knownNodesPerHostMax;
  assertEquals(["127.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.9"].map((one) => counts.of(one)), [
    ...[20, share, 30 - 20 - share, 0],
  ]);
});

Deno.test("AddressBook.add() gives up hearsay first, then whom it met longest ago", () => {
  const addresses = book(4);
  addresses.pin("10.0.0.1", 1);
  for (const n of [2, 3]) addresses.met(addresses.add(`10.0.0.${n}`, 1)!, A, n);
  addresses.add("10.0.0.4", 1);
  const has = () => [1, 2, 3, 4, 5, 6, 7].filter((n) => addresses.get(`10.0.0.${n}`, 1));
  addresses.met(addresses.add("10.0.0.5", 1)!, A, 5);
  assertEquals(has(), [1, 2, 3, 5], "the hearsay went");
  addresses.failed(addresses.get("10.0.0.5", 1)!, 6);
  addresses.met(addresses.get("10.0.0.2", 1)!, A, 7);
  addresses.add("10.0.0.6", 1);
  assertEquals(has(), [1, 2, 5, 6], "the one met longest ago went");
  for (const host of ["10.0.0.2", "10.0.0.5", "10.0.0.6"]) addresses.pin(host, 1);
  assertEquals(addresses.add("10.0.0.7", 1), undefined);
  assertEquals(has(), [1, 2, 5, 6]);
});

Deno.test("AddressBook.add() keeps to its bound when gossip brings ten times as many", () => {
  const addresses = book();
  addresses.pin("10.0.0.1", 1);
  for (let i = 0; i < 10 * limits.addressesMax; i++) addresses.add(`10.1.${i >> 8}.${i & 255}`, 1);
  assertEquals(addresses.size, limits.addressesMax);
  assert(addresses.get("10.0.0.1", 1)?.isPinned);
});

Deno.test("AddressBook.pick() takes each that fits about as often", () => {
  const addresses = book();
  for (let i = 0; i < 10; i++) addresses.add(`10.0.0.${i}`, 1);
  const times = new Map<string, number>();
  for (let i = 0; i < 2_000; i++) {
    const picked = addresses.pick(2, (entry) => entry.host !== "10.0.0.0");
    assertEquals(new Set(picked).size, 2);
    for (const { host } of picked) times.set(host, (times.get(host) ?? 0) + 1);
  }
  assertEquals(times.size, 9);
  // Each is expected 444 times; six standard deviations are 112.
  for (const [host, count] of times) assertLessOrEqual(Math.abs(count - 444), 112, host);
});

Deno.test("AddressBook.pickOfLan() gives what hosts said of themselves first, and of each what failed least", () => {
  const addresses = book();
  const add = (host: string, port: number, namedOnLan: "itself" | "other") =>
    addresses.add(host, port, { namedOnLan })!;
  const all = () => addresses.pickOfLan(10, () => true).map(({ host, port }) => `${host}:${port}`);
  add("10.0.0.2", 1, "other");
  const failed = add("10.0.0.2", 2, "itself");
  addresses.failed(failed, 0);
  add("10.0.0.2", 3, "itself");
  addresses.failed(add("10.0.0.3", 1, "itself"), 0);
  addresses.add("10.0.0.4", 1);
  assertEquals(all().slice(2), ["10.0.0.2:2", "10.0.0.2:1"]);
  assertEquals(all().slice(0, 2).toSorted(), ["10.0.0.2:3", "10.0.0.3:1"]);
  assertEquals(addresses.pickOfLan(1, ({ port }) => port === 1)[0]!.host, "10.0.0.3");
  // The host says so too, and then another node.
  add("10.0.0.2", 1, "itself");
  assertEquals(all().slice(2), ["10.0.0.2:1", "10.0.0.2:2"]);
  addresses.add("10.0.0.2", 3);
  add("10.0.0.2", 3, "other");
  assertEquals(all().includes("10.0.0.2:3"), false);
});

Deno.test("AddressBook.add() bounds what the LAN alone names, of one host and in all, and keeps the rest", () => {
  const addresses = book();
  addresses.add("10.0.0.2", 1);
  const good = addresses.add("10.0.0.2", 2, { namedOnLan: "itself" })!;
  for (let port = 10; port < 1_000; port++) {
    addresses.add("10.0.0.2", port, { namedOnLan: "other" });
  }
  assertEquals(addresses.size, 1 + limits.lanDialsPerHostMax);
  assertEquals(addresses.get("10.0.0.2", 2), good);
  for (let i = 0; i < 2_000; i++) {
    const dialled = addresses.add(`10.1.${i >> 8}.${i & 255}`, 1, { namedOnLan: "other" })!;
    if (i === 0) dialled.isDialled = true;
  }
  assertEquals(addresses.size, 2 + limits.lanAddressesKnownMax);
  for (const [host, port] of [["10.0.0.2", 1], ["10.0.0.2", 2], ["10.1.0.0", 1]] as const) {
    assert(addresses.get(host, port) !== undefined, host);
  }
});
