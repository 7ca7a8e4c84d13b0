/** The swarm that a fetch follows, when it is left. */

import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { NO_PACES } from "../../../../src/base/rates/pace.ts";
import type { FetchHost } from "../../../../src/daemon/fetch/fetch_host.ts";
import { FollowedSwarm } from "../../../../src/daemon/fetch/followed_swarm.ts";
import { ChunkHasher } from "../../../../src/daemon/swarm/chunk_hasher.ts";
import { Swarms } from "../../../../src/daemon/swarm/swarms.ts";
import type { FetchRequest } from "../../../../src/wire/fetching.ts";
import { requestFor } from "../../../support/fetch_request.ts";
import {
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../../store/store_fixture.ts";

const BYTES = content(4 * CHUNK_BYTES);
const ROOT = rootOf(BYTES);

/** Leaves a swarm that brought all, but for the chunk that was lost then; how that ends. */
async function finishWithout(lost: number | null, request: Partial<FetchRequest> = {}) {
  using dir = new TempDir();
  const { store } = await openStore(dir.path);
  await using _ = store;
  const hasher = new ChunkHasher(systemClock);
  const log = silentLogger;
  const random = seededRandom(1);
  const context = {
    clock: systemClock,
    log,
    random,
    hasher,
    rates: NO_PACES,
    struck() {},
    misbehaved() {},
  };
  const swarms = new Swarms(context, store);
  const host: Pick<FetchHost, "store" | "swarms" | "log"> = { store, swarms, log };
  const followed = new FollowedSwarm(host as FetchHost, requestFor("file", request), {
    observer: { swarmEvent() {} },
    path: undefined,
    use: store.keeping.use(),
    tell() {},
  });
  followed.follow({
    ...{ key: "k", root: ROOT, name: "file", sizeBytes: BYTES.length },
    offerers: Object.assign(new Set<NodeId>(), { votes: 0, vouchers: 0 }),
  });
  const { download } = followed.swarm!;
  giveLeaves(download, BYTES);
  giveChunks(download, BYTES, { first: 0, count: 4 });
  if (lost !== null) download.drop({ first: lost, count: 1 });
  try {
    await followed.leave("finish");
    return store.isComplete(ROOT);
  } finally {
    hasher.close();
  }
}

Deno.test("FollowedSwarm.leave() says that a chunk was lost just before the finish", async () => {
  assertEquals(await finishWithout(null), true);
  const error = await assertRejects(() => finishWithout(2), EnvironmentError, "Cannot finish file");
  assertEquals(error.code, "changed");
  // Of a part nothing else has to be here.
  const part = { root: ROOT, chunks: { first: 0, count: 2 } };
  assertEquals(await finishWithout(2, part), false);
  await assertRejects(() => finishWithout(1, part), EnvironmentError, "Cannot finish file");
});
