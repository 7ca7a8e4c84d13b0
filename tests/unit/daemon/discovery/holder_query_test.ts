// What `info` and `where` make of the answers that come.

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId, QueryId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { HolderQuery } from "../../../../src/daemon/discovery/holder_query.ts";
import { SearchesRoom } from "../../../../src/daemon/discovery/search_room.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import type { MessageOf } from "../../../../src/wire/messages.ts";
import type { FileOffer, Holder, KnownFile, Sought } from "../../../../src/wire/structures.ts";

const nodes = ["a", "b", "c", "d"].map((letter) => letter.repeat(32) as NodeId);
const [A, B, C, D] = nodes as [NodeId, NodeId, NodeId, NodeId];
const X = "ab".repeat(32) as Root;
const Y = "cd".repeat(32) as Root;
const FLIGHT = "ef".repeat(32) as FlightId;
const BY_NAME: Sought = { by: "name", value: "x" };
const BY_ROOT: Sought = { by: "root", value: X };
const SHA256 = "01".repeat(32);
const OTHER_SHA256 = "02".repeat(32);

/** Four chunks. */
const SIZE_BYTES = 4 * CHUNK_BYTES;

function queryFor(sought: Sought): HolderQuery {
  return new HolderQuery(sought, { clock: new ManualClock(), room: new SearchesRoom().open() });
}

function offerOf(values: Partial<FileOffer> = {}): FileOffer {
  const file = { root: X, name: "x", type: "", sizeBytes: SIZE_BYTES, chunksHave: 4, whole: true };
  return { ...file, ...values };
}

function known(values: Partial<KnownFile> = {}): KnownFile {
  const file = { root: X, name: "x", type: "", sizeBytes: SIZE_BYTES, sha256: null };
  return { ...file, whole: 0, part: 0, ...values };
}

function flying(values: Partial<MessageOf<"in-flight">> = {}): MessageOf<"in-flight"> {
  const file = { flight: FLIGHT, name: "x", type: "", sizeBytes: SIZE_BYTES, sha256: SHA256 };
  return { kind: "in-flight", ...file, chunksHave: 0, ...values };
}

function holderOf(nodeId: NodeId, values: Partial<Holder> = {}): Holder {
  const file = { root: X, sizeBytes: SIZE_BYTES, chunksHave: 4 };
  return { ...file, nodeId, host: "192.0.2.9", port: 9, loadPermille: 0, ...values };
}

function offer(
  holderQuery: HolderQuery,
  nodeId: NodeId,
  values: Partial<FileOffer> = {},
  port = 1,
) {
  const holder = { nodeId, address: { host: "192.0.2.1", port } };
  const message = { kind: "offer", file: offerOf(values), bitfield: new Uint8Array() } as const;
  assertEquals(holderQuery.offered(holder, [message]), { kind: "more" });
}

Deno.test("HolderQuery.infoReports() joins what the flood, this node and directories say", () => {
  const holderQuery = queryFor(BY_NAME);
  offer(holderQuery, A);
  offer(holderQuery, B, { whole: false, chunksHave: 1, type: "iso" });
  holderQuery.here(offerOf(), { nodeId: C, address: { host: "192.0.2.3", port: 3 } });
  holderQuery.listed({ directory: "d:8047", files: [known({ sha256: SHA256 })], holders: [] });
  holderQuery.listed({ directory: "c:8047", files: [], holders: [holderOf(A), holderOf(D)] });
  assertEquals(holderQuery.infoReports(), [{
    name: "x",
    root: X,
    sizeBytes: SIZE_BYTES,
    type: "iso",
    sha256: SHA256,
    peersWhole: 3,
    peersPart: 1,
    peersUnreached: 0,
    inFlight: null,
    from: ["here", "flood", "c:8047", "d:8047"],
  }]);
});

Deno.test("HolderQuery.infoReports() counts no node twice where a directory only counts", () => {
  const holderQuery = queryFor(BY_NAME);
  offer(holderQuery, A);
  const counts = () => holderQuery.infoReports().map((one) => [one.peersWhole, one.peersPart]);
  holderQuery.listed({ directory: "d", files: [known({ whole: 1, part: 2 })], holders: [] });
  assertEquals(counts(), [[1, 2]]);
  // One of the two parts is whole by now, as its node says itself.
  offer(holderQuery, B);
  assertEquals(counts(), [[2, 1]]);
  holderQuery.listed({ directory: "e", files: [known({ whole: 5 })], holders: [] });
  assertEquals(counts(), [[5, 0]]);
});

