/**
 * The connections that a node opens about a file: to a requester whose query it can answer, and to
 * a holder that answered by HIT. Links are opened in `links.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import { messageOf, PeerFault, unreachable } from "../../base/errors.ts";
import type { QueryId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { CallbackOutcome } from "../../core/overlay/search_events.ts";
import { withDeadline } from "../../net/deadline.ts";
import type { Connection } from "../../net/connection.ts";
import type { LocalIdentity, RemoteIdentity } from "../../net/handshake.ts";
import { dialNode, type OldVersions } from "../../net/version_fallback.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import {
  NODE_VERSION_FLIGHTS,
  NODE_VERSION_OLDEST,
  NODE_VERSION_PAGES,
  NODE_VERSION_SITES,
  type NodeVersion,
} from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type { Flights } from "../crowd/flights.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { countListed } from "../discovery/listing.ts";
import { type Asker, comingFiles } from "../discovery/coming_files.ts";
import { callbackProof, offerFiles, receiveOffers } from "../discovery/offer_exchange.ts";
import { holdsAny } from "../discovery/offers.ts";
import type { Searcher } from "../discovery/searches.ts";
import type { Uploads } from "../upload/uploads.ts";

/** How a holder calls a requester. */
interface RequesterCall {
  /** Serves the requester if it wants a file. */
  readonly uploads: Uploads;
  readonly flights: Flights;
  readonly oldVersions: OldVersions;
  readonly id: QueryId;
  readonly address: HostPort;
  readonly sought: Sought;
  readonly answered: (outcome: CallbackOutcome) => void;
  /** Is given a requester that was told of files in flight only, when it has answered. */
  readonly waits: (asker: Asker) => void;
  /** Whether there is something to say as well where a file is only beginning here; not by default. */
  readonly evenBegun?: boolean;
}

/**
 * Holder's side of a callback: dials the requester, and serves it if it wants. `answered` is
 * told once how it ended; the upload may go on for long after that. Never rejects.
 */
export async function callRequester(context: NodeContext, call: RequesterCall): Promise<void> {
  let isAnswered = false;
  const answered = (outcome: CallbackOutcome) => {
    if (!isAnswered) call.answered(outcome);
    isAnswered = true;
  };
  // What was replaced meanwhile comes anew, and can be told of only in another version.
  for (let calls = 0; calls < limits.callsForOneMax; calls++) {
    if (!await callOnce(context, { ...call, answered })) return;
  }
  answered("search-on");
}

/** One call; true when nothing of what was here at its beginning was left to be offered. */
async function callOnce(context: NodeContext, call: RequesterCall): Promise<boolean> {
  const { uploads, flights, oldVersions, id, address, sought, answered, evenBegun } = call;
  const { clock, connections, identity } = context;
  const inFlight = [...flights.offersTo(address, sought), ...comingFiles(context, sought)]
    .slice(0, inFlightMax(sought));
  const holds = holdsAny(context, sought, { evenBegun: evenBegun ?? false });
  if (!holds && inFlight.length === 0) {
    // A fellow of all that is in flight here is told nothing new.
    answered("search-on");
    return false;
  }
  const total = sought.by === "glob" ? await countListed(context, sought.value) : 0;
  let isReached = false;
  let isMet = false;
  try {
    const { connection, remote } = await dialNode(connections, address, {
      identity,
      purpose: "callback",
      ...versionsFor(identity, versionFor({ inFlight: inFlight.length, total })),
      fallback: holds,
      oldVersions,
      nowMs: clock.nowMs(),
      first: (remote) => [callbackProof(id, remote)],
    });
    isMet = true;
    const { answer, hasOffered } = await offerFiles(connection, {
      queryId: id,
      sought,
      remote,
      source: context,
      inFlight,
      total,
      proved: () => isReached = true,
    });
    switch (answer.kind) {
      case "want":
        answered(answer.searchOn ? "search-on" : "enough");
        await uploads.serve(connection, remote, { root: answer.root });
        return false;
      case "join":
        answered(answer.searchOn ? "search-on" : "enough");
        await flights.join(connection, { id: answer.flight, remote, isDialled: true });
        return false;
      case "more":
        if (!holds && sought.by === "name") call.waits({ id, address, sought });
        if (hasOffered) answered("search-on");
        connection.close();
        return !hasOffered;
      case "enough":
        answered("enough");
        connection.close();
        return false;
      default:
        return unreachable(answer);
    }
  } catch (error) {
    // Nobody there, or another node than the requester: a router in between may forward the port.
    answered(isReached ? "failed" : "unreachable");
    if (isMet && !isReached) connections.guard?.wasted(address, clock.nowMs());
    context.log.debug("callback failed", {
      peer: formatAddress(address.host, address.port),
      error: messageOf(error),
    });
    return false;
  }
}

/** How many files in flight may be told. */
function inFlightMax({ by }: Sought): number {
  return by === "glob" ? limits.listingMax : limits.flightsOfferedMax;
}

/** In which version to dial where this node is at a site, and in which to say the rest. */
function versionsFor(
  { place }: LocalIdentity,
  below: NodeVersion,
): { readonly version: NodeVersion; readonly below: NodeVersion } {
  const hasSite = place !== undefined && place.site !== "";
  return { version: hasSite ? NODE_VERSION_SITES : below, below };
}

/** The oldest version in which a holder can say what it has to say. */
function versionFor(offers: { readonly inFlight: number; readonly total: number }): NodeVersion {
  if (offers.total > limits.listingMax) return NODE_VERSION_PAGES;
  return offers.inFlight > 0 ? NODE_VERSION_FLIGHTS : NODE_VERSION_OLDEST;
}

/**
 * Requester's side of a hit: dials the holder and has the searcher hear its offer, as if it had
 * called back. Resolves when the transfer that may come of it has ended.
 *
 * @throws {EnvironmentError | PeerFault | RefusedError} when the holder cannot be had.
 */
export async function takeFromHolder(
  context: NodeContext,
  call: {
    readonly address: HostPort;
    readonly root: Root;
    readonly searcher: Pick<Searcher, "offered">;
    readonly oldVersions: OldVersions;
    /** Whether nothing is taken from a node. */
    readonly isBanned: (remote: RemoteIdentity, connection: Connection) => boolean;
  },
): Promise<void> {
  const { address, root, searcher, oldVersions, isBanned } = call;
  const { clock, connections, identity } = context;
  const { connection, remote } = await dialNode(connections, address, {
    identity,
    purpose: "transfer",
    ...versionsFor(identity, NODE_VERSION_OLDEST),
    fallback: true,
    oldVersions,
    nowMs: clock.nowMs(),
    first: () => [{ kind: "want", root, searchOn: true }],
  });
  if (isBanned(remote, connection)) {
    const fault = new PeerFault("banned", "Cannot hear offers: the node is banned");
    connection.close(fault);
    throw fault;
  }
  connection.setGate(onlyKinds("Cannot hear offers", ["offer", "offers-end"]));
  const offers = await withDeadline(
    connection,
    "Cannot hear offers",
    () => receiveOffers(connection, { countMax: 1, listing: false }),
  );
  const ofRoot = offers.filter(({ file }) => file.root === root);
  const verdict = searcher.offered({ nodeId: remote.nodeId, address }, ofRoot);
  // The holder serves what it offered; another root than that was not asked of it.
  if (verdict.kind === "want" && verdict.root === root) return await verdict.use(connection);
  connection.close();
}
