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
 *     was only started again.
 *  3. A batch is taken in as it comes. At the end of a whole one, what it did not name is gone. A
 *     batch that is broken off leaves what came.
 *  4. Changes of a client that is new, or whose number of files is not what it takes it to be, are
 *     not taken: it is asked for its whole list.
 *  5. Past a limit the rest of a batch is ignored, and what was listed stays. A whole list may take
 *     the room of the client's older one, so that it can change at the limit.
 *  6. A client that is silent for `directoryMissedMax` refreshes is asked once, if it can be, and
 *     then forgotten. If it proves itself it stays, and is asked for its files.
 *  7. Questions of an address are bounded; a search costs more. What cannot be true is a fault.
 *  8. Who has a file in flight need not be a client (`flight_leases.ts`). It is named at the host that
 *     it is seen at, unless a client that listens there was found to be unreachable.
 */

import type { HostPort } from "../../base/address.ts";
import { PeerFault, unreachable } from "../../base/errors.ts";
import type { FlightId, NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import { HostRateLimit } from "../../base/rate_limit.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { FileOffer, Holder, KnownFile, Sought } from "../../wire/structures.ts";
import { Balance } from "./balance.ts";
import { Batches } from "./batches.ts";
import { type Client, Clients } from "./clients.ts";
import {
  type ClientKey,
  type Denial,
  denialOf,
  type DirectoryEffect,
  type DirectoryEvent,
  type DirectoryEventOf,
  type DirectoryOptions,
} from "./directory_events.ts";
import { FlightLeases, type LeasedFellows } from "./flight_leases.ts";
import { ListingTable } from "./listing_table.ts";
import { Listings } from "./listings.ts";
import { holderOf, LookUp, type SearchPage } from "./look_up.ts";
import { Reachability } from "./reachability.ts";
import { Replication } from "./replication.ts";

/** What clients said, and the answers that follow from it. */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #listings: Listings;
  readonly #clients: Clients;
  readonly #batches: Batches;
  readonly #reachability: Reachability;
  readonly #lookUp: LookUp;
  readonly #replication: Replication<Client>;
  readonly #questions: QuestionLimit;
  readonly #flights: FlightLeases;
  readonly #random: Random;
  #effects: DirectoryEffect[] = [];
  #nowMs = 0;

  constructor(options: DirectoryOptions) {
    const { replicas, refreshMs } = options;
    this.#options = options;
    const seeds = new DataView(options.random.bytes(8).buffer);
    // Hundreds of values for an answer, and no secret: the system's source takes too long.
    const random = this.#random = seededRandom(seeds.getInt32(4));
    const balance = new Balance({ random, isOn: replicas > 0, refreshMs });
    this.#clients = new Clients(balance);
    const { clientsMax = limits.directoryClientsMax, listingsMax = limits.listingsMax } = options;
    this.#listings = new Listings(new ListingTable(seeds.getInt32(0)), this.#clients, {
      max: listingsMax,
      isAskedFor: (root) => this.#replication.isAskedFor(root),
    });
    this.#lookUp = new LookUp({
      random,
      listings: this.#listings.table,
      clients: this.#clients,
      balance,
      protectsHolders: replicas > 0,
    });
    this.#replication = new Replication({
      copies: (root) => this.#lookUp.copies(root, { replicas, nowMs: this.#nowMs }),
      taker: ({ file }, isFit) => this.#taker(file, isFit),
    }, { replicas });
    const effect = (effect: DirectoryEffect) => void this.#effects.push(effect);
    this.#batches = new Batches({
      clients: this.#clients,
      listings: this.#listings,
      clientsMax,
      refreshMs,
      admit: (event) => this.#admit(event),
      forget: (client) => this.#forget(client),
      listed: (client, file) => this.#replication.listed(client.key, file, this.#nowMs),
      effect,
    });
    this.#reachability = new Reachability({
      clients: this.#clients,
      refreshMs,
      forget: (client) => this.#forget(client),
      effect,
    });
    this.#questions = new QuestionLimit(options.queriesPerSecond);
    this.#flights = new FlightLeases(random);
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
        return this.#batches.refresh(event, nowMs);
      case "advertise":
        return this.#batches.advertise(event, nowMs);
      case "remove":
        return this.#batches.remove(event, nowMs);
      case "batch-end":
        return this.#batches.end(event.client, nowMs);
      case "batch-broken":
        return this.#batches.broken(event.client);
      case "leave":
        return this.#batches.leave(event);
      case "checked":
        return this.#checked(event);
      case "files-heard":
        return this.#batches.filesHeard(event, nowMs);
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
    return this.#questions.charge(question.asker, 1, nowMs) ?? this.#lookUp.metadata(by, value);
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
    const denial = this.#questions.charge(question.asker, 1, nowMs);
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
    const page = this.searchPage({ ...question, from: 0 }, nowMs);
    return "kind" in page ? page : page.files;
  }

  /** The same from where an earlier page stopped. */
  searchPage(
    question: {
      readonly glob: string;
      readonly max: number;
      readonly from: number;
      readonly asker: string;
    },
    nowMs: number,
  ): SearchPage | Denial {
    const { glob, from, asker } = question;
    const denial = this.#questions.charge(asker, limits.directorySearchCost, nowMs);
    if (denial !== undefined) return denial;
    const max = Math.min(question.max, limits.directorySearchMax);
    const { files, steps, next, isCut } = this.#lookUp.search(glob, { max, from });
    const { directorySearchStepsPerQuestion, directorySearchFilesPerQuestion } = limits;
    const extra = steps / directorySearchStepsPerQuestion +
      files.length / directorySearchFilesPerQuestion;
    this.#questions.owe(asker, extra);
    return { files, next, isCut };
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
    const denial = this.#questions.charge(question.asker, 1, nowMs);
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

  /** Where clients accept connections, at random, for a node that wants links; never the asker. */
  neighbours(
    question: { readonly max: number; readonly asker: string; readonly askerNode: NodeId },
    nowMs: number,
  ): HostPort[] | Denial {
    const { asker, askerNode } = question;
    const denial = this.#questions.charge(asker, 1, nowMs);
    if (denial !== undefined) return denial;
    const max = Math.min(question.max, limits.peersPerMessageMax);
    return this.#clients
      .some(max, this.#random, ({ isReachable, nodeId }) => isReachable && nodeId !== askerNode)
      .map(({ host: { host }, port }) => ({ host, port }));
  }

  /** Takes what a node says of a file in flight: rule 8. Tells it who else has it. */
  fellows(
    question: {
      readonly flight: FlightId;
      readonly sizeBytes: number;
      readonly leaseMs: number;
      readonly asker: string;
      readonly askerNode: NodeId;
      /** Where it listens; 0: nowhere. */
      readonly askerPort: number;
    },
    nowMs: number,
  ): LeasedFellows | Denial {
    const { asker: host, askerNode: nodeId, askerPort: port, ...rest } = question;
    const denial = this.#questions.charge(host, 1, nowMs);
    if (denial !== undefined) return denial;
    const canBeDialled = !this.#isUnreachable(host, port);
    return this.#flights.take({ ...rest, host, port, nodeId, canBeDialled }, nowMs);
  }

  /** The numbers of a DIRECTORY_STATUS that the index knows. */
  status(): Omit<MessageOf<"directory-status">, "kind" | "instance" | "uptimeMs"> {
    const { table } = this.#listings;
    return {
      clients: this.#clients.size,
      clientsReachable: this.#clients.reachable,
      roots: table.files.roots,
      names: table.files.names,
      filesListed: table.size,
      queries: this.#questions.asked,
      batches: this.#batches.taken,
      denied: this.#batches.denied + this.#questions.denied,
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

  /** Leases of files in flight. */
  get leases(): number {
    return this.#flights.size;
  }

  /** Upload requests under way. */
  get uploadsPending(): number {
    return this.#replication.pending;
  }

  // Clients

  #admit(event: DirectoryEventOf<"refresh">): Client {
    const { client: key, host, nodeId, port, sequence } = event;
    const known = this.#clients.get(key);
    const client = known ?? this.#clients.add({
      key,
      host,
      nodeId,
      port,
      heardMs: this.#nowMs,
    });
    this.#clients.setLoad(client, event.load, this.#nowMs);
    client.sequence = sequence;
    client.nodeId = nodeId;
    this.#reachability.heard(client, { port, isNew: known === undefined }, this.#nowMs);
    return client;
  }

  #checked(event: DirectoryEventOf<"checked">): void {
    this.#reachability.checked(event, this.#nowMs);
    const client = this.#clients.get(event.client);
    if (client !== undefined && event.load !== undefined) {
      this.#clients.setLoad(client, event.load, this.#nowMs);
    }
  }

  #forget(client: Client): void {
    this.#listings.clear(client);
    this.#replication.forgotten(client.key);
    this.#clients.remove(client, this.#nowMs);
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

  /** Whether the clients at an address that listen on a port were all dialled in vain. */
  #isUnreachable(host: string, port: number): boolean {
    const reaches = [...this.#clients.at(host)].flatMap((client) =>
      client.port === port ? client.reach : []
    );
    return reaches.length > 0 && reaches.every((reach) => reach === "unreachable");
  }

  #roomOf({ key, load }: Client): number {
    return load.acceptBytes - this.#replication.pendingBytes(key);
  }

  // Time

  #tick(): void {
    this.#clients.past.expire(this.#nowMs);
    this.#reachability.tick(this.#nowMs);
    this.#flights.tick(this.#nowMs);
    for (const client of this.#lookUp.reportsWanted(this.#nowMs)) {
      if (client.checkingPort === null) this.#reachability.check(client, this.#nowMs);
    }
    for (const { client, file } of this.#replication.tick(this.#nowMs)) {
      const { key, host: { host }, port } = client;
      this.#effects.push({ kind: "request-upload", client: key, host, port, file });
    }
  }
}