Deno.test("HolderQuery.infoReports() leaves out what nobody has", () => {
  const holderQuery = queryFor(BY_NAME);
  holderQuery.listed({ directory: "d", files: [known()], holders: [] });
  assertEquals(holderQuery.infoReports(), []);
});

Deno.test("HolderQuery.infoReports() has every root of a name, the most held first", () => {
  const holderQuery = queryFor(BY_NAME);
  offer(holderQuery, A);
  offer(holderQuery, B, { root: Y });
  offer(holderQuery, C, { root: Y });
  offer(holderQuery, D, { root: Y, sizeBytes: SIZE_BYTES + 1 });
  assertEquals(
    holderQuery.infoReports().map(({ root, sizeBytes }) => [root, sizeBytes]),
    [[Y, SIZE_BYTES], [X, SIZE_BYTES], [Y, SIZE_BYTES + 1]],
  );
});

Deno.test("HolderQuery.infoReports() has every name of a root, each with the holders of the root", () => {
  const holderQuery = queryFor(BY_ROOT);
  offer(holderQuery, A, { name: "p" });
  offer(holderQuery, B, { name: "q" });
  holderQuery.listed({ directory: "d", files: [known({ name: "q" })], holders: [] });
  assertEquals(
    holderQuery.infoReports().map((one) => [one.name, one.peersWhole, one.from]),
    [["q", 2, ["flood", "d"]], ["p", 2, ["flood"]]],
  );
});

Deno.test("HolderQuery.infoReports() takes the SHA-256 of this node, else the one that most say", () => {
  const holderQuery = queryFor(BY_NAME);
  const sha256 = () => holderQuery.infoReports()[0]?.sha256;
  const say = (directory: string, value: string) =>
    holderQuery.listed({ directory, files: [known({ sha256: value, whole: 1 })], holders: [] });
  say("d", OTHER_SHA256);
  say("e", SHA256);
  assertEquals(sha256(), OTHER_SHA256);
  say("f", SHA256);
  assertEquals(sha256(), SHA256);
  const self = { nodeId: A, address: { host: "192.0.2.1", port: 1 } };
  holderQuery.here(offerOf(), self, { sha256: OTHER_SHA256 });
  assertEquals(sha256(), OTHER_SHA256);
});

Deno.test("HolderQuery leaves out what was not asked for", () => {
  const byName = queryFor(BY_NAME);
  offer(byName, A, { name: "y" });
  byName.listed({ directory: "d", files: [known({ name: "z" })], holders: [] });
  assertEquals([byName.infoReports(), byName.holderReports()], [[], []]);
  const byRoot = queryFor(BY_ROOT);
  offer(byRoot, A, { root: Y });
  byRoot.listed({
    directory: "d",
    files: [known({ root: Y })],
    holders: [holderOf(B, { root: Y })],
  });
  assertEquals([byRoot.infoReports(), byRoot.holderReports()], [[], []]);
});

Deno.test("HolderQuery.holderReports() has each node once, the least loaded first, unknown last", () => {
  const holderQuery = queryFor(BY_NAME);
  offer(holderQuery, A, { whole: false, chunksHave: 1 });
  offer(holderQuery, B, { whole: false, chunksHave: 2 }, 0);
  holderQuery.hit({
    kind: "hit",
    id: "00".repeat(16) as QueryId,
    hops: 0,
    nodeId: C,
    holderHost: "2001:db8::1",
    holderPort: 7,
    offers: [offerOf()],
  });
  holderQuery.listed({
    directory: "d",
    files: [],
    holders: [
      holderOf(D, { loadPermille: 500, host: "", port: 0, chunksHave: 99 }),
      holderOf(A, { loadPermille: 20, chunksHave: 3 }),
    ],
  });
  assertEquals(
    holderQuery.holderReports().map((one) => [
      one.nodeId,
      one.peer,
      one.loadPermille,
      one.chunksHave,
      one.chunks,
      one.from.join(),
    ]),
    [
      [A, "192.0.2.1:1", 20, 3, 4, "flood,d"],
      [D, "", 500, 4, 4, "d"],
      [C, "[2001:db8::1]:7", null, 4, 4, "flood"],
      [B, "", null, 2, 4, "flood"],
    ],
  );
});

