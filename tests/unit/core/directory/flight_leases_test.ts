/** Who has a file in flight, as a directory keeps it, and whom it names. */

import { assert, assertEquals } from "@std/assert";
import type { FlightId, NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { FlightLeases, type LeasedFellows } from "../../../../src/core/directory/flight_leases.ts";

const FLIGHT = "f1".repeat(32) as FlightId;
const LEASE_MS = limits.flightLeaseMs;

type Question = Parameters<FlightLeases["take"]>[0];

function leasesOf(seed = 1): FlightLeases {
  return new FlightLeases(seededRandom(seed));
}

function node(number: number): NodeId {
  return number.toString(16).padStart(32, "0") as NodeId;
}

/** What the node of a number says of a file; by default that it has it in flight. */
function question(number: number, fields: Partial<Question> = {}): Question {
  return {
    flight: FLIGHT,
    sizeBytes: 1_000,
    nodeId: node(number),
    host: `192.0.2.${number % 250}`,
    port: 8_048,
    leaseMs: LEASE_MS,
    canBeDialled: true,
    ...fields,
  };
}

function named({ fellows }: LeasedFellows): number[] {
  return fellows.map(({ nodeId }) => Number.parseInt(nodeId, 16));
}

Deno.test("FlightLeases.take() names those that came before, where they are, and never the asker", () => {
  const leases = leasesOf();
  assertEquals(leases.take(question(1), 0), { count: 0, fellows: [] });
  assertEquals(leases.take(question(2, { port: 9 }), 10), {
    count: 1,
    fellows: [{ nodeId: node(1), host: "192.0.2.1", port: 8_048 }],
  });
  assertEquals(named(leases.take(question(3), 20)), [1, 2]);
  // A renewal is answered with those that came since.
  assertEquals(leases.take(question(1), 1_000), {
    count: 2,
    fellows: [
      { nodeId: node(2), host: "192.0.2.2", port: 9 },
      { nodeId: node(3), host: "192.0.2.3", port: 8_048 },
    ],
  });
  // The same node at another address is not told of itself.
  assertEquals(named(leases.take(question(1, { host: "192.0.2.77" }), 1_000)), [2, 3]);
});

Deno.test("FlightLeases.take() keeps flights, and sizes of one flight, apart", () => {
  const leases = leasesOf();
  leases.take(question(1), 0);
  const other = "f2".repeat(32) as FlightId;
  assertEquals(leases.take(question(2, { flight: other }), 0).count, 0);
  assertEquals(leases.take(question(2, { sizeBytes: 1_001 }), 0).count, 0);
  assertEquals(leases.take(question(2), 0).count, 1);
});

Deno.test("FlightLeases.take() ends a lease when the node says so, and nobody else", () => {
  const leases = leasesOf();
  leases.take(question(1), 0);
  leases.take(question(1, { leaseMs: 0, host: "198.51.100.1" }), 0);
  leases.take(question(2, { leaseMs: 0, host: "192.0.2.1" }), 0);
  assertEquals(leases.take(question(2), 0).count, 1);
  assertEquals(leases.take(question(1, { leaseMs: 0 }), 0), { count: 0, fellows: [] });
  assertEquals(leases.take(question(3), 0), {
    count: 1,
    fellows: [{ nodeId: node(2), host: "192.0.2.2", port: 8_048 }],
  });
});

Deno.test("FlightLeases.take() names nobody whose lease is over, and tick() forgets it", () => {
  const leases = leasesOf();
  leases.take(question(1), 0);
  leases.take(question(2, { leaseMs: 0xffff_ffff }), 0);
  leases.tick(0);
  assertEquals(named(leases.take(question(3), LEASE_MS)), [2]);
  leases.tick(LEASE_MS);
  assertEquals(leases.size, 2);
  leases.take(question(3), LEASE_MS + 1);
  // However long it wants to be named.
  leases.tick(limits.flightLeaseMsMax);
  assertEquals(leases.size, 0);
});

Deno.test("FlightLeases.take() counts those that cannot be dialled, and does not name them", () => {
  const leases = leasesOf();
  leases.take(question(1, { port: 0 }), 0);
  leases.take(question(2, { canBeDialled: false }), 0);
  leases.take(question(3), 0);
  const answer = leases.take(question(4), 0);
  assertEquals([answer.count, named(answer)], [3, [3]]);
  // It can be by now.
  leases.take(question(2), 0);
  assertEquals(named(leases.take(question(4), 0)).toSorted(), [2, 3]);
});

Deno.test("FlightLeases.take() names the first, the last and others at random where there are many", () => {
  const leases = leasesOf();
  const count = 1_000;
  for (let i = 1; i <= count; i++) {
    const all = named(leases.take(question(i), 0));
    assertEquals(new Set(all).size, all.length);
    assert(all.length <= limits.flightNamedMax && all.length >= Math.min(i - 1, 8), `${all}`);
    assertEquals(all.slice(0, Math.min(i - 1, 4)), [1, 2, 3, 4].slice(0, i - 1));
    if (i > 10) assertEquals(all.slice(4, 8), [i - 1, i - 2, i - 3, i - 4]);
  }
  // Those that are gone leave no gap.
  for (let i = 1; i <= count - 20; i++) leases.take(question(i, { leaseMs: 0 }), 0);
  const left = named(leases.take(question(0), 0));
  assert(left.every((number) => number > count - 20), `${left}`);
  assertEquals(left.slice(0, 4), [1, 2, 3, 4].map((i) => count - 20 + i));
  assert(left.length > 12, `${left}`);
});

Deno.test("FlightLeases.take() connects a crowd of which each has room for some only", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const leases = leasesOf(seed);
    const count = 400;
    const fellows = Array.from({ length: count }, () => new Set<number>());
    for (let i = 0; i < count; i++) {
      for (const other of named(leases.take(question(i), 0))) {
        if (fellows[i]!.size >= limits.fellowsSoughtMax) break;
        const hasRoom = [i, other].every((one) => fellows[one]!.size < limits.fellowsMax);
        if (!hasRoom) continue;
        fellows[i]!.add(other);
        fellows[other]!.add(i);
      }
    }
    const reached = new Set([0]);
    for (const one of reached) for (const other of fellows[one]!) reached.add(other);
    assertEquals(reached.size, count, `seed ${seed}`);
  }
});

