/**
 * What each client may list at a directory: the bounds on it, and how a whole list replaces
 * an older one. Where it is kept is in `listing_table.ts`.
 *
 * With all room taken, who lists little is served first: of the network (an IPv4 /24, an IPv6 /48)
 * with the most listings the address with the most gives some to a newcomer whose network has fewer;
 * within one network, the address with the most to one that has fewer. What it named longest ago goes
 * first, and last what somebody asked for lately. Its client learns of that by the count in the next
 * answer, as after any loss.
 */

import { utf8 } from "../../base/bytes.ts";
import { PeerFault } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ListedFile } from "../../wire/structures.ts";
import type { Client, Clients, Host } from "./clients.ts";
import { type Denial, denialOf, type RemovedFile } from "./directory_events.ts";
import type { ListingTable } from "./listing_table.ts";
import { type ListingRow, NONE } from "./rows.ts";

/** The listings of all clients, within their bounds. */
export class Listings {
  readonly table: ListingTable;
  readonly #clients: Pick<Clients, "hosts">;
  readonly #max: number;
  readonly #isAskedFor: (root: Root) => boolean;

  /**
   * @param options `max`: how many listings there may be; `isAskedFor`: whether somebody asked for a root
   * lately.
   */
  constructor(
    table: ListingTable,
    clients: Pick<Clients, "hosts">,
    options: { readonly max: number; readonly isAskedFor: (root: Root) => boolean },
  ) {
    this.table = table;
    this.#clients = clients;
    this.#max = options.max;
    this.#isAskedFor = options.isAskedFor;
  }

  /** Lists a file, or brings it up to date; or says which limit stands against it. */
  list(
    client: Client,
    listed: ListedFile,
    options: { readonly mayReplace: boolean },
  ): Denial | undefined {
    const { root, name } = listed.file;
    const existing = this.table.find(client, root, name);
    if (existing !== NONE) this.#charged(client, existing, -1);
    else {
      for (;;) {
        const denial = this.#listingDenial(client, listed);
        if (denial === undefined) break;
        if (options.mayReplace && this.#dropOutdated(client)) continue;
        if (denial.limit !== "files" || !this.#makeRoom(client.host)) return denial;
      }
    }
    const row = this.table.put(client, listed, client.mark);
    this.#charged(client, row, 1);
    return undefined;
  }

  #listingDenial(client: Client, { file }: ListedFile): Denial | undefined {
    const { host } = client;
    const ofClient = limits.listingsPerClientMax;
    if (client.listings >= ofClient) {
      return denialOf("files-per-client", ofClient, "this client lists no more files");
    }
    const ofHost = limits.listingsPerHostMax;
    if (host.listings >= ofHost) {
      return denialOf("files-per-host", ofHost, "this address lists no more files");
    }
    const bytes = limits.listingBytesPerHostMax;
    if (host.textBytes + textBytes(file) > bytes) {
      const what = "the names that this address lists have as many bytes as they may";
      return denialOf("name-bytes-per-host", bytes, what);
    }
    if (this.table.size < this.#max) return undefined;
    return denialOf("files", this.#max, "the directory lists all files it can list");
  }

  /** Has the address that lists most give room to one that lists less; false if there is none. */
  #makeRoom(newcomer: Host): boolean {
    const giver = hostToGive(this.#clients.hosts, newcomer);
    if (giver === undefined) return false;
    // Not one by one: all addresses are looked at for each.
    const least = giver.listings - Math.min(limits.listingsGivenMax, giver.listings >> 1);
    this.#take(giver, { least, isSpared: this.#isAskedFor });
    this.#take(giver, { least, isSpared: () => false });
    return true;
  }

  /** Takes listings of an address away until so few are left: of its client with most first. */
  #take(
    host: Host,
    { least, isSpared }: {
      readonly least: number;
      readonly isSpared: (root: Root) => boolean;
    },
  ): void {
    const { files } = this.table;
    for (const client of [...host.clients].sort((a, b) => b.listings - a.listings)) {
      let row = client.firstListing;
      for (let left = client.listings; left > 0 && host.listings > least; left--) {
        const next = this.table.after(row);
        if (!isSpared(files.rootOf(this.table.fileOf(row)))) this.#unlist(client, row);
        row = next;
      }
    }
  }

  /** Drops what the client named longest ago, if that was before its batch. */
  #dropOutdated(client: Client): boolean {
    const row = client.firstListing;
    if (row === NONE || this.table.markOf(row) === client.mark) return false;
    this.#unlist(client, row);
    return true;
  }

  /** Drops what a whole list did not name. */
  sweep(client: Client): void {
    while (this.#dropOutdated(client));
  }

  /** Takes a file of a client away, if it lists it. */
  remove(client: Client, { root, name }: RemovedFile): void {
    const row = this.table.find(client, root, name);
    if (row !== NONE) this.#unlist(client, row);
  }

  /** Takes away all that a client lists. */
  clear(client: Client): void {
    while (client.firstListing !== NONE) this.#unlist(client, client.firstListing);
  }

  #unlist(client: Client, row: ListingRow): void {
    this.#charged(client, row, -1);
    this.table.remove(client, row);
  }

  #charged({ host }: Client, row: ListingRow, by: 1 | -1): void {
    host.listings += by;
    const { files } = this.table;
    const file = this.table.fileOf(row);
    host.textBytes += by * textBytes({ name: files.nameOf(file), type: files.typeOf(file) });
  }
}

/** The address that has to give room, as the head of this file says. */
function hostToGive(hosts: Iterable<Host>, newcomer: Host): Host | undefined {
  const ofNetwork = new Map<string, number>();
  const most = new Map<string, Host>();
  for (const host of hosts) {
    const { network } = host;
    ofNetwork.set(network, (ofNetwork.get(network) ?? 0) + host.listings);
    if (host.listings > (most.get(network)?.listings ?? 0)) most.set(network, host);
  }
  const own = newcomer.network;
  let biggest = own;
  for (const [network, listings] of ofNetwork) {
    if (listings > (ofNetwork.get(biggest) ?? 0) + 1) biggest = network;
  }
  const giver = most.get(biggest);
  const isSame = biggest === own;
  return giver === undefined || isSame && giver.listings < newcomer.listings + 2
    ? undefined
    : giver;
}

/**
 * Looks at files before any of them is listed.
 *
 * @throws {PeerFault} when one is described in a way that cannot be true.
 */
export function checkFiles(files: readonly ListedFile[]): void {
  for (const { file: { name, sizeBytes, chunksHave, whole } } of files) {
    const chunks = chunkCount(sizeBytes);
    if (sizeBytes > limits.fetchBytesMax) {
      throw new PeerFault(
        "bad-data",
        `Cannot list ${name}: ${sizeBytes} bytes, at most ${limits.fetchBytesMax}`,
      );
    }
    if (chunksHave > chunks || whole !== (chunksHave === chunks)) {
      throw new PeerFault(
        "bad-data",
        `Cannot list ${name}: ${chunksHave} of ${chunks} chunks, whole: ${whole}`,
      );
    }
  }
}

/** Bytes of a file's name and type as text. */
function textBytes(file: { readonly name: string; readonly type: string }): number {
  return utf8Length(file.name) + utf8Length(file.type);
}

function utf8Length(text: string): number {
  // Plain ASCII, as nearly all names are, needs no encoder.
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return utf8(text).length;
  }
  return text.length;
}
