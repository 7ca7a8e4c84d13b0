/**
 * What each client may list at a directory: the bounds on it, and how a whole list replaces
 * an older one. Where it is kept is in `listing_table.ts`.
 */

import { utf8 } from "../../base/bytes.ts";
import { PeerFault } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { ListedFile } from "../../wire/structures.ts";
import type { Client } from "./clients.ts";
import { type Denial, denialOf, type RemovedFile } from "./directory_events.ts";
import type { ListingTable } from "./listing_table.ts";
import { type ListingRow, NONE } from "./rows.ts";

/** The listings of all clients, within their bounds. */
export class Listings {
  readonly table: ListingTable;

  constructor(table: ListingTable) {
    this.table = table;
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
        if (!options.mayReplace || !this.#dropOutdated(client)) return denial;
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
    if (this.table.size < limits.listingsMax) return undefined;
    return denialOf("files", limits.listingsMax, "the directory lists all files it can list");
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
