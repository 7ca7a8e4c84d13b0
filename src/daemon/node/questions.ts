/**
 * What a node answers to the questions of directories and other nodes: how busy it is, which files
 * it offers, whether it takes one. One question at a time, on a short connection.
 *
 * Only a directory that knows this node's session proves anything here; any other asker hears what
 * any node of the network may hear.
 */

import { Counts } from "../../base/counts.ts";
import { EnvironmentError, PeerFault } from "../../base/errors.ts";
import { HostRateLimit } from "../../base/rate_limit.ts";
import { HASH_BYTES } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import type { RemoteIdentity } from "../../net/handshake.ts";
import { onlyKinds } from "../../wire/framer.ts";
import {
  type Message,
  type MessageOf,
  NODE_VERSION_FLIGHTS,
  type Refusal,
} from "../../wire/messages.ts";
import { sessionMac } from "../../wire/proofs.ts";
import type { ListedFile } from "../../wire/structures.ts";
import type { Directories } from "../directories/directories.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { peerLabel } from "../discovery/offer_exchange.ts";
import { listedFiles } from "../discovery/offers.ts";
import type { PushReceiver } from "../push/push_receiver.ts";
import type { LoadMeter } from "../upload/load_meter.ts";
import { DialBacks } from "./dial_backs.ts";
import type { Links } from "./links.ts";

const QUESTIONS = ["load-query", "files-query", "upload-request"] as const;
/** What may be asked from version 2 on. */
const NEWER_QUESTIONS = [...QUESTIONS, "dial-back-query"] as const;

interface QuestionsOptions {
  readonly loadMeter: LoadMeter;
  readonly pushReceiver: PushReceiver;
  /** Hears who floods. */
  readonly links: Links;
  /** The directories that may prove to know this node's session. */
  readonly directories: Directories;
}

/** A node or directory that asks. */
interface Asker {
  readonly connection: Connection;
  readonly remote: RemoteIdentity;
  /** Whether it has proved to be a directory that this node told its session. */
  isDirectory: boolean;
  /** Questions so far. */
  asked: number;
}

/** What goes on after the last answer; it does not count among the questions. */
type Sequel = () => Promise<void>;

