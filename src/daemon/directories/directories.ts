/**
 * All directories (trackers) of a node: each hears what the node offers, and each is asked what a
 * search is for, all at once. A directory that is dead, silent or gives nonsense costs a line in the
 * log and delays nothing: answers are told as they come, and nothing waits for all of them.
 */

import type { HostPort } from "../../base/address.ts";
import { messageOf, unreachable } from "../../base/errors.ts";
import type { FlightId, Root, SessionId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { flightsOfName } from "../../core/crowd/flight_id.ts";
import type { AdvertiserEvent } from "../../core/directory/advertiser.ts";
import type { DirectoryConnection } from "../../net/directory_connection.ts";
import type { OldVersions } from "../../net/version_fallback.ts";
import type { StoreChange } from "../../store/files/stored_file.ts";
import { macEquals, sessionMac } from "../../wire/proofs.ts";
import type { DirectoryReport } from "../../wire/reports.ts";
import type { Holder, KnownFile, Load, Sought } from "../../wire/structures.ts";
import {
  type DirectoryAnswer,
  plausibleFellows,
  plausibleFiles,
  plausibleHolders,
  plausibleNeighbours,
} from "../discovery/directory_answers.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { isOffered, listedFile } from "../discovery/offers.ts";
import { DirectoryClient, Duplicates } from "./directory_client.ts";
import type { DirectoryError } from "./directory_errors.ts";
import { searchDirectory } from "./directory_search.ts";
import { formatAddress } from "../../wire/host.ts";
import { type FellowsAnswer, type FellowSearch, FellowSearches } from "./fellow_searches.ts";

export type { DirectoryAnswer } from "../discovery/directory_answers.ts";

/** Hears an answer; not called any more once the question was ended. */
type Heard = (answer: DirectoryAnswer) => void;

/** A question to all directories. */
interface DirectoryQuestion {
  /** Whether all have answered, or cannot. */
  readonly isThrough: boolean;
  /** Nothing is heard any more. */
  end(): void;
}

interface DirectoriesOptions {
  readonly addresses: readonly HostPort[];
  /** What they are told of this node. */
  readonly load: () => Load;
  readonly oldVersions: OldVersions;
}

/** The directories that a node was told of. */
export class Directories {
  readonly #context: NodeContext;
  readonly #options: DirectoriesOptions;
  readonly #duplicates = new Duplicates();
  /** One array for all that ask them: it changes in place. */
  readonly #clients: DirectoryClient[] = [];
  /** Those that are told goodbye. */
  readonly #left = new Set<Promise<void>>();
  readonly #fellowSearches: FellowSearches;
  /** Files that changed since the last tick; without a name, under the first name of the root. */
  readonly #changes = new Map<string, { readonly root: Root; readonly name: string | undefined }>();
  #ends: (() => void)[] = [];
  /** Whether what the node offers may be told, and whether there is anybody to tell. */
  #isOpen = false;
  #isStarted = false;

  constructor(context: NodeContext, options: DirectoriesOptions) {
    this.#context = context;
    this.#options = options;
    for (const address of options.addresses) this.#clients.push(this.#clientOf(address));
    this.#fellowSearches = new FellowSearches(context, this.#clients);
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
    this.#isOpen = true;
    this.#startIfAny();
  }

  /** Speaks to these from now on: new ones are told what is here, the others goodbye. */
  setAddresses(addresses: readonly HostPort[]): void {
    const wanted = new Map(addresses.map((one) => [formatAddress(one.host, one.port), one]));
    const gone = this.#clients.filter(({ label }) => !wanted.has(label));
    for (const { label } of this.#clients) wanted.delete(label);
    const kept = this.#clients.filter((client) => !gone.includes(client));
    const added = [...wanted.values()].map((address) => this.#clientOf(address));
    this.#clients.splice(0, Infinity, ...kept, ...added);
    for (const client of gone) this.#leave(client);
    if (this.#isOpen) this.#startIfAny();
  }

  #clientOf(address: HostPort): DirectoryClient {
    const { load, oldVersions } = this.#options;
    const duplicates = this.#duplicates;
    return new DirectoryClient(this.#context, { address, duplicates, load, oldVersions });
  }

  #leave(client: DirectoryClient): void {
    const left = client.leave().finally(() => {
      this.#duplicates.forget(client);
      this.#left.delete(left);
    });
    this.#left.add(left);
  }

  #startIfAny(): void {
    if (this.#isStarted || this.#clients.length === 0) return;
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
    this.#fellowSearches.tick(nowMs);
  }

  /** Says goodbye to all that answer, within `limits.directoryLeaveMs`; never rejects. */
  async stop(): Promise<void> {
    this.#isOpen = this.#isStarted = false;
    for (const end of this.#ends) end();
    await Promise.all([...this.#left, ...this.#clients.map((client) => client.leave())]);
  }

  /** Asks which nodes hold a name or root; `through` is called when all have answered, or cannot. */
  findHolders(
    sought: Sought,
    heard: Heard,
    options: { readonly max?: number; readonly through?: () => void } = {},
  ): DirectoryQuestion {
    const { max = limits.directoryHoldersAsked, through } = options;
    return this.#askForHolders((connection) => connection.holders(sought, max), heard, through);
  }

  /** Asks which nodes would take a file, the least loaded first; returns the end of the question. */
  findTakers(
    file: { readonly root: Root; readonly sizeBytes: number },
    heard: Heard,
    options: { readonly max?: number } = {},
  ): () => void {
    const { max = limits.directoryHoldersAsked } = options;
    const asked = this.#askForHolders((connection) => connection.takers(file, max), heard);
    return () => asked.end();
  }

  /**
   * Asks what goes by a name or root, or matches a glob, page by page until `isFull`; `through` is
   * called when all have answered, or cannot.
   */
  findFiles(
    sought: Sought,
    heard: Heard,
    options: { readonly isFull?: () => boolean; readonly through?: () => void } = {},
  ): DirectoryQuestion {
    if (sought.by === "glob") return this.#search(sought.value, heard, options);
    return this.#askAll(
      (connection) => connection.metadata(sought),
      (files: KnownFile[]) => ({
        files: plausibleFiles(files),
        holders: [],
        isCut: files.length >= limits.directoryAlikeMax,
      }),
      heard,
      options.through,
    );
  }

  /** Asks for nodes that take links; `heard` is told what each directory says. */
  findNeighbours(heard: (addresses: readonly HostPort[]) => void): void {
    for (const client of this.#clients) {
      let directoryHost = "";
      client.askOfFlight((connection) => {
        directoryHost = connection.connection.remote.host;
        return connection.neighbours(limits.gossipAddressesMax);
      }).then((answer) => {
        if (answer !== undefined) heard(plausibleNeighbours(answer.addresses, { directoryHost }));
      }).catch((error) => {
        const { log } = this.#context;
        log.error("cannot use what a directory says", { error: messageOf(error) });
      });
    }
  }

  /** Says that a file is in flight here, and asks who else has it, until the search is ended. */
  findFellows(
    file: { readonly flight: FlightId; readonly sizeBytes: number },
    heard: (answer: FellowsAnswer) => void,
  ): FellowSearch {
    return this.#fellowSearches.begin(file, heard);
  }

  /** Leases a name, empty for any: who seeks it finds this node; the function that this returns ends that. */
  leaseName(name: string): () => void {
    const search = this.#fellowSearches.begin(ofName(name), () => {});
    return () => search.end();
  }

  /** Asks who has a file of a name in flight, empty for any; resolves when all have answered. */
  async findFlights(name: string, heard: (answer: FellowsAnswer) => void): Promise<void> {
    const { log, identity: { nodeId: ownId } } = this.#context;
    await Promise.all(this.#clients.map(async (client) => {
      let directoryHost = "";
      const answer = await client.askOfFlight((connection) => {
        directoryHost = connection.connection.remote.host;
        return connection.fellows(ofName(name), limits.flightAskedMs);
      });
      if (answer === undefined) return;
      const fellows = plausibleFellows(answer.fellows, { directoryHost, ownId });
      heard({ directory: client.label, count: answer.count, fellows });
    })).catch((error) => {
      log.error("cannot use what a directory says", { error: messageOf(error) });
    });
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

  #search(
    glob: string,
    heard: Heard,
    options: { readonly isFull?: () => boolean; readonly through?: () => void },
  ): DirectoryQuestion {
    const { isFull = () => false, through } = options;
    const ended = new AbortController();
    const { clock } = this.#context;
    const questions = this.#clients.map((client) =>
      searchDirectory(client, glob, {
        clock,
        signal: ended.signal,
        isFull,
        heard: ({ files, isCut }) => {
          const answer = { directory: client.label, files: plausibleFiles(files), isCut };
          if (!ended.signal.aborted) heard({ ...answer, holders: [] });
        },
      })
    );
    return this.#asked(questions, { ended, through });
  }

  #askForHolders(
    question: (connection: DirectoryConnection) => ReturnType<DirectoryConnection["holders"]>,
    heard: Heard,
    through?: () => void,
  ): DirectoryQuestion {
    return this.#askAll(
      question,
      (holders: Holder[], directoryHost) => {
        const ownId = this.#context.identity.nodeId;
        return {
          files: [],
          holders: plausibleHolders(holders, { directoryHost, ownId }),
          isCut: holders.length >= limits.holdersMax,
        };
      },
      heard,
      through,
    );
  }

  #askAll<T extends object>(
    question: Parameters<typeof DirectoryClient.prototype.ask<T>>[0],
    read: (answer: T, directoryHost: string) => Omit<DirectoryAnswer, "directory">,
    heard: Heard,
    through?: () => void,
  ): DirectoryQuestion {
    const ended = new AbortController();
    const questions = this.#clients.map(async (client) => {
      let directoryHost = "";
      const answer = await client.ask((connection) => {
        directoryHost = connection.connection.remote.host;
        return question(connection);
      });
      if (ended.signal.aborted || answer === undefined) return;
      heard({ directory: client.label, ...read(answer, directoryHost) });
    });
    return this.#asked(questions, { ended, through });
  }

  #asked(
    questions: readonly Promise<void>[],
    { ended, through }: {
      readonly ended: AbortController;
      readonly through: (() => void) | undefined;
    },
  ): DirectoryQuestion {
    const question = { isThrough: questions.length === 0, end: () => ended.abort() };
    if (question.isThrough) return question;
    const told = questions.map((one) =>
      one.catch((error) =>
        this.#context.log.error("cannot use what a directory says", { error: messageOf(error) })
      )
    );
    Promise.all(told).then(() => {
      question.isThrough = true;
      if (!ended.signal.aborted) through?.();
    });
    return question;
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

/** What is leased, and asked for, of all flights of one name. */
function ofName(name: string): { readonly flight: FlightId; readonly sizeBytes: number } {
  return { flight: flightsOfName(name), sizeBytes: limits.flightOfNameBytes };
}
