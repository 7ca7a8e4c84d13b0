/**
 * All directories (trackers) of a node: each hears what the node offers, and each is asked what a
 * search is for, all at once. A directory that is dead, silent or gives nonsense costs a line in the
 * log and delays nothing: answers are told as they come, and nothing waits for all of them.
 */

import type { HostPort } from "../../base/address.ts";
import { messageOf, unreachable } from "../../base/errors.ts";
import type { Root, SessionId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { AdvertiserEvent } from "../../core/directory/advertiser.ts";
import type { DirectoryConnection } from "../../net/directory_connection.ts";
import type { StoreChange } from "../../store/files/stored_file.ts";
import { macEquals, sessionMac } from "../../wire/proofs.ts";
import type { DirectoryReport } from "../../wire/reports.ts";
import type { Holder, KnownFile, Load, Sought } from "../../wire/structures.ts";
import {
  type DirectoryAnswer,
  plausibleFiles,
  plausibleHolders,
} from "../discovery/directory_answers.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { isOffered, listedFile } from "../discovery/offers.ts";
import { DirectoryClient, Duplicates } from "./directory_client.ts";
import type { DirectoryError } from "./directory_errors.ts";

export type { DirectoryAnswer } from "../discovery/directory_answers.ts";

/** Hears an answer; not called any more once the question was ended. */
type Heard = (answer: DirectoryAnswer) => void;

/** The directories that a node was told of. */
export class Directories {
  readonly #context: NodeContext;
  readonly #clients: readonly DirectoryClient[];
  /** Files that changed since the last tick; without a name, under the first name of the root. */
  readonly #changes = new Map<string, { readonly root: Root; readonly name: string | undefined }>();
  #ends: (() => void)[] = [];
  #isStarted = false;

  /** `load` is told to the directories at `addresses`. */
  constructor(
    context: NodeContext,
    options: {
      readonly addresses: readonly HostPort[];
      readonly load: (nowMs: number) => Load;
    },
  ) {
    this.#context = context;
    const { addresses, load } = options;
    const duplicates = new Duplicates();
    this.#clients = addresses.map((address) =>
      new DirectoryClient(context, { address, duplicates, load })
    );
  }

  /** How many there are, each counted once though it may have two addresses. */
  get size(): number {
    return this.#clients.filter(({ duplicateOf }) => duplicateOf === undefined).length;
  }

  /** Those that did not answer last time, and why. */
  get errors(): DirectoryError[] {
    return this.#clients.flatMap(({ error, duplicateOf }) =>
      error === undefined || duplicateOf !== undefined ? [] : error
    );
  }

  /** Begins to tell what the node offers. */
  start(): void {
    if (this.#clients.length === 0) return;
    this.#isStarted = true;
    const { clock, store, offerPolicy } = this.#context;
    this.#ends = [
      store.onChange((change) => this.#changed(change)),
      offerPolicy.onChange(({ root, name }) =>
        this.#changes.set(`${root} ${name}`, { root, name })
      ),
    ];
    this.tick(clock.nowMs());
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    if (!this.#isStarted) return;
    for (const { root, name } of this.#changes.values()) this.#tell(root, name);
    this.#changes.clear();
    for (const client of this.#clients) client.tick(nowMs);
  }

  /** Says goodbye to all that answer, within `limits.directoryLeaveMs`; never rejects. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    for (const end of this.#ends) end();
    await Promise.all(this.#clients.map((client) => client.leave()));
  }

  /** Asks which nodes hold a name or root; returns the end of the question. */
  findHolders(sought: Sought, heard: Heard, options: { readonly max?: number } = {}): () => void {
    const { max = limits.directoryHoldersAsked } = options;
    return this.#askForHolders((connection) => connection.holders(sought, max), heard);
  }

  /** Asks which nodes would take a file, the least loaded first; returns the end of the question. */
  findTakers(
    file: { readonly root: Root; readonly sizeBytes: number },
    heard: Heard,
    options: { readonly max?: number } = {},
  ): () => void {
    const { max = limits.directoryHoldersAsked } = options;
    return this.#askForHolders((connection) => connection.takers(file, max), heard);
  }

  /** Asks what goes by a name or root, or matches a glob; returns the end of the question. */
  findFiles(sought: Sought, heard: Heard): () => void {
    return this.#askAll(
      (connection) =>
        sought.by === "glob"
          ? connection.search(sought.value, limits.directorySearchMax)
          : connection.metadata(sought),
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
    const nowMs = this.#context.clock.nowMs();
    return this.#clients.map((client) => client.report(nowMs));
  }

  #askForHolders(
    question: (connection: DirectoryConnection) => ReturnType<DirectoryConnection["holders"]>,
    heard: Heard,
  ): () => void {
    return this.#askAll(
      question,
      (holders: Holder[], directoryHost) => {
        const ownId = this.#context.identity.nodeId;
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
      client.ask((connection) => {
        directoryHost = connection.connection.remote.host;
        return question(connection);
      }).then((answer) => {
        if (isEnded || answer === undefined) return;
        heard({ directory: client.label, ...read(answer, directoryHost) });
      }).catch((error) =>
        this.#context.log.error("cannot use what a directory says", { error: messageOf(error) })
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
        this.#changes.set(`${root} ${change.name}`, { root, name: change.name });
        break;
      case "gained":
      case "lost":
        this.#changes.set(root, { root, name: undefined });
        break;
      default:
        unreachable(change);
    }
  }

  #tell(root: Root, changedName: string | undefined): void {
    const { store } = this.#context;
    const name = changedName ?? store.definition(root)?.name;
    if (name === undefined) return;
    const file = store.definitionNamed(root, name);
    const event: AdvertiserEvent = file === undefined || !isOffered(this.#context, file)
      ? { kind: "removed", root, name }
      : { kind: "changed", file: listedFile(store, file) };
    for (const client of this.#clients) client.step(event);
  }
}
