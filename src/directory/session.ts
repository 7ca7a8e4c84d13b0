/**
 * One client's connection to a directory: takes its batches and questions in turn and answers in
 * the same order. What is listed is in `core/directory/directory.ts`; it stays when the connection ends.
 */

import type { Clock } from "../base/clock.ts";
import { EnvironmentError, PeerFault } from "../base/errors.ts";
import type { NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type LogFields, type Logger, LogThrottle } from "../base/log.ts";
import type { Directory } from "../core/directory/directory.ts";
import {
  type ClientKey,
  clientKey,
  type Denial,
  type DirectoryEffect,
  type DirectoryEvent,
  type Listed,
} from "../core/directory/directory_events.ts";
import type { Connection } from "../net/connection.ts";
import type { RemoteIdentity } from "../net/handshake.ts";
import { decodePayload } from "../wire/codec.ts";
import { onlyKinds } from "../wire/framer.ts";
import {
  type Message,
  type MessageOf,
  NODE_VERSION_FLIGHTS,
  NODE_VERSION_PAGES,
  type NodeVersion,
} from "../wire/messages.ts";
import {
  answerTo,
  FLIGHT_QUESTION_KINDS,
  isQuestion,
  PAGE_QUESTION_KINDS,
  QUESTION_KINDS,
} from "./questions.ts";

const BATCH_KINDS = ["advertise", "remove", "batch-end"] as const;

/** What is taken, by the version that is spoken: between batches, and within one. */
const GATES = {
  old: gatesFor(QUESTION_KINDS),
  flights: gatesFor(FLIGHT_QUESTION_KINDS),
  pages: gatesFor(PAGE_QUESTION_KINDS),
};

function gatesOf(version: NodeVersion): Gates {
  if (version < NODE_VERSION_FLIGHTS) return GATES.old;
  return version < NODE_VERSION_PAGES ? GATES.flights : GATES.pages;
}

type Gates = ReturnType<typeof gatesFor>;

function gatesFor(questions: readonly (typeof PAGE_QUESTION_KINDS)[number][]) {
  const between = ["refresh", "leave", ...questions] as const;
  return {
    between: onlyKinds("Cannot serve", between),
    batch: onlyKinds("Cannot take batch", BATCH_KINDS),
    /** Who was refused at its REFRESH has sent the rest already, or breaks off. */
    refused: onlyKinds("Cannot serve", [...between, ...BATCH_KINDS]),
  };
}

/** One run of a directory: the index, and what its sessions share. */
export class DirectoryRun {
  /** Who this run is to others: another run is another. */
  readonly instance: NodeId;
  readonly index: Directory;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly log: Logger;
  readonly throttle: LogThrottle;
  /** On which connection the batch of a client goes on; one on another is void. */
  readonly batches = new Map<ClientKey, DirectorySession>();
  readonly #apply: (effect: Exclude<DirectoryEffect, { readonly kind: "answer" }>) => void;

  /** `apply` does what the index wants done, but for answers. */
  constructor(
    options: Pick<DirectoryRun, "instance" | "index" | "clock" | "log"> & {
      readonly apply: (effect: Exclude<DirectoryEffect, { readonly kind: "answer" }>) => void;
    },
  ) {
    this.instance = options.instance;
    this.index = options.index;
    this.clock = options.clock;
    this.startedMs = options.clock.nowMs();
    this.log = options.log;
    this.throttle = new LogThrottle(options.clock);
    this.#apply = options.apply;
  }

  /** Feeds the index and has done what it wants; gives what it says to this very event, if anything. */
  step(event: DirectoryEvent): Listed | Denial | undefined {
    let answer: Listed | Denial | undefined;
    for (const effect of this.index.step(event, this.clock.nowMs())) {
      if (effect.kind === "answer") answer = effect.answer;
      else this.#apply(effect);
    }
    return answer;
  }

  /** Warns of something once in a while; `key` tells what counts as the same. */
  warnOnce(key: string, message: string, fields: LogFields): void {
    if (this.throttle.isFirst(key)) this.log.warn(message, fields);
  }
}

/** One connection that came in. */
export class DirectorySession {
  readonly #run: DirectoryRun;
  readonly #connection: Connection;
  readonly #remote: RemoteIdentity;
  readonly #gates: Gates;
  readonly #openedMs: number;
  #heardMs: number;
  #unreadFrames = 0;
  /** Whose batch is under way; null between batches, and after one was refused. */
  #batch: ClientKey | null = null;

  constructor(run: DirectoryRun, connection: Connection, remote: RemoteIdentity) {
    this.#run = run;
    this.#connection = connection;
    this.#remote = remote;
    this.#gates = gatesOf(remote.version);
    this.#openedMs = this.#heardMs = run.clock.nowMs();
  }

