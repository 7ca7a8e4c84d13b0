// Peers and a mirror on one file: who is asked for what, what may be given away when, and who wins
// when they differ.

import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { FetchFailure } from "../../src/base/errors.ts";
import { CHUNK_BYTES, chunkCount } from "../../src/base/geometry.ts";
import { UNKNOWN_ROOT } from "../../src/base/ids.ts";
import { addDownloaded, content, readAll, rootOf } from "../unit/store/store_fixture.ts";
import { FetchRig, sha256Of } from "./support/fetch_rig.ts";
import type { Behaviour } from "./support/raw_holder.ts";
import { WAIT_MS, waitUntil } from "./support/wait.ts";

const NAME = "file.pkg.tar.zst";
const MIB = 1_024 * 1_024;
const SMALL = content(3 * MIB - 77);
const BIG = content(24 * MIB - 5);

/** `bytes` with one of them changed. */
function spoilt(bytes: Uint8Array, at: number): Uint8Array {
  const wrong = bytes.slice();
  wrong[at]! ^= 0xff;
  return wrong;
}

/** Without a list of what differs: that of megabytes takes for ever. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assertEquals(actual.length, expected.length);
  assertEquals(sha256Of(actual), sha256Of(expected), "the bytes differ");
}

/** A holder that takes its time for each request. */
function slow(ms: number): Behaviour {
  return {
    onRequest: async (range, { serve }) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      serve(range);
    },
  };
}

/** A mirror that is known to be slower than any peer here, however busy the machine is. */
async function slowMirror(files: Readonly<Record<string, Uint8Array>>): Promise<FetchRig> {
  const rig = await FetchRig.start({ ...files, "first.bin": SMALL });
  rig.mirror.misbehave({ bytesPerSecond: 2 * MIB });
  await rig.fetch("first.bin").ended();
  rig.mirror.forget();
  return rig;
}

Deno.test("Fetch takes a file that nobody has from the mirror, and shares it then", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const fetch = rig.fetch(NAME);
  const { done, bytes } = await fetch.ended();
  assertSame(bytes, SMALL);
  assertEquals(done.root, rootOf(SMALL));
  assertEquals(done.mirrors.map(({ bytes }) => bytes), [SMALL.length]);
  assertEquals(fetch.restarts, 0);
  assertEquals(rig.mirror.requests.length, 1);
  assertSame(readAll(rig.store, done.root), SMALL);
  const record = rig.store.history.of(NAME)[0]!;
  assertEquals([record.outcome, record.trust, record.bytesMirror], [
    "done",
    "mirror",
    SMALL.length,
  ]);
});

Deno.test("Fetch asks the mirror for no file that is here, and proves it at once", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await rig.fetch(NAME).ended();
  rig.mirror.forget();
  const { done, bytes } = await rig.fetch(NAME, { sha256: sha256Of(SMALL) }).ended();
  assertSame(bytes, SMALL);
  assertEquals(done.bytesLocal, SMALL.length);
  assertEquals(rig.mirror.requests.length, 0);
});

Deno.test("Fetch holds back the last chunk of a mirror until the SHA-256 is checked", async () => {
  await using rig = await FetchRig.start({ [NAME]: spoilt(SMALL, 100_000) });
  const fetch = rig.fetch(NAME, { sha256: sha256Of(SMALL), sizeBytes: SMALL.length });
  const error = await assertRejects(() => fetch.ended(), FetchFailure);
  assertEquals(error.exit, "checkFailed");
  assertEquals(rig.store.definitionsByName(NAME), []);
  assertEquals(fetch.restarts, 1);
});

Deno.test("Fetch takes next to nothing from the mirror when a peer has the file", async () => {
  await using rig = await slowMirror({ [NAME]: BIG });
  await rig.neighbour(NAME, BIG);
  const fetch = rig.fetch(NAME, { sha256: sha256Of(BIG), sizeBytes: BIG.length });
  const { done, bytes } = await fetch.ended();
  assertSame(bytes, BIG);
  assertEquals(fetch.restarts, 0);
  assertLess(done.mirrors.reduce((sum, { bytes }) => sum + bytes, 0), BIG.length * 0.02);
  assertLess(rig.mirror.packageBytes, BIG.length * 0.02);
});

