/** What a flight takes of its fellows, and whom it takes in. */

import { assertEquals } from "@std/assert";
import type { HostPort } from "../../../../src/base/address.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { NO_PACES } from "../../../../src/base/rates/pace.ts";
import { Flight } from "../../../../src/daemon/crowd/flight.ts";
import { mirrorProvider } from "../../../../src/daemon/swarm/provider.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import {
  CHUNKS_HEADER_BYTES,
  decodePayload,
  writeChunksHeader,
} from "../../../../src/wire/codec.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { memoryPair } from "../../../support/memory_transport.ts";

const CHUNKS = 100;
const MIRROR = mirrorProvider("mirror.example.org");
const REPORT = { sequence: 1, reads: "ranges", isWhole: false, claims: [] } as const;

function nodeOf(number: number): NodeId {
  return number.toString(16).padStart(32, "0") as NodeId;
}

/** A flight of a node that dials nobody, and the fellows that came. */
class TestFlight implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly dialled: string[] = [];
  readonly flight: Flight;
  readonly #hasher = new ChunkHasher(this.clock);
  readonly #connections: Connection[] = [];
  readonly #running: Promise<void>[] = [];

  constructor() {
    const bytes = new Uint8Array(CHUNKS * CHUNK_BYTES);
    this.flight = new Flight({
      clock: this.clock,
      log: silentLogger,
      random: seededRandom(1),
      hasher: this.#hasher,
      rates: NO_PACES,
      struck: () => {},
      misbehaved: () => {},
      nodeId: nodeOf(1),
      gave: () => {},
      dialFellow: (_, { address: { host, port } }) => void this.dialled.push(`${host}:${port}`),
      passedWrong: { has: () => false },
    }, {
      file: {
        id: "5a".repeat(32) as FlightId,
        name: "file",
        sizeBytes: bytes.length,
        sha256: null,
      },
      place: {
        write: (offset, data) => bytes.set(data, offset),
        reader: (sizeBytes) => ({ sizeBytes, readRun: () => 0 }),
      },
      mirror: null,
      observer: {
        arrived: () => {},
        fellowsChanged: () => {},
        noted: () => {},
        mirrorFailed: () => {},
        failed: () => {},
      },
    });
  }

  /** A fellow at this host comes; gives its side of the connection. */
  join(nodeId: NodeId, remote: HostPort): Connection {
    const [near, far] = memoryPair({ bufferBytes: 100_000, nearRemote: remote });
    const connection = new Connection(near, { clock: this.clock });
    const other = new Connection(far, { clock: this.clock });
    this.#connections.push(connection, other);
    const identity = { nodeId, peer: `${remote.host}:8048`, address: remote, isDialled: false };
    this.#running.push(this.flight.join(connection, identity));
    return other;
  }

  /** Has what was sent be read. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.flight.close("the test is over");
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#running);
    this.#hasher.close();
  }
}

Deno.test("Flight dials no address that means another machine here than where it was told of", async () => {
  await using test = new TestFlight();
  const far = test.join(nodeOf(2), { host: "192.0.2.9", port: 40_000 });
  const near = test.join(nodeOf(3), { host: "127.0.0.1", port: 40_001 });
  const hosts = ["127.0.0.1", "::1", "0.0.0.0", "224.0.0.1", "::ffff:127.0.0.1", "192.0.2.10"];
  far.send({
    kind: "fellows",
    fellows: hosts.map((host, i) => ({ nodeId: nodeOf(100 + i), host, port: 8_048 })),
  });
  await test.settle();
  assertEquals(test.dialled, ["192.0.2.10:8048"]);
  near.send({
    kind: "fellows",
    fellows: [{ nodeId: nodeOf(200), host: "127.0.0.1", port: 8_049 }],
  });
  await test.settle();
  assertEquals(test.dialled, ["192.0.2.10:8048", "127.0.0.1:8049"]);
});

Deno.test("Flight has room for so many fellows of one host, and in all, but for those that say nothing", async () => {
  await using test = new TestFlight();
  const hasRoom = (host: string) =>
    test.flight.hasRoomFor(nodeOf(999), { isDialled: false, address: { host, port: 1 } });
  let next = 2;
  for (let i = 0; i < limits.fellowsPerHostMax; i++) {
    assertEquals(hasRoom("192.0.2.9"), true);
    test.join(nodeOf(next++), { host: "192.0.2.9", port: 40_000 + i });
  }
  assertEquals([hasRoom("192.0.2.9"), hasRoom("192.0.2.10")], [false, true]);
  // On one machine there may be as many as there may be at all.
  while (test.flight.fellowCount < limits.fellowsMax) {
    test.join(nodeOf(next++), { host: "127.0.0.1", port: 41_000 });
  }
  assertEquals(hasRoom("127.0.0.1"), false);
  await test.clock.advance(limits.fellowSilentMs + 1);
  assertEquals(hasRoom("127.0.0.1"), true);
  test.join(nodeOf(next++), { host: "127.0.0.1", port: 41_000 });
  assertEquals(test.flight.fellowCount, limits.fellowsMax, "one that said nothing had to go");
  await test.clock.advance(limits.fellowLostMs + 1);
  test.flight.tick(test.clock.nowMs());
  assertEquals(test.flight.fellowCount, 0);
});

Deno.test("Flight has no room for itself, nor for one that gave what is not true", async () => {
  await using test = new TestFlight();
  const how = { isDialled: false, address: { host: "192.0.2.9", port: 1 } };
  assertEquals(test.flight.hasRoomFor(nodeOf(1), how), false);
  test.join(nodeOf(2), { host: "192.0.2.9", port: 40_000 });
  test.flight.distrust(nodeOf(2));
  await test.settle();
  assertEquals(test.flight.fellowCount, 0);
  assertEquals(test.flight.hasRoomFor(nodeOf(2), how), false);
});

Deno.test("Flight bears with chunks of a fellow that come when all is here by another way", async () => {
  await using test = new TestFlight();
  const fellow = test.join(nodeOf(2), { host: "192.0.2.9", port: 40_000 });
  const requested: ChunkRange[] = [];
  const frames: Uint8Array[] = [];
  fellow.setBulk({ nextFrame: () => frames.shift() ?? null });
  fellow.receive({
    frame: ({ code, payload }) => {
      const message = decodePayload(code, payload);
      if (message.kind === "request") {
        requested.push({ first: message.first, count: message.count });
      }
    },
    partial: () => {},
  }).catch(() => {});
  const all = { first: 0, count: CHUNKS };
  fellow.send({ kind: "gained", origin: nodeOf(2), ranges: [all] });
  fellow.send({ kind: "stripes", ...REPORT, nodeId: nodeOf(2) });
  for (let i = 0; i < 100 && requested.length === 0; i++) await test.settle();
  const [range] = requested as [ChunkRange];
  test.flight.gave(MIRROR, all);
  test.flight.land({ sizeBytes: CHUNKS * CHUNK_BYTES, readRun: () => 0 });
  const length = range.count * CHUNK_BYTES;
  for (const isAgain of [false, true]) {
    const frame = new Uint8Array(CHUNKS_HEADER_BYTES + length);
    writeChunksHeader(frame, range.first, length);
    frames.push(frame);
    fellow.wake();
    for (let i = 0; i < 20; i++) await test.settle();
    assertEquals(test.flight.fellowCount, isAgain ? 0 : 1);
  }
});
