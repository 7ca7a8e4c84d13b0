/**
 * Directories and their clients in one process, in virtual time, from a seed: connections that
 * take time and get lost, clients that come and go, servers that restart. Messages are counted, and
 * their bytes as they are on the wire. Who looks for what is in `directory_lookups.ts`.
 */

import { newNodeId, type NodeId, type Root } from "../../src/base/ids.ts";
import { toHex } from "../../src/base/bytes.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, randomBelow, seededRandom } from "../../src/base/random.ts";
import type { AdvertiserEvent } from "../../src/core/directory/advertiser.ts";
import type { Denial, Listed } from "../../src/core/directory/directory_events.ts";
import { encodeFrame } from "../../src/wire/codec.ts";
import { type Message, NODE_MAGIC, NODE_VERSION_OLDEST } from "../../src/wire/messages.ts";
import type { ListedFile } from "../../src/wire/structures.ts";
import { CLIENT_PORT, type Gone, SimClient } from "./directory_client.ts";
import { type SimBatch, SimDirectory } from "./directory_server.ts";
import { VirtualTime } from "./virtual_time.ts";

/** How long a question or a batch waits for its answer. */
const ANSWER_MS = 5_000;
/** Ways over the network until the first question is there: TCP, the handshake, the question. */
const WAYS_IN = 5;

/** How a network is made. */
export interface DirectoryNetworkOptions {
  readonly seed: number;
  readonly clients: number;
  readonly directories: number;
  /** Files that nodes have in common, the most popular first. */
  readonly files: number;
  /** Files of each node: these of the common ones, and one that nobody else has. */
  readonly filesPerClient: number;
  /** Connections that get lost, of all. */
  readonly lossShare: number;
  /** Clients that can be dialled, of all. */
  readonly reachableShare: number;
  /** Whether bytes are counted and not messages alone: it takes long. */
  readonly countsBytes: boolean;
}

/** What went over the network for one purpose. */
export interface Traffic {
  connections: number;
  messages: number;
  bytes: number;
}

/** The whole of it. */
export class DirectoryNetwork {
  readonly options: DirectoryNetworkOptions;
  readonly time = new VirtualTime();
  readonly random: Random;
  readonly directories: readonly SimDirectory[];
  /** Those that run. */
  readonly clients: SimClient[] = [];
  /** Those that do not, the latest last. */
  readonly gone: SimClient[] = [];
  readonly traffic = { batches: traffic(), questions: traffic(), dials: traffic() };
  readonly warnings: string[] = [];
  readonly lines: string[] = [];
  readonly #byHost = new Map<string, SimClient>();
  readonly #byNode = new Map<NodeId, SimClient>();
  /** Files that all may have, and how the popularity adds up to each. */
  readonly #files: readonly ListedFile[];
  readonly #popularity: readonly number[];
  /** Hosts that were ever used. */
  #hosts = 0;

