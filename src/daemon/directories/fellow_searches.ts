/**
 * The files in flight of a node, as its directories know them: each is told of them as long as they
 * last, and names nodes that have the same. They are asked all at once, and each apart from all else
 * that is told it, so that nothing makes the answer late. What is done with those that they name is
 * not known here.
 */

import { messageOf } from "../../base/errors.ts";
import type { FlightId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { NamedFellow } from "../../wire/structures.ts";
import { plausibleFellows } from "../discovery/directory_answers.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import type { DirectoryClient } from "./directory_client.ts";

/** A file in flight, as a directory is told of it. */
interface FlightLeased {
  readonly flight: FlightId;
  readonly sizeBytes: number;
}

/** What a directory said. */
export interface FellowsAnswer {
  /** HOST:PORT as it was given. */
  readonly directory: string;
  /** How many others it knows, named or not. */
  readonly count: number;
  /** Those that can be dialled, the best to dial first. */
  readonly fellows: readonly NamedFellow[];
}

/** The search for the fellows of one file in flight. */
export interface FellowSearch {
  /** Whether a directory that answers as a rule has not answered yet. */
  readonly isAwaited: boolean;
  /** The file is in flight here no more. */
  end(): void;
}

/** All of them on one node. */
export class FellowSearches {
  readonly #context: NodeContext;
  readonly #clients: readonly DirectoryClient[];
  readonly #running = new Set<RunningSearch>();

  constructor(context: NodeContext, clients: readonly DirectoryClient[]) {
    this.#context = context;
    this.#clients = clients;
  }

  /** Begins one; `heard` is told each answer until it ends. */
  begin(file: FlightLeased, heard: (answer: FellowsAnswer) => void): FellowSearch {
    const search = new RunningSearch(this.#context, {
      clients: this.#clients,
      file,
      heard,
      ended: () => this.#running.delete(search),
    });
    this.#running.add(search);
    search.tick(this.#context.clock.nowMs());
    return search;
  }

  /** Has those renewed that are due. */
  tick(nowMs: number): void {
    for (const search of this.#running) search.tick(nowMs);
  }
}

interface RunningSearchOptions {
  readonly clients: readonly DirectoryClient[];
  readonly file: FlightLeased;
  readonly heard: (answer: FellowsAnswer) => void;
  readonly ended: () => void;
}

class RunningSearch implements FellowSearch {
  readonly #context: NodeContext;
  readonly #options: RunningSearchOptions;
  /** Those that have not answered the last question, and those of them that will as a rule. */
  readonly #asked = new Set<DirectoryClient>();
  readonly #awaited = new Set<DirectoryClient>();
  #dueMs = -Infinity;
  #isEnded = false;

  constructor(context: NodeContext, options: RunningSearchOptions) {
    this.#context = context;
    this.#options = options;
  }

  get isAwaited(): boolean {
    return this.#awaited.size > 0;
  }

  tick(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    const { flightRenewMs, flightRenewMsFirst } = limits;
    const isFirst = this.#dueMs === -Infinity;
    this.#dueMs = nowMs + (isFirst ? flightRenewMsFirst : flightRenewMs);
    for (const client of this.#options.clients) {
      if (this.#asked.has(client)) continue;
      if (isFirst && client.error?.isFailed !== true) this.#awaited.add(client);
      this.#ask(client);
    }
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.ended();
    const { clients, file } = this.#options;
    for (const client of clients) client.askOfFlight((connection) => connection.fellows(file, 0));
  }

  #ask(client: DirectoryClient): void {
    this.#asked.add(client);
    this.#hear(client)
      .catch((error) => {
        const { log } = this.#context;
        log.error("cannot use what a directory says", { error: messageOf(error) });
      })
      .finally(() => {
        this.#asked.delete(client);
        this.#awaited.delete(client);
      });
  }

  async #hear(client: DirectoryClient): Promise<void> {
    const { file, heard } = this.#options;
    let directoryHost = "";
    const answer = await client.askOfFlight((connection) => {
      directoryHost = connection.connection.remote.host;
      return connection.fellows(file, limits.flightLeaseMs);
    });
    if (this.#isEnded || answer === undefined) return;
    const ownId = this.#context.identity.nodeId;
    const fellows = plausibleFellows(answer.fellows, { directoryHost, ownId });
    heard({ directory: client.label, count: answer.count, fellows });
  }
}
