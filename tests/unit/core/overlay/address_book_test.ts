import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { AddressBook } from "../../../../src/core/overlay/address_book.ts";

const A = "a".repeat(32) as NodeId;

function book(sizeMax?: number): AddressBook {
  const random = seededRandom(1);
  return new AddressBook(sizeMax === undefined ? { random } : { random, sizeMax });
}

Deno.test("AddressBook.failed() waits 1 s to 30 s for a pinned address, 300 s for another", () => {
  const addresses = book();
  addresses.pin("10.0.0.1", 1);
  const pinned = addresses.get("10.0.0.1", 1)!;
  for (const seconds of [1, 2, 4, 8, 16, 30, 30, 30]) {
    addresses.failed(pinned, 5_000);
    assertLessOrEqual(pinned.dialAtMs - 5_000, seconds * 1_000);
    assertGreaterOrEqual(pinned.dialAtMs - 5_000, seconds * 750);
  }
  addresses.ended(pinned, 5_000);
  assertLessOrEqual(pinned.dialAtMs, 6_000);
  const learned = addresses.add("10.0.0.2", 1)!;
  addresses.failed(learned, 5_000);
  assertGreaterOrEqual(learned.dialAtMs - 5_000, 0.75 * limits.backoffMs);
  assertLessOrEqual(learned.dialAtMs - 5_000, limits.backoffMs);
});

Deno.test("AddressBook.add() gives up hearsay first, then the oldest, and never a pinned one", () => {
  const addresses = book(4);
  addresses.pin("10.0.0.1", 1);
  for (const host of ["10.0.0.2", "10.0.0.3"]) addresses.met(addresses.add(host, 1)!, A);
  addresses.add("10.0.0.4", 1);
  const has = () => [1, 2, 3, 4, 5, 6, 7].filter((n) => addresses.get(`10.0.0.${n}`, 1));
  addresses.met(addresses.add("10.0.0.5", 1)!, A);
  assertEquals(has(), [1, 2, 3, 5], "the hearsay went");
  addresses.add("10.0.0.6", 1);
  assertEquals(has(), [1, 3, 5, 6], "the oldest went");
  for (const host of ["10.0.0.3", "10.0.0.5", "10.0.0.6"]) addresses.pin(host, 1);
  assertEquals(addresses.add("10.0.0.7", 1), undefined);
  assertEquals(has(), [1, 3, 5, 6]);
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
