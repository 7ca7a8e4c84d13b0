/**
 * All directories of a node: each hears what the node offers, and each is asked what a search is
 * for, all at once. A directory that is dead, silent or talks nonsense costs a line in the log and
 * nobody's time: who asks hears what comes, when it comes, and waits for nothing.
 */

import type { HostPort } from "../../base/address.ts";
import { messageOf, unreachable } from "../../base/errors.ts";
import type { Root, SessionId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { AdvertiserEvent } from "../../core/directory/advertiser.ts";
import type { DirectoryConnection } from "../../net/directory_connection.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { StoreChange } from "../../store/files/stored_file.ts";
import { macEquals, sessionMac } from "../../wire/proofs.ts";
import type { DirectoryReport } from "../../wire/reports.ts";
import type { Holder, KnownFile, Sought } from "../../wire/structures.ts";
import {
  type DirectoryAnswer,
  plausibleFiles,
  plausibleHolders,
} from "../discovery/directory_answers.ts";
import { DirectoryClient, type DirectoryClientHost } from "./directory_client.ts";
import { Duplicates } from "./duplicates.ts";
import type { DirectoryError } from "./directory_errors.ts";
import { isOffered, listedFile, listedFiles } from "../discovery/offers.ts";
import type { OfferPolicy } from "../trust/offer_policy.ts";

export type { DirectoryAnswer } from "../discovery/directory_answers.ts";

/** What the directories need of their node. */
export interface DirectoriesHost extends Omit<DirectoryClientHost, "listed" | "claims"> {
  readonly store: ChunkStore;
  readonly offerPolicy: Pick<OfferPolicy, "isOfferable" | "onChange">;
}

/** Hears an answer; not called any more once the question was ended. */
type Heard = (answer: DirectoryAnswer) => void;

/** A file that changed; without a name, whatever name the file of that root has. */
interface Dirty {
  readonly root: Root;
  readonly name: string | undefined;
}

/** The directories that a node was told of. */
export class Directories {
  readonly #host: DirectoriesHost;
  readonly #clients: readonly DirectoryClient[];
  /** Files that changed since the last tick. */
  readonly #dirty = new Map<string, Dirty>();
  #endStoreEvents: () => void = () => {};
  #endOfferPolicyEvents: () => void = () => {};
  #isStarted = false;

  constructor(host: DirectoriesHost, addresses: readonly HostPort[]) {
    this.#host = host;
    const listed = () => listedFiles(host);
    const claims = new Duplicates<DirectoryClient>();
    const clientHost: DirectoryClientHost = { ...host, listed, claims };
    this.#clients = addresses.map((address) => new DirectoryClient(clientHost, address));
  }

  /** How many there are, each counted once though it may have two addresses. */
  get size(): number {
    return this.#clients.filter(({ twin }) => twin === undefined).length;
  }

  /** Those that did not answer last time, and why. */
  get troubles(): DirectoryError[] {
    return this.#clients.flatMap(({ trouble, twin }) =>
      trouble === undefined || twin !== undefined ? [] : trouble
    );
  }

  /** Begins to tell what the node offers. */
  start(): void {
    if (this.#clients.length === 0) return;
    this.#isStarted = true;
    this.#endStoreEvents = this.#host.store.onChange((change) => this.#changed(change));
    this.#endOfferPolicyEvents = this.#host.offerPolicy.onChange(({ root, name }) =>
      this.#dirty.set(`${root} ${name}`, { root, name })
    );
    this.tick(performance.now());
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    if (!this.#isStarted) return;
    for (const { root, name } of this.#dirty.values()) this.#tell(root, name, nowMs);
    this.#dirty.clear();
    for (const client of this.#clients) client.tick(nowMs);
  }

  /** Says goodbye to all that answer, within `limits.directoryLeaveMs`; never rejects. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#endStoreEvents();
    this.#endOfferPolicyEvents();
    await Promise.all(this.#clients.map((client) => client.leave()));
  }

  /** Asks who holds a name or root; returns the end of the question. */
  findHolders(sought: Sought, heard: Heard, options: { readonly max?: number } = {}): () => void {
    const { max = limits.directoryHoldersAsked } = options;
    return this.#askForHolders((talk) => talk.holders(sought, max), heard);
  }

  /** Asks who would take a file, the least loaded first; returns the end of the question. */
  findTakers(
    file: { readonly root: Root; readonly sizeBytes: number },
    heard: Heard,
    options: { readonly max?: number } = {},
  ): () => void {
    const { max = limits.directoryHoldersAsked } = options;
    return this.#askForHolders((talk) => talk.takers(file, max), heard);
  }

  /** Asks what goes by a name or root, or matches a glob; returns the end of the question. */
  findFiles(sought: Sought, heard: Heard): () => void {
    return this.#askAll(
      (talk) =>
        sought.by === "glob"
          ? talk.search(sought.value, limits.directorySearchMax)
          : talk.metadata(sought),
      (files: KnownFile[]) => ({ files: plausibleFiles(files), holders: [] }),
      heard,
    );
  }

  /** The session that a directory which dialled this node proved to know. */
  sessionByProof(mac: Uint8Array, nonces: Uint8Array): SessionId | undefined {
    return this.#clients.find(({ session }) =>
      macEquals(mac, sessionMac("directory", session, nonces))
    )?.session;
  }

  /** How each of them does. */
  reports(): DirectoryReport[] {
    const nowMs = performance.now();
    return this.#clients.map((client) => client.report(nowMs));
  }

  #askForHolders(
    question: (talk: DirectoryConnection) => ReturnType<DirectoryConnection["holders"]>,
    heard: Heard,
  ): () => void {
    return this.#askAll(
      question,
      (holders: Holder[], directoryHost) => {
        const ownId = this.#host.identity.nodeId;
        return { files: [], holders: plausibleHolders(holders, { directoryHost, ownId }) };
      },
      heard,
    );
  }

  #askAll<T extends object>(
    question: Parameters<typeof DirectoryClient.prototype.ask<T>>[0],
    read: (answer: T, directoryHost: string) => Omit<DirectoryAnswer, "directory">,
    heard: Heard,
  ): () => void {
    let isEnded = false;
    for (const client of this.#clients) {
      let directoryHost = "";
      client.ask((talk) => {
        directoryHost = talk.connection.remote.host;
        return question(talk);
      }).then((answer) => {
        if (isEnded || answer === undefined) return;
        heard({ directory: client.label, ...read(answer, directoryHost) });
      }).catch((error) =>
        this.#host.log.error("cannot use what a directory says", { error: messageOf(error) })
      );
    }
    return () => isEnded = true;
  }

  #changed(change: StoreChange): void {
    const { root } = change;
    switch (change.kind) {
      case "added":
      case "checked":
      case "withdrawn":
      case "discarded":
        this.#dirty.set(`${root} ${change.name}`, { root, name: change.name });
        break;
      case "gained":
      case "lost":
        this.#dirty.set(root, { root, name: undefined });
        break;
      default:
        unreachable(change);
    }
  }

  #tell(root: Root, changedName: string | undefined, nowMs: number): void {
    const { store } = this.#host;
    const name = changedName ?? store.definition(root)?.name;
    if (name === undefined) return;
    const file = store.definitionNamed(root, name);
    const event: AdvertiserEvent = file === undefined || !isOffered(this.#host, file)
      ? { kind: "removed", root, name }
      : { kind: "changed", file: listedFile(store, file) };
    for (const client of this.#clients) client.step(event, nowMs);
  }
}
