/** The messages of files in flight: what a hostile sender may try in them. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import flightVectors from "../../vectors/flights.json" with { type: "json" };
import { PeerFault, type PeerFaultCode } from "../../../src/base/errors.ts";
import type { FlightId, NodeId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { decodePayload, encodeFrame, payloadBytesMax } from "../../../src/wire/codec.ts";
import { type Message, type MessageOf, MESSAGES } from "../../../src/wire/messages.ts";

const FLIGHT = "f1".repeat(32) as FlightId;
const NODE = "a1".repeat(16) as NodeId;

const inFlight: MessageOf<"in-flight"> = {
  kind: "in-flight",
  flight: FLIGHT,
  name: "hello-1.0-1-any.pkg.tar.zst",
  type: "zst",
  sizeBytes: 2 ** 40,
  sha256: null,
  chunksHave: 0,
};
const stripes: MessageOf<"stripes"> = {
  kind: "stripes",
  nodeId: NODE,
  sequence: 0,
  reads: "nothing",
  isWhole: false,
  claims: [],
};

/** The payload as an honest sender would write it, were the value allowed. */
function payloadOf(message: Message): Uint8Array {
  return encodeFrame(message).slice(limits.frameHeaderBytes);
}

function assertRefused(message: Message, code: PeerFaultCode, payload = payloadOf(message)) {
  const { code: kind } = MESSAGES[message.kind];
  assertEquals(assertThrows(() => decodePayload(kind, payload), PeerFault).code, code);
}

Deno.test("payloadBytesMax() lets the messages of fellows be small but for their lists", () => {
  const most = { "in-flight": 512, "join": 33, "stripes": 128, "fellows": 8_192, "gained": 8_210 };
  for (const [kind, bytes] of Object.entries(most)) {
    assert(payloadBytesMax(MESSAGES[kind as keyof typeof most].code) <= bytes, kind);
  }
});

Deno.test("decodePayload() takes full lists of fellows and refuses one more before it reads them", () => {
  const claims = Array.from({ length: limits.fellowClaimsMax }, (_, i) => i);
  const fellow = { nodeId: NODE, host: "2001:db8::7", port: 8048 };
  const fellows = Array.from({ length: limits.fellowsPerMessageMax }, () => fellow);
  const ranges = Array.from({ length: limits.haveRangesMax }, (_, i) => ({ first: i, count: 1 }));
  const lists: [message: Message, countAt: number, countMax: number][] = [
    [{ ...stripes, claims }, 22, limits.fellowClaimsMax],
    [{ kind: "fellows", fellows }, 0, limits.fellowsPerMessageMax],
    [{ kind: "gained", origin: NODE, ranges }, 16, limits.haveRangesMax],
  ];
  for (const [message, countAt, countMax] of lists) {
    const payload = payloadOf(message);
    assertEquals(decodePayload(MESSAGES[message.kind].code, payload), message);
    new DataView(payload.buffer).setUint16(countAt, countMax + 1);
    assertRefused(message, "oversized", payload);
    // A count alone is refused as well: nothing is waited for or made room for.
    assertRefused(message, "oversized", payload.slice(0, countAt + 2));
  }
});

Deno.test("decodePayload() refuses a name and a type of a flight that break the rules", () => {
  for (const name of ["", ".", "..", "a/b", "a\0b", "line\nbreak", "\u2028"]) {
    assertRefused({ ...inFlight, name }, "malformed");
  }
  const payload = payloadOf({ ...inFlight, name: "a" });
  new DataView(payload.buffer).setUint16(32, limits.nameBytesMax + 1);
  assertRefused(inFlight, "oversized", payload);
  const typed = payloadOf({ ...inFlight, name: "a" });
  new DataView(typed.buffer).setUint16(35, limits.typeBytesMax + 1);
  assertRefused(inFlight, "oversized", typed);
});

Deno.test("decodePayload() takes a fellow without an address and refuses one with a host name", () => {
  const named = (host: string) =>
    ({ kind: "fellows", fellows: [{ nodeId: NODE, host, port: 0 }] }) as const;
  assertEquals(decodePayload(MESSAGES.fellows.code, payloadOf(named(""))), named(""));
  for (const host of ["localhost", "example.org", "192.0.2.07", "fe80::1%eth0", "192.0.2.7 "]) {
    assertRefused(named(host), "malformed");
  }
});

Deno.test("decodePayload() refuses flags and codes that STRIPES and JOIN do not have", () => {
  for (const [at, values] of [[20, [0, 4, 255]], [21, [2, 255]]] as const) {
    for (const value of values) {
      const payload = payloadOf(stripes);
      payload[at] = value;
      assertRefused(stripes, "malformed", payload);
    }
  }
  const join: Message = { kind: "join", flight: FLIGHT, searchOn: false };
  const payload = payloadOf(join);
  payload[32] = 2;
  assertRefused(join, "malformed", payload);
});

Deno.test("PROTOCOL.md names the flights of the vectors", async () => {
  const page = await Deno.readTextFile(
    new URL("../../../src/wire/PROTOCOL.md", import.meta.url),
  );
  for (const { flight, validator = "SHA-256" } of flightVectors.flights) {
    const rows = page.split("\n").filter((line) => line.startsWith("|") && line.includes(flight));
    assertEquals(rows.length, 1, flight);
    assert(rows[0]!.includes(validator), rows[0]);
  }
});
