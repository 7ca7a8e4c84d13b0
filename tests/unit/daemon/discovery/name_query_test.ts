import { assertEquals } from "@std/assert";
import type { NodeId, QueryId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { NameQuery } from "../../../../src/daemon/discovery/name_query.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import type { FileOffer } from "../../../../src/wire/structures.ts";

const nodes = ["a", "b", "c"].map((letter) => letter.repeat(32) as NodeId);
const [A, B, C] = nodes as [NodeId, NodeId, NodeId];

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
  return query.reports().map((one) => [one.name, one.peersWhole, one.peersPart]);
}

Deno.test("NameQuery counts each node once a file, whether it answers by callback or by HIT", () => {
  const query = new NameQuery(new ManualClock());
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
  const query = new NameQuery(new ManualClock());
  add(query, file("x"), A);
  add(query, file("x", { root: "cd".repeat(32) as Root }), A);
  add(query, file("x", { sizeBytes: 2 }), A);
  add(query, file("y"), A);
  assertEquals(query.reports().length, 4);
});

Deno.test("NameQuery.reports() has the most held first, then goes by name", () => {
  const query = new NameQuery(new ManualClock());
  for (const name of ["c", "a", "b"]) add(query, file(name), A);
  add(query, file("b", { whole: false }), B);
  assertEquals(counts(query), [["b", 1, 1], ["a", 1, 0], ["c", 1, 0]]);
});

Deno.test("NameQuery says when the last answer came", async () => {
  const clock = new ManualClock();
  await clock.advance(5);
  const query = new NameQuery(clock);
  assertEquals(query.answeredMs, 5);
  await clock.advance(1_000);
  add(query, file("x"), A);
  assertEquals(query.answeredMs, 1_005);
});

Deno.test("NameQuery leaves new files out past its bound, and goes on counting the old ones", () => {
  const query = new NameQuery(new ManualClock());
  for (let i = 0; i < limits.searchResultsMax + 10; i++) add(query, file(`${i}`), A);
  add(query, file("0"), B);
  const reports = query.reports();
  assertEquals([reports.length, reports[0]?.name], [limits.searchResultsMax, "0"]);
});

Deno.test("NameQuery.listed() takes the greater count, and says who knows the file", () => {
  const query = new NameQuery(new ManualClock());
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
    query.reports().map((
      { name, peersWhole, peersPart, from },
    ) => [name, peersWhole, peersPart, from]),
    [
      ["y", 3, 7, ["flood", "h:1"]],
      ["x", 5, 2, ["here", "flood", "h:1", "h:2"]],
    ] as never,
  );
});
