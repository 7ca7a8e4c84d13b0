/** What is found of what fellows gave wrong, who is blamed for it, and what that costs. */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { mergedRanges } from "../../../../src/base/bitfield.ts";
import { CHUNK_BYTES, chunkCount, rangeBytes } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { NO_PACES } from "../../../../src/base/rates/pace.ts";
import { Flight } from "../../../../src/daemon/crowd/flight.ts";
import { CrowdMending } from "../../../../src/daemon/crowd/crowd_mending.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import { mirrorProvider, type Provider } from "../../../../src/daemon/swarm/provider.ts";
import { MirrorError } from "../../../../src/http/mirror_error.ts";
import type { MirrorFile } from "../../../../src/http/mirrors.ts";
import type { ByteRange, RangeBody } from "../../../../src/http/resumable_read.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const SIZE = 300 * CHUNK_BYTES + 123;
const CHUNKS = chunkCount(SIZE);
const MIRROR = mirrorProvider("mirror.example.org");

function peer(number: number): Provider & { readonly nodeId: NodeId } {
  const nodeId = number.toString(16).padStart(32, "0") as NodeId;
  return { kind: "peer", label: `192.0.2.${number}:8048`, nodeId, host: `192.0.2.${number}` };
}

/** A file of which fellows gave parts, and its mirror, which has it right. */
class World implements Disposable {
  readonly right = new Uint8Array(SIZE).map((_, i) => (i * 7) % 251);
  readonly here = this.right.slice();
  readonly flight: Flight;
  readonly mending: CrowdMending;
  /** Bytes that the mirror gave, chunks that are missing again, and who is blamed. */
  readonly mirror = { bytes: 0, isRefusing: false };
  readonly unfilled: number[] = [];
  readonly misbehaved: NodeId[] = [];
  readonly passedWrong: NodeId[] = [];
  readonly clock = new ManualClock();
  readonly #hasher = new ChunkHasher(this.clock);