  constructor(options: DirectoryNetworkOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    this.#files = Array.from(
      { length: options.files },
      (_, i) => this.newFile(`package-${i}-1.${i % 7}-1-x86_64.pkg.tar.zst`),
    );
    let sum = 0;
    // Zipf's law, as the downloads of packages follow it roughly.
    this.#popularity = this.#files.map((_, i) => sum += 1 / (i + 1) ** 0.8);
    this.directories = Array.from(
      { length: options.directories },
      (_, index) => new SimDirectory(this, index),
    );
    for (let i = 0; i < options.clients; i++) this.addClient();
  }

  get nowMs(): number {
    return this.time.nowMs;
  }

  get seed(): number {
    return this.options.seed;
  }

  say(line: string): void {
    this.lines.push(line);
  }

  /** The node of that id, if it runs. */
  clientOf(nodeId: NodeId): SimClient | undefined {
    return this.#byNode.get(nodeId);
  }

  /** A file by its popularity. */
  pickFile(): ListedFile {
    const place = this.random.unit() * this.#popularity.at(-1)!;
    let low = 0;
    for (let high = this.#popularity.length - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#popularity[middle]! > place) high = middle;
      else low = middle + 1;
    }
    return this.#files[low]!;
  }

  pickClient(): SimClient {
    return this.clients[randomBelow(this.random, this.clients.length)]!;
  }

  // Coming and going

  /** A new node with its files starts; with `former`, that node starts again, with its own. */
  addClient(former?: SimClient): SimClient {
    const host = former?.host ??
      `10.${this.#hosts >> 16}.${(this.#hosts >> 8) & 255}.${this.#hosts & 255}`;
    if (former === undefined) this.#hosts++;
    const client = new SimClient(this, host, former);
    if (former === undefined) {
      const own = this.newFile(`own-of-${host}`);
      client.files.set(own.file.name, own);
      while (client.files.size < this.options.filesPerClient) {
        const file = this.pickFile();
        client.files.set(file.file.name, file);
      }
    } else {
      for (const [name, file] of former.files) client.files.set(name, file);
    }
    this.clients.push(client);
    this.#byHost.set(host, client);
    this.#byNode.set(client.nodeId, client);
    client.start();
    return client;
  }

  endClient(client: SimClient, how: Gone): void {
    client.end(how);
    const last = this.clients.pop()!;
    if (last !== client) this.clients[this.clients.indexOf(client)] = last;
    this.#byNode.delete(client.nodeId);
    this.gone.push(client);
  }

  /** A file that nobody has. */
  newFile(name: string): ListedFile {
    const root = toHex(this.random.bytes(32)) as Root;
    return {
      file: { root, name, type: "", sizeBytes: 64 * 16_384, chunksHave: 64, whole: true },
      sha256: null,
    };
  }

  // Connections

  /** A client's batch; `heard` gets the end of it. */
  batch(
    client: SimClient,
    directory: SimDirectory,
    batch: SimBatch,
    heard: (event: AdvertiserEvent) => void,
  ): void {
    const messages = batchMessages(client, directory, batch);
    this.#ask(client, directory, {
      traffic: this.traffic.batches,
      ask: (isBroken): [Listed | Denial, readonly Message[]] => {
        const answer = directory.take(client, batch, isBroken);
        return [answer, [...messages, withInstance(answer, directory.instance)]];
      },
      heard: (answer, instance) => {
        if (answer?.kind === "listed") {
          heard({ kind: "listed", answer: { ...answer, instance } });
        } else if (answer?.kind === "denied") {
          heard({ kind: "denied", limit: answer.limit });
        } else {
          heard({ kind: "failed" });
        }
      },
    });
  }

  /** A client's last words. */
  leave(client: SimClient, directory: SimDirectory, sequence: number): void {
    const session = client.seats[directory.index]!.session;
    this.#ask(client, directory, {
      traffic: this.traffic.batches,
      ask: () => {
        directory.leave(client, sequence);
        return [undefined, [{ kind: "leave", session, sequence }]];
      },
      heard: () => {},
    });
  }

  /** A client's question: `ask` at the directory, `heard` with undefined when no answer came. */
  question<T>(
    client: SimClient,
    directory: SimDirectory,
    how: { ask(): [T, readonly Message[]]; heard(answer: T | undefined): void },
  ): void {
    this.#ask(client, directory, {
      traffic: this.traffic.questions,
      ask: how.ask,
      heard: (answer, instance) => {
        if (answer !== undefined) client.sawInstance(directory.index, instance);
        how.heard(answer);
      },
    });
  }

  /** One connection of a client to a directory, with its delays and its losses. */
  #ask<T>(client: SimClient, directory: SimDirectory, how: {
    readonly traffic: Traffic;
    ask(isBroken: boolean): [T, readonly Message[]];
    heard(answer: T | undefined, instance: NodeId): void;
  }): void {
    const loss = this.#loss();
    const { instance } = directory;
    how.traffic.connections++;
    const fail = (afterMs: number) =>
      this.time.later(afterMs, () => how.heard(undefined, instance));
    if (loss === "dial") return fail(limits.dialMs);
    if (!directory.isUp) return fail(2 * client.delayMs);
    this.time.later(WAYS_IN * client.delayMs, () => {
      if (directory.instance !== instance || !directory.isUp) return fail(client.delayMs);
      const [answer, messages] = how.ask(loss === "midway");
      this.#count(how.traffic, messages);
      if (loss !== undefined) return fail(ANSWER_MS);
      this.time.later(client.delayMs, () => how.heard(answer, instance));
    });
  }

  /** A directory dials a node; `dialled` gets undefined when nobody is there. */
  dialClient(host: string, port: number, dialled: (client: SimClient | undefined) => void): void {
    const client = this.#byHost.get(host);
    this.traffic.dials.connections++;
    const isSilent = client === undefined || client.gone === "machine" || !client.isReachable;
    if (isSilent || port !== CLIENT_PORT || this.#loss() !== undefined) {
      this.time.later(limits.dialMs, () => dialled(undefined));
      return;
    }
    this.time.later((WAYS_IN + 1) * client.delayMs, () => {
      const now = this.#byHost.get(host)!;
      if (!now.isAlive) return dialled(undefined);
      this.#count(this.traffic.dials, [
        { kind: "load-query", mac: new Uint8Array(32) },
        { kind: "load-report", mac: new Uint8Array(32), load: now.load },
      ]);
      dialled(now);
    });
  }

  /** The messages of one connection, and its handshake. */
  #count(traffic: Traffic, messages: readonly Message[]): void {
    traffic.messages += HANDSHAKE.length + messages.length;
    if (!this.options.countsBytes) return;
    for (const message of [...HANDSHAKE, ...messages]) {
      traffic.bytes += encodeFrame(message).length;
    }
  }

  /** Whether and where a new connection gets lost: most do not. */
  #loss(): "dial" | "midway" | "answer" | undefined {
    const chance = this.random.unit() / this.options.lossShare;
    if (chance >= 1) return undefined;
    return chance < 0.4 ? "dial" : chance < 0.6 ? "midway" : "answer";
  }
}

