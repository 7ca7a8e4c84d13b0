/**
 * Callbacks, from both ends: the holder dials the requester and offers, the requester decides.
 * On WANT the same connection goes on as a transfer.
 */

import { PeerFault } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { QueryId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage, type RemoteIdentity } from "../../net/handshake.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Message, MessageOf } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import { callbackMac, macEquals } from "../../wire/proofs.ts";
import { filesSought, offerMessage, type OfferSource } from "./offers.ts";
import type { Searches, Verdict } from "./searches.ts";

/** How a requester answered a callback. */
type CallbackAnswer =
  | { readonly kind: "want"; readonly root: Root; readonly searchOn: boolean }
  | { readonly kind: "more" }
  | { readonly kind: "enough" };

/** The message with which a holder proves to know the query, to send with the handshake. */
export function callbackProof(queryId: QueryId, remote: RemoteIdentity): Message {
  return { kind: "callback", mac: callbackMac("holder", queryId, remote.nonces) };
}

/**
 * The holder's side after the handshake: offers what it has and waits for the answer. `proved` is
 * called when the other side has shown that it made the query.
 *
 * @throws {PeerFault} when the requester cannot prove that it made the query, or answers nonsense.
 */
export async function offerFiles(
  connection: Connection,
  options: {
    readonly queryId: QueryId;
    readonly sought: Sought;
    readonly remote: RemoteIdentity;
    readonly source: OfferSource;
    readonly proved: () => void;
  },
): Promise<CallbackAnswer> {
  const { queryId, sought, remote, source, proved } = options;
  connection.setGate(onlyKinds("Cannot call back", ["callback-ok", "want", "more", "enough"]));
  return await withDeadline(connection, "Cannot call back", async () => {
    const proof = expectMessage(await connection.receiveOne(), "callback-ok");
    if (!macEquals(proof.mac, callbackMac("requester", queryId, remote.nonces))) {
      throw new PeerFault("wrong-key", "Cannot call back: the node does not know the query");
    }
    proved();
    const listing = sought.by === "glob";
    for (const [index, file] of filesSought(source, sought).entries()) {
      connection.send(offerMessage(source.store, file, { listing }));
      // Thousands of long names would be more than may be queued at once.
      if ((index + 1) % limits.offersQueuedMax === 0) await connection.flushed();
    }
    connection.send({ kind: "offers-end" });
    const answer = await connection.receiveOne();
    switch (answer.kind) {
      case "want":
      case "more":
      case "enough":
        return answer;
      default:
        throw new PeerFault("unexpected", `Cannot call back: answered with ${answer.kind}`);
    }
  });
}

/**
 * The requester's side after the handshake: checks the proof, hears the offers, answers.
 *
 * @throws {PeerFault} when the holder knows none of this node's queries, or offers too much.
 */
export async function hearOffers(
  connection: Connection,
  options: { readonly remote: RemoteIdentity; readonly searches: Searches },
): Promise<Verdict> {
  const { remote, searches } = options;
  connection.setGate(onlyKinds("Cannot hear offers", ["callback", "offer", "offers-end"]));
  return await withDeadline(connection, "Cannot hear offers", async () => {
    const proof = expectMessage(await connection.receiveOne(), "callback");
    const search = searches.byProof(proof.mac, remote.nonces);
    if (search === undefined) {
      throw new PeerFault("unexpected", "Cannot hear callback: it is for no query of this node");
    }
    connection.send({
      kind: "callback-ok",
      mac: callbackMac("requester", search.id, remote.nonces),
    });
    const listing = search.sought.by === "glob";
    const offers = await receiveOffers(connection, {
      countMax: listing ? limits.listingMax : limits.offersMax,
      listing,
    });
    const address = { host: connection.remote.host, port: remote.listenPort };
    const verdict = searches.offered(search.id, { nodeId: remote.nodeId, address }, offers);
    const { kind } = verdict;
    if (kind !== "want") connection.send({ kind });
    else connection.send({ kind, root: verdict.root, searchOn: verdict.searchOn });
    return verdict;
  });
}

/**
 * Offers up to OFFERS-END. In a listing they have no bitfields: thousands would be kept.
 *
 * @throws {PeerFault} when there are more than `countMax`, or one is not consistent.
 */
export async function receiveOffers(
  connection: Connection,
  options: { readonly countMax: number; readonly listing: boolean },
): Promise<MessageOf<"offer">[]> {
  const { countMax, listing } = options;
  const offers: MessageOf<"offer">[] = [];
  for (;;) {
    const message = await connection.receiveOne();
    if (message.kind === "offers-end") return offers;
    if (offers.length === countMax) {
      throw new PeerFault("flooding", `Cannot take offers: more than ${countMax}`);
    }
    const offer = expectMessage(message, "offer");
    checkOffer(offer, listing);
    offers.push(offer);
  }
}

/** A peer as people see it: where it listens, or where it was seen when it does not. */
export function peerLabel(connection: Connection, remote: RemoteIdentity): string {
  return formatAddress(connection.remote.host, remote.listenPort || connection.remote.port);
}

/**
 * Whether an offer can be true of any file.
 *
 * @throws {PeerFault} when it cannot.
 */
export function checkOffer({ file, bitfield }: MessageOf<"offer">, listing: boolean): void {
  const chunks = chunkCount(file.sizeBytes);
  const bitfieldBytesMax = listing || file.whole ? 0 : Math.ceil(chunks / 8);
  if (
    file.sizeBytes > limits.fetchBytesMax || file.chunksHave > chunks ||
    file.whole !== (file.chunksHave === chunks) || bitfield.length > bitfieldBytesMax
  ) {
    throw new PeerFault("malformed", `Cannot take offer of ${file.sizeBytes} bytes: inconsistent`);
  }
}
