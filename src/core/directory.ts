/**
 * The volatile index of a directory server: what clients say of themselves and their files, and
 * what follows from it. Pure: no I/O, no clock. Who is dialled, and how, is the server's business;
 * the answers to questions are put together in `directory_look_up.ts`.
 *
 * Rules
 *  1. A client is a session at the host that it is seen at. A batch or a leave whose sequence is
 *     not greater than the last is refused, also when the client has gone meanwhile.
 *  2. A new client, or one with another port, is checked: dialled at the host that it is seen at.
 *     Proved, it is reachable, and older sessions at the same host and port are forgotten. Not
 *     found, it is named without an address. If somebody else answers, it is forgotten with all
 *     that it listed, and refused for a while.
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

import { PeerFault, unreachable } from "../base/errors.ts";
import type { NodeId, Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { seededRandom } from "../base/random.ts";
import type { MessageOf } from "../wire/messages.ts";
import type { FileOffer, Holder, KnownFile, Sought } from "../wire/structures.ts";
import { Askers } from "./askers.ts";
import { Balance, clampLoad } from "./balance.ts";
import { type BatchAnswer, Batches } from "./directory_batches.ts";
import { type Client, Clients, PastSessions } from "./directory_clients.ts";
import { denialOf } from "./directory_denials.ts";
import type {
  ClientKey,
  Denial,
  DirectoryEffect,
  DirectoryEvent,
  DirectoryEventOf,
  DirectoryOptions,
} from "./directory_events.ts";
import { DirectoryFiles } from "./directory_files.ts";
import { Listings } from "./directory_listings.ts";
import { holderOf, LookUp } from "./directory_look_up.ts";
import { Replication } from "./replication.ts";

/** The numbers of a DIRECTORY_STATUS that the index knows. */
export type DirectoryNumbers = Omit<
  MessageOf<"directory-status">,
  "kind" | "instance" | "uptimeMs"
>;

/** How often clients are looked through for those that are silent, as a part of a refresh. */
const SILENCE_CHECKS = 8;
const SILENCE_CHECK_MS_MAX = 1_000;

