import { assert, assertEquals, assertThrows } from "@std/assert";
import { PeerFault, type PeerFaultCode } from "../../../src/base/errors.ts";
import type { NodeId, Root } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { decodePayload, encodeFrame, payloadBytesMax } from "../../../src/wire/codec.ts";
import { DIRECTORY_MESSAGES } from "../../../src/wire/directory_messages.ts";
import { type Message, type MessageOf, MESSAGES } from "../../../src/wire/messages.ts";
import type { Holder, ListedFile } from "../../../src/wire/structures.ts";

const ROOT = "5a".repeat(32) as Root;
const INSTANCE = "d1".repeat(16) as NodeId;
const BAD_NAMES = ["", ".", "..", "a/b", "a\0b", "line\nbreak", "\u2028"];

function listed(name: string): ListedFile {
  const file = { root: ROOT, name, type: "", sizeBytes: 1, chunksHave: 1, whole: true };
  return { file, sha256: null };
}

function holders(values: Partial<Holder>): MessageOf<"holders"> {
  const holder: Holder = {
    root: ROOT,
    sizeBytes: 1,
    nodeId: INSTANCE,
    host: "192.0.2.7",
    port: 8048,
    chunksHave: 1,
    loadPermille: 0,
    ...values,
  };
  return { kind: "holders", instance: INSTANCE, holders: [holder], last: true };
}

/** The payload as an honest sender would write it, were the value allowed. */
function payloadOf(message: Message): Uint8Array {
  return encodeFrame(message).slice(limits.frameHeaderBytes);
}

function assertRefused(message: Message, code: PeerFaultCode, payload = payloadOf(message)) {
  const error = assertThrows(
    () => decodePayload(MESSAGES[message.kind].code, payload),
    PeerFault,
  );
  assertEquals(error.code, code);
}

Deno.test("payloadBytesMax() lets no message of a directory be bigger than 48 KiB", () => {
  for (const { code } of Object.values(DIRECTORY_MESSAGES)) {
    assert(payloadBytesMax(code) <= 48 * 1024, `kind ${code} may have ${payloadBytesMax(code)}`);
  }
});

Deno.test("decodePayload() takes full lists of files and refuses one more before it reads them", () => {
  const full = Array.from({ length: limits.advertisedPerMessageMax }, (_, i) => listed(`f${i}`));
  const messages: Message[] = [
    { kind: "advertise", files: full },
    { kind: "remove", files: full.map(({ file }) => file) },
    { kind: "files", files: full, last: true },
  ];
  for (const message of messages) {
    const payload = payloadOf(message);
    decodePayload(MESSAGES[message.kind].code, payload);
    new DataView(payload.buffer).setUint16(0, limits.advertisedPerMessageMax + 1);
    assertRefused(message, "oversized", payload);
    // A count alone is refused as well: nothing is waited for or made room for.
    assertRefused(message, "oversized", payload.slice(0, 2));
  }
});

Deno.test("decodePayload() refuses a name that breaks the rules wherever files are named", () => {
  for (const name of BAD_NAMES) {
    const file = listed(name);
    const known = { ...file.file, sha256: null, whole: 1, part: 0 };
    assertRefused({ kind: "advertise", files: [listed("good"), file] }, "malformed");
    assertRefused({ kind: "remove", files: [{ root: ROOT, name }] }, "malformed");
    assertRefused({ kind: "files", files: [file], last: true }, "malformed");
    assertRefused({ kind: "upload-request", file, serves: true }, "malformed");
    assertRefused(
      { kind: "metadata", instance: INSTANCE, files: [known], last: true },
      "malformed",
    );
  }
});

Deno.test("decodePayload() takes a holder without an address and refuses one with a host name", () => {
  const hidden = holders({ host: "", port: 0 });
  assertEquals(decodePayload(MESSAGES.holders.code, payloadOf(hidden)), hidden);
  for (const host of ["localhost", "example.org", "192.0.2.07", "fe80::1%eth0", "192.0.2.7 "]) {
    assertRefused(holders({ host }), "malformed");
  }
});

Deno.test("decodePayload() refuses codes that no reach and no upload answer has", () => {
  const answer: Message = { kind: "upload-answer", answer: "unwilling" };
  for (const code of [0, 6, 255]) assertRefused(answer, "malformed", Uint8Array.of(code));
  const told: Message = {
    kind: "listed",
    instance: INSTANCE,
    known: true,
    reach: "unreachable",
    filesListed: 0,
    refreshMs: 30_000,
  };
  for (const code of [0, 4, 255]) {
    const payload = payloadOf(told);
    payload[17] = code;
    assertRefused(told, "malformed", payload);
  }
});

Deno.test("encodeFrame() has room for the name of every limit in a DENIED", () => {
  for (const [limit, bound] of Object.entries(limits)) {
    const denied: Message = { kind: "denied", instance: INSTANCE, limit, bound, message: limit };
    assertEquals(decodePayload(MESSAGES.denied.code, payloadOf(denied)), denied);
  }
});
