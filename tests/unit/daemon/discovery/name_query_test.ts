import { assert, assertEquals } from "@std/assert";
import type { FlightId, NodeId, QueryId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { NameQuery } from "../../../../src/daemon/discovery/name_query.ts";
import { SearchesRoom } from "../../../../src/daemon/discovery/search_room.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import type { FileOffer } from "../../../../src/wire/structures.ts";

const nodes = ["a", "b", "c"].map((letter) => letter.repeat(32) as NodeId);
const [A, B, C] = nodes as [NodeId, NodeId, NodeId];

function queryFor(glob: string, clock = new ManualClock()): NameQuery {
  return new NameQuery(glob, { clock, room: new SearchesRoom().open() });
}

function file(name: string, values: Partial<FileOffer> = {}): FileOffer {
  const root = "ab".repeat(32) as Root;
  return { root, name, type: "", sizeBytes: 1, chunksHave: 1, whole: true, ...values };
}

function holder(nodeId: NodeId) {
  return { nodeId, address: { host: "192.0.2.1", port: 1 } };
}

function add(query: NameQuery, file: FileOffer, nodeId: NodeId, from = "flood"): void {
  query.offer(file, { nodeId }, { from });
}

function counts(query: NameQuery): [string, number, number][] {
  return [...query.reports()].map((one) => [one.name, one.peersWhole, one.peersPart]);
}

Deno.test("NameQuery counts each node once a file, whether it answers by callback or by HIT", () => {
  const query = queryFor("*");
  const offer = { kind: "offer", file: file("x"), bitfield: new Uint8Array() } as const;
  assertEquals(query.offered(holder(A), [offer]), { kind: "more" });
  query.offered(holder(A), [offer]);
  query.hit({
    kind: "hit",
    id: "00".repeat(16) as QueryId,
    hops: 0,
    nodeId: B,
    holderHost: "",
    holderPort: 0,
    offers: [file("x")],
  });
  add(query, file("x", { whole: false }), C);
  assertEquals(counts(query), [["x", 2, 1]]);
});

Deno.test("NameQuery keeps files apart that differ in root, size or name", () => {
  const query = queryFor("*");
  add(query, file("x"), A);
  add(query, file("x", { root: "cd".repeat(32) as Root }), A);
  add(query, file("x", { sizeBytes: 2 }), A);
  add(query, file("y"), A);
  assertEquals([...query.reports()].length, 4);
});

Deno.test("NameQuery says when the last answer came", async () => {
  const clock = new ManualClock();
  await clock.advance(5);
  const query = queryFor("*", clock);
  assertEquals(query.answeredMs, 5);
  await clock.advance(1_000);
  add(query, file("x"), A);
  assertEquals(query.answeredMs, 1_005);
});

Deno.test("NameQuery leaves new files out past its bound, counts them, and goes on with the old ones", () => {
  const searches = new SearchesRoom();
  const options = { clock: new ManualClock(), room: searches.open() };
  const query = new NameQuery("*", options);
  const told = Math.ceil(limits.searchBytesMax / 400);
  for (let i = 0; i < told; i++) add(query, file(`${i}`), A);
  add(query, file("0"), B);
  const reports = [...query.reports()];
  assert(reports.length > 50_000 && reports.length < told, `${reports.length}`);
  assertEquals([query.isFull, reports[0]?.name, reports[0]?.peersWhole], [true, "0", 1]);
  // The second holder of a file that is kept had no room either.
  assertEquals(query.leftOut().map(({ more }) => more), [told + 1 - reports.length]);
  assert(searches.bytes <= limits.searchBytesMax);
  query[Symbol.dispose]();
  assertEquals(searches.bytes, 0);
});

Deno.test("NameQuery has no more room than all searches together leave it", () => {
  const searches = new SearchesRoom();
  using others = new DisposableStack();
  for (let bytes = 0; bytes < limits.searchesBytesMax;) {
    const room = others.use(searches.open());
    const part = Math.min(limits.searchBytesMax, limits.searchesBytesMax - bytes);
    assert(room.take(part));
    bytes += part;
  }
  const query = new NameQuery("*", { clock: new ManualClock(), room: searches.open() });
  add(query, file("x"), A);
  assertEquals([[...query.reports()], query.leftOut().map(({ more }) => more)], [[], [1]]);
});

Deno.test("NameQuery takes nothing that was not asked for", () => {
  const query = queryFor("x*");
  add(query, file("y"), A);
  assertEquals([...query.reports()], []);
});

Deno.test("NameQuery tells apart a bounded number of files of one name", () => {
  const query = queryFor("*");
  for (let i = 0; i < limits.searchAlikeMax + 3; i++) add(query, file("x", { sizeBytes: i }), A);
  assertEquals([...query.reports()].length, limits.searchAlikeMax);
  assertEquals(query.leftOut().map(({ more }) => more), [3]);
});

Deno.test("NameQuery says how much holders did not tell, as far as it is known", () => {
  const asked: string[] = [];
  const query = new NameQuery("*", {
    clock: new ManualClock(),
    room: new SearchesRoom().open(),
    askForAll: ({ nodeId }) => asked.push(nodeId[0]!),
  });
  const more = () => query.leftOut().map(({ more }) => more);
  query.short(holder(A), 500);
  query.short(holder(B), 20);
  query.short(holder(A), 300);
  assertEquals(more(), [320]);
  const offers = Array.from({ length: limits.hitOffersMax }, (_, i) => file(`${i}`));
  const hit = { kind: "hit", id: "00".repeat(16) as QueryId, hops: 1, nodeId: C } as const;
  query.hit({ ...hit, holderHost: "", holderPort: 0, offers });
  assertEquals([more(), asked], [[null], []], "a holder that cannot be dialled is not asked");
  query.hit({ ...hit, holderHost: "192.0.2.1", holderPort: 1, offers });
  assertEquals(asked, ["c"]);
  for (const nodeId of nodes) query.short(holder(nodeId), 0);
  assertEquals(more(), []);
  query.listed({ directory: "h:1", files: [], holders: [], isCut: true });
  assertEquals(more(), [null]);
});

Deno.test("NameQuery.listed() takes the greater count, and says who knows the file", () => {
  const query = queryFor("*");
  const [x, y] = [file("x"), file("y")];
  const known = (one: FileOffer, whole: number, part: number) => {
    const { root, name, type, sizeBytes } = one;
    return { root, name, type, sizeBytes, sha256: null, whole, part };
  };
  add(query, x, A, "here");
  add(query, x, B);
  query.listed({ directory: "h:1", files: [known(x, 5, 0), known(y, 1, 7)], holders: [] });
  query.listed({ directory: "h:2", files: [known(x, 1, 2)], holders: [] });
  for (const nodeId of [A, B, C]) add(query, y, nodeId);
  assertEquals(
    [...query.reports()].map((
      { name, peersWhole, peersPart, from },
    ) => [name, peersWhole, peersPart, from]),
    [
      ["x", 5, 2, ["here", "flood", "h:1", "h:2"]],
      ["y", 3, 7, ["flood", "h:1"]],
    ] as never,
  );
});

Deno.test("NameQuery has what nodes are just getting last, each file once, with the most of it", () => {
  const query = queryFor("x*");
  const flying = (flight: string, name: string, chunksHave: number) => {
    const file = { flight: flight.repeat(64) as FlightId, name, type: "", sizeBytes: 40_000 };
    return { kind: "in-flight", ...file, sha256: null, chunksHave } as const;
  };
  query.offered(holder(A), [], [flying("1", "x1", 1), flying("2", "x2", 2), flying("3", "y", 1)]);
  query.offered(holder(B), [], [flying("2", "x2", 1)]);
  // No node can have more than all, nor can one file have two sizes.
  query.offered(holder(C), [], [flying("1", "x1", 9), { ...flying("2", "x2", 1), sizeBytes: 1 }]);
  add(query, file("x"), A);
  assertEquals(
    [...query.reports()].map(({ name, root, peersWhole, peersPart, inFlight }) => [
      name,
      root === null,
      peersWhole,
      peersPart,
      inFlight && `${inFlight.chunksHave} of ${inFlight.chunks}`,
    ]),
    [
      ["x", false, 1, 0, null],
      ["x1", true, 0, 2, "3 of 3"],
      ["x2", true, 0, 2, "2 of 3"],
    ],
  );
});

Deno.test("NameQuery leaves out what is in flight past its bound, and counts it", () => {
  const query = queryFor("*");
  const told = Math.ceil(limits.searchBytesMax / 1_000);
  for (let i = 0; i < told; i++) {
    const flight = i.toString(16).padStart(64, "0") as FlightId;
    const file = { name: "x", type: "", sizeBytes: 1, sha256: null, chunksHave: 0 };
    query.offered(holder(A), [], [{ kind: "in-flight", flight, ...file }]);
  }
  const kept = [...query.reports()].length;
  assertEquals(query.leftOut().map(({ more }) => more), [told - kept]);
});
