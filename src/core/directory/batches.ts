/**
 * What clients say of their files, batch by batch: rules 1, 3, 4 and 5 of `directory.ts`. Who a
 * client is, and how it is reached, is not decided here.
 */

import { PeerFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Client, Clients, PastSessions } from "./clients.ts";
import {
  type ClientKey,
  type Denial,
  denialOf,
  type DirectoryEventOf,
  type Listed,
  oldSequence,
  wrongAddress,
} from "./directory_events.ts";
import { checkFiles, type Listings } from "./listings.ts";
import type { FileOffer, ListedFile } from "../../wire/structures.ts";

/** What batches need of the directory. */
interface BatchesOptions {
  readonly clients: Clients;
  readonly past: PastSessions;
  readonly listings: Listings;
  readonly refreshMs: number;
  /** Takes a client in, or what it says of itself. */
  admit(event: DirectoryEventOf<"refresh">): Client;
  forget(client: Client): void;
  /** A client lists a file, or a part of it. */
  listed(client: Client, file: FileOffer): void;
}

/** What came of a batch so far: an answer, or nothing yet. */
export type BatchAnswer = Listed | Denial | undefined;

/** The batches of all clients. */
export class Batches {
  readonly #options: BatchesOptions;
  #taken = 0;

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** Batches that came to their end and were not refused. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Begins a batch, unless it is refused.
   *
   * @throws {PeerFault} when it contradicts itself.
   */
  refresh(event: DirectoryEventOf<"refresh">, nowMs: number): BatchAnswer {
    if (event.whole && event.filesListed !== 0) {
      throw new PeerFault(
        "malformed",
        `Cannot take batch: a whole list takes ${event.filesListed} files to be listed already`,
      );
    }
    const known = this.#options.clients.get(event.client);
    const denial = this.#denial(event, { known, nowMs });
    if (denial !== undefined) return denial;
    const client = this.#options.admit(event);
    const isKnown = event.whole || (known !== undefined && event.filesListed === client.listings);
    client.batch = { whole: event.whole, refused: isKnown ? null : "unknown" };
    client.isAskedForFiles = false;
    if (event.whole) client.mark++;
    return undefined;
  }

  /** @throws {PeerFault} when a file is described in a way that cannot be true. */
  advertise({ client: key, files }: DirectoryEventOf<"advertise">, nowMs: number): void {
    checkFiles(files);
    const client = this.#open(key, nowMs);
    if (client?.batch == null) return;
    client.batch.refused = this.#list(client, files, { mayReplace: client.batch.whole }) ?? null;
  }

  remove({ client: key, files }: DirectoryEventOf<"remove">, nowMs: number): void {
    const client = this.#open(key, nowMs);
    if (client === undefined) return;
    for (const file of files) this.#options.listings.remove(client, file);
  }

  end(key: ClientKey, nowMs: number): BatchAnswer {
    const { clients, past, listings } = this.#options;
    const client = clients.get(key);
    if (client?.batch == null) {
      // It was forgotten in the middle of its batch.
      return past.isWrong(key, nowMs) ? wrongAddress() : this.#listed(client, false);
    }
    const { whole, refused } = client.batch;
    client.batch = null;
    if (refused !== null && refused !== "unknown") return refused;
    if (refused === null && whole) listings.sweep(client);
    this.#taken++;
    return this.#listed(client, refused === null);
  }

  broken(key: ClientKey): void {
    const client = this.#options.clients.get(key);
    if (client !== undefined) client.batch = null;
  }

  leave({ client: key, sequence }: DirectoryEventOf<"leave">): BatchAnswer {
    const { clients, past } = this.#options;
    const client = clients.get(key);
    const last = client?.sequence ?? past.sequenceOf(key);
    if (sequence <= last) return oldSequence(sequence, last);
    if (client !== undefined) this.#options.forget(client);
    past.gone(key, sequence);
    return this.#listed(undefined, false);
  }

  /**
   * Files that a client named because it was asked to; what stands against one, if anything.
   *
   * @throws {PeerFault} when a file is described in a way that cannot be true.
   */
  filesHeard(event: DirectoryEventOf<"files-heard">, nowMs: number): Denial | undefined {
    checkFiles(event.files);
    const client = this.#options.clients.get(event.client);
    if (client === undefined || !client.isAskedForFiles) return undefined;
    client.heardMs = nowMs;
    const denial = this.#list(client, event.files, { mayReplace: true });
    if (denial !== undefined || event.last) client.isAskedForFiles = false;
    if (denial === undefined && event.last) this.#options.listings.sweep(client);
    return denial;
  }

  /** The client whose batch takes files. */
  #open(key: ClientKey, nowMs: number): Client | undefined {
    const client = this.#options.clients.get(key);
    if (client?.batch == null || client.batch.refused !== null) return undefined;
    client.heardMs = nowMs;
    return client;
  }

  #list(
    client: Client,
    files: readonly ListedFile[],
    options: { readonly mayReplace: boolean },
  ): Denial | undefined {
    for (const listed of files) {
      const denial = this.#options.listings.list(client, listed, options);
      if (denial !== undefined) return denial;
      this.#options.listed(client, listed.file);
    }
    return undefined;
  }

  #denial(
    { client: key, host, sequence }: DirectoryEventOf<"refresh">,
    at: { readonly known: Client | undefined; readonly nowMs: number },
  ): Denial | undefined {
    const { clients, past } = this.#options;
    if (past.isWrong(key, at.nowMs)) return wrongAddress();
    const last = at.known?.sequence ?? past.sequenceOf(key);
    if (sequence <= last) return oldSequence(sequence, last);
    if (at.known !== undefined) return undefined;
    const { directoryClientsMax, directoryClientsPerHostMax } = limits;
    if (clients.size >= directoryClientsMax) {
      return denialOf("clients", directoryClientsMax, "the directory has all clients it can have");
    }
    // A wrong session keeps its place a while: else one host could have others dialled for ever.
    if (clients.at(host).size + past.wrongAt(host) >= directoryClientsPerHostMax) {
      return denialOf(
        "clients-per-host",
        directoryClientsPerHostMax,
        "there are as many clients at this address as can be",
      );
    }
    return undefined;
  }

  #listed(client: Client | undefined, known: boolean): Listed {
    return {
      kind: "listed",
      known,
      reach: client?.reach ?? "unreachable",
      filesListed: client?.listings ?? 0,
      refreshMs: this.#options.refreshMs,
    };
  }
}
