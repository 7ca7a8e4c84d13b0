// Holders and neighbours that would hold a fetch up, lead it astray or have it do too much: by
// false hits, false sizes, malformed offers, leaves in crumbs, or help that overlaps. The fetch
// ends well when an honest holder is there, and ends at all when none is.

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { HASH_BYTES } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { connectTo } from "./support/client.ts";
import { requestFor } from "../support/fetch_request.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode, bytesFetched } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, TempDir } from "./support/files.ts";
import { holdFile, otherRoot, RawHolder, type Serving } from "./support/raw_holder.ts";
import { RawNode } from "./support/raw_node.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "wanted.pkg";

Deno.test("pacsrv daemon gives a client each byte once when holders overlap at the end", async () => {
  const file = holdFile(NAME, randomBytes(192 * CHUNK_BYTES, 90));
  await using daemon = await startDaemon();
  /** Requests that the first holder answers only when it is told to. */
  const held: { readonly serve: () => void; readonly end: number }[] = [];
  let isHolding = true;
  await using slow = await RawHolder.start(daemon.node, file, {
    behaviour: {
      onRequest(range, { serve }) {
        if (!isHolding || range.first + range.count <= 128) return serve(range);
        held.push({ serve: () => serve(range), end: range.first + range.count });
      },
    },
  });
  await using client = await connectTo(daemon);
  const got = new Uint8Array(file.data.length);
  let dataBytes = 0, sourceBytes = 0;
  const fetching = (async () => {
    for await (const event of client.get(requestFor(NAME, { deliver: true }))) {
      if (event.kind === "data") {
        got.set(event.bytes, event.offset);
        dataBytes += event.bytes.length;
      } else if (event.kind === "done") {
        sourceBytes = event.sources.reduce((sum, { bytes }) => sum + bytes, 0);
      }
    }
  })();
  await waitUntil(() => held.some(({ end }) => end === 192), { what: "the last request" });

  // The second is asked for a part of what the first owes, and is sooner with it, once.
  let helped = 0;
  await using quick = await RawHolder.start(daemon.node, file, {
    behaviour: {
      onRequest(range, { serve }) {
        if (helped++ === 0) serve(range);
      },
    },
  });
  await waitUntil(() => helped > 1, { what: "the second holder to be asked again" });
  isHolding = false;
  for (const { serve } of held) serve();
  await fetching;
  assertEquals([dataBytes, sourceBytes], [file.data.length, file.data.length]);
  assertEquals(got, file.data);
  assertEquals([slow.complaints, quick.complaints], [[], []]);
});

Deno.test("pacsrv fetch ends when the only offer has a bitfield that cannot be", async () => {
  const file = holdFile(NAME, randomBytes(13 * CHUNK_BYTES, 91));
  await using daemon = await startDaemon();
  await using liar = new RawNode();
  const link = await liar.dial(daemon.node, "link");
  await daemon.linked(1);
  let offered = 0;
  liar.run(async () => {
    for (;;) {
      const { id } = await link.next("query");
      const peer = await liar.callBack(daemon.node, id);
      const { root, name, data } = file;
      const described = { root, name, type: "", sizeBytes: data.length, chunksHave: 8 };
      peer.send(
        // The file has 13 chunks; bits 13 to 15 belong to none.
        {
          kind: "offer",
          file: { ...described, whole: false },
          bitfield: Uint8Array.of(0xf8, 0x07),
        },
        { kind: "offers-end" },
      );
      offered++;
      // It keeps its side open: it is for the daemon to be rid of it.
    }
  });
  await using fetch = daemon.fetch([NAME]);
  const { code, stderr } = await fetch.ended();
  assertGreater(offered, 0);
  assertEquals(code, 3, stderr);
});

