import { assertEquals, assertNotEquals } from "@std/assert";
import vectors from "../../vectors/wire_handshake.json" with { type: "json" };
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { callbackMac, clientMac, macEquals, sessionMac } from "../../../src/wire/proofs.ts";

Deno.test("callbackMac() makes the golden proofs", () => {
  const { queryId, nonces, holder, requester } = vectors.callback;
  assertEquals(toHex(callbackMac("holder", queryId, fromHex(nonces))), holder);
  assertEquals(toHex(callbackMac("requester", queryId, fromHex(nonces))), requester);
});

Deno.test("clientMac() makes the golden proofs", () => {
  const { token, clientNonce, daemonNonce, client, daemon } = vectors.client;
  const nonces = { client: fromHex(clientNonce), daemon: fromHex(daemonNonce) };
  assertEquals(toHex(clientMac("client", fromHex(token), nonces)), client);
  assertEquals(toHex(clientMac("daemon", fromHex(token), nonces)), daemon);
});

Deno.test("callbackMac() differs when any input does", () => {
  const { queryId, nonces, holder } = vectors.callback;
  const other = fromHex(nonces).fill(0, 31);
  assertNotEquals(toHex(callbackMac("holder", queryId, other)), holder);
  assertNotEquals(toHex(callbackMac("holder", queryId.replace("5", "6"), fromHex(nonces))), holder);
  assertNotEquals(toHex(callbackMac("requester", queryId, fromHex(nonces))), holder);
});

Deno.test("sessionMac() makes the golden proofs", () => {
  const { session, nonces, directory, client } = vectors.session;
  assertEquals(toHex(sessionMac("directory", session, fromHex(nonces))), directory);
  assertEquals(toHex(sessionMac("client", session, fromHex(nonces))), client);
});

Deno.test("sessionMac() differs when any input does", () => {
  const { session, nonces, directory } = vectors.session;
  const other = fromHex(nonces);
  const proofs = [
    directory,
    toHex(sessionMac("client", session, fromHex(nonces))),
    toHex(sessionMac("directory", session.replace("5", "6"), fromHex(nonces))),
    toHex(sessionMac("directory", session, other.fill(0, 31))),
    // A proof for one purpose is none for another, even under the same secret.
    toHex(callbackMac("holder", session, fromHex(nonces))),
    toHex(callbackMac("requester", session, fromHex(nonces))),
  ];
  assertEquals(new Set(proofs).size, proofs.length);
});

Deno.test("macEquals() is false when the lengths differ or one bit does", () => {
  const mac = fromHex(vectors.callback.holder);
  assertEquals(macEquals(mac, mac.slice()), true);
  assertEquals(macEquals(mac, mac.subarray(1)), false);
  for (let bit = 0; bit < 8 * mac.length; bit++) {
    const wrong = mac.slice();
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    assertEquals(macEquals(mac, wrong), false);
  }
});