Deno.test("FlightLeases.take() answers one host too many, and names it to nobody", () => {
  const leases = leasesOf();
  // All of a /64 is one.
  const at = (number: number) => ({ host: `2001:db8::${number.toString(16)}` });
  for (let i = 0; i < limits.flightLeasesPerHostMax; i++) leases.take(question(i, at(i)), 0);
  const tooMany = question(99_999, at(0xffff));
  assertEquals(leases.take(tooMany, 0).count, limits.flightLeasesPerHostMax);
  assertEquals(leases.size, limits.flightLeasesPerHostMax);
  assertEquals(leases.take(question(1), 0).count, limits.flightLeasesPerHostMax);
  // What is known can still be renewed and ended.
  leases.take(question(0, { ...at(0), leaseMs: 0 }), 0);
  leases.take(tooMany, 0);
  assertEquals(leases.size, limits.flightLeasesPerHostMax + 1);
});

Deno.test("FlightLeases.take() holds so many leases and no more", () => {
  const leases = leasesOf();
  const perHost = limits.flightLeasesPerHostMax;
  for (let i = 0; i < limits.flightLeasesMax; i++) {
    const flight = i.toString(16).padStart(64, "0") as FlightId;
    leases.take(question(i, { flight, host: `198.51.${Math.floor(i / perHost)}.1` }), 0);
  }
  assertEquals(leases.size, limits.flightLeasesMax);
  assertEquals(leases.take(question(1), 0), { count: 0, fellows: [] });
  assertEquals(leases.size, limits.flightLeasesMax);
  leases.tick(LEASE_MS);
  assertEquals(leases.size, 0);
});
