// What is remembered of fetches in which something was wrong, or that still run: who is credited,
// and what is left of what was thrown away.

import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { FetchFailure } from "../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { explain } from "../../src/daemon/control/answers.ts";
import { content, rootOf } from "../unit/store/store_fixture.ts";
import { FetchRig, sha256Of } from "./support/fetch_rig.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "file.pkg.tar.zst";
const RIGHT = content(3 * 1_024 * 1_024 - 77);
const SHA256 = sha256Of(RIGHT);

/** The right size, and one wrong byte near the end. */
function spoilt(): Uint8Array {
  const wrong = RIGHT.slice();
  wrong[RIGHT.length - 5_000]! ^= 0xff;
  return wrong;
}

Deno.test("explain() credits the mirror with what it gave, and the liar with what was thrown away", async () => {
  await using rig = await FetchRig.start({ [NAME]: RIGHT });
  const liar = await rig.holder(NAME, spoilt());
  const { done } = await rig.fetch(NAME, { sha256: SHA256, sizeBytes: RIGHT.length }).ended();
  assertEquals(done.root, rootOf(RIGHT));
  assertEquals(done.sources, []);
  const [record] = [...explain(rig.node, NAME)];
  assertEquals(
    [record!.bytesPeers, record!.bytesMirror, record!.bytesSaved],
    [0, RIGHT.length, 0],
  );
  assertGreater(record!.bytesThrownAway, 0);
  const given = record!.givers.find(({ nodeId }) => nodeId === liar.nodeId)!;
  assertEquals([given.bytes, given.bytesThrownAway], [0, record!.bytesThrownAway]);
  // By the root that the log names, too.
  assertEquals([...explain(rig.node, rootOf(spoilt()))], [record]);
  await waitUntil(() => rig.store.fileDefinitions().length === 1, {
    what: "what was rejected is gone",
  });
});

Deno.test("explain() remembers a fetch in which bytes came beside later ones in vain", async () => {
  await using rig = await FetchRig.start();
  await rig.holder(NAME, spoilt());
  const wanted = { sha256: SHA256, sizeBytes: RIGHT.length, mirrors: [], timeoutMs: 2_000 };
  await assertRejects(() => rig.fetch(NAME, wanted).ended(), FetchFailure);
  await assertRejects(() => rig.fetch(NAME, wanted).ended(), FetchFailure);
  const [last, before] = [...explain(rig.node, NAME)];
  assertEquals([last!.bytesThrownAway, before!.bytesThrownAway], [0, RIGHT.length]);
  assertEquals([...explain(rig.node, rootOf(spoilt()))], [before]);
  assertEquals(rig.store.fileDefinitions(), []);
});

Deno.test("explain() says that nobody has it of a fetch that was stopped for that", async () => {
  await using rig = await FetchRig.start();
  await rig.holder(NAME, spoilt());
  const fetch = rig.fetch(NAME, { sha256: SHA256, mirrors: [] });
  await waitUntil(() => explain(rig.node, NAME).next().value!.bytesThrownAway > 0, {
    what: "the wrong file is thrown away",
    everyMs: 5,
  });
  await fetch.abort(new FetchFailure("notFound", "Nobody gave it in time"));
  const [record] = [...explain(rig.node, NAME)];
  assert(record!.outcome.includes("what peers offer failed its check"), record!.outcome);
});

Deno.test("explain() tells how far a fetch is that still runs, by name and root", async () => {
  await using rig = await FetchRig.start({ [NAME]: RIGHT });
  rig.mirror.misbehave({ bytesPerSecond: 512 * 1_024 });
  const fetch = rig.fetch(NAME);
  await fetch.untilReleased(2);
  const [record] = [...explain(rig.node, NAME)];
  assertEquals([record!.outcome, record!.endedAt], ["still coming", null]);
  assert(record!.bytesMirror >= 2 * CHUNK_BYTES && record!.bytesMirror < RIGHT.length);
  assertEquals([...explain(rig.node, "another")], []);
  await fetch.abort();
  assertEquals([...explain(rig.node, NAME)].map(({ outcome }) => outcome), [
    "The fetch was stopped",
  ]);
});

Deno.test("explain() trusts a copy that is here by what brought it, and counts it once", async () => {
  await using rig = await FetchRig.start({ [NAME]: RIGHT });
  await rig.fetch(NAME, { sha256: SHA256 }).ended();
  await rig.fetch(NAME, { mirrors: [] }).ended();
  const [again, came] = [...explain(rig.node, NAME)];
  assertEquals([again!.bytesLocal, again!.trust], [RIGHT.length, "sha256"]);
  assertEquals([came!.bytesMirror, came!.trust], [RIGHT.length, "sha256"]);
  // As one that is compared with the mirror first.
  const { done } = await rig.fetch(NAME).ended();
  assertEquals([done.bytesLocal, done.mirrors], [RIGHT.length, []]);
  assertEquals([...explain(rig.node, NAME)][0]!.trust, "sha256");
  const sums = rig.store.statistics();
  assertEquals([sums.get("savedFiles"), sums.get("bytesLocal"), sums.get("bytesSaved")], [1, 0, 0]);
});

Deno.test("explain() trusts a part of a file that nobody checked as much as who gave it", async () => {
  await using rig = await FetchRig.start({ [NAME]: RIGHT });
  const wanted = { sha256: SHA256, sizeBytes: RIGHT.length };
  await rig.fetch(NAME, wanted, { from: 2 * 1_024 * 1_024 }).ended();
  const [record] = [...explain(rig.node, NAME)];
  assertEquals([record!.outcome, record!.root, record!.trust], ["done", null, "mirror"]);
  await rig.fetch(NAME, { ...wanted, chunks: { first: 0, count: 2 } }).ended();
  assertEquals(explain(rig.node, NAME).next().value!.trust, "mirror");
});

Deno.test("Fetch leaves no partial file of what was offered and never came", async () => {
  await using rig = await FetchRig.start();
  await rig.holder(NAME, RIGHT, { onRequest: () => {} });
  const fetch = rig.fetch(NAME, { mirrors: [] });
  await waitUntil(() => rig.store.fileDefinitions().length === 1, { what: "a partial file" });
  await fetch.abort();
  assertEquals(rig.store.fileDefinitions(), []);
});
