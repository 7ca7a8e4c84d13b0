/**
 * The volatile index of a directory server: what clients say of themselves and their files, and
 * what follows from it. Pure: no I/O, no clock. The server decides how clients are dialled;
 * the answers to questions are put together in `look_up.ts`.
 *
 * Rules
 *  1. A client is a session at the host that it is seen at. A batch or a leave whose sequence is
 *     not greater than the last is refused, also when the client has gone meanwhile.
 *  2. A new client, or one with another port, is checked: dialled at the host that it is seen at.
 *     Proved, it is reachable, and older sessions at the same host and port are forgotten. Not
 *     found, it is named without an address. If somebody else answers, it is forgotten with all
 *     that it listed, and refused for a while; and logged, unless it is soon proved that its node
 *     was only started anew.
 *  3. A batch is taken in as it comes. At the end of a whole one, what it did not name is gone. A
 *     batch that is broken off leaves what came.
 *  4. Changes of a client that is new, or whose number of files is not what it takes it to be, are
 *     not taken: it is asked for its whole list.
 *  5. Past a limit the rest of a batch is ignored, and what was listed stays. A whole list may take
 *     the place of the client's older one, so that it can change at the limit.
 *  6. A client that is silent for `directoryMissedMax` refreshes is asked once, if it can be, and
 *     then forgotten. If it proves itself it stays, and is asked for its files.
 *  7. Questions of an address are bounded; a search costs more. What cannot be true is a fault.
 */

import { PeerFault, unreachable } from "../../base/errors.ts";
import { HostRateLimit } from "../../base/rate_limit.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { seededRandom } from "../../base/random.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { FileOffer, Holder, KnownFile, Load, Sought } from "../../wire/structures.ts";
import { Balance, clampLoad } from "./balance.ts";
import { type BatchAnswer, Batches } from "./batches.ts";
import { type Client, Clients, PastSessions } from "./clients.ts";
import {
  type ClientKey,
  type Denial,
  denialOf,
  type DirectoryEffect,
  type DirectoryEvent,
  type DirectoryEventOf,
  type DirectoryOptions,
  hostOf,
} from "./directory_events.ts";
import { DirectoryFiles } from "./directory_files.ts";
import { Listings } from "./listings.ts";
import { holderOf, LookUp } from "./look_up.ts";
import { Reachability } from "./reachability.ts";
import { Replication } from "./replication.ts";

/** The numbers of a DIRECTORY_STATUS that the index knows. */
type DirectoryNumbers = Omit<
  MessageOf<"directory-status">,
  "kind" | "instance" | "uptimeMs"
>;

/** Of a client that has not said any yet. */
const NO_LOAD: Load = { uploads: 0, uploadsMax: 1, bytesPerSecond: 0, acceptBytes: 0 };

