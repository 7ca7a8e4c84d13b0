import { assert, assertEquals } from "@std/assert";
import type { NodeId, QueryId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { NameQuery } from "../../../../src/daemon/discovery/name_query.ts";
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

function counts(listing: NameQuery): [string, number, number][] {
  return listing.reports().map((one) => [one.name, one.peersWhole, one.peersPart]);
}

Deno.test("Listing counts each node once a file, whether it answers by callback or by HIT", () => {
  const listing = new NameQuery(0);
  const offer = { kind: "offer", file: file("x"), bitfield: new Uint8Array() } as const;
  assertEquals(listing.offered(holder(A), [offer]), { kind: "more" });
  listing.offered(holder(A), [offer]);
  listing.hit({
    kind: "hit",
    id: "00".repeat(16) as QueryId,
    hops: 0,
    nodeId: B,
    holderHost: "",
    holderPort: 0,
    offers: [file("x")],
  });
  listing.add(file("x", { whole: false }), C);
  assertEquals(counts(listing), [["x", 2, 1]]);
});

Deno.test("Listing keeps files apart that differ in root, size or name", () => {
  const listing = new NameQuery(0);
  listing.add(file("x"), A);
  listing.add(file("x", { root: "cd".repeat(32) as Root }), A);
  listing.add(file("x", { sizeBytes: 2 }), A);
  listing.add(file("y"), A);
  assertEquals(listing.reports().length, 4);
});

Deno.test("Listing.reports() has the most held first, then goes by name", () => {
  const listing = new NameQuery(0);
  for (const name of ["c", "a", "b"]) listing.add(file(name), A);
  listing.add(file("b", { whole: false }), B);
  assertEquals(counts(listing), [["b", 1, 1], ["a", 1, 0], ["c", 1, 0]]);
});

Deno.test("Listing.isQuiet() is true two seconds after the last news", () => {
  const listing = new NameQuery(0);
  assertEquals([listing.isIdle(2_000), listing.isIdle(2_001)], [false, true]);
  const beforeMs = performance.now();
  listing.add(file("x"), A);
  assert(!listing.isIdle(beforeMs + 1_999));
  assert(listing.isIdle(performance.now() + 2_001));
});

Deno.test("Listing leaves new files out past its bound, and goes on counting the old ones", () => {
  const listing = new NameQuery(0);
  for (let i = 0; i < limits.searchResultsMax + 10; i++) listing.add(file(`${i}`), A);
  listing.add(file("0"), B);
  const reports = listing.reports();
  assertEquals([reports.length, reports[0]?.name], [limits.searchResultsMax, "0"]);
});

Deno.test("Listing.listed() takes the greater count, and says who knows the file", () => {
  const listing = new NameQuery(0);
  const [x, y] = [file("x"), file("y")];
  const known = (one: FileOffer, whole: number, part: number) => {
    const { root, name, type, sizeBytes } = one;
    return { root, name, type, sizeBytes, sha256: null, whole, part };
  };
  listing.add(x, A, { from: "here" });
  listing.add(x, B);
  listing.listed({ directory: "h:1", files: [known(x, 5, 0), known(y, 1, 7)], holders: [] });
  listing.listed({ directory: "h:2", files: [known(x, 1, 2)], holders: [] });
  for (const nodeId of [A, B, C]) listing.add(y, nodeId);
  assertEquals(
    listing.reports().map((
      { name, peersWhole, peersPart, from },
    ) => [name, peersWhole, peersPart, from]),
    [
      ["y", 3, 7, ["flood", "h:1"]],
      ["x", 5, 2, ["here", "flood", "h:1", "h:2"]],
    ] as never,
  );
});
