/**
 * A node as the client of one directory: tells what the node offers when the advertiser says so,
 * asks questions, and says goodbye. While another client of the node speaks to the same instance,
 * it is idle: it tells and asks nothing, and looks now and then whether that still holds. What is
 * asked of all directories is in `directories.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import { sleep } from "../../base/clock.ts";
import { EnvironmentError } from "../../base/errors.ts";
import { newSessionId, type NodeId, type SessionId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import {
  Advertiser,
  type AdvertiserEffect,
  type AdvertiserEvent,
} from "../../core/directory/advertiser.ts";
import { closeOnAbort } from "../../net/deadline.ts";
import { type Denied, DirectoryConnection } from "../../net/directory_connection.ts";
import { RefusedError } from "../../net/handshake.ts";
import { dialNode, type OldVersions } from "../../net/version_fallback.ts";
import { formatAddress } from "../../wire/host.ts";
import {
  NODE_VERSION_FLIGHTS,
  NODE_VERSION_OLDEST,
  NODE_VERSION_PAGES,
  type NodeVersion,
} from "../../wire/messages.ts";
import type { DirectoryReport } from "../../wire/reports.ts";
import type { Load } from "../../wire/structures.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { listedFiles } from "../discovery/offers.ts";
import {
  type DirectoryError,
  DirectoryErrors,
  DuplicateError,
  isDenied,
} from "./directory_errors.ts";
import { DirectoryQuestions } from "./directory_questions.ts";

/**
 * Which client of a node speaks to which instance, one each. One directory may have two addresses:
 * two sessions of one node would push each other out there.
 */
export class Duplicates {
  /** Which instance each client met last. */
  readonly #met = new Map<DirectoryClient, NodeId>();
  /** Those that have what they met. */
  readonly #claimants = new Set<DirectoryClient>();

  /**
   * `client` meets an instance: from now on it has that one, and no other. If another client has it
   * already, `client` has none, and that other one is returned.
   */
  claim(instance: NodeId, client: DirectoryClient): DirectoryClient | undefined {
    this.#claimants.delete(client);
    this.#met.set(client, instance);
    const other = this.other(client);
    if (other === undefined) this.#claimants.add(client);
    return other;
  }

  /** What `client` has is free, since it cannot be reached by its address. */
  release(client: DirectoryClient): void {
    this.#claimants.delete(client);
  }

  /** `client` is gone for good. */
  forget(client: DirectoryClient): void {
    this.#claimants.delete(client);
    this.#met.delete(client);
  }

