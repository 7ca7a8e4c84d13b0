/**
 * Callbacks, from both ends: the holder dials the requester and offers, the requester decides.
 * On WANT the same connection goes on as a transfer.
 */

import { PeerFault } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { FlightId, QueryId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isFar } from "../../core/nearness/nearness.ts";
import type { Connection } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage, type RemoteIdentity } from "../../net/handshake.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import {
  type Message,
  type MessageKind,
  type MessageOf,
  NODE_VERSION_FLIGHTS,
  NODE_VERSION_PAGES,
  type NodeVersion,
} from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import { callbackMac, macEquals } from "../../wire/proofs.ts";
import { hearListing, tellListing } from "./listing.ts";
import { filesSought, offerMessage, type OfferSource } from "./offers.ts";
import type { OfferingHolder, Searches, Verdict } from "./searches.ts";

/** How a requester answered a callback. */
type CallbackAnswer =
  | { readonly kind: "want"; readonly root: Root; readonly searchOn: boolean }
  | { readonly kind: "join"; readonly flight: FlightId; readonly searchOn: boolean }
  | { readonly kind: "more" }
  | { readonly kind: "enough" };

/** The message with which a holder proves to know the query, to send with the handshake. */
export function callbackProof(queryId: QueryId, remote: RemoteIdentity): Message {
  return { kind: "callback", mac: callbackMac("holder", queryId, remote.nonces) };
}

/** What came of a callback for its holder. */
interface CallbackResult {
  readonly answer: CallbackAnswer;
  /** Whether anything was said: what was here may have gone since the call began. */
  readonly hasOffered: boolean;
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
    /** What is in flight here of what is sought: told to who knows what that is. */
    readonly inFlight?: readonly MessageOf<"in-flight">[];
    /** How many files match a glob. */
    readonly total?: number;
    readonly proved: () => void;
  },
): Promise<CallbackResult> {
  const { queryId, sought, remote, source, inFlight = [], total = 0, proved } = options;
  const kinds = [
    ...["callback-ok", "want", "more", "enough"] as const,
    ...since(NODE_VERSION_FLIGHTS, remote, "join"),
    ...since(NODE_VERSION_PAGES, remote, "offers-next"),
  ];
  connection.setGate(onlyKinds("Cannot call back", kinds));
  await withDeadline(connection, "Cannot call back", async () => {
    const proof = expectMessage(await connection.receiveOne(), "callback-ok");
    if (!macEquals(proof.mac, callbackMac("requester", queryId, remote.nonces))) {
      throw new PeerFault("wrong-key", "Cannot call back: the node does not know the query");
    }
    proved();
  });
  let answer: Message | undefined;
  let hasOffered = true;
  if (sought.by === "glob") {
    answer = await tellListing(connection, {
      source,
      glob: sought.value,
      total,
      version: remote.version,
    });
  } else {
    // A near one that gets it as well is told even of what is only beginning here.
    const evenBegun = !isFar(connection.nearness);
    const files = filesSought(source, sought, { evenBegun });
    hasOffered = files.length > 0 || inFlight.length > 0;
    for (const file of files) {
      connection.send(offerMessage(source.store, file, { listing: false }));
    }
  }
  answer ??= await withDeadline(connection, "Cannot call back", () => {
    if (remote.version >= NODE_VERSION_FLIGHTS) {
      for (const flight of inFlight) connection.send(flight);
    }
    connection.send({ kind: "offers-end" });
    return connection.receiveOne();
  });
  switch (answer.kind) {
    case "want":
    case "join":
    case "more":
    case "enough":
      return { answer, hasOffered };
    default:
      throw new PeerFault("unexpected", `Cannot call back: answered with ${answer.kind}`);
  }
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
  const kinds = [
    ...["callback", "offer", "offers-end"] as const,
    ...since(NODE_VERSION_FLIGHTS, remote, "in-flight"),
    ...since(NODE_VERSION_PAGES, remote, "offers-more"),
  ];
  connection.setGate(onlyKinds("Cannot hear offers", kinds));
  const address = { host: connection.remote.host, port: remote.listenPort };
  const holder = { nodeId: remote.nodeId, address };
  const search = await withDeadline(connection, "Cannot hear offers", async () => {
    const proof = expectMessage(await connection.receiveOne(), "callback");
    const search = searches.byProof(proof.mac, remote.nonces);
    if (search === undefined) {
      throw new PeerFault("unasked", "Cannot hear callback: it is for no query of this node");
    }
    connection.send({
      kind: "callback-ok",
      mac: callbackMac("requester", search.id, remote.nonces),
    });
    return search;
  });
  const inFlight: MessageOf<"in-flight">[] = [];
  let offers: MessageOf<"offer">[] = [];
  if (search.sought.by === "glob") {
    await hearListed(connection, { id: search.id, version: remote.version, holder, searches });
  } else {
    offers = await withDeadline(
      connection,
      "Cannot hear offers",
      () => receiveOffers(connection, { countMax: limits.offersMax, listing: false, inFlight }),
    );
    // It may offer no more than that of one name.
    if (offers.length === limits.offersMax) searches.short(search.id, holder, null);
  }
  const verdict = searches.offered(search.id, holder, offers, inFlight);
  connection.send(answerOf(verdict));
  return verdict;
}

