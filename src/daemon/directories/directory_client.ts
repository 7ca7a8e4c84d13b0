/**
 * A node as the client of one directory: says what the node offers when the advertiser says so,
 * asks what others want to know, and says goodbye. While another client of the node speaks to the
 * same instance, it is idle: it tells and asks nothing, and looks now and then whether that still
 * holds. Who asks for what is in `directories.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, messageOf, PeerFault } from "../../base/errors.ts";
import { newSessionId, type NodeId, type SessionId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { LogThrottle } from "../../base/log_throttle.ts";
import {
  Advertiser,
  type AdvertiserEffect,
  type AdvertiserEvent,
} from "../../core/directory/advertiser.ts";
import type { Connection } from "../../net/connection.ts";
import { type Denied, DirectoryConnection } from "../../net/directory_connection.ts";
import { type LocalIdentity, RefusedError } from "../../net/handshake.ts";
import { formatAddress } from "../../wire/host.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { DirectoryReport } from "../../wire/reports.ts";
import type { ListedFile, Load } from "../../wire/structures.ts";
import type { Duplicates } from "./duplicates.ts";
import { DirectoryQuestions } from "./directory_questions.ts";
import { type DirectoryError, directoryErrorText } from "./directory_errors.ts";

/** What the client of a directory needs of its node. */
export interface DirectoryClientHost {
  readonly identity: LocalIdentity;
  readonly random: Random;
  readonly throttle: LogThrottle;
  readonly log: Logger;
  /** Shared by all clients of the node. */
  readonly claims: Duplicates<DirectoryClient>;
  /** Opens a connection, counted and bounded with all others. */
  connect(address: HostPort, signal: AbortSignal): Promise<Connection>;
  load(nowMs: number): Load;
  /** All that the node offers, taken bit by bit. */
  listed(): Iterable<ListedFile>;
}