Deno.test("Fetch without a SHA-256 gives away what peers gave once the mirror's head agrees", async () => {
  await using rig = await slowMirror({ [NAME]: BIG });
  await rig.neighbour(NAME, BIG);
  const fetch = rig.fetch(NAME);
  const { bytes } = await fetch.ended();
  assertSame(bytes, BIG);
  assertGreater(rig.mirror.packageBytes, 0);
  assertLess(rig.mirror.packageBytes, BIG.length * 0.02);
});

Deno.test("Fetch believes the mirror where a peer offers another file and no SHA-256 is known", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await rig.neighbour(NAME, spoilt(SMALL, 3));
  const { done, bytes } = await rig.fetch(NAME).ended();
  assertSame(bytes, SMALL);
  assertEquals(done.root, rootOf(SMALL));
});

Deno.test("Fetch believes the mirror where a peer offers a file of another size", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await rig.neighbour(NAME, SMALL.subarray(0, SMALL.length - CHUNK_BYTES));
  const { done, bytes } = await rig.fetch(NAME).ended();
  assertSame(bytes, SMALL);
  assertEquals(done.root, rootOf(SMALL));
});

Deno.test("Fetch has a slow peer and the mirror both give", async () => {
  await using rig = await FetchRig.start({ [NAME]: BIG });
  rig.mirror.misbehave({ bytesPerSecond: 8 * MIB });
  await rig.holder(NAME, BIG, slow(150));
  const fetch = rig.fetch(NAME, { sha256: sha256Of(BIG), sizeBytes: BIG.length });
  const { done, bytes } = await fetch.ended();
  assertSame(bytes, BIG);
  const given = done.mirrors.reduce((sum, { bytes }) => sum + bytes, 0);
  assertGreater(given, BIG.length / 10);
  assertLess(given, BIG.length * 1.1);
  assertGreater(done.sources[0]!.bytes, 0);
  assertEquals(fetch.restarts, 0);
});

Deno.test("Fetch has the mirror give all when a peer offers the file and then says nothing", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await rig.holder(NAME, SMALL, { onLeaves: () => {} });
  const { bytes } = await rig.fetch(NAME, { sha256: sha256Of(SMALL) }).ended();
  assertSame(bytes, SMALL);
});

Deno.test("Fetch has the mirror give all when a peer gives leaves and no chunk", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await rig.holder(NAME, SMALL, { onRequest: () => {} });
  const { bytes } = await rig.fetch(NAME).ended();
  assertSame(bytes, SMALL);
});

Deno.test("Fetch goes on where a mirror broke off, with that mirror", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  rig.mirror.misbehave({ breakOffAfterBytes: MIB }, { times: 2 });
  const fetch = rig.fetch(NAME, { sha256: sha256Of(SMALL) });
  const { bytes } = await fetch.ended();
  assertSame(bytes, SMALL);
  assertEquals(fetch.restarts, 0);
  assertLess(rig.mirror.packageBytes, SMALL.length * 1.2);
});

Deno.test("Fetch goes on where a mirror without ranges broke off", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  rig.mirror.misbehave({ ranges: "none" });
  rig.mirror.misbehave({ breakOffAfterBytes: 2 * MIB }, { times: 1 });
  const fetch = rig.fetch(NAME);
  const { bytes } = await fetch.ended();
  assertSame(bytes, SMALL);
  assertEquals(fetch.restarts, 0);
});

Deno.test("Fetch takes the file of peers when the mirror lies and the SHA-256 is known", async () => {
  await using rig = await FetchRig.start({ [NAME]: spoilt(BIG, 70) });
  await rig.holder(NAME, BIG, slow(20));
  const fetch = rig.fetch(NAME, { sha256: sha256Of(BIG), sizeBytes: BIG.length });
  const { done, bytes } = await fetch.ended();
  assertSame(bytes, BIG);
  assertEquals(done.root, rootOf(BIG));
  assertSame(readAll(rig.store, done.root), BIG);
});

Deno.test("Fetch takes the mirror's file when a peer lies and the SHA-256 is known, and remembers it", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const holder = await rig.holder(NAME, spoilt(SMALL, MIB));
  const request = { sha256: sha256Of(SMALL), sizeBytes: SMALL.length };
  const first = rig.fetch(NAME, request);
  const { done, bytes } = await first.ended();
  assertSame(bytes, SMALL);
  assertEquals(done.root, rootOf(SMALL));
  assertEquals(first.restarts, 0);

  rig.store.remove(done.root);
  const asked = holder.requested.length;
  const again = await rig.fetch(NAME, request).ended();
  assertSame(again.bytes, SMALL);
  assertEquals(holder.requested.length, asked, "it was asked again");
});