/** What clients said, and the answers that follow from it. */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #files: DirectoryFiles;
  readonly #listings: Listings;
  readonly #clients = new Clients();
  readonly #past = new PastSessions();
  readonly #batches: Batches;
  readonly #balance: Balance;
  readonly #lookUp: LookUp;
  readonly #replication: Replication<Client>;
  readonly #askers: Askers;
  #effects: DirectoryEffect[] = [];
  #nowMs = 0;
  #silenceCheckedMs = -Infinity;
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
      copied: (client, root) => this.#replication.copied(client.key, root),
    });
    this.#askers = new Askers(options.queriesPerSecond);
  }

  /**
   * Takes an event in; what it leads to is to be done at once, in order.
   *
   * @throws {PeerFault} when a client says what cannot be; its connection is to be closed.
   */
  step(event: DirectoryEvent, nowMs: number): DirectoryEffect[] {
    this.#nowMs = nowMs;
    this.#effects = [];
    switch (event.kind) {
      case "refresh":
        this.#answer(event.client, this.#batches.refresh(event, nowMs));
        break;
      case "advertise":
        this.#batches.advertise(event, nowMs);
        break;
      case "remove":
        this.#batches.remove(event, nowMs);
        break;
      case "batch-end":
        this.#answer(event.client, this.#batches.end(event.client, nowMs));
        break;
      case "batch-broken":
        this.#batches.broken(event.client);
        break;
      case "leave":
        this.#answer(event.client, this.#batches.leave(event));
        break;
      case "checked":
        this.#checked(event);
        break;
      case "files-heard":
        this.#filesHeard(event);
        break;
      case "upload-answered":
        this.#uploadAnswered(event);
        break;
      case "tick":
        this.#tick();
        break;
      default:
        return unreachable(event);
    }
    return this.#effects;
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
    const { askerNode } = question;
    const max = Math.min(question.max, limits.holdersMax);
    const holders = this.#lookUp.holders(by, value, { max, askerNode, nowMs });
    // Of a name, only the file that leads is what is going to be fetched.
    const root = by === "root" ? value as Root : holders[0]?.root;
    if (root !== undefined && holders.length > 0) this.#replication.asked(root, askerNode, nowMs);
    return holders;
  }

  /** The files whose names match a glob, by name, at most `max` of them. */
  search(
    question: { readonly glob: string; readonly max: number; readonly asker: string },
    nowMs: number,
  ): KnownFile[] | Denial {
    const max = Math.min(question.max, limits.directorySearchMax);
    return this.#charge(question.asker, limits.directorySearchCost, nowMs) ??
      this.#lookUp.search(question.glob, max);
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
    const load = clampLoad(event.load);
    const known = this.#clients.get(key);
    const client = known ?? this.#clients.add({
      key,
      host,
      nodeId,
      port,
      load,
      named: this.#balance.newCount(),
      heardMs: this.#nowMs,
    });
    this.#balance.reported(known?.load, load);
    this.#clients.update(client, { load });
    client.sequence = sequence;
    client.nodeId = nodeId;
    client.heardMs = this.#nowMs;
    client.silentAskedMs = null;
    this.#checkPlace(client, { port, isNew: known === undefined });
    return client;
  }

  #checkPlace(client: Client, to: { readonly port: number; readonly isNew: boolean }): void {
    const isMoved = to.isNew || client.port !== to.port;
    client.port = to.port;
    if (isMoved) {
      this.#clients.update(client, { reach: to.port === 0 ? "unreachable" : "checking" });
      if (to.port !== 0) this.#check(client);
    } else if (
      !client.isReachable && to.port !== 0 &&
      this.#nowMs - client.checkedMs >= limits.directoryRecheckMs
    ) this.#check(client);
  }

  #check(client: Client): void {
    client.checkedMs = this.#nowMs;
    client.checkingPort = client.port;
    this.#effects.push({
      kind: "check",
      client: client.key,
      host: client.host.host,
      port: client.port,
    });
  }

  #checked({ client: key, port, outcome, load }: DirectoryEventOf<"checked">): void {
    const client = this.#clients.get(key);
    if (client === undefined || client.checkingPort !== port || client.port !== port) return;
    client.checkingPort = null;
    switch (outcome) {
      case "proved":
        this.#proved(client);
        if (load !== undefined) {
          this.#balance.reported(client.load, clampLoad(load));
          this.#clients.update(client, { load: clampLoad(load) });
        }
        return;
      case "wrong":
        this.#forget(client);
        this.#past.wrong(key, client.host.host, this.#nowMs);
        this.#effects.push({
          kind: "warn",
          message: "Forgot a client: somebody else answers at the address that it gave",
          fields: { host: client.host.host, port, node: client.nodeId },
        });
        return;
      case "unreachable":
        if (client.silentAskedMs !== null) this.#forget(client);
        else this.#clients.update(client, { reach: "unreachable" });
        return;
      default:
        return unreachable(outcome);
    }
  }

  #proved(client: Client): void {
    this.#clients.update(client, { reach: "reachable" });
    for (const other of [...client.host.clients]) {
      // That node was started anew: two cannot listen on one port.
      if (other.port === client.port && other.order < client.order) this.#forget(other);
    }
    if (client.silentAskedMs === null) return;
    client.silentAskedMs = null;
    client.heardMs = this.#nowMs;
    if (client.batch !== null) return;
    // Nobody knows what it failed to say meanwhile.
    client.isAskedForFiles = true;
    client.mark++;
    this.#effects.push({
      kind: "ask-files",
      client: client.key,
      host: client.host.host,
      port: client.port,
    });
  }

  #filesHeard(event: DirectoryEventOf<"files-heard">): void {
    const denial = this.#batches.filesHeard(event, this.#nowMs);
    if (denial === undefined) return;
    this.#effects.push({
      kind: "warn",
      message: `Cannot list all files of a client: ${denial.message}`,
      fields: { client: event.client.split(" ", 1)[0]!, limit: denial.limit },
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
      this.#check(client);
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

  #roomOf({ key, load }: Client): number {
    return load.acceptBytes - this.#replication.pendingBytes(key);
  }

  // Time

  #tick(): void {
    this.#past.expire(this.#nowMs);
    const everyMs = Math.min(this.#options.refreshMs / SILENCE_CHECKS, SILENCE_CHECK_MS_MAX);
    if (this.#nowMs - this.#silenceCheckedMs >= everyMs) {
      this.#silenceCheckedMs = this.#nowMs;
      for (const client of this.#clients) this.#checkSilence(client);
    }
    for (const { client, file } of this.#replication.tick(this.#nowMs)) {
      const { key, host: { host }, port } = client;
      this.#effects.push({ kind: "request-upload", client: key, host, port, file });
    }
  }

  #checkSilence(client: Client): void {
    if (client.silentAskedMs !== null) {
      if (this.#nowMs - client.silentAskedMs >= limits.directorySilentMs) this.#forget(client);
      return;
    }
    const silentMs = this.#options.refreshMs * limits.directoryMissedMax;
    if (this.#nowMs - client.heardMs < silentMs) return;
    if (!client.isReachable) {
      this.#forget(client);
      return;
    }
    client.silentAskedMs = this.#nowMs;
    this.#check(client);
  }

  /** Counts a question; why it is refused, or undefined. */
  #charge(host: string, cost: number, nowMs: number): Denial | undefined {
    this.#queries++;
    if (this.#askers.take(host, cost, nowMs)) return undefined;
    this.#denied++;
    const { queriesPerSecond } = this.#options;
    return denialOf(
      "queries-per-second",
      queriesPerSecond,
      `an address may ask ${queriesPerSecond} questions a second`,
    );
  }
}

function checkSought({ by, value }: Sought): { by: "root" | "name"; value: string } {
  if (by !== "glob") return { by, value };
  throw new PeerFault("unexpected", "Cannot answer: a glob is what a search is for");
}