  /** The other client that has the instance which `client` met last. */
  other(client: DirectoryClient): DirectoryClient | undefined {
    if (this.#claimants.has(client)) return undefined;
    const instance = this.#met.get(client);
    if (instance === undefined) return undefined;
    for (const other of this.#claimants) if (this.#met.get(other) === instance) return other;
    return undefined;
  }
}

interface DirectoryClientOptions {
  readonly address: HostPort;
  /** Shared by all clients of the node. */
  readonly duplicates: Duplicates;
  readonly load: () => Load;
  /** Shared by all that the node dials in more than one version. */
  readonly oldVersions: OldVersions;
}

/** What is asked on a connection. */
type Question<T extends object> = (connection: DirectoryConnection) => Promise<T | Denied>;

/** The client of one directory. */
export class DirectoryClient {
  /** Its address as it was given. */
  readonly label: string;
  /** What the directory knows this node by. */
  readonly session: SessionId;
  readonly #context: NodeContext;
  readonly #options: DirectoryClientOptions;
  readonly #advertiser: Advertiser;
  readonly #questions: DirectoryQuestions;
  /** Those of files in flight, which take another version of the protocol. */
  readonly #flightQuestions: DirectoryQuestions;
  /** Those of searches page by page, which take a third. */
  readonly #pageQuestions: DirectoryQuestions;
  readonly #errors: DirectoryErrors;
  #sending: Promise<void> = Promise.resolve();
  /** Ends that batch, and all else but the goodbye. */
  readonly #leaving = new AbortController();
  /** Ends dials and handshakes that are under way. */
  readonly #ending = new AbortController();

  constructor(context: NodeContext, options: DirectoryClientOptions) {
    const { clock, identity: { random } } = context;
    this.#context = context;
    this.#options = options;
    this.label = formatAddress(options.address.host, options.address.port);
    this.session = newSessionId(random);
    this.#advertiser = new Advertiser({ random });
    this.#questions = new DirectoryQuestions(
      clock,
      () => this.#openForQuestions(NODE_VERSION_OLDEST),
    );
    this.#flightQuestions = new DirectoryQuestions(
      clock,
      () => this.#openForQuestions(NODE_VERSION_FLIGHTS),
    );
    this.#pageQuestions = new DirectoryQuestions(
      clock,
      () => this.#openForQuestions(NODE_VERSION_PAGES),
    );
    this.#errors = new DirectoryErrors(context, this.label);
  }

  /** The client that speaks to the same instance, while this one is idle. */
  get duplicateOf(): DirectoryClient | undefined {
    return this.#options.duplicates.other(this);
  }

  /** Why the last question or batch was not answered; undefined when it was. */
  get error(): DirectoryError | undefined {
    return this.#errors.last;
  }

  /** Tells what changed here, or that time passed. */
  step(event: AdvertiserEvent): void {
    if (this.#isLeaving) return;
    const effects = this.#advertiser.step(event, this.#context.clock.nowMs());
    for (const effect of effects) this.#sending = this.#send(effect);
  }

  tick(nowMs: number): void {
    this.step({ kind: "tick" });
    this.#questions.tick(nowMs);
    this.#flightQuestions.tick(nowMs);
    this.#pageQuestions.tick(nowMs);
  }

  /**
   * Asks one question; undefined when the directory refuses it or cannot be had, which the log
   * says, or when this client is idle.
   */
  ask<T extends object>(question: Question<T>): Promise<T | undefined> {
    return this.#ask(this.#questions, question);
  }

  /** The same of a question about files in flight, which an old directory does not know. */
  async askOfFlight<T extends object>(question: Question<T>): Promise<T | undefined> {
    return this.#mayKnow(NODE_VERSION_FLIGHTS)
      ? await this.#ask(this.#flightQuestions, question)
      : undefined;
  }

  /** The same of a search page by page, which an old directory does not know either. */
  async askForPage<T extends object>(question: Question<T>): Promise<T | undefined> {
    return this.#mayKnow(NODE_VERSION_PAGES)
      ? await this.#ask(this.#pageQuestions, question)
      : undefined;
  }

  #mayKnow(version: NodeVersion): boolean {
    const { address, oldVersions } = this.#options;
    return oldVersions.newest(address, this.#context.clock.nowMs()) >= version;
  }

  report(nowMs: number): DirectoryReport {
    const { answers, reach, filesListed, answeredAtMs, deniedBy } = this.#advertiser.standing;
    const sameAs = this.duplicateOf?.label ?? null;
    const isIdle = sameAs !== null;
    return {
      directory: this.label,
      sameAs,
      answers: answers && !isIdle,
      reach: isIdle ? null : reach ?? null,
      denied: isIdle ? null : deniedBy ?? null,
      filesListed: isIdle ? 0 : filesListed,
      answeredMs: answeredAtMs === undefined ? null : Math.round(nowMs - answeredAtMs),
      problem: isIdle ? null : this.#errors.problem(nowMs),
    };
  }

  /** Says goodbye, if the directory has ever answered; never rejects. */
  async leave(): Promise<void> {
    if (this.#isLeaving) return;
    // The batch too: its sequence is lower, so that after the goodbye it would be refused anyway.
    this.#leaving.abort();
    const { sequence, standing: { answeredAtMs, answers } } = this.#advertiser;
    if (answeredAtMs !== undefined && answers) {
      const goodbye = { session: this.session, sequence: sequence + 1 };
      const said = new AbortController();
      const { signal } = said;
      const late = sleep(this.#context.clock, limits.directoryLeaveMs, { signal }).catch(() => {});
      await Promise.race([this.ask((connection) => connection.leave(goodbye)), late]);
      said.abort();
    }
    this.#ending.abort();
    this.#questions.close();
    this.#flightQuestions.close();
    this.#pageQuestions.close();
    await this.#sending;
  }

  async #send(batch: AdvertiserEffect): Promise<void> {
    const { sequence, whole, filesListed, changed, removed } = batch;
    let event: AdvertiserEvent;
    try {
      using batch = await this.#openOwn();
      using _ = closeOnAbort(batch.connection, this.#leaving.signal);
      if (this.#isLeaving) throw new EnvironmentError("unreachable", "This node goes away");
      const load = this.#options.load();
      const refresh = { session: this.session, sequence, load, whole, filesListed };
      const lists = { files: whole ? listedFiles(this.#context) : changed, removed };
      const answer = await this.#hear(batch.batch(refresh, lists));
      if (isDenied(answer)) {
        this.#errors.logDenied(answer, "batch");
        event = { kind: "denied", limit: answer.limit };
      } else {
        this.#errors.logListed(answer);
        event = { kind: "listed", answer };
      }
    } catch (error) {
      this.#logFailed(error);
      event = { kind: error instanceof DuplicateError ? "withheld" : "failed" };
    }
    this.step(event);
  }

  async #ask<T extends object>(
    questions: DirectoryQuestions,
    question: Question<T>,
  ): Promise<T | undefined> {
    if (this.duplicateOf !== undefined) return undefined;
    try {
      const answer = await questions.ask((connection) => this.#hear(question(connection)));
      if (!isDenied(answer)) return answer;
      this.#errors.logDenied(answer, "question");
    } catch (error) {
      if (!isOld(error)) this.#logFailed(error);
    }
    return undefined;
  }

  async #openForQuestions(version: NodeVersion): Promise<DirectoryConnection> {
    const connection = await this.#openOwn(version);
    this.step({ kind: "instance-seen", instance: connection.instance });
    return connection;
  }

  /**
   * Opens a connection to an instance that no other client of this node speaks to.
   *
   * @throws {DuplicateError} when one does.
   * @throws {RefusedError} "wrong-version" when the directory knows only an older one.
   */
  async #openOwn(version: NodeVersion = NODE_VERSION_OLDEST): Promise<DirectoryConnection> {
    const connection = await this.#open(version);
    const other = this.#options.duplicates.claim(connection.instance, this);
    if (other === undefined) return connection;
    connection.close();
    throw new DuplicateError(other.label);
  }

  async #open(version: NodeVersion): Promise<DirectoryConnection> {
    const { connections, identity, clock } = this.#context;
    const { address, oldVersions } = this.#options;
    try {
      const { connection, remote } = await dialNode(connections, address, {
        identity,
        purpose: "directory",
        version,
        // With a network key nothing else shows that it is old.
        fallback: true,
        oldVersions,
        nowMs: clock.nowMs(),
        signal: this.#ending.signal,
        isGiven: true,
      });
      if (remote.version === version) return new DirectoryConnection(connection, remote);
      connection.close();
    } catch (error) {
      this.#noteFailed(error);
      throw error;
    }
    throw new RefusedError("wrong-version");
  }

  async #hear<T extends object>(answer: Promise<T | Denied>): Promise<T | Denied> {
    try {
      const heard = await answer;
      this.#errors.answered(heard);
      return heard;
    } catch (error) {
      this.#noteFailed(error);
      throw error;
    }
  }

  get #isLeaving(): boolean {
    return this.#leaving.signal.aborted;
  }

  #noteFailed(error: unknown): void {
    this.#errors.failed(error);
    // By its other address the directory may be there.
    this.#options.duplicates.release(this);
  }

  #logFailed(error: unknown): void {
    if (!this.#isLeaving) this.#errors.logFailed(error);
  }
}

/** Whether a directory knows nothing of files in flight: no fault of it. */
function isOld(error: unknown): boolean {
  return error instanceof RefusedError && error.refusal === "wrong-version";
}
