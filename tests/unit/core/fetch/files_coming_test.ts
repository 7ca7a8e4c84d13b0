// What other nodes say that they are just getting, and how long it is waited for.

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { FlightId, NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { FilesComing } from "../../../../src/core/fetch/files_coming.ts";
import type { MessageOf } from "../../../../src/wire/messages.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const [A, B] = ["aa".repeat(16), "bb".repeat(16)] as [NodeId, NodeId];
const SHA256 = "cd".repeat(32);

function flying(values: Partial<MessageOf<"in-flight">> = {}): MessageOf<"in-flight">[] {
  return [{
    kind: "in-flight",
    flight: "ef".repeat(32) as FlightId,
    name: "x",
    type: "",
    sizeBytes: 8 * CHUNK_BYTES,
    sha256: null,
    chunksHave: 2,
    ...values,
  }];
}

Deno.test("FilesComing.heard() takes what does not contradict what is sought", () => {
  const known = { sha256: SHA256, sizeBytes: 8 * CHUNK_BYTES };
  const hears = (request: Parameters<typeof requestFor>[1], values = {}) =>
    new FilesComing(requestFor("x", request)).heard(A, flying(values), 0);
  assert(hears({}));
  assert(hears(known));
  assert(hears(known, { sha256: SHA256 }));
  assert(!hears(known, { sha256: "ff".repeat(32) }));
  assert(!hears(known, { sizeBytes: 1, chunksHave: 1 }));
  assert(!hears({}, { name: "y" }));
  assert(!hears({ root: "ab".repeat(32) as never }), "who knows the root takes nothing else");
});

Deno.test("FilesComing.view() counts who was heard lately, with the most that one has", () => {
  const coming = new FilesComing(requestFor("x"));
  assertEquals(coming.view(0), null);
  coming.heard(A, flying(), 0);
  coming.heard(B, flying({ chunksHave: 6 }), 1_000);
  assertEquals(coming.view(1_000), { nodes: 2, permille: 750 });
  assertEquals(coming.view(limits.comingHeardMs + 1), { nodes: 1, permille: 750 });
  assertEquals(coming.view(limits.comingHeardMs + 1_001), null);
});

Deno.test("FilesComing.isPromised() ends when nobody is heard, or it comes no further", () => {
  const coming = new FilesComing(requestFor("x"));
  assert(!coming.isPromised(0));
  coming.heard(A, flying(), 0);
  assert(coming.isPromised(limits.comingHeardMs));
  assert(!coming.isPromised(limits.comingHeardMs + 1));
  // Whoever only says so again and again is not waited for without end.
  let nowMs = 0;
  for (; nowMs <= limits.starvedMs; nowMs += limits.floodForComingMs) {
    coming.heard(A, flying(), nowMs);
    assert(coming.isPromised(nowMs));
  }
  coming.heard(A, flying(), limits.starvedMs + 1);
  assert(!coming.isPromised(limits.starvedMs + 1));
  coming.heard(A, flying({ chunksHave: 3 }), nowMs);
  assert(coming.isPromised(nowMs));
});
