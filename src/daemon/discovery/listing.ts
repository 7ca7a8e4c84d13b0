/**
 * The list of what matches a glob, from both ends of a callback. From version 3 on it comes in pages,
 * each when the requester asks for it, with how much is left: neither end keeps more than a page,
 * and a requester that has no room for more knows what it does not have. In older versions it has
 * `limits.listingMax` files at the most, and does not say whether that is all.
 */

import { nextTurn } from "../../base/clock.ts";
import { PeerFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { type Message, type MessageOf, NODE_VERSION_PAGES } from "../../wire/messages.ts";
import { eachListed, offerMessage, type OfferSource } from "./offers.ts";

/** How many files match `glob`; other work comes in between. */
export async function countListed(source: OfferSource, glob: string): Promise<number> {
  let count = 0;
  for (const _ of eachListed(source, glob)) {
    if (++count % limits.listedPerTurn === 0) await nextTurn();
  }
  return count;
}

/**
 * The holder's end: tells what matches, `total` files as far as it knows. Gives the answer of a
 * requester that asks for no further page; undefined when all was told.
 *
 * @throws {PeerFault} when the requester does not take a page in time, or answers nonsense.
 */
export async function tellListing(
  connection: Connection,
  options: {
    readonly source: OfferSource;
    readonly glob: string;
    readonly total: number;
    readonly version: number;
  },
): Promise<Message | undefined> {
  const { source, glob, total, version } = options;
  const isPaged = version >= NODE_VERSION_PAGES;
  let told = 0;
  for (const file of eachListed(source, glob)) {
    if (told === limits.listingMax && !isPaged) return undefined;
    if (told > 0 && told % limits.offersPerPage === 0) {
      // Even without pages: thousands of long names would be more than may be queued at once.
      if (!isPaged) await paged(connection, () => connection.flushed());
      else {
        connection.send({ kind: "offers-more", left: Math.max(1, total - told) });
        const answer = await paged(connection, () => connection.receiveOne());
        if (answer.kind !== "offers-next") return answer;
      }
    }
    connection.send(offerMessage(source.store, file, { listing: true }));
    told++;
  }
  return undefined;
}

/** What a requester does with a list that comes. */
interface Hearing {
  readonly version: number;
  offer(offer: MessageOf<"offer">): void;
  flying(inFlight: MessageOf<"in-flight">): void;
  /** So much is left; null: nobody knows how much. Whether the next page is wanted. */
  left(more: number | null): boolean;
}

/**
 * The requester's end: hears a list until it ends, or no further page is wanted.
 *
 * @throws {PeerFault} when it is too long, or does not come in time.
 */
export async function hearListing(connection: Connection, hearing: Hearing): Promise<void> {
  const isPaged = hearing.version >= NODE_VERSION_PAGES;
  const max = isPaged ? limits.listedMax : limits.listingMax;
  const late = new PeerFault("silent", "Cannot hear offers: the list takes too long");
  using _ = connection.clock.after(limits.listingMs, () => connection.close(late));
  const count = { offers: 0, flights: 0 };
  for (;;) {
    const end = await paged(connection, () => hearPage(connection, { hearing, count, max }));
    if (end.kind === "offers-end") {
      const isCut = !isPaged && count.offers === max;
      hearing.left(isCut ? null : 0);
      return;
    }
    if (!isPaged) throw new PeerFault("unexpected", `Cannot hear offers: ${end.kind}`);
    if (!hearing.left(end.left)) return;
    connection.send({ kind: "offers-next" });
  }
}

async function hearPage(
  connection: Connection,
  { hearing, count, max }: {
    readonly hearing: Hearing;
    readonly count: { offers: number; flights: number };
    readonly max: number;
  },
): Promise<MessageOf<"offers-more" | "offers-end">> {
  for (;;) {
    const message = await connection.receiveOne();
    switch (message.kind) {
      case "offer":
        if (++count.offers > max) {
          throw new PeerFault("flooding", `Cannot take offers: more than ${max}`);
        }
        hearing.offer(message);
        break;
      case "in-flight":
        if (++count.flights > limits.listingMax) {
          throw new PeerFault("flooding", `Cannot take over ${limits.listingMax} in flight`);
        }
        hearing.flying(message);
        break;
      case "offers-more":
      case "offers-end":
        return message;
      default:
        throw new PeerFault("unexpected", `Cannot hear offers: ${message.kind}`);
    }
  }
}

/** Each page has the time of a handshake. */
function paged<T>(connection: Connection, exchange: () => Promise<T>): Promise<T> {
  return withDeadline(connection, "Cannot exchange a page of offers", exchange);
}