/** How much each address may ask: rule 7. */
class QuestionLimit {
  readonly #perSecond: number;
  readonly #hosts: HostRateLimit;
  #asked = 0;
  #denied = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#hosts = new HostRateLimit({
      perSecond,
      // A bound below the cost of a search would rule searches out, so the burst holds one.
      burst: Math.max(2 * perSecond, limits.directorySearchCost),
      hostsMax: limits.directoryHostsMax,
    });
  }

  get asked(): number {
    return this.#asked;
  }

  get denied(): number {
    return this.#denied;
  }

  /** Counts a question; why it is refused, or undefined. */
  charge(host: string, cost: number, nowMs: number): Denial | undefined {
    this.#asked++;
    if (this.#hosts.take(host, nowMs, cost)) return undefined;
    this.#denied++;
    return denialOf(
      "queries-per-second",
      this.#perSecond,
      `an address may ask ${this.#perSecond} questions a second; a search counts as ` +
        `${limits.directorySearchCost} or more`,
    );
  }

  /** Counts more for a question that turned out to cost more. */
  owe(host: string, cost: number): void {
    this.#hosts.owe(host, cost);
  }
}

function checkSought({ by, value }: Sought): { by: "root" | "name"; value: string } {
  if (by !== "glob") return { by, value };
  throw new PeerFault("unexpected", "Cannot answer: a glob is what a search is for");
}