/** The client of one directory. */
export class DirectoryClient {
  /** Its address as it was given. */
  readonly label: string;
  /** What the directory knows this node by. */
  readonly session: SessionId;
  readonly #host: DirectoryClientHost;
  readonly #address: HostPort;
  readonly #advertiser: Advertiser;
  readonly #questions: DirectoryQuestions;
  /** The batch under way. */
  #batchTalk: DirectoryConnection | null = null;
  #sending: Promise<void> = Promise.resolve();
  #isLeaving = false;
  /** Ends dials and handshakes that are under way. */
  readonly #ending = new AbortController();
  /** What stands against an answer; null since the last one. */
  #trouble: Omit<DirectoryError, "directory"> | null = {
    reason: "no answer yet",
    isFailed: false,
  };
  /** The instance that it met last. */
  #instance: NodeId | undefined;
  /** How it was last listed, or that it is idle, as the log has it; empty since a failure. */
  #said = "";

  constructor(host: DirectoryClientHost, address: HostPort) {
    this.#host = host;
    this.#address = address;
    this.label = formatAddress(address.host, address.port);
    this.session = newSessionId(host.random);
    this.#advertiser = new Advertiser({ random: host.random });
    this.#questions = new DirectoryQuestions(() => this.#openForQuestions());
  }

  /** Whether the last batch was answered: by a list or by a refusal. */
  get answers(): boolean {
    return this.#advertiser.answers;
  }

  /** The client that speaks to the same instance, while this one is idle. */
  get twin(): DirectoryClient | undefined {
    if (this.#instance === undefined) return undefined;
    const holder = this.#host.claims.holder(this.#instance);
    return holder === this ? undefined : holder;
  }

  /** Why the last question or batch was not answered; undefined when it was. */
  get trouble(): DirectoryError | undefined {
    return this.#trouble === null ? undefined : { directory: this.label, ...this.#trouble };
  }

  /** Tells what changed here, or that time passed. */
  step(event: AdvertiserEvent, nowMs: number): void {
    if (this.#isLeaving) return;
    for (const effect of this.#advertiser.step(event, nowMs)) this.#sending = this.#send(effect);
  }

  tick(nowMs: number): void {
    this.step({ kind: "tick" }, nowMs);
    this.#questions.tick(nowMs);
  }

  /**
   * Asks one question; undefined when the directory refuses it or cannot be had, which the log
   * says, or when this client is idle.
   */
  async ask<T extends object>(
    question: (talk: DirectoryConnection) => Promise<T | Denied>,
  ): Promise<T | undefined> {
    if (this.twin !== undefined) return undefined;
    try {
      const answer = await this.#questions.ask((talk) => this.#noting(question(talk)));
      if (!isDenied(answer)) return answer;
      this.#sayDenied(answer, "question");
    } catch (error) {
      this.#sayFailed(error);
    }
    return undefined;
  }

  report(nowMs: number): DirectoryReport {
    const { answers, reach, filesListed, answeredAtMs, deniedBy } = this.#advertiser;
    const sameAs = this.twin?.label ?? null;
    const isIdle = sameAs !== null;
    return {
      directory: this.label,
      sameAs,
      answers: answers && !isIdle,
      reach: isIdle ? null : reach ?? null,
      denied: isIdle ? null : deniedBy ?? null,
      filesListed: isIdle ? 0 : filesListed,
      answeredMs: answeredAtMs === undefined ? null : Math.round(nowMs - answeredAtMs),
    };
  }

  /** Says goodbye, if the directory has ever answered; never rejects. */
  async leave(): Promise<void> {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    // Its sequence is lower: coming after the goodbye, it would be refused anyway.
    this.#batchTalk?.close();
    const { sequence, answeredAtMs } = this.#advertiser;
    if (answeredAtMs !== undefined && this.answers) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, limits.directoryLeaveMs);
      const goodbye = { session: this.session, sequence: sequence + 1 };
      await Promise.race([this.ask((talk) => talk.leave(goodbye)), late]);
      clearTimeout(timer);
    }
    this.#ending.abort();
    this.#questions.close();
    await this.#sending;
  }

  /** Sends a batch, and tells the advertiser how that ended. */
  async #send(batch: AdvertiserEffect): Promise<void> {
    const { sequence, whole, filesListed, changed, removed } = batch;
    let event: AdvertiserEvent;
    try {
      this.#batchTalk = await this.#openOwn();
      if (this.#isLeaving) this.#batchTalk.close();
      if (this.#isLeaving) throw new EnvironmentError("unreachable", "This node goes away");
      const load = this.#host.load(performance.now());
      const refresh = { session: this.session, sequence, load, whole, filesListed };
      const lists = { files: whole ? this.#host.listed() : changed, removed };
      const answer = await this.#noting(this.#batchTalk.batch(refresh, lists));
      if (isDenied(answer)) {
        this.#sayDenied(answer, "batch");
        event = { kind: "denied", limit: answer.limit };
      } else {
        this.#sayListed(answer);
        event = { kind: "listed", answer };
      }
    } catch (error) {
      this.#sayFailed(error);
      event = { kind: error instanceof TwinError ? "withheld" : "failed" };
    } finally {
      this.#batchTalk?.close();
      this.#batchTalk = null;
    }
    this.step(event, performance.now());
  }

  async #openForQuestions(): Promise<DirectoryConnection> {
    const talk = await this.#openOwn();
    this.step({ kind: "instance-seen", instance: talk.instance }, performance.now());
    return talk;
  }

  /**
   * Opens a connection to an instance that no other client of this node speaks to.
   *
   * @throws {TwinError} when one does.
   */
  async #openOwn(): Promise<DirectoryConnection> {
    const talk = await this.#open();
    this.#instance = talk.instance;
    const twin = this.#host.claims.claim(talk.instance, this);
    if (twin === undefined) return talk;
    talk.close();
    throw new TwinError(twin.label);
  }

  async #open(): Promise<DirectoryConnection> {
    try {
      return await this.#connect();
    } catch (error) {
      this.#noteFailed(error);
      throw error;
    }
  }

  async #connect(): Promise<DirectoryConnection> {
    const { signal } = this.#ending;
    const connection = await this.#host.connect(this.#address, signal);
    const close = () => connection.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      if (signal.aborted) close();
      return await DirectoryConnection.open(connection, this.#host.identity);
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  /** Remembers how an answer came, or why it did not. */
  async #noting<T extends object>(answer: Promise<T | Denied>): Promise<T | Denied> {
    try {
      const got = await answer;
      this.#trouble = isDenied(got)
        ? { reason: `it refuses: ${got.limit}`, isFailed: false }
        : null;
      return got;
    } catch (error) {
      this.#noteFailed(error);
      throw error;
    }
  }

  #noteFailed(error: unknown): void {
    this.#trouble = { reason: directoryErrorText(error), isFailed: true };
    // By its other name the directory may be there.
    this.#host.claims.release(this);
  }

  #sayListed({ instance, reach }: MessageOf<"listed">): void {
    const news = `${instance} ${reach}`;
    if (this.#said === news) return;
    this.#said = news;
    this.#host.log.info("listed at a directory", { directory: this.label, instance, reach });
  }

  #sayIdle({ label }: TwinError): void {
    const news = `same as ${label}`;
    if (this.#said === news) return;
    this.#said = news;
    const fields = { directory: this.label, sameAs: label };
    this.#host.log.info("a directory has two addresses: one is used", fields);
  }

  #sayDenied({ limit, bound, message }: Denied, what: "batch" | "question"): void {
    const { log, throttle } = this.#host;
    if (!throttle.isFirst(`directory ${this.label} denied ${what}`)) return;
    log.warn("a directory refuses", { directory: this.label, limit, bound, reason: message });
  }

  #sayFailed(error: unknown): void {
    if (this.#isLeaving) return;
    if (error instanceof TwinError) return this.#sayIdle(error);
    this.#said = "";
    const { log, throttle } = this.#host;
    const isAway = error instanceof EnvironmentError;
    const fields = {
      directory: this.label,
      error: isAway ? directoryErrorText(error) : messageOf(error),
    };
    // Not by the text, which the other side may make new each time.
    if (!throttle.isFirst(`directory ${this.label} ${faultKind(error)}`)) return;
    if (isAway) log.info("cannot reach a directory", fields);
    else if (error instanceof PeerFault) log.warn("a directory breaks the protocol", fields);
    else log.warn("cannot talk to a directory", fields);
  }
}

/** Another client of this node speaks to that instance. */
class TwinError extends Error {
  override readonly name = "TwinError";
  readonly label: string;

  constructor(label: string) {
    super(`It is the directory at ${label}`);
    this.label = label;
  }
}

function faultKind(error: unknown): string {
  if (error instanceof EnvironmentError || error instanceof PeerFault) return error.code;
  if (error instanceof RefusedError) return `refused ${error.refusal}`;
  return "other";
}

function isDenied(answer: object): answer is Denied {
  return "kind" in answer && answer.kind === "denied";
}
