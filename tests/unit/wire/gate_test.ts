import { assertEquals, assertThrows } from "@std/assert";
import { PeerFault } from "../../../src/base/errors.ts";
import { codeOf, onlyKinds } from "../../../src/wire/gate.ts";
import { CHUNKS_CODE, DATA_CODE, MESSAGES } from "../../../src/wire/messages.ts";

Deno.test("codeOf() knows the two kinds that carry file bytes", () => {
  assertEquals(codeOf("chunks"), CHUNKS_CODE);
  assertEquals(codeOf("data"), DATA_CODE);
  assertEquals(codeOf("ping"), MESSAGES.ping.code);
});

Deno.test("onlyKinds() takes its kinds up to their caps and refuses the rest by name", () => {
  const gate = onlyKinds("Cannot talk", ["ping", "chunks"]);
  gate(MESSAGES.ping.code, 4);
  gate(CHUNKS_CODE, 4 + 32 * 16_384);
  const over = assertThrows(() => gate(MESSAGES.ping.code, 5), PeerFault, "Cannot talk: length 5");
  assertEquals(over.code, "oversized");
  const other = assertThrows(() => gate(MESSAGES.pong.code, 4), PeerFault, "Cannot talk: a frame");
  assertEquals(other.code, "unexpected");
});

Deno.test("onlyKinds() takes less than the cap of a kind when it is told so", () => {
  const gate = onlyKinds("Cannot talk", ["bye", "ping"], { bytesMax: 10 });
  gate(MESSAGES.bye.code, 10);
  assertThrows(() => gate(MESSAGES.bye.code, 11), PeerFault, "length 11 exceeds 10");
  assertThrows(() => gate(MESSAGES.ping.code, 5), PeerFault, "length 5 exceeds 4");
});