/** What clients said, and the answers that follow from it. */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #files: DirectoryFiles;
  readonly #listings: Listings;
  readonly #clients = new Clients();
  readonly #past = new PastSessions();
  readonly #batches: Batches;
  readonly #reachability: Reachability;
  readonly #balance: Balance;
  readonly #lookUp: LookUp;
  readonly #replication: Replication<Client>;
  readonly #questions: HostRateLimit;
  #effects: DirectoryEffect[] = [];
  #nowMs = 0;
  #queries = 0;
  #denied = 0;

  constructor(options: DirectoryOptions) {
    const { replicas, refreshMs } = options;
    this.#options = options;
    const seeds = new DataView(options.random.bytes(8).buffer);
    this.#files = new DirectoryFiles(seeds.getInt32(0));
    // Hundreds of values for an answer, and no secret: the system's source takes too long.
    const random = seededRandom(seeds.getInt32(4));
    this.#listings = new Listings(this.#files);
    this.#balance = new Balance({ random, isOn: replicas > 0, refreshMs });
    this.#lookUp = new LookUp({
      random,
      files: this.#files,
      clients: this.#clients,
      balance: this.#balance,
      protectsHolders: replicas > 0,
    });
    this.#replication = new Replication({
      copies: (root) => this.#lookUp.copies(root, { replicas, nowMs: this.#nowMs }),
      taker: ({ file }, isFit) => this.#taker(file, isFit),
    }, { replicas });
    this.#batches = new Batches({
      clients: this.#clients,
      past: this.#past,
      listings: this.#listings,
      refreshMs,
      admit: (event) => this.#admit(event),
      forget: (client) => this.#forget(client),
      listed: (client, file) => this.#replication.listed(client.key, file, this.#nowMs),
    });
    this.#reachability = new Reachability({
      clients: this.#clients,
      past: this.#past,
      refreshMs,
      forget: (client) => this.#forget(client),
      effect: (effect) => this.#effects.push(effect),
    });
    const perSecond = options.queriesPerSecond;
    this.#questions = new HostRateLimit({
      perSecond,
      // A bound below the cost of a search would rule searches out, so the burst holds one.
      burst: Math.max(2 * perSecond, limits.directorySearchCost),
      hostsMax: limits.directoryHostsMax,
    });
  }

  /**
   * Takes an event in; what it leads to is to be done at once, in order.
   *
   * @throws {PeerFault} when a client says what cannot be; its connection is to be closed.
   */
  step(event: DirectoryEvent, nowMs: number): DirectoryEffect[] {
    this.#nowMs = nowMs;
    this.#effects = [];
    this.#apply(event, nowMs);
    return this.#effects;
  }

  #apply(event: DirectoryEvent, nowMs: number): void {
    switch (event.kind) {
      case "refresh":
        return this.#answer(event.client, this.#batches.refresh(event, nowMs));
      case "advertise":
        return this.#batches.advertise(event, nowMs);
      case "remove":
        return this.#batches.remove(event, nowMs);
      case "batch-end":
        return this.#answer(event.client, this.#batches.end(event.client, nowMs));
      case "batch-broken":
        return this.#batches.broken(event.client);
      case "leave":
        return this.#answer(event.client, this.#batches.leave(event));
      case "checked":
        return this.#checked(event);
      case "files-heard":
        return this.#filesHeard(event);
      case "upload-answered":
        return this.#uploadAnswered(event);
      case "tick":
        return this.#tick();
      default:
        return unreachable(event);
    }
  }

  // Questions

  /**
   * The files of a root or a name, those that most nodes have first.
   *
   * @throws {PeerFault} when a glob is sought: that is a search.
   */
  metadata(
    question: { readonly sought: Sought; readonly asker: string },
    nowMs: number,
  ): KnownFile[] | Denial {
    const { by, value } = checkSought(question.sought);
    return this.#charge(question.asker, 1, nowMs) ?? this.#lookUp.metadata(by, value);
  }

  /**
   * Who holds the files of a root or a name, in the order in which to ask them; never the asker
   * itself. Counts as demand.
   *
   * @throws {PeerFault} when a glob is sought.
   */
  holders(
    question: {
      readonly sought: Sought;
      readonly max: number;
      readonly asker: string;
      readonly askerNode: NodeId;
    },
    nowMs: number,
  ): Holder[] | Denial {
    const { by, value } = checkSought(question.sought);
    const denial = this.#charge(question.asker, 1, nowMs);
    if (denial !== undefined) return denial;
    const { asker, askerNode } = question;
    const max = Math.min(question.max, limits.holdersMax);
    const askedForMs = (root: Root) => this.#askedForMs(root, askerNode, nowMs);
    const found = this.#lookUp.holders(by, value, { max, asker, askerNode, askedForMs, nowMs });
    // Of a name, only the file that leads is what is going to be fetched.
    const root = by === "root" ? value as Root : found.root;
    if (root !== undefined && found.root !== undefined) {
      this.#replication.asked(root, askerNode, nowMs);
    }
    return found.holders;
  }

  /** The files whose names match a glob, by name, at most `max` of them. */
  search(
    question: { readonly glob: string; readonly max: number; readonly asker: string },
    nowMs: number,
  ): KnownFile[] | Denial {
    const { glob, asker } = question;
    const denial = this.#charge(asker, limits.directorySearchCost, nowMs);
    if (denial !== undefined) return denial;
    const max = Math.min(question.max, limits.directorySearchMax);
    const { files, steps } = this.#lookUp.search(glob, max);
    const { directorySearchStepsPerQuestion, directorySearchFilesPerQuestion } = limits;
    const extra = steps / directorySearchStepsPerQuestion +
      files.length / directorySearchFilesPerQuestion;
    this.#questions.owe(asker, extra);
    return files;
  }

  /** Lightly loaded clients that can be dialled and would take a file; never the asker itself. */
  takers(
    question: {
      readonly root: Root;
      readonly sizeBytes: number;
      readonly max: number;
      readonly asker: string;
      readonly askerNode: NodeId;
    },
    nowMs: number,
  ): Holder[] | Denial {
    const denial = this.#charge(question.asker, 1, nowMs);
    if (denial !== undefined) return denial;
    const { root, sizeBytes, askerNode } = question;
    const takers = this.#lookUp.takers({ root, sizeBytes }, {
      nowMs,
      isFit: (client) => client.nodeId !== askerNode && this.#roomOf(client) >= sizeBytes,
    });
    return takers
      .slice(0, Math.min(question.max, limits.holdersMax))
      .map((client) => holderOf(client, { root, sizeBytes, chunksHave: 0 }));
  }

  /** How it stands. */
  status(_nowMs: number): DirectoryNumbers {
    return {
      clients: this.#clients.size,
      clientsReachable: this.#clients.reachable,
      roots: this.#files.roots,
      names: this.#files.names,
      filesListed: this.#files.listings,
      queries: this.#queries,
      batches: this.#batches.taken,
      denied: this.#denied,
      uploadsAccepted: this.#replication.accepted,
      replicas: this.#options.replicas,
      refreshMs: this.#options.refreshMs,
    };
  }

  /** The clients at an address. */
  clientsAt(host: string): ClientKey[] {
    return Array.from(this.#clients.at(host), ({ key }) => key);
  }

  /** How many files a client lists; undefined when it is not known. */
  filesListed(client: ClientKey): number | undefined {
    return this.#clients.get(client)?.listings;
  }

  /** Upload requests under way. */
  get uploadsPending(): number {
    return this.#replication.pending;
  }

  // Clients

  #answer(client: ClientKey, answer: BatchAnswer): void {
    if (answer === undefined) return;
    if (answer.kind === "denied") this.#denied++;
    this.#effects.push({ kind: "answer", client, answer });
  }

  #admit(event: DirectoryEventOf<"refresh">): Client {
    const { client: key, host, nodeId, port, sequence } = event;
    const known = this.#clients.get(key);
    const client = known ?? this.#clients.add({
      key,
      host,
      nodeId,
      port,
      load: NO_LOAD,
      named: this.#balance.newCount(),
      heardMs: this.#nowMs,
    });
    this.#setLoad(client, event.load);
    client.sequence = sequence;
    client.nodeId = nodeId;
    this.#reachability.heard(client, { port, isNew: known === undefined }, this.#nowMs);
    return client;
  }

  #checked(event: DirectoryEventOf<"checked">): void {
    this.#reachability.checked(event, this.#nowMs);
    const client = this.#clients.get(event.client);
    if (client !== undefined && event.load !== undefined) this.#setLoad(client, event.load);
  }

  #setLoad(client: Client, load: Load): void {
    const after = clampLoad(load);
    this.#balance.reported(client.load, after);
    this.#clients.update(client, { load: after });
    client.loadMs = this.#nowMs;
  }

  #filesHeard(event: DirectoryEventOf<"files-heard">): void {
    const denial = this.#batches.filesHeard(event, this.#nowMs);
    if (denial === undefined) return;
    this.#effects.push({
      kind: "warn",
      message: `Cannot list all files of a client: ${denial.message}`,
      fields: { host: hostOf(event.client), limit: denial.limit },
    });
  }

  #forget(client: Client): void {
    this.#listings.clear(client);
    this.#replication.forgotten(client.key);
    this.#balance.forgotten(client, this.#nowMs);
    this.#clients.remove(client);
    this.#past.gone(client.key, client.sequence);
  }

  #uploadAnswered({ client: key, root, answer }: DirectoryEventOf<"upload-answered">): void {
    const nowMs = this.#nowMs;
    this.#replication.answered(key, root, { accepted: answer === "accepted", nowMs });
    const client = this.#clients.get(key);
    if (answer === "unreachable" && client?.isReachable && client.checkingPort === null) {
      this.#reachability.check(client, this.#nowMs);
    }
  }

  /** The client that shall take a copy of a file. */
  #taker(file: FileOffer, isFit: (client: Client) => boolean): Client | undefined {
    const nowMs = this.#nowMs;
    return this.#lookUp.takers(file, {
      nowMs,
      isFit: (client) => isFit(client) && this.#roomOf(client) >= file.sizeBytes,
    })[0];
  }

  /** For how long a node has been asking for a file; Infinity when it is not to wait for it. */
  #askedForMs(root: Root, node: NodeId, nowMs: number): number {
    const isTaker = this.#replication.takersOf(root)
      .some((key) => this.#clients.get(key)?.nodeId === node);
    return isTaker ? Infinity : this.#replication.askedForMs(root, node, nowMs);
  }

  #roomOf({ key, load }: Client): number {
    return load.acceptBytes - this.#replication.pendingBytes(key);
  }

  // Time

  #tick(): void {
    this.#past.expire(this.#nowMs);
    this.#reachability.tick(this.#nowMs);
    for (const client of this.#lookUp.reportsWanted(this.#nowMs)) {
      if (client.checkingPort === null) this.#reachability.check(client, this.#nowMs);
    }
    for (const { client, file } of this.#replication.tick(this.#nowMs)) {
      const { key, host: { host }, port } = client;
      this.#effects.push({ kind: "request-upload", client: key, host, port, file });
    }
  }

  /** Counts a question; why it is refused, or undefined. */
  #charge(host: string, cost: number, nowMs: number): Denial | undefined {
    this.#queries++;
    if (this.#questions.take(host, nowMs, cost)) return undefined;
    this.#denied++;
    const { queriesPerSecond } = this.#options;
    return denialOf(
      "queries-per-second",
      queriesPerSecond,
      `an address may ask ${queriesPerSecond} questions a second; a search counts as ` +
        `${limits.directorySearchCost} or more`,
    );
  }
}

function checkSought({ by, value }: Sought): { by: "root" | "name"; value: string } {
  if (by !== "glob") return { by, value };
  throw new PeerFault("unexpected", "Cannot answer: a glob is what a search is for");
}