Deno.test("pacsrv fetch is not led astray by hits, and dials few of them", async () => {
  await using dir = await TempDir.make();
  const file = holdFile(NAME, randomBytes(40 * CHUNK_BYTES, 92));
  await using daemon = await startDaemon();
  await using forger = new RawNode();
  let dialled = 0;
  await using victim = new RawNode({ onPeer: () => void dialled++ });
  const link = await forger.dial(daemon.node, "link");
  await daemon.linked(1);
  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  const { id } = await link.next("query");
  const [holderHost, holderPort] = victim.address.split(":");
  for (let i = 0; i < 1_000; i++) {
    link.send({
      kind: "hit",
      id,
      hops: 1,
      nodeId: i.toString(16).padStart(32, "0") as typeof forger.nodeId,
      holderHost: holderHost!,
      holderPort: Number(holderPort),
      offers: [{
        root: otherRoot(file.root),
        name: NAME,
        type: "",
        sizeBytes: 5,
        chunksHave: 1,
        whole: true,
      }],
    });
  }
  await waitUntil(() => dialled > 0, { what: "a hit to be followed up" });
  await using honest = await RawHolder.start(daemon.node, file);
  const done = await fetch.done();
  assertEquals([done.root, bytesFetched(done)], [file.root, file.data.length]);
  assert(!fetch.events().some(({ event }) => event === "restarted"));
  assertEquals(await Deno.readFile(output), file.data);
  assertEquals(honest.verdicts, ["want"]);
  assert(dialled <= limits.sourcesMax, `${dialled} connections to one address`);
});

Deno.test("pacsrv fetch --chunks passes over an offer of the name that is too short", async () => {
  const file = holdFile(NAME, randomBytes(40 * CHUNK_BYTES, 93));
  const short = holdFile(NAME, randomBytes(5, 94));
  await using daemon = await startDaemon();
  await using liar = await RawHolder.start(daemon.node, short);
  await daemon.linked(1);
  await using fetch = daemon.fetch([NAME, "--chunks", "10-11"]);
  await waitUntil(() => liar.verdicts.length > 0, { what: "the short offer to be answered" });
  await using _honest = await RawHolder.start(daemon.node, file);
  const done = await fetch.done();
  assertEquals([done.root, bytesFetched(done)], [file.root, 2 * CHUNK_BYTES]);
  assertEquals(liar.verdicts[0], "more");
});

Deno.test("pacsrv fetch --chunks says so when every offer is too short", async () => {
  const short = holdFile(NAME, randomBytes(5, 95));
  await using daemon = await startDaemon();
  await using _holder = await RawHolder.start(daemon.node, short);
  await daemon.linked(1);
  await using fetch = daemon.fetch([NAME, "--chunks", "10-11"]);
  const { code, stderr } = await fetch.ended();
  assertEquals(code, 2, stderr);
  assertMatch(stderr, /chunks 10-11: the file has 1 /);
});

Deno.test("pacsrv fetch drops a holder that gives leaves in crumbs", async () => {
  await using dir = await TempDir.make();
  const file = holdFile(NAME, randomBytes(129 * CHUNK_BYTES - 7, 96));
  const path = await dir.sub("shared", NAME);
  await Deno.writeFile(path, file.data);
  await using honest = await startDaemon({ shares: [path] });
  await honest.holds(NAME);
  await using daemon = await startDaemon({ peers: [honest.node] });
  await daemon.linked(1);
  honest.kill("SIGSTOP");
  await using liar = await RawHolder.start(daemon.node, file, {
    behaviour: {
      // One leaf, and the next one whenever: each would be a sign of life.
      onLeaves: (_range, { peer }: Serving) =>
        peer.send({ kind: "leaves", first: 0, hashes: file.leaves.slice(0, HASH_BYTES) }),
    },
  });
  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  const line = await daemon.logged(/WARN.*leaves/);
  assert(line.includes(liar.nodeId), line);
  honest.kill("SIGCONT");
  const done = await fetch.done();
  await assertSameFile(output, path);
  assertEquals(bytesByNode(done).get(liar.nodeId) ?? 0, 0);
});
