import { assertEquals } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { type LogFields, type Logger, silentLogger } from "../../../../src/base/log.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { NO_PACES } from "../../../../src/base/rates/pace.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import type { SwarmObserver } from "../../../../src/daemon/swarm/swarm_events.ts";
import { Swarms } from "../../../../src/daemon/swarm/swarms.ts";
import {
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";

const OBSERVER: SwarmObserver = { swarmEvent() {} };

Deno.test("Swarms.suspendAll() puts away all that can be and tells what cannot", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  const warnings: LogFields[] = [];
  const log: Logger = { ...silentLogger, warn: (_message, fields) => warnings.push(fields!) };
  const hasher = new ChunkHasher(systemClock);
  const swarms = new Swarms({
    clock: systemClock,
    log,
    random: seededRandom(1),
    hasher,
    rates: NO_PACES,
    struck() {},
    misbehaved() {},
  }, store);
  const paths = [dir.join("missing/f"), dir.join("g")];
  const files = paths.map((path, index) => {
    const bytes = content(4 * CHUNK_BYTES, index + 1);
    const file = { root: rootOf(bytes), name: `file-${index}`, sizeBytes: bytes.length };
    const wanted = { first: 0, count: 4 };
    const swarm = swarms.join(file, { wanted, observer: OBSERVER, path })!;
    const { download } = swarm;
    giveLeaves(download, bytes);
    swarm.start();
    if (index === 1) {
      giveChunks(download, bytes, { first: 0, count: 1 });
      giveChunks(download, bytes, { first: 2, count: 1 });
    }
    return { ...file, bytes };
  });
  await swarms.suspendAll();
  hasher.close();
  assertEquals(warnings.map(({ name }) => name), ["file-0"]);
  assertEquals([...swarms], []);
  assertEquals(files.map(({ root }) => store.download(root)), [undefined, undefined]);
  // Nothing but what is here without a gap: it was put away in full.
  assertEquals(Deno.readFileSync(paths[1]!), files[1]!.bytes.subarray(0, CHUNK_BYTES));
});
