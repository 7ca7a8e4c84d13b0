// The requester's side of a callback, for a raw node that has sent a query.

import type { QueryId } from "../../../src/base/ids.ts";
import { callbackMac, macEquals } from "../../../src/wire/proofs.ts";
import type { RawPeer } from "./raw_node.ts";

/**
 * Hears the proof of a holder that called back, and answers with its own.
 *
 * @throws {Error} when the holder does not know the query.
 */
export async function callbackOk(peer: RawPeer, id: QueryId): Promise<void> {
  const { mac } = await peer.next("callback");
  if (!macEquals(mac, callbackMac("holder", id, peer.remote.nonces))) {
    throw new Error(`The callback is not for query ${id}`);
  }
  peer.send({ kind: "callback-ok", mac: callbackMac("requester", id, peer.remote.nonces) });
}
