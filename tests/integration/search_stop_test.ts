// Where a search ends: at ENOUGH, and at its TTL.

import { assert, assertEquals } from "@std/assert";
import type { QueryId } from "../../src/base/ids.ts";
import { startDaemon } from "./support/daemon.ts";
import { randomBytes, randomFile, TempDir } from "./support/files.ts";
import { network } from "./support/network.ts";
import { holdFile, RawHolder } from "./support/raw_holder.ts";
import { RawNode, type RawPeer, rawQuery } from "./support/raw_node.ts";
import { callbackOk } from "./support/requester.ts";

const NAME = "enough.bin";

Deno.test("a holder does not forward a query once its requester answers ENOUGH", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub(NAME);
  await randomFile(path, 100_000, 10);
  await using holder = await startDaemon({ shares: [path] });
  await holder.holds(NAME);
  await using downstream = new RawNode();
  const observer = await downstream.dial(holder.node, "link");

  const ids = ["c1", "c2", "c3"].map((digits) => digits.repeat(16) as QueryId);
  const callbacks: RawPeer[] = [];
  let arrived = Promise.withResolvers<RawPeer>();
  await using requester = new RawNode({
    onPeer(peer) {
      callbacks.push(peer);
      arrived.resolve(peer);
    },
  });
  const link = await requester.dial(holder.node, "link");
  const seek = async (id: QueryId) => {
    arrived = Promise.withResolvers();
    const callbackPort = requester.identity.listenPort;
    link.send(rawQuery({ id, sought: { by: "name", value: NAME }, callbackPort }));
    const peer = await arrived.promise;
    await callbackOk(peer, id);
    assertEquals((await peer.next("offer")).file.name, NAME);
    await peer.next("offers-end");
    return peer;
  };

  (await seek(ids[0]!)).send({ kind: "enough" });
  // The second gets no answer, and goes on after a while: longer than the first would have taken.
  await seek(ids[1]!);
  assertEquals((await observer.next("query")).id, ids[1], "the first never came");
  (await seek(ids[2]!)).send({ kind: "more" });
  assertEquals((await observer.next("query")).id, ids[2]);
  const { counters } = await holder.status();
  assertEquals(
    [counters.queriesSeen, counters.queriesAnswered, counters.queriesForwarded],
    [3, 3, 2],
  );
});

Deno.test("a fetch that has sources enough stops its search at the next holder", async () => {
  await using dir = await TempDir.make();
  const file = holdFile(NAME, randomBytes(4_000_000, 11));
  const path = await dir.sub(NAME);
  await Deno.writeFile(path, file.data);
  await using holder = await startDaemon({ shares: [path] });
  await holder.holds(NAME);
  await using downstream = new RawNode();
  const observer = await downstream.dial(holder.node, "link");
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  holder.kill("SIGSTOP");
  // Seven that give leaves and no chunks: the fetch has sources, and goes on.
  await using cleanup = new AsyncDisposableStack();
  const mute = { onRequest: () => {} };
  const others: RawHolder[] = [];
  for (let i = 0; i < 7; i++) {
    others.push(cleanup.use(await RawHolder.start(daemon.node, file, { behaviour: mute })));
  }
  await daemon.linked(8);

  await using fetch = daemon.fetch([NAME, "-o", await dir.sub("got")]);
  for (const _ of others) {
    await daemon.logged(new RegExp(`source joined peer=${others.shift()!.node.address}`));
  }
  holder.kill("SIGCONT");
  await fetch.done();
  const { counters } = await holder.status();
  assertEquals([counters.queriesSeen, counters.queriesAnswered], [1, 1]);
  assertEquals(counters.queriesForwarded, 0, "it heard that it was enough");

  // A later search goes through: the way was open.
  await using later = daemon.fetch(["nothing.bin", "-o", await dir.sub("none"), "--timeout", "1"]);
  const query = await observer.next("query");
  assertEquals(query.sought.value, "nothing.bin");
  assertEquals((await later.ended()).code, 6);
});

for (const ttl of [0, 2]) {
  Deno.test(`a search of TTL ${ttl} reaches ${ttl + 1} links far, and no further`, async () => {
    await using dir = await TempDir.make();
    const paths: string[] = [];
    for (let i = 0; i < 5; i++) {
      const path = await dir.sub(`far-${i}.bin`);
      await randomFile(path, 50_000, 20 + i);
      paths.push(path);
    }
    await using line = await network("line", 5, {
      each: (index) => ({
        shares: [paths[index]!],
        args: index === 0 ? ["--ttl", String(ttl)] : [],
      }),
    });
    const [first, ...others] = line.daemons;
    for (const [i, daemon] of line.daemons.entries()) await daemon.holds(`far-${i}.bin`);
    const farthest = ttl + 1;

    await using near = first!.fetch([`far-${farthest}.bin`, "-o", await dir.sub("near")]);
    assertEquals((await near.done()).sources.map(({ nodeId }) => nodeId), [others[ttl]!.id]);
    await using far = first!.fetch([`far-${farthest + 1}.bin`, "-o", await dir.sub("far")]);
    const { code, stderr } = await far.ended();
    assertEquals(code, 3, stderr);
    assert(stderr.includes("nobody has it"), stderr);
    const seen = await Promise.all(
      others.map(async (daemon) => (await daemon.status()).counters.queriesSeen),
    );
    assertEquals(seen, others.map((_, i) => i <= ttl ? 2 : 0));
    const { messagesSent } = (await others[ttl]!.status()).counters;
    assertEquals(messagesSent, 0, "the last one that it reaches passes nothing on");
  });
}
