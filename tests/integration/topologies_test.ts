// Real daemons in real shapes: a search finds what is there, reaches each node once, and is held up
// by nobody who accepts and then keeps silent.

import { assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import type { QueryId } from "../../src/base/ids.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { bytesByNode } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { network, type Topology } from "./support/network.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";
import { SilentListener } from "./support/silent_listener.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "linux.pkg.tar.zst";
const FILE_BYTES = 3_000_017;

/** A file of this name in a folder of its own, to be shared. */
async function makeFile(dir: TempDir): Promise<string> {
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 1);
  return path;
}

/** The counters of all daemons that tell how a query went through them. */
async function countersOf(daemons: readonly DaemonProcess[]) {
  const reports = await Promise.all(daemons.map((daemon) => daemon.status()));
  const sum = (of: "messagesSent" | "queriesSeen" | "queriesDropped") =>
    reports.reduce((total, { counters }) => total + counters[of], 0);
  return {
    each: reports.map(({ counters }) => counters),
    sent: sum("messagesSent"),
    seen: sum("queriesSeen"),
    dropped: sum("queriesDropped"),
  };
}

Deno.test("pacsrv fetch gets a file from the far end of a line of six daemons", async () => {
  await using dir = await TempDir.make();
  const path = await makeFile(dir);
  await using line = await network("line", 6, {
    each: (index) => index === 5 ? { shares: [path] } : {},
  });
  const [first, ...others] = line.daemons;
  const holder = others.at(-1)!;
  await holder.holds(NAME);
  const output = await dir.sub("got");
  await using fetch = first!.fetch([NAME, "-o", output]);
  const done = await fetch.done();
  await assertSameFile(output, path);
  assertEquals(bytesByNode(done), new Map([[holder.id, FILE_BYTES]]));
  assertEquals(done.queriesSent, 1);
  const { each, sent } = await countersOf(line.daemons);
  assertEquals(each.map(({ queriesSeen }) => queriesSeen), [0, 1, 1, 1, 1, 1]);
  assertEquals(each.map(({ queriesForwarded }) => queriesForwarded), [0, 1, 1, 1, 1, 0]);
  assertEquals(each.map(({ queriesAnswered }) => queriesAnswered), [0, 0, 0, 0, 0, 1]);
  assertEquals(sent, 5, "one message a link");
});

for (const [topology, edges] of [["ring", 8], ["mesh", 28]] as [Topology, number][]) {
  Deno.test(`a query reaches each node once in a ${topology} of eight daemons`, async () => {
    await using dir = await TempDir.make();
    const path = await makeFile(dir);
    await using shape = await network(topology, 8, {
      each: (index) => index === 4 ? { shares: [path] } : {},
    });
    const { daemons } = shape;
    await daemons[4]!.holds(NAME);
    const output = await dir.sub("got");
    await using fetch = daemons[0]!.fetch([NAME, "-o", output]);
    assertEquals((await fetch.done()).queriesSent, 1);
    await assertSameFile(output, path);

    // The origin sends over each of its links, every other node over all but the one that the
    // query came by; the first copy is seen, each later one dropped. The holder calls back first, and
    // then sends to those of whom it got no copy meanwhile.
    const ofHolder = 2 * edges / 8 - 1;
    const messages = 2 * edges - 7 - ofHolder;
    const { each, sent } = await waitUntil(async () => {
      const counters = await countersOf(daemons);
      return counters.seen === 7 && counters.sent === counters.seen + counters.dropped && counters;
    }, { what: "the flood to come to rest" });
    assertEquals(each.map(({ queriesSeen }) => queriesSeen), [0, 1, 1, 1, 1, 1, 1, 1]);
    const { messagesSent } = each[4]!;
    assertLessOrEqual(messagesSent, ofHolder);
    assertEquals(sent - messagesSent, messages);
  });
}

Deno.test("a fetch is not delayed when neighbours accept links and never read or answer", async () => {
  await using dir = await TempDir.make();
  const path = await makeFile(dir);
  await using holder = await startDaemon({ shares: [path] });
  await holder.holds(NAME);
  // One completes the handshake and then reads nothing more; the other does not even begin it.
  await using linked = new RawNode();
  await using mute = new SilentListener();
  await using daemon = await startDaemon({ peers: [linked.address, mute.address, holder.node] });
  await daemon.linked(2);
  await mute.accepted(1);

  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  const done = await fetch.done();
  await assertSameFile(output, path);
  // The bounds for a peer that does not answer are longer: none of them was waited for.
  assertLess(done.elapsedMs, limits.dialMs);
  assertEquals((await daemon.peers()).length, 2, "the silent link is still there");
});

Deno.test("a query goes on when its requester accepts the callback and never answers", async () => {
  await using dir = await TempDir.make();
  const path = await makeFile(dir);
  await using downstream = new RawNode();
  await using holder = await startDaemon({ shares: [path] });
  await holder.holds(NAME);
  const observer = await downstream.dial(holder.node, "link");
  await using mute = new SilentListener();
  await using requester = new RawNode();
  const link = await requester.dial(holder.node, "link");
  const id = "a1".repeat(16) as QueryId;
  link.send(rawQuery({ id, sought: { by: "name", value: NAME }, callbackPort: mute.port }));
  await mute.accepted(1);
  const forwarded = await observer.next("query");
  assertEquals([forwarded.id, forwarded.hops], [id, 1]);

  // Meanwhile, with that callback still open, others get what they ask for.
  await using daemon = await startDaemon({ peers: [holder.node] });
  const output = await dir.sub("got");
  await using fetch = daemon.fetch([NAME, "-o", output]);
  await fetch.done();
  await assertSameFile(output, path);
  assertEquals(mute.acceptedCount, 1, "that callback is still the one that it was");
});