Deno.test("Fetch with a mirror that refuses says how it did, and ends soon", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  rig.mirror.misbehave({ status: 503, retryAfter: "7" });
  const error = await assertRejects(() => rig.fetch(NAME).ended(), FetchFailure);
  assertEquals([error.exit, error.upstream], ["failed", { status: 503, retryAfter: "7" }]);
  rig.mirror.behave();
  const missing = await assertRejects(() => rig.fetch("other.sig").ended(), FetchFailure);
  assertEquals([missing.exit, missing.upstream?.status], ["notFound", 404]);
});

Deno.test("Fetch takes the file of a peer when the mirror refuses", async () => {
  await using rig = await FetchRig.start({});
  await rig.neighbour(NAME, SMALL);
  const { bytes } = await rig.fetch(NAME).ended();
  assertSame(bytes, SMALL);
});

Deno.test("Fetch that was stopped goes on from what the mirror gave", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const behave = rig.mirror.misbehave({ silentAfterBytes: 2 * MIB });
  const first = rig.fetch(NAME);
  await first.untilReleased(100);
  await first.abort();
  behave();
  rig.mirror.forget();
  const { bytes } = await rig.fetch(NAME, { sha256: sha256Of(SMALL) }).ended();
  assertSame(bytes, SMALL);
  assertLess(rig.mirror.packageBytes, SMALL.length - MIB);
});

Deno.test("Fetch that was stopped while its file gets its place goes on from that", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const sha256 = sha256Of(SMALL);
  const first = rig.fetch(NAME, { sha256 });
  // The last chunk is released when the check is done, just before the file gets its place.
  first.beforeReleased = ({ first: index, count }) => {
    if (index + count === chunkCount(SMALL.length)) first.abort();
  };
  await assertRejects(() => first.done, FetchFailure, "stopped");
  assertEquals(rig.store.definitionsByName(NAME), []);
  rig.mirror.forget();
  const { bytes } = await rig.fetch(NAME, { sha256 }).ended();
  assertSame(bytes, SMALL);
  assertLess(rig.mirror.packageBytes, MIB);
  assertEquals([...Deno.readDirSync(`${rig.store.dataDir}/incoming`)].map(({ name }) => name), []);
});

Deno.test("Fetch that was stopped begins again when the mirror has another file by then", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const behave = rig.mirror.misbehave({ silentAfterBytes: 2 * MIB });
  const first = rig.fetch(NAME);
  await first.untilReleased(100);
  await first.abort();
  behave();
  const other = content(2 * MIB + 9, 5);
  rig.put(NAME, other);
  const { bytes } = await rig.fetch(NAME).ended();
  assertSame(bytes, other);
});

Deno.test("Fetch from a byte on asks a mirror for nothing before it, and keeps nothing", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const from = 2 * MIB + 100;
  const fetch = rig.fetch(NAME, {}, { from });
  const { done, bytes } = await fetch.ended();
  assertEquals(done.root, UNKNOWN_ROOT);
  assertSame(bytes.subarray(from), SMALL.subarray(from));
  assertLess(rig.mirror.packageBytes, SMALL.length - 2 * MIB + CHUNK_BYTES);
  assertEquals(rig.store.definitionsByName(NAME), []);
});

Deno.test("Fetch of some chunks takes them from the mirror", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const { bytes } = await rig.fetch(NAME, { chunks: { first: 5, count: 3 } }).ended();
  const [start, end] = [5 * CHUNK_BYTES, 8 * CHUNK_BYTES];
  assertSame(bytes.subarray(start, end), SMALL.subarray(start, end));
  assertEquals(rig.mirror.packageBytes, 3 * CHUNK_BYTES);
});

Deno.test("Fetch of an empty file from a mirror ends with it", async () => {
  await using rig = await FetchRig.start({ [NAME]: new Uint8Array() });
  const { done } = await rig.fetch(NAME).ended();
  assertEquals([done.sizeBytes, done.root], [0, rootOf(new Uint8Array())]);
});

Deno.test("Fetch leaves a mirror's stream of a large file when a peer turns up", async () => {
  await using rig = await FetchRig.start({ [NAME]: BIG });
  rig.mirror.misbehave({ bytesPerSecond: 4 * MIB });
  const fetch = rig.fetch(NAME, { sha256: sha256Of(BIG), sizeBytes: BIG.length });
  await fetch.untilReleased(64);
  await rig.neighbour(NAME, BIG);
  const { done, bytes } = await fetch.ended();
  assertSame(bytes, BIG);
  assertEquals(fetch.restarts, 0);
  const given = done.sources.reduce((sum, { bytes }) => sum + bytes, 0);
  assertGreater(given, 0, "the peer gave nothing");
});