/** Hears what matches a glob; each offer is told at once, so that none of them is kept here. */
async function hearListed(
  connection: Connection,
  { id, version, holder, searches }: {
    readonly id: QueryId;
    readonly version: NodeVersion;
    readonly holder: OfferingHolder;
    readonly searches: Searches;
  },
): Promise<void> {
  using _ = searches.begun(id);
  await hearListing(connection, {
    version,
    offer(offer) {
      checkOffer(offer, true);
      searches.offered(id, holder, [offer]);
    },
    flying(inFlight) {
      checkInFlight(inFlight);
      searches.offered(id, holder, [], [inFlight]);
    },
    left(more) {
      searches.short(id, holder, more);
      return searches.isOpen(id);
    },
  });
}

/** The message that tells a verdict. */
function answerOf(verdict: Verdict): Message {
  const { kind } = verdict;
  switch (kind) {
    case "want":
      return { kind, root: verdict.root, searchOn: verdict.searchOn };
    case "join":
      return { kind, flight: verdict.flight, searchOn: verdict.searchOn };
    default:
      return { kind };
  }
}

/** A kind of message that only who speaks a version may send. */
function since<K extends MessageKind>(first: number, { version }: RemoteIdentity, kind: K): K[] {
  return version >= first ? [kind] : [];
}

/**
 * Offers up to OFFERS-END. In a listing they have no bitfields: thousands would be kept.
 *
 * @throws {PeerFault} when there are more than `countMax`, or one is not consistent.
 */
export async function receiveOffers(
  connection: Connection,
  options: {
    readonly countMax: number;
    readonly listing: boolean;
    /** Takes what is in flight at the holder; without it, nothing may be. */
    readonly inFlight?: MessageOf<"in-flight">[];
  },
): Promise<MessageOf<"offer">[]> {
  const { countMax, listing, inFlight } = options;
  const offers: MessageOf<"offer">[] = [];
  for (;;) {
    const message = await connection.receiveOne();
    if (message.kind === "offers-end") return offers;
    if (message.kind === "in-flight" && inFlight !== undefined) {
      if (inFlight.length >= limits.flightsOfferedMax) {
        const max = limits.flightsOfferedMax;
        throw new PeerFault("flooding", `Cannot take offers: over ${max} in flight`);
      }
      checkInFlight(message);
      inFlight.push(message);
      continue;
    }
    if (offers.length === countMax) {
      throw new PeerFault("flooding", `Cannot take offers: more than ${countMax}`);
    }
    const offer = expectMessage(message, "offer");
    checkOffer(offer, listing);
    offers.push(offer);
  }
}

/**
 * Whether a file can be in flight.
 *
 * @throws {PeerFault} when it cannot.
 */
function checkInFlight({ sizeBytes, chunksHave }: MessageOf<"in-flight">): void {
  if (sizeBytes <= limits.fetchBytesMax && chunksHave <= chunkCount(sizeBytes)) return;
  throw new PeerFault("malformed", `Cannot take IN-FLIGHT of ${sizeBytes} bytes: inconsistent`);
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