/** Answers the connections of purpose `directory` of one node. */
export class Questions {
  readonly #context: NodeContext;
  readonly #options: QuestionsOptions;
  readonly #dialBacks: DialBacks;
  /** Connections that ask something now, by host. */
  readonly #askers = new Counts<string>();
  /** Lists that are being sent, by host. */
  readonly #lists = new Counts<string>();
  readonly #questionLimits = new HostRateLimit({
    perSecond: limits.questionsPerSecondMax,
    burst: limits.questionsBurstMax,
    hostsMax: limits.questionHostsMax,
  });
  readonly #listLimits = new HostRateLimit({
    perSecond: limits.fileListsPerMinuteMax / 60,
    burst: limits.fileListsBurstMax,
    hostsMax: limits.questionHostsMax,
  });

  constructor(context: NodeContext, options: QuestionsOptions) {
    this.#context = context;
    this.#options = options;
    this.#dialBacks = new DialBacks(context);
  }

  /** Why a node at `host` may not ask now; undefined when it may. */
  refusal(host: string): Refusal | undefined {
    const isFull = this.#askers.total >= limits.questionersMax ||
      this.#askers.of(host) >= limits.questionersPerHostMax;
    return isFull ? "busy" : undefined;
  }

  /**
   * Answers until the asker has no more questions, or goes on with a transfer.
   *
   * @throws {PeerFault} when it breaks the protocol, or asks too much.
   */
  async serve(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const { host } = connection.remote;
    this.#askers.add(host, 1);
    const { clock } = this.#context;
    const whole = clock.after(limits.directoryConnectionMs, () => connection.close());
    let sequel: Sequel | undefined;
    try {
      sequel = await this.#answerAll({ connection, remote, isDirectory: false, asked: 0 });
    } finally {
      whole.cancel();
      this.#askers.add(host, -1);
    }
    if (sequel === undefined) connection.close();
    else await sequel();
  }

  async #answerAll(asker: Asker): Promise<Sequel | undefined> {
    for (;;) {
      const question = await nextQuestion(asker);
      if (question === undefined) return undefined;
      this.#count(asker);
      switch (question.kind) {
        case "load-query":
          this.#load(asker, question.mac);
          break;
        case "files-query":
          await this.#files(asker.connection);
          break;
        case "upload-request": {
          const sequel = this.#upload(asker, question);
          if (sequel !== undefined) return sequel;
          break;
        }
        case "dial-back-query": {
          const { connection, remote } = asker;
          const answer = await this.#dialBacks.answer(connection, remote);
          connection.send({ kind: "dial-back-report", answer });
          break;
        }
        default:
          throw new PeerFault("unexpected", `Cannot answer: ${question.kind} is no question`);
      }
    }
  }

  /** The bound is its host's; that it floods is held against a node only where it did so alone. */
  #count(asker: Asker): void {
    const { connection: { remote: { host } }, remote: { nodeId } } = asker;
    asker.asked++;
    if (this.#questionLimits.take(host, this.#context.clock.nowMs())) return;
    if (asker.asked >= limits.questionsFloodMin) {
      const misdeed = { kind: "flooding" } as const;
      this.#options.links.step({ kind: "misbehaved", node: { nodeId, host }, misdeed });
    }
    throw new PeerFault(
      "flooding",
      `Cannot answer: more than ${limits.questionsPerSecondMax} questions a second`,
    );
  }

  #load(asker: Asker, mac: Uint8Array): void {
    const { connection, remote } = asker;
    const session = mac.every((byte) => byte === 0)
      ? undefined
      : this.#options.directories.sessionByProof(mac, remote.nonces);
    if (session !== undefined) asker.isDirectory = true;
    connection.send({
      kind: "load-report",
      mac: session === undefined
        ? new Uint8Array(HASH_BYTES)
        : sessionMac("client", session, remote.nonces),
      load: this.#options.loadMeter.load(this.#context.clock.nowMs()),
    });
  }

  async #files(connection: Connection): Promise<void> {
    const { host } = connection.remote;
    if (!this.#mayHearList(host)) {
      connection.send({ kind: "bye", reason: "too many lists of files" });
      return await connection.closeAfterWriting();
    }
    this.#lists.add(host, 1);
    try {
      let files: ListedFile[] = [];
      for (const file of listedFiles(this.#context)) {
        if (files.length === limits.advertisedPerMessageMax) {
          connection.send({ kind: "files", files, last: false });
          files = [];
          await connection.flushed();
          if (connection.isClosed) return;
        }
        files.push(file);
      }
      connection.send({ kind: "files", files, last: true });
      await connection.flushed();
    } finally {
      this.#lists.add(host, -1);
    }
  }

  /** A list takes as long as its reader does, so that no host may have all of them. */
  #mayHearList(host: string): boolean {
    return this.#lists.total < limits.fileListsMax &&
      this.#lists.of(host) < limits.fileListsPerHostMax &&
      this.#listLimits.take(host, this.#context.clock.nowMs());
  }

  #upload(asker: Asker, request: MessageOf<"upload-request">): Sequel | undefined {
    const { connection, remote } = asker;
    const { pushReceiver } = this.#options;
    const { answer, incoming } = pushReceiver.consider(request, {
      host: connection.remote.host,
      isDirectory: asker.isDirectory,
      isLinked: this.#options.links.hasLinkWith(remote, connection),
    });
    connection.send({ kind: "upload-answer", answer });
    if (incoming === undefined) return undefined;
    if (request.serves) return () => pushReceiver.take(incoming, connection, remote);
    pushReceiver.takeElsewhere(incoming, peerLabel(connection, remote));
    return undefined;
  }
}

/** The next question; undefined when the asker has none, or takes too long over it. */
async function nextQuestion({ connection, remote }: Asker): Promise<Message | undefined> {
  const kinds = remote.version >= NODE_VERSION_FLIGHTS ? NEWER_QUESTIONS : QUESTIONS;
  connection.setGate(onlyKinds("Cannot answer", kinds));
  using _ = connection.clock.after(limits.directoryIdleMs, () => connection.close());
  try {
    return await connection.receiveOne();
  } catch (error) {
    if (error instanceof EnvironmentError) return undefined;
    throw error;
  }
}