Deno.test("Fetch into a path of its own takes it from the mirror, from what lies there on", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const path = `${rig.store.dataDir}/out.part`;
  await Deno.writeFile(path, SMALL.subarray(0, MIB));
  await rig.fetch(NAME, { sha256: sha256Of(SMALL) }, { path }).ended();
  assertSame(await Deno.readFile(path), SMALL);
  assertLess(rig.mirror.packageBytes, 2 * MIB);
});

Deno.test("Fetch into a path of its own uses peers that turn up, and what the mirror gave", async () => {
  await using rig = await FetchRig.start({ [NAME]: BIG });
  rig.mirror.misbehave({ bytesPerSecond: 2 * MIB });
  const path = `${rig.store.dataDir}/out.part`;
  const fetch = rig.fetch(NAME, { sha256: sha256Of(BIG), sizeBytes: BIG.length }, { path });
  await rig.mirror.gave(/zst$/, 4 * MIB);
  await rig.neighbour(NAME, BIG);
  const { done } = await fetch.ended();
  assertSame(await Deno.readFile(path), BIG);
  assert(done.sources.some(({ bytes }) => bytes > 0), "the peer gave nothing");
});

Deno.test("Fetch leaves a record of how it went, and one of how it failed", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  rig.mirror.misbehave({ status: 403 }, { times: 1 });
  await assertRejects(() => rig.fetch(NAME).ended(), FetchFailure);
  await rig.fetch(NAME).ended();
  const [last, before] = rig.store.history.of(NAME);
  assertEquals(last!.outcome, "done");
  assert(before!.outcome.includes("status 403"), before!.outcome);
  assert(last!.steps.some(({ what }) => what.includes("mirror")));
  await waitUntil(() => rig.store.statistics().get("bytesMirror") === SMALL.length, {
    what: "the savings",
  });
});

Deno.test("Fetch releases nothing that the mirror of another fetch of the same file gave", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await rig.holder(NAME, SMALL, slow(300));
  const own = rig.fetch(NAME, { mirrors: [], sha256: sha256Of(BIG) });
  await own.until("found");
  const other = rig.fetch(NAME);
  await other.ended();
  assertGreater(rig.mirror.packageBytes, 0);
  assertEquals([own.releasedChunks.count, own.restarts], [0, 0]);
  await own.abort();
});

Deno.test("Fetch leaves the mirror that gave a wrong range, at once, and no other", async () => {
  await using honest = await FetchRig.start({ [NAME]: BIG });
  await using liar = await FetchRig.start({ [NAME]: BIG });
  liar.mirror.misbehave({
    flippedBytes: Array.from({ length: 24 * 64 }, (_, i) => i * CHUNK_BYTES),
  });
  await honest.holder(NAME, BIG, slow(150));
  // The head comes from the first, which then breaks: ranges are asked of the second.
  const mirrors = [honest.url(NAME), liar.url(NAME)];
  const fetch = honest.fetch(NAME, { root: rootOf(BIG), mirrors });
  await honest.mirror.gave(/zst$/, 1);
  const behave = honest.mirror.misbehave({ status: 503 });
  await waitUntil(() => liar.mirror.requests.length > 0, { what: "the liar to be asked" });
  behave();
  const { bytes } = await fetch.ended();
  assertSame(bytes, BIG);
  assertLess(liar.mirror.requests.length, 10);
  const steps = honest.store.history.of(NAME)[0]!.steps.map(({ what }) => what);
  const banned = steps.filter((what) => what.includes("is not asked again"));
  assert(
    banned.every((what) => !what.startsWith(`Mirror ${new URL(honest.url("")).host} `)),
    banned.join(),
  );
});

Deno.test("Fetch has a mirror without ranges give all when the peer that gave it goes away", async () => {
  await using rig = await FetchRig.start({ [NAME]: BIG });
  rig.mirror.misbehave({ ranges: "none" });
  let served = 0;
  const holder = await rig.holder(NAME, BIG, {
    onRequest: (range, { serve }) => {
      if (served++ < 10) serve(range);
    },
  });
  const fetch = rig.fetch(NAME, { sha256: sha256Of(BIG), sizeBytes: BIG.length });
  await waitUntil(() => served > 10, { what: "the peer to give no more" });
  await holder[Symbol.asyncDispose]();
  const { bytes } = await fetch.ended();
  assertSame(bytes, BIG);
});

