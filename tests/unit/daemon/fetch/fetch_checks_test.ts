/** The checks of one fetch, while what they look at goes on to change. */

import { createHash } from "node:crypto";
import { assertEquals } from "@std/assert";
import { CHUNK_BYTES, type ChunkRange } from "../../../../src/base/geometry.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { FetchChecks } from "../../../../src/daemon/fetch/fetch_checks.ts";
import type { FetchHost } from "../../../../src/daemon/fetch/fetch_host.ts";
import type { FollowedSwarm } from "../../../../src/daemon/fetch/followed_swarm.ts";
import type { MirrorTrack } from "../../../../src/daemon/fetch/mirror_track.ts";
import { requestFor } from "../../../support/fetch_request.ts";
import { addDownloaded, content, openStore, TempDir } from "../../store/store_fixture.ts";

const NAME = "file";
const BYTES = content(4 * CHUNK_BYTES);
const SIZE = BYTES.length;
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

/**
 * Whether a copy that is here passes for the mirror's, which gave one chunk of it, and gives the next
 * one, such a one, while that is compared.
 */
async function isMirrors(next: Uint8Array): Promise<boolean> {
  using dir = new TempDir();
  const { store } = await openStore(dir.path);
  await using _ = store;
  await addDownloaded(store, NAME, BYTES);
  const [file] = store.definitionsByName(NAME);
  const unverified = store.openUnverified({ name: NAME, sizeBytes: SIZE, key: "key" });
  unverified.write(0, BYTES.subarray(0, CHUNK_BYTES));
  const track = {
    sizeBytes: SIZE,
    firstChunk: 0,
    nextChunk: 1,
    beginnings: 0,
    unverified: {
      reader: () => ({
        sizeBytes: SIZE,
        readRun(range: ChunkRange, target: Uint8Array, offset: number) {
          if (track.nextChunk === 1) unverified.write(CHUNK_BYTES, next);
          track.nextChunk = 2;
          return unverified.reader(SIZE).readRun(range, target, offset);
        },
      }),
    },
  };
  const checks = new FetchChecks({ store } as FetchHost, requestFor(NAME, { sha256: SHA256 }), {
    track: track as unknown as MirrorTrack,
    followed: {} as FollowedSwarm,
    use: store.keeping.use(),
    mirrorsAlone: false,
    isFollowed: () => true,
    note() {},
    tell() {},
  });
  const offerers = Object.assign(new Set<NodeId>(), { votes: 0, vouchers: 0 });
  const event = await checks.run({
    kind: "check-here",
    candidate: { key: "k", root: file!.root, name: NAME, sizeBytes: SIZE, offerers },
    comparesWithMirror: false,
  });
  unverified.discard();
  return event.kind === "here-checked" && event.isRight && event.isMirrors;
}

Deno.test("FetchChecks compares a copy that is here with all that the mirror gives until then", async () => {
  assertEquals(await isMirrors(BYTES.slice(CHUNK_BYTES, 2 * CHUNK_BYTES)), true);
  assertEquals(await isMirrors(new Uint8Array(CHUNK_BYTES).fill(7)), false);
});