function traffic(): Traffic {
  return { connections: 0, messages: 0, bytes: 0 };
}

function batchMessages(
  client: SimClient,
  directory: SimDirectory,
  { batch, files }: SimBatch,
): Message[] {
  const { sequence, whole, filesListed, removed } = batch;
  const { session } = client.seats[directory.index]!;
  const { load } = client;
  const messages: Message[] = [{ kind: "refresh", session, sequence, load, whole, filesListed }];
  for (let i = 0; i < files.length; i += limits.advertisedPerMessageMax) {
    messages.push({ kind: "advertise", files: files.slice(i, i + limits.advertisedPerMessageMax) });
  }
  if (removed.length > 0) messages.push({ kind: "remove", files: [...removed] });
  messages.push({ kind: "batch-end" });
  return messages;
}

function withInstance(answer: Listed | Denial, instance: NodeId): Message {
  return { ...answer, instance };
}

/** The five messages before the first one of a connection; see `src/net/handshake.ts`. */
const HANDSHAKE: readonly Message[] = (() => {
  const hello: Message = {
    kind: "hello",
    magic: NODE_MAGIC,
    version: NODE_VERSION_OLDEST,
    purpose: "directory",
    nodeId: newNodeId(seededRandom(0)),
    listenPort: CLIENT_PORT,
    network: "pacsrv",
    nonce: new Uint8Array(16),
    tag: new Uint8Array(32),
  };
  const proof: Message = { kind: "proof", mac: new Uint8Array(32) };
  return [hello, hello, proof, proof, { kind: "accepted" }];
})();
