// Requesters that nobody can dial get their file all the same; and nobody can make a third one be
// dialled in his stead.

import { assert, assertEquals } from "@std/assert";
import type { QueryId } from "../../src/base/ids.ts";
import { type DaemonOptions, startDaemon } from "./support/daemon.ts";
import { bytesByNode, FetchProcess } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { RawNode, rawQuery } from "./support/raw_node.ts";
import { SilentListener } from "./support/silent_listener.ts";

const NAME = "behind.nat";
const FILE_BYTES = 2_500_003;
/** Addresses of this machine that a link to 127.0.0.1 does not come from. */
const ELSEWHERE = "127.0.0.2";
const hasElsewhere = Deno.build.os === "linux";

/** A holder two links away from `requester`, whose fetch must get the file from there. */
async function fetchOverTwoLinks(
  options: { readonly requester: DaemonOptions; readonly isTried: boolean },
): Promise<void> {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 7);
  await using holder = await startDaemon({ shares: [path] });
  await holder.holds(NAME);
  await using between = await startDaemon({ peers: [holder.node] });
  await between.linked(1);
  await using requester = await startDaemon({ ...options.requester, peers: [between.node] });
  await between.linked(2);

  const output = await dir.sub("got");
  await using fetch = requester.fetch([NAME, "-o", output]);
  const done = await fetch.done();
  await assertSameFile(output, path);
  assertEquals(bytesByNode(done), new Map([[holder.id, FILE_BYTES]]));
  const tried = holder.process.stderr.matches("callback failed");
  assertEquals(tried.length > 0, options.isTried, tried.join("\n"));
  const { queriesAnswered, messagesSent } = (await holder.status()).counters;
  assertEquals([queriesAnswered, messagesSent], [1, 1], "the HIT is its one answer");
  assertEquals((await between.status()).counters.messagesSent, 2, "the query on, the HIT back");
}

Deno.test("a requester that says it cannot be dialled gets its file by the HIT of a holder", async () => {
  await fetchOverTwoLinks({ requester: { args: ["--no-callback"] }, isTried: false });
});

Deno.test({
  name: "a requester that cannot be dialled and does not know it gets its file by HIT",
  ignore: !hasElsewhere,
  fn: async () => {
    // Its links come from 127.0.0.1, where nothing listens at its port.
    await fetchOverTwoLinks({ requester: { node: `${ELSEWHERE}:0` }, isTried: true });
  },
});

Deno.test({
  name: "a requester gets its file by HIT when another node answers at its place",
  ignore: !hasElsewhere,
  fn: async () => {
    await using other = await startDaemon();
    const port = other.node.split(":")[1];
    await fetchOverTwoLinks({ requester: { node: `${ELSEWHERE}:${port}` }, isTried: true });
    assertEquals((await other.status()).uploads, []);
  },
});

Deno.test("pacsrv fetch --alone --no-callback gets a file from its neighbour", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 8);
  await using holder = await startDaemon({ shares: [path] });
  await holder.holds(NAME);
  const output = await dir.sub("got");
  await using fetch = new FetchProcess([
    ...[NAME, "-o", output, "--alone", "--no-callback", "--peer", holder.node],
  ]);
  assertEquals(bytesByNode(await fetch.done()), new Map([[holder.id, FILE_BYTES]]));
  await assertSameFile(output, path);
});

Deno.test({
  name: "a query makes nobody be dialled but the neighbour that sent it",
  ignore: !hasElsewhere,
  fn: async () => {
    await using dir = await TempDir.make();
    const path = await dir.sub("shared", NAME);
    await randomFile(path, 40_000, 9);
    await using victim = new SilentListener(ELSEWHERE);
    await using downstream = new RawNode();
    await using holder = await startDaemon({ shares: [path] });
    await holder.holds(NAME);
    const observer = await downstream.dial(holder.node, "link");
    const sought = { by: "name", value: NAME } as const;

    // Its origin names a host itself: the link is dropped, and the query goes nowhere.
    await using liar = new RawNode();
    const link = await liar.dial(holder.node, "link");
    const aimed = { callbackHost: victim.host, callbackPort: victim.port };
    link.send(rawQuery({ id: "b1".repeat(16) as QueryId, sought, ...aimed }));
    const last = (await link.ended()).at(-1);
    assertEquals(last, { kind: "bye", reason: "malformed" });
    const line = await holder.logged("names the host");
    assert(line.includes("WARN"), line);

    // It gives the victim's port alone: it is the host of the link that is dialled there.
    await using sender = new RawNode();
    const other = await sender.dial(holder.node, "link");
    const id = "b2".repeat(16) as QueryId;
    other.send(rawQuery({ id, sought, callbackPort: victim.port }));
    await holder.logged(`peer=127.0.0.1:${victim.port}`);
    const seen = await observer.next("query");
    assertEquals([seen.id, seen.hops], [id, 1], "and the one before was not passed on");
    assertEquals([seen.callbackHost, seen.callbackPort], ["127.0.0.1", victim.port]);

    // It says the truth: it is called back.
    const heard = Promise.withResolvers<string>();
    await using honest = new RawNode({ onPeer: ({ remote }) => heard.resolve(remote.purpose) });
    const third = await honest.dial(holder.node, "link");
    const callbackPort = honest.identity.listenPort;
    third.send(rawQuery({ id: "b3".repeat(16) as QueryId, sought, callbackPort }));
    assertEquals(await heard.promise, "callback");
    assertEquals(victim.acceptedCount, 0);
  },
});