  constructor() {
    const context = {
      clock: this.clock,
      log: silentLogger,
      random: seededRandom(1),
      hasher: this.#hasher,
      rates: NO_PACES,
      struck: () => {},
      misbehaved: () => {},
    };
    const nothing = () => {};
    this.flight = new Flight({
      ...context,
      nodeId: peer(99).nodeId,
      gave: () => {},
      dialFellow: nothing,
      passedWrong: { has: () => false },
    }, {
      file: { id: "5a".repeat(32) as FlightId, name: "file", sizeBytes: SIZE, sha256: null },
      place: {
        write: (offset, data) => this.here.set(data, offset),
        reader: (sizeBytes) => ({
          sizeBytes,
          readRun: (range, target, at) => {
            const { offset, length } = rangeBytes(SIZE, range);
            target.set(this.here.subarray(offset, offset + length), at);
            return length;
          },
        }),
      },
      mirror: null,
      observer: {
        arrived: nothing,
        fellowsChanged: nothing,
        noted: nothing,
        mirrorFailed: nothing,
        failed: nothing,
      },
    });
    this.mending = new CrowdMending({
      flight: this.flight,
      mirror: { open: (range: ByteRange) => this.#open(range) } as unknown as MirrorFile,
      unfilled: ({ first, count }) => {
        for (let chunk = first; chunk < first + count; chunk++) this.unfilled.push(chunk);
      },
      struck: nothing,
      clock: this.clock,
      random: context.random,
      log: silentLogger,
      noted: nothing,
      misbehaved: ({ nodeId, host }) => {
        assertEquals(host, `192.0.2.${Number.parseInt(nodeId, 16)}`);
        this.misbehaved.push(nodeId);
      },
      passedWrong: (nodeId) => void this.passedWrong.push(nodeId),
      signal: new AbortController().signal,
    });
  }

  /** A fellow gave chunks; those that are wrong differ in one byte. */
  gave(
    provider: Provider,
    [first, count]: readonly [number, number],
    { wrong = [], isReader = true }: { wrong?: readonly number[]; isReader?: boolean } = {},
  ): this {
    for (const chunk of wrong) this.here[chunk * CHUNK_BYTES + 5]! ^= 1;
    this.flight.storage.gave(provider, { first, count }, { isReader });
    return this;
  }

  async mend(): Promise<boolean> {
    return await this.mending.mend({ isMirrorDoubtful: false });
  }

  [Symbol.dispose](): void {
    this.flight.close("the test is over");
    this.#hasher.close();
  }

  #open({ offset, end = SIZE }: ByteRange): Promise<RangeBody> {
    if (this.mirror.isRefusing) {
      return Promise.reject(new MirrorError("refused", "No", { mirror: "x", status: 429 }));
    }
    let at = offset;
    return Promise.resolve({
      mirror: MIRROR.label,
      offset,
      sizeBytes: SIZE,
      read: () => {
        if (at >= end) return Promise.resolve(null);
        const bytes = this.right.slice(at, Math.min(end, at + 50_000));
        at += bytes.length;
        this.mirror.bytes += bytes.length;
        return Promise.resolve(bytes);
      },
      [Symbol.dispose]: () => {},
    });
  }
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

Deno.test("CrowdMending.mend() has all missing of who gave it wrong, and takes little to find that", async () => {
  using world = new World();
  world.gave(MIRROR, [0, 100]);
  world.gave(peer(1), [100, 100]);
  world.gave(peer(2), [200, 101], { wrong: range(200, 101) });
  assertEquals(await world.mend(), true);
  assertEquals(world.misbehaved, [peer(2).nodeId]);
  assertEquals(world.passedWrong, []);
  // The one that was compared is right now.
  assertEquals(world.unfilled.length, 100);
  assert(world.unfilled.every((chunk) => chunk >= 200));
  assertLessOrEqual(world.mirror.bytes, 10 * CHUNK_BYTES);
  assert(!world.flight.crowd.isTrusted(peer(2).nodeId));
  assert(world.flight.crowd.isTrusted(peer(1).nodeId));
});

Deno.test("CrowdMending.mend() bans nobody for what was passed on, but takes no more of that", async () => {
  using world = new World();
  world.gave(MIRROR, [0, 200]);
  world.gave(peer(1), [200, 50], { wrong: range(200, 50), isReader: false });
  world.gave(peer(1), [250, 51]);
  assertEquals(await world.mend(), true);
  assertEquals([world.misbehaved, world.passedWrong], [[], [peer(1).nodeId]]);
  assert(world.unfilled.every((chunk) => chunk < 250), "what it read itself is kept");
  assert(world.flight.crowd.isTrusted(peer(1).nodeId));
});

Deno.test("CrowdMending.mend() finds one wrong chunk of many, and asks for no chunk twice", async () => {
  using world = new World();
  world.gave(MIRROR, [0, 100]);
  world.gave(peer(1), [100, 100]);
  world.gave(peer(2), [200, 101], { wrong: [CHUNKS - 1] });
  assertEquals(await world.mend(), true);
  assertEquals(world.misbehaved, [peer(2).nodeId]);
  assertEquals(world.here, world.right, "what differed is replaced");
  assertLessOrEqual(world.mirror.bytes, 201 * CHUNK_BYTES);
  const { bytes } = world.mirror;
  assertEquals(await world.mend(), false, "nothing is wrong that fellows gave");
  assertEquals(world.mirror.bytes, bytes, "all is its own by now");
});

Deno.test("CrowdMending.mend() looks first at what fellows say is wrong, and believes nobody", async () => {
  using world = new World();
  world.gave(MIRROR, [0, 100]);
  world.gave(peer(1), [100, 100]);
  world.gave(peer(2), [200, 101], { wrong: [277] });
  world.flight.accusations.add(peer(1).nodeId, { first: 277, count: 1 });
  world.flight.accusations.add(peer(2).nodeId, { first: 150, count: 3 });
  assertEquals(await world.mend(), true);
  assertEquals(world.misbehaved, [peer(2).nodeId]);
  assertLessOrEqual(world.mirror.bytes, 14 * CHUNK_BYTES);
});

Deno.test("CrowdMending.mend() reads all again when ever new ones lie, and so comes to an end", async () => {
  using world = new World();
  world.gave(MIRROR, [0, CHUNKS]);
  let mends = 0, rounds = 0;
  for (let missing = range(0, CHUNKS); missing.length > 0; missing = world.unfilled.splice(0)) {
    // A new one gives what is missing, and all of that wrong.
    for (const chunk of missing) {
      const [start, end] = [chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES];
      world.here.set(world.right.subarray(start, end), start);
    }
    for (const { first, count } of mergedRanges(missing.map((first) => ({ first, count: 1 })))) {
      world.gave(peer(++mends), [first, count], { wrong: range(first, count) });
    }
    assertEquals(await world.mend(), true);
    assertLessOrEqual(++rounds, limits.crowdMendsMax + 1);
  }
  while (await world.mend());
  assert(world.here.every((byte, i) => byte === world.right[i]));
  assert(!world.flight.storage.hasForeign);
});

Deno.test("CrowdMending.mend() with a mirror that gives nothing loses what is said to be wrong, or all", async () => {
  for (const isSaid of [true, false]) {
    using world = new World();
    world.gave(MIRROR, [0, 100]);
    world.gave(peer(1), [100, 100]).gave(peer(2), [200, 101], { wrong: [277] });
    world.mirror.isRefusing = true;
    const said = { first: 277, count: 1 };
    if (isSaid) world.flight.accusations.add(peer(1).nodeId, said);
    const mending = world.mend();
    if (!isSaid) await world.clock.advance(10_000);
    assertEquals(await mending, true);
    assertEquals(world.unfilled.length, isSaid ? 101 : 201);
    assertEquals(world.misbehaved, [], "nothing is proved");
  }
});

Deno.test("CrowdMending.audit() compares a part of what each gave, and all when that is wrong too often", async () => {
  using world = new World();
  world.gave(MIRROR, [0, 100]);
  world.gave(peer(1), [100, 201]);
  assertEquals(await world.mending.audit(), true);
  assertLessOrEqual(world.mirror.bytes, 2 * CHUNK_BYTES);
  for (let liar = 2; liar < limits.crowdMendsMax + 3; liar++) {
    world.here.set(world.right);
    world.gave(peer(liar), [0, CHUNKS], { wrong: range(0, CHUNKS) });
    assertEquals(await world.mending.audit(), false);
  }
  assert(!world.flight.storage.hasForeign);
});
