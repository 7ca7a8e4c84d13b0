/** What lies there of a file in flight, and who gave it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../../../src/base/geometry.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { FlightStorage } from "../../../../src/daemon/crowd/flight_storage.ts";
import { HERE, mirrorProvider, type Provider } from "../../../../src/daemon/swarm/provider.ts";

const SIZE = 5 * CHUNK_BYTES + 700;
const MIRROR = mirrorProvider("mirror.example.org");

function peer(number: number): Provider {
  const nodeId = number.toString(16).padStart(32, "0") as NodeId;
  return { kind: "peer", label: `192.0.2.1:${number}`, nodeId };
}

/** A storage over bytes in memory. */
function storage(
  sizeBytes = SIZE,
): { readonly bytes: Uint8Array; readonly storage: FlightStorage } {
  const bytes = new Uint8Array(sizeBytes);
  const readRun = (range: ChunkRange, target: Uint8Array, offset: number) => {
    const { offset: at, length } = rangeBytes(sizeBytes, range);
    target.set(bytes.subarray(at, at + length), offset);
    return length;
  };
  const place = {
    write: (offset: number, data: Uint8Array) => bytes.set(data, offset),
    reader: () => ({ sizeBytes, readRun }),
  };
  return { bytes, storage: new FlightStorage(sizeBytes, place) };
}

Deno.test("FlightStorage.writeRun() leaves what is there, and counts what came, the last chunk too", () => {
  const { bytes, storage: flight } = storage();
  flight.writeRun(2, new Uint8Array(CHUNK_BYTES).fill(1));
  flight.writeRun(1, new Uint8Array(4 * CHUNK_BYTES + 700).fill(2));
  assertEquals([...flight.have.ranges()], [{ first: 1, count: 5 }]);
  assertEquals(bytes[2 * CHUNK_BYTES], 1);
  assertEquals([bytes[CHUNK_BYTES], bytes[3 * CHUNK_BYTES], bytes.at(-1)], [2, 2, 2]);
});

Deno.test("FlightStorage tells by chunk who gave it, and whether that one read it", () => {
  const { storage: flight } = storage();
  flight.gave(HERE, { first: 0, count: 1 });
  flight.gave(MIRROR, { first: 1, count: 1 });
  assert(!flight.hasForeign);
  flight.gave(peer(1), { first: 2, count: 2 }, { isReader: true });
  flight.gave(peer(1), { first: 4, count: 1 });
  flight.gave(peer(2), { first: 5, count: 1 });
  assert(flight.hasForeign);
  assertEquals(flight.giverOf(2), { provider: peer(1), isReader: true });
  assertEquals(
    flight.ofPeers().map(({ giver: { provider, isReader }, ranges }) => [
      provider.label,
      isReader,
      ranges,
    ]),
    [
      ["192.0.2.1:1", true, [{ first: 2, count: 2 }]],
      ["192.0.2.1:1", false, [{ first: 4, count: 1 }]],
      ["192.0.2.1:2", false, [{ first: 5, count: 1 }]],
    ],
  );
  assertEquals(flight.shares(), {
    mirrors: 1,
    nodes: new Map([[peer(1).nodeId!, 3], [peer(2).nodeId!, 1]]),
  });
  assertEquals([0, 1, 2, 5].map((chunk) => flight.isForeign(chunk)), [false, false, true, true]);
});

Deno.test("FlightStorage.replace() makes a chunk the mirror's", () => {
  const { bytes, storage: flight } = storage();
  flight.gave(peer(1), { first: 5, count: 1 });
  flight.replace(5, new Uint8Array(700).fill(9), MIRROR);
  assertEquals(bytes.at(-1), 9);
  assert(!flight.hasForeign);
});

Deno.test("FlightStorage.drop() has chunks missing, so that nobody gave them", () => {
  const { storage: flight } = storage();
  flight.gave(peer(1), { first: 0, count: 6 });
  flight.drop({ first: 1, count: 5 });
  assertEquals(flight.ofPeers().map(({ ranges }) => ranges), [[{ first: 0, count: 1 }]]);
  assert(!flight.isForeign(1));
  assertThrows(
    () => flight.readRun({ first: 0, count: 2 }, new Uint8Array(2 * CHUNK_BYTES), 0),
    EnvironmentError,
  );
});

Deno.test("FlightStorage tells no more givers from each other than its limit, but every mirror", () => {
  const chunks = limits.flightGiversMax + 10;
  const { storage: flight } = storage(chunks * CHUNK_BYTES);
  for (let i = 0; i < chunks - 1; i++) flight.gave(peer(i + 1), { first: i, count: 1 });
  flight.gave(MIRROR, { first: chunks - 1, count: 1 });
  const gifts = flight.ofPeers();
  assertEquals(gifts.length, limits.flightGiversMax);
  const lot = gifts.find(({ giver: { provider } }) => provider.nodeId === null)!;
  assertEquals(lot.giver.isReader, false, "nobody is blamed for it");
  assertEquals(lot.ranges, [
    { first: limits.flightGiversMax - 1, count: chunks - 1 - (limits.flightGiversMax - 1) },
  ]);
  assertEquals(flight.giverOf(chunks - 1).provider, MIRROR);
});

Deno.test("FlightStorage.land() reads from elsewhere, and close() from nowhere", () => {
  const { storage: flight } = storage();
  const target = new Uint8Array(CHUNK_BYTES);
  flight.land({ sizeBytes: SIZE, readRun: () => 7 });
  assert(flight.have.isFull);
  assertEquals(flight.readRun({ first: 3, count: 1 }, target, 0), 7);
  flight.close();
  assertThrows(() => flight.readRun({ first: 3, count: 1 }, target, 0), EnvironmentError);
});
