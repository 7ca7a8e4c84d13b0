/**
 * What a node answers to those who come with questions: directories, and other nodes. How busy it
 * is, which files it offers, whether it takes one. One question at a time, on a short connection.
 *
 * Only a directory that knows this node's session proves anything here; who merely asks hears what
 * any node of the network may hear.
 */

import { EnvironmentError, PeerFault } from "../../base/errors.ts";
import { HostRateLimit } from "../../base/host_rate_limit.ts";
import { HASH_BYTES, type SessionId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import type { RemoteIdentity } from "../../net/handshake.ts";
import { onlyKinds } from "../../wire/gate.ts";
import type { Message, MessageOf, Refusal } from "../../wire/messages.ts";
import { sessionMac } from "../../wire/proofs.ts";
import type { ListedFile } from "../../wire/structures.ts";
import { peerLabel } from "../discovery/offer_exchange.ts";
import type { LoadMeter } from "../upload/load_meter.ts";
import { listedFiles, type OfferSource } from "../discovery/offers.ts";
import type { PushReceiver } from "../push/push_receiver.ts";

const QUESTIONS = ["load-query", "files-query", "upload-request"] as const;

/** What the answers are drawn from. */
export interface QuestionsHost extends OfferSource {
  readonly loadMeter: LoadMeter;
  readonly pushReceiver: PushReceiver;
  /** The session that a directory proves to know, under the nonces of its connection. */
  sessionByProof(mac: Uint8Array, nonces: Uint8Array): SessionId | undefined;
}

/** One who asks. */
interface Asker {
  readonly connection: Connection;
  readonly remote: RemoteIdentity;
  /** Whether it has proved to be a directory that this node told its session. */
  isDirectory: boolean;
}

/** What goes on after the last answer; it holds no place among those who ask. */
type Sequel = () => Promise<void>;

/** Answers the connections of purpose `directory` of one node. */
export class Questions {
  readonly #host: QuestionsHost;
  readonly #ofHost = new Map<string, number>();
  #askers = 0;
  /** Hosts to which a list is being sent, once for each list. */
  #listHosts: string[] = [];
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

  constructor(host: QuestionsHost) {
    this.#host = host;
  }

  /** Why one at `host` may not ask now; undefined when it may. */
  refusal(host: string): Refusal | undefined {
    const ofHost = this.#ofHost.get(host) ?? 0;
    const isFull = this.#askers >= limits.questionersMax || ofHost >= limits.questionersPerHostMax;
    return isFull ? "busy" : undefined;
  }

  /**
   * Answers until the asker has no more questions, or goes on with a transfer.
   *
   * @throws {PeerFault} when it breaks the protocol, or asks too much.
   */
  async serve(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const { host } = connection.remote;
    const ofHost = this.#ofHost.get(host) ?? 0;
    this.#askers++;
    this.#ofHost.set(host, ofHost + 1);
    const close = () => connection.close();
    const whole = setTimeout(close, limits.directoryConnectionMs);
    let sequel: Sequel | undefined;
    try {
      sequel = await this.#answerAll({ connection, remote, isDirectory: false });
    } finally {
      clearTimeout(whole);
      this.#askers--;
      const left = (this.#ofHost.get(host) ?? 1) - 1;
      if (left === 0) this.#ofHost.delete(host);
      else this.#ofHost.set(host, left);
    }
    if (sequel === undefined) connection.close();
    else await sequel();
  }

  async #answerAll(asker: Asker): Promise<Sequel | undefined> {
    for (;;) {
      const question = await nextQuestion(asker.connection);
      if (question === undefined) return undefined;
      this.#count(asker.connection);
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
        default:
          throw new PeerFault("unexpected", `Cannot answer: ${question.kind} is no question`);
      }
    }
  }

  #count({ remote: { host } }: Connection): void {
    if (this.#questionLimits.take(host, performance.now())) return;
    throw new PeerFault(
      "flooding",
      `Cannot answer: more than ${limits.questionsPerSecondMax} questions a second`,
    );
  }

  #load(asker: Asker, mac: Uint8Array): void {
    const { connection, remote } = asker;
    const session = mac.every((byte) => byte === 0)
      ? undefined
      : this.#host.sessionByProof(mac, remote.nonces);
    if (session !== undefined) asker.isDirectory = true;
    connection.send({
      kind: "load-report",
      mac: session === undefined
        ? new Uint8Array(HASH_BYTES)
        : sessionMac("client", session, remote.nonces),
      load: this.#host.loadMeter.load(performance.now()),
    });
  }

  async #files(connection: Connection): Promise<void> {
    const { host } = connection.remote;
    if (!this.#mayHearList(host)) {
      connection.send({ kind: "bye", reason: "too many lists of files" });
      return await connection.closeAfterWriting();
    }
    this.#listHosts.push(host);
    try {
      let files: ListedFile[] = [];
      for (const file of listedFiles(this.#host)) {
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
      this.#listHosts.splice(this.#listHosts.indexOf(host), 1);
    }
  }

  /** A list takes as long as its reader does, so that no host may have all of them. */
  #mayHearList(host: string): boolean {
    const ofHost = this.#listHosts.filter((one) => one === host).length;
    return this.#listHosts.length < limits.fileListsMax && ofHost < limits.fileListsPerHostMax &&
      this.#listLimits.take(host, performance.now());
  }

  #upload(asker: Asker, request: MessageOf<"upload-request">): Sequel | undefined {
    const { connection, remote } = asker;
    const pushes = this.#host.pushReceiver;
    const { answer, incoming } = pushes.consider(request, {
      host: connection.remote.host,
      isDirectory: asker.isDirectory,
    });
    connection.send({ kind: "upload-answer", answer });
    if (incoming === undefined) return undefined;
    if (request.serves) return () => pushes.take(incoming, connection, remote);
    pushes.takeElsewhere(incoming, peerLabel(connection, remote));
    return undefined;
  }
}

/** The next question; undefined when the asker has none, or takes too long over it. */
async function nextQuestion(connection: Connection): Promise<Message | undefined> {
  connection.setGate(onlyKinds("Cannot answer", QUESTIONS));
  const timer = setTimeout(() => connection.close(), limits.directoryIdleMs);
  try {
    return await connection.receiveOne();
  } catch (error) {
    if (error instanceof EnvironmentError) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
