/** How the nodes that answered a query can be reached. */

import { assertEquals } from "@std/assert";
import type { HostPort } from "../../../../src/base/address.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { ReachBook } from "../../../../src/daemon/discovery/reach_book.ts";

function node(number: number): NodeId {
  return number.toString(16).padStart(32, "0") as NodeId;
}

const [A, B, C, D] = [1, 2, 3, 4].map(node) as [NodeId, NodeId, NodeId, NodeId];
const THERE: HostPort = { host: "192.0.2.1", port: 8_048 };
const NOWHERE: HostPort = { host: "", port: 0 };

Deno.test("ReachBook knows who called, who accepts nothing, and dials the others", async () => {
  const book = new ReachBook();
  book.heard(A, NOWHERE);
  book.called(A);
  book.heard(A, NOWHERE);
  book.heard(B, NOWHERE);
  book.heard(C, THERE);
  book.heard(D, { ...THERE, port: 9 });
  assertEquals(book.of(C), { reach: null, problem: null });
  const dialled: NodeId[] = [];
  await book.probe(({ port }, nodeId) => {
    dialled.push(nodeId);
    return Promise.resolve(port === 9 ? "nothing listens there" : null);
  });
  assertEquals(dialled, [C, D]);
  assertEquals([A, B, C, D].map((one) => book.of(one).reach), ["in", "none", "out", "none"]);
  assertEquals(book.of(B).problem, "it accepts no connections");
  assertEquals(book.of(D).problem, "nothing listens there");
  assertEquals([...book.unreached()], [B, D]);
  assertEquals(book.of(node(5)), { reach: null, problem: null });
});

Deno.test("ReachBook dials and remembers a bounded number", async () => {
  const book = new ReachBook();
  for (let i = 0; i <= limits.reachNodesMax; i++) book.heard(node(i), THERE);
  book.called(node(limits.reachNodesMax));
  assertEquals(book.of(node(limits.reachNodesMax)).reach, null);
  let dialled = 0;
  await book.probe(() => Promise.resolve(++dialled === 0 ? null : "no"));
  assertEquals(dialled, limits.reachProbesMax);
});
