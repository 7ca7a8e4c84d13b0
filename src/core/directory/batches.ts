/**
 * What clients say of their files, batch by batch: rules 1, 3, 4 and 5 of `directory.ts`. Who a
 * client is, and how it is reached, is not decided here.
 */

import { PeerFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Client, Clients } from "./clients.ts";
import {
  type ClientKey,
  type Denial,
  denialOf,
  type DirectoryEffect,
  type DirectoryEventOf,
  hostOf,
  type Listed,
  oldSequence,
  wrongAddress,
} from "./directory_events.ts";
import { checkFiles, type Listings } from "./listings.ts";
import type { FileOffer, ListedFile } from "../../wire/structures.ts";

/** What batches need of the directory. */
interface BatchesOptions {
  readonly clients: Clients;
  readonly listings: Listings;
  /** How many clients there may be. */
  readonly clientsMax: number;
  readonly refreshMs: number;
  /** Takes a client in, or what it says of itself. */
  admit(event: DirectoryEventOf<"refresh">): Client;
  forget(client: Client): void;
  /** A client lists a file, or a part of it. */
  listed(client: Client, file: FileOffer): void;
  /** Has something done. */
  effect(effect: DirectoryEffect): void;
}

/** The batches of all clients. */
export class Batches {
  readonly #options: BatchesOptions;
  #taken = 0;
  #denied = 0;

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** Batches that came to their end and were not refused. */
  get taken(): number {
    return this.#taken;
  }

  /** Batches and goodbyes that were refused. */
  get denied(): number {
    return this.#denied;
  }

  /**
   * Begins a batch, unless it is refused.
   *
   * @throws {PeerFault} when it contradicts itself.
   */
  refresh(event: DirectoryEventOf<"refresh">, nowMs: number): void {
    if (event.whole && event.filesListed !== 0) {
      throw new PeerFault(
        "malformed",
        `Cannot take batch: a whole list takes ${event.filesListed} files to be listed already`,
      );
    }
    const known = this.#options.clients.get(event.client);
    const denial = this.#denial(event, { known, nowMs });
    if (denial !== undefined) return this.#answer(event.client, denial);
    const client = this.#options.admit(event);
    const isKnown = event.whole || (known !== undefined && event.filesListed === client.listings);
    client.batch = { whole: event.whole, refused: isKnown ? null : "unknown" };
    client.isAskedForFiles = false;
    if (event.whole) client.mark++;
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

  end(key: ClientKey, nowMs: number): void {
    this.#answer(key, this.#end(key, nowMs));
  }

  #end(key: ClientKey, nowMs: number): Listed | Denial {
    const { clients, listings } = this.#options;
    const client = clients.get(key);
    if (client?.batch == null) {
      // It was forgotten in the middle of its batch.
      return clients.past.isWrong(key, nowMs) ? wrongAddress() : this.#listed(client, false);
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

  leave({ client: key, sequence }: DirectoryEventOf<"leave">): void {
    const { clients } = this.#options;
    const client = clients.get(key);
    const last = client?.sequence ?? clients.past.sequenceOf(key);
    if (sequence <= last) return this.#answer(key, oldSequence(sequence, last));
    if (client !== undefined) this.#options.forget(client);
    clients.past.gone(key, sequence);
    this.#answer(key, this.#listed(undefined, false));
  }

  /**
   * Files that a client named because it was asked to.
   *
   * @throws {PeerFault} when a file is described in a way that cannot be true.
   */
  filesHeard(event: DirectoryEventOf<"files-heard">, nowMs: number): void {
    checkFiles(event.files);
    const client = this.#options.clients.get(event.client);
    if (client === undefined || !client.isAskedForFiles) return;
    client.heardMs = nowMs;
    const denial = this.#list(client, event.files, { mayReplace: true });
    if (denial !== undefined || event.last) client.isAskedForFiles = false;
    if (denial === undefined) {
      if (event.last) this.#options.listings.sweep(client);
      return;
    }
    this.#options.effect({
      kind: "warn",
      message: `Cannot list all files of a client: ${denial.message}`,
      fields: { host: hostOf(event.client), limit: denial.limit },
    });
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
    const { clients } = this.#options;
    const { past } = clients;
    if (past.isWrong(key, at.nowMs)) return wrongAddress();
    const last = at.known?.sequence ?? past.sequenceOf(key);
    if (sequence <= last) return oldSequence(sequence, last);
    if (at.known !== undefined) return undefined;
    const { directoryClientsPerHostMax } = limits;
    // A wrong session keeps its place a while: else one host could have others dialled for ever.
    if (clients.at(host).size + past.wrongAt(host) >= directoryClientsPerHostMax) {
      return denialOf(
        "clients-per-host",
        directoryClientsPerHostMax,
        "there are as many clients at this address as can be",
      );
    }
    return this.#roomDenial(host);
  }

  /** Has a client give its place to a newcomer at `host`, if there is none; or says why not. */
  #roomDenial(host: string): Denial | undefined {
    const { clients, clientsMax } = this.#options;
    if (clients.size < clientsMax) return undefined;
    const giver = clients.giverFor(host);
    if (giver === undefined) {
      return denialOf("clients", clientsMax, "the directory has all clients it can have");
    }
    this.#options.forget(giver);
    return undefined;
  }

  #answer(client: ClientKey, answer: Listed | Denial): void {
    if (answer.kind === "denied") this.#denied++;
    this.#options.effect({ kind: "answer", client, answer });
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