Deno.test("Fetch of a root leaves a mirror whose file has another, and asks the next", async () => {
  await using rig = await FetchRig.start({ [NAME]: spoilt(SMALL, 70) });
  await using right = await FetchRig.start({ [NAME]: SMALL });
  const added: string[] = [];
  rig.store.onChange((change) => change.kind === "added" && added.push(change.root));
  const fetch = rig.fetch(NAME, { root: rootOf(SMALL), mirrors: [rig.url(NAME), right.url(NAME)] });
  const { done, bytes } = await fetch.ended();
  assertSame(bytes, SMALL);
  assertEquals([done.root, added], [rootOf(SMALL), [rootOf(SMALL)]]);
  assertEquals(fetch.restarts, 1);
});

Deno.test("Fetch of a root goes on with peers when the mirror's file has another", async () => {
  await using rig = await FetchRig.start({ [NAME]: spoilt(SMALL, SMALL.length - 1) });
  // Somebody who is asked, and does not say that nobody behind it has it.
  await rig.holder("other.bin", SMALL.subarray(5));
  // The search lasts as long as a busy machine needs to start the holder.
  const fetch = rig.fetch(NAME, { root: rootOf(SMALL), searchMs: WAIT_MS });
  fetch.beforeReleased = (range) => assert(range.first + range.count < fetch.releasedChunks.length);
  await fetch.until("restarted");
  fetch.beforeReleased = undefined;
  await rig.neighbour(NAME, SMALL);
  const { bytes } = await fetch.ended();
  assertSame(bytes, SMALL);
});

Deno.test("Fetch waits for no mirror that is silent when peers gave all", async () => {
  await using rig = await FetchRig.start({});
  await using next = await FetchRig.start({});
  rig.mirror.misbehave({ isSilent: true });
  next.mirror.misbehave({ isSilent: true });
  await rig.neighbour(NAME, SMALL);
  const { bytes } = await rig.fetch(NAME, { mirrors: [rig.url(NAME), next.url(NAME)] }).ended();
  assertSame(bytes, SMALL);
  assertEquals(next.mirror.requests.length, 0, "it waited until the first mirror was given up");
});

Deno.test("Fetch keeps nothing of a mirror's when the file turns out to be here", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await addDownloaded(rig.store, "other name.bin", SMALL);
  rig.mirror.misbehave({ silentAfterBytes: MIB });
  const fetch = rig.fetch(NAME, { sha256: sha256Of(SMALL) });
  await fetch.untilReleased(32);
  await rig.neighbour(NAME, SMALL);
  const { done, bytes } = await fetch.ended();
  assertSame(bytes, SMALL);
  assertEquals(done.bytesLocal, SMALL.length);
  assertEquals([...Deno.readDirSync(`${rig.store.dataDir}/incoming`)].map(({ name }) => name), []);
});

Deno.test("Fetch takes a file that is here by its name only if the mirror's is the same", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  await using other = await FetchRig.start({ [NAME]: spoilt(SMALL, 7) });
  assertSame((await rig.fetch(NAME).ended()).bytes, SMALL);
  const mirrors = [other.url(NAME)];
  const first = await rig.fetch(NAME, { mirrors }).ended();
  assertSame(first.bytes, spoilt(SMALL, 7));
  rig.mirror.forget();
  other.mirror.forget();
  for (const [by, expected] of [[rig, SMALL], [other, first.bytes]] as const) {
    const { done, bytes } = await rig.fetch(NAME, { mirrors: [by.url(NAME)] }).ended();
    assertSame(bytes, expected);
    assertEquals(done.bytesLocal, SMALL.length);
  }
  assertLess(rig.mirror.packageBytes + other.mirror.packageBytes, SMALL.length / 10);
  // Nobody says anything else then.
  other.mirror.misbehave({ status: 503 });
  assertEquals((await rig.fetch(NAME, { mirrors }).ended()).done.bytesLocal, SMALL.length);
});

Deno.test("Fetch takes no file of a peer's that is here when the mirror has another of its name", async () => {
  await using rig = await FetchRig.start({ [NAME]: SMALL });
  const wrong = spoilt(SMALL, 7);
  await addDownloaded(rig.store, "other name.bin", wrong);
  await rig.neighbour(NAME, wrong);
  assertSame((await rig.fetch(NAME).ended()).bytes, SMALL);
});
