/** A swarm that begins from bytes on disk, and sources that come at the wrong moment or malformed. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PeerFault } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import { newNodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { seededRandom, systemRandom } from "../../../../src/base/random.ts";
import { NO_PACES } from "../../../../src/base/rates/pace.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import type { Provider } from "../../../../src/daemon/swarm/provider.ts";
import { Swarm } from "../../../../src/daemon/swarm/swarm.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { content, leavesOf, openStore, rootOf, TempDir } from "../../store/store_fixture.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { damage } from "../../../support/rot.ts";
import { memoryPair } from "../../../support/memory_transport.ts";

const CHUNKS = 13;
const BYTES = content(CHUNKS * CHUNK_BYTES);
const ROOT = rootOf(BYTES);

/** Runs a test with a swarm on a real store that found the first 8 chunks on disk, unverified. */
async function withSwarm(
  test: (swarm: Swarm, clock: ManualClock) => Promise<void>,
): Promise<void> {
  using dir = new TempDir();
  const { store } = await openStore(dir.path);
  Deno.mkdirSync(dir.join("partial"), { recursive: true });
  Deno.writeFileSync(dir.join(`partial/${ROOT}`), BYTES.subarray(0, 8 * CHUNK_BYTES));
  const clock = new ManualClock();
  const hasher = new ChunkHasher(clock);
  const file = { root: ROOT, name: "file.bin", sizeBytes: BYTES.length };
  const swarm = new Swarm(
    {
      clock,
      log: silentLogger,
      random: seededRandom(1),
      hasher,
      rates: NO_PACES,
      struck: () => {},
      misbehaved: () => {},
    },
    store.beginDownload(file),
    {
      file,
      wanted: { first: 0, count: CHUNKS },
      inflightBytesMax: limits.inflightBytesMax,
      hasOwnPath: false,
    },
  );
  try {
    await test(swarm, clock);
  } finally {
    await swarm.suspend();
    hasher.close();
    await store.close();
  }
}

function observe(swarm: Swarm): { readonly gained: ChunkRange[]; readonly begun: Promise<void> } {
  const gained: ChunkRange[] = [];
  const { promise: begun, resolve, reject } = Promise.withResolvers<void>();
  swarm.subscribe({
    swarmEvent(event) {
      if (event.kind === "gained") gained.push(event.range);
      else if (event.kind === "failed") reject(event.error);
      else if (event.kind === "needs-sources") resolve();
    },
  });
  return { gained, begun };
}

Deno.test("Swarm looks once through what is on disk when a second fetch joins meanwhile", () =>
  withSwarm(async (swarm) => {
    swarm.download.addLeaves(0, leavesOf(BYTES));
    swarm.download.finishLeaves();
    const scrub = swarm.download.scrub.bind(swarm.download);
    const rechecks: Promise<unknown>[] = [];
    swarm.download.scrub = () => {
      const checking = scrub();
      rechecks.push(checking);
      return checking;
    };
    const { gained, begun } = observe(swarm);
    swarm.start();
    swarm.start();
    await begun;
    await Promise.allSettled(rechecks);
    assertEquals(rechecks.length, 1);
    assertEquals(gained, [{ first: 0, count: 8 }]);
    assertEquals(swarm.bytesDone, 8 * CHUNK_BYTES);
  }));

Deno.test("Swarm does not keep a source whose bitfield is none of its file", () =>
  withSwarm(async (swarm) => {
    const [near, far] = memoryPair();
    const connection = new Connection(near), holder = new Connection(far);
    const nodeId = newNodeId(systemRandom);
    // 13 chunks: the last three bits belong to none.
    await assertRejects(
      () =>
        swarm.useSource(connection, {
          nodeId,
          peer: "192.0.2.1:1",
          whole: false,
          bitfield: Uint8Array.of(0, 0xff),
        }),
      PeerFault,
    );
    connection.close();
    holder.close();
    assertEquals([swarm.sourceCount, swarm.hasSource(nodeId)], [0, false]);
  }));

Deno.test("Swarm closes the connection of a source that comes when it is over", () =>
  withSwarm(async (swarm) => {
    await swarm.suspend();
    const [near, far] = memoryPair();
    const connection = new Connection(near), holder = new Connection(far);
    const ended = holder.receive({ frame: () => {} });
    await swarm.useSource(connection, {
      nodeId: newNodeId(systemRandom),
      peer: "192.0.2.1:1",
      whole: true,
      bitfield: new Uint8Array(),
    });
    await ended;
    assertEquals(swarm.sourceCount, 0);
  }));

Deno.test("Swarm needs sources once the only one has given no leaves for long", () =>
  withSwarm(async (swarm, clock) => {
    const [near, far] = memoryPair();
    const connection = new Connection(near), holder = new Connection(far);
    const hearing = holder.receive({ frame: () => {} });
    assertEquals(swarm.needsSources, true);
    const using = swarm.useSource(connection, {
      nodeId: newNodeId(systemRandom),
      peer: "192.0.2.1:1",
      whole: true,
      bitfield: new Uint8Array(),
    });
    assertEquals([swarm.needsSources, swarm.peerCount], [false, 1]);
    await clock.advance(limits.snubMs);
    assertEquals(swarm.needsSources, true);
    await clock.advance(limits.sourceSilentMs - limits.snubMs);
    swarm.tick(clock.nowMs());
    await Promise.all([using, hearing]);
    assertEquals([swarm.needsSources, swarm.peerCount], [true, 0]);
  }));

Deno.test("Swarm ends without blaming anybody when its leaf layer rots, and asks for it anew", () =>
  withSwarm(async (swarm) => {
    const { download } = swarm;
    download.addLeaves(0, leavesOf(BYTES));
    download.finishLeaves();
    const failed = Promise.withResolvers<Error>();
    const begun = Promise.withResolvers<void>();
    swarm.subscribe({
      swarmEvent(event) {
        if (event.kind === "failed") failed.resolve(event.error);
        if (event.kind === "begun") begun.resolve();
      },
    });
    swarm.start();
    await begun.promise;
    damage(download.leafPath, { kind: "zeros", from: 9 * 32 });
    const range = { first: 9, count: 1 };
    const data = BYTES.subarray(9 * CHUNK_BYTES, 10 * CHUNK_BYTES);
    assertEquals(swarm.feed({ kind: "mirror", label: "m" } as Provider, range, data), []);
    assertMatch((await failed.promise).message, /leaf layer .* was damaged/);
    assertEquals([download.hasLeaves, download.have.count], [false, 0]);
    // What is here counts again once the leaves are.
    download.addLeaves(0, leavesOf(BYTES));
    download.finishLeaves();
    await download.sortOut();
    assertEquals(download.have.count, 8);
  }));
