/** What fellows tell each other, as it goes over the wire. */

import { assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import type { FellowMessage } from "../../../../src/core/crowd/crowd_events.ts";
import { fellowMessageOf, wireMessageOf } from "../../../../src/daemon/crowd/fellow_messages.ts";
import { decodePayload, encodeFrame } from "../../../../src/wire/codec.ts";

const A = "a".repeat(32) as NodeId;
const B = "b".repeat(32) as NodeId;

/** Where the other side of the connection is. */
const HOST = "192.0.2.1";

const MESSAGES: readonly FellowMessage[] = [
  {
    kind: "report",
    report: { nodeId: A, sequence: 7, reads: "ranges", isWhole: false, claims: [4, 2] },
  },
  {
    kind: "report",
    report: { nodeId: A, sequence: 0xffff_ffff, reads: "nothing", isWhole: true, claims: [] },
  },
  {
    kind: "fellows",
    fellows: [
      { nodeId: A, address: { host: "192.0.2.7", port: 8_048 } },
      { nodeId: B, address: null },
    ],
  },
  { kind: "fellows", fellows: [] },
  { kind: "announce", origin: A, ranges: [{ first: 3, count: 2 }, { first: 9, count: 1 }] },
  { kind: "announce", origin: null, ranges: [] },
];

Deno.test("fellowMessageOf() gives back what wireMessageOf() made, over the wire", () => {
  for (const message of MESSAGES) {
    const frame = encodeFrame(wireMessageOf(message));
    assertEquals(fellowMessageOf(decodePayload(frame[4]!, frame.subarray(5)), HOST), message);
  }
});

Deno.test("fellowMessageOf() knows nobody at an address of which half is missing", () => {
  const fellows = [{ nodeId: A, host: "192.0.2.7", port: 0 }, { nodeId: B, host: "", port: 8_048 }];
  assertEquals(fellowMessageOf({ kind: "fellows", fellows }, HOST), {
    kind: "fellows",
    fellows: [{ nodeId: A, address: null }, { nodeId: B, address: null }],
  });
});

Deno.test("fellowMessageOf() says nothing of what is no message of fellows", () => {
  assertEquals(fellowMessageOf({ kind: "ping", token: 1 }, HOST), undefined);
});