  /**
   * Serves until the connection ends.
   *
   * @throws {PeerFault} when the client broke the protocol, was silent, or stayed for too long.
   */
  async run(): Promise<void> {
    const connection = this.#connection;
    connection.setGate(this.#gates.between);
    try {
      for (;;) {
        const { code, payload } = await connection.receiveFrame();
        this.#heardMs = this.#run.clock.nowMs();
        for (const answer of this.#take(decodePayload(code, payload))) {
          connection.send(answer);
          if (answer.kind === "denied") this.#logDenial(answer);
          if (++this.#unreadFrames >= limits.directoryUnreadFramesMax) await this.#untilRead();
        }
      }
    } catch (error) {
      // A client that has heard what it came for hangs up: so does every connection end.
      if (!(error instanceof EnvironmentError)) throw error;
    } finally {
      connection.close();
      this.#breakBatch();
    }
  }

  /** When something came last, by the clock. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Ends the connection of a client that is silent, or stays for too long. */
  tick(nowMs: number): void {
    const { directoryIdleMs, directoryConnectionMs } = limits;
    const end = (why: string) =>
      this.#connection.close(new PeerFault("silent", `Cannot serve: ${why}`));
    if (nowMs - this.#openedMs > directoryConnectionMs) {
      end(`the connection is open for more than ${directoryConnectionMs} ms`);
    } else if (nowMs - this.#heardMs > directoryIdleMs) {
      end(`nothing came within ${directoryIdleMs} ms`);
    }
  }

  /** Drops the batch under way: its client has begun another on a new connection. */
  #supersede(): void {
    this.#batch = null;
    this.#connection.close();
  }

  #logDenial({ limit, bound, message }: MessageOf<"denied">): void {
    const { host } = this.#connection.remote;
    const fields = { host, limit, bound, reason: message };
    this.#run.warnOnce(`denied ${host} ${limit}`, "refused a client", fields);
  }

  /** Does what a message asks for; gives what is to be sent back. */
  #take(message: Message): Iterable<Message> {
    if (isQuestion(message)) {
      const { host } = this.#connection.remote;
      const { nodeId: askerNode, listenPort: askerPort } = this.#remote;
      const asking = { run: this.#run, asker: host, askerNode, askerPort };
      return answerTo(message, asking, this.#heardMs);
    }
    switch (message.kind) {
      case "refresh":
        return this.#beginBatch(message);
      case "advertise":
      case "remove":
        return this.#fillBatch(message);
      case "batch-end":
        return this.#endBatch();
      case "leave":
        return this.#leave(message);
      default:
        // The gate lets nothing else through.
        throw new PeerFault("unexpected", `Cannot serve: ${message.kind} has no place here`);
    }
  }

  #beginBatch({ session, ...refresh }: MessageOf<"refresh">): Iterable<Message> {
    const { host } = this.#connection.remote;
    const { nodeId, listenPort } = this.#remote;
    const client = clientKey(host, session);
    const answer = this.#run.step({ ...refresh, client, host, port: listenPort, nodeId });
    if (answer !== undefined) return this.#refuse(answer);
    this.#connection.setGate(this.#gates.batch);
    this.#batch = client;
    const before = this.#run.batches.get(client);
    this.#run.batches.set(client, this);
    if (before !== undefined && before !== this) before.#supersede();
    return [];
  }

  #fillBatch(message: MessageOf<"advertise"> | MessageOf<"remove">): Iterable<Message> {
    const client = this.#batch;
    // What stands against it is said at the end of the batch.
    if (client !== null) this.#run.step({ ...message, client });
    return [];
  }

  #refuse(answer: Listed | Denial): Iterable<Message> {
    this.#batch = null;
    this.#connection.setGate(this.#gates.refused);
    return [{ ...answer, instance: this.#run.instance }];
  }

  #endBatch(): Iterable<Message> {
    const client = this.#batch;
    this.#batch = null;
    this.#connection.setGate(this.#gates.between);
    if (client === null) return [];
    this.#run.batches.delete(client);
    return this.#answered(this.#run.step({ kind: "batch-end", client }));
  }

  #leave({ session, sequence }: MessageOf<"leave">): Iterable<Message> {
    const client = clientKey(this.#connection.remote.host, session);
    return this.#answered(this.#run.step({ kind: "leave", client, sequence }));
  }

  #answered(answer: Listed | Denial | undefined): Iterable<Message> {
    if (answer === undefined) throw new TypeError("The index has nothing to say to a batch");
    return [{ ...answer, instance: this.#run.instance }];
  }

  #breakBatch(): void {
    const client = this.#batch;
    this.#batch = null;
    if (client === null) return;
    this.#run.batches.delete(client);
    this.#run.step({ kind: "batch-broken", client });
  }

  async #untilRead(): Promise<void> {
    await this.#connection.flushed();
    this.#unreadFrames = 0;
    // A client that reads a long answer over a thin line is not silent.
    this.#heardMs = this.#run.clock.nowMs();
  }
}