Deno.test("HolderQuery.holderReports() learns an address from any answer that has one", () => {
  const holderQuery = queryFor(BY_ROOT);
  holderQuery.listed({ directory: "d", files: [], holders: [holderOf(A, { host: "", port: 0 })] });
  offer(holderQuery, A);
  assertEquals(holderQuery.holderReports().map(({ peer }) => peer), ["192.0.2.1:1"]);
});

Deno.test("HolderQuery takes a file of no bytes for whole", () => {
  const holderQuery = queryFor(BY_NAME);
  offer(holderQuery, A, { sizeBytes: 0, chunksHave: 0 });
  assertEquals(holderQuery.infoReports().map((one) => [one.peersWhole, one.peersPart]), [[1, 0]]);
  assertEquals(holderQuery.holderReports().map((one) => [one.chunks, one.chunksHave]), [[0, 0]]);
});

Deno.test("HolderQuery keeps no more files and holders than its bounds", () => {
  const files = queryFor(BY_NAME);
  for (let i = 0; i <= limits.candidatesMax; i++) offer(files, A, { sizeBytes: i });
  assertEquals(files.infoReports().length, limits.candidatesMax);
  const holders = queryFor(BY_NAME);
  const answer = Array.from(
    { length: Math.ceil(limits.searchBytesMax / 500) },
    (_, i) => holderOf(i.toString(16).padStart(32, "0") as NodeId),
  );
  holders.listed({ directory: "d", files: [], holders: answer });
  // All that is not kept is counted.
  const kept = holders.holderReports().length;
  assert(kept > 10_000 && kept < answer.length, `${kept}`);
  assertEquals(holders.leftOut().map(({ more }) => more), [answer.length - kept]);
  assertEquals(files.leftOut().map(({ more }) => more), [1]);
});

Deno.test("HolderQuery has what nodes are just getting after what has a root", () => {
  const holderQuery = queryFor(BY_NAME);
  const at = (nodeId: NodeId) => ({ nodeId, address: { host: "192.0.2.1", port: 1 } });
  offer(holderQuery, A);
  holderQuery.offered(at(B), [], [flying({ chunksHave: 1 })]);
  holderQuery.offered(at(C), [], [flying({ chunksHave: 3 }), flying({ name: "y" })]);
  holderQuery.flying(flying({ chunksHave: 2 }), at(D), { from: "here" });
  // Who has it whole is no longer getting it.
  const whole = { kind: "offer", file: offerOf(), bitfield: new Uint8Array() } as const;
  holderQuery.offered(at(A), [whole], [flying({ chunksHave: 4 })]);
  assertEquals(
    holderQuery.infoReports().map(({ root, sha256, peersPart, inFlight, from }) => [
      root,
      sha256,
      peersPart,
      inFlight?.chunksHave,
      from.join(),
    ]),
    [[X, null, 0, undefined, "flood"], [null, SHA256, 3, 3, "here,flood"]],
  );
  assertEquals(
    holderQuery.holderReports().map(({ nodeId, root, flight, chunksHave, chunks }) => [
      nodeId,
      root,
      flight,
      `${chunksHave} of ${chunks}`,
    ]),
    [
      [A, X, null, "4 of 4"],
      [C, null, FLIGHT, "3 of 4"],
      [D, null, FLIGHT, "2 of 4"],
      [B, null, FLIGHT, "1 of 4"],
    ],
  );
});

Deno.test("HolderQuery that seeks a root takes nothing that is in flight", () => {
  const holderQuery = queryFor(BY_ROOT);
  const holder = { nodeId: A, address: { host: "192.0.2.1", port: 1 } };
  holderQuery.offered(holder, [], [flying()]);
  assertEquals(holderQuery.infoReports(), []);
});

Deno.test("HolderQuery says when the last answer came", async () => {
  const clock = new ManualClock();
  await clock.advance(5);
  const room = new SearchesRoom().open();
  const query = new HolderQuery(BY_NAME, { clock, room });
  assertEquals(query.answeredMs, 5);
  await clock.advance(1_000);
  offer(query, A);
  assertEquals(query.answeredMs, 1_005);
  await clock.advance(1_000);
  query.listed({ directory: "d", files: [], holders: [holderOf(B)] });
  assertEquals(query.answeredMs, 2_005);
});
