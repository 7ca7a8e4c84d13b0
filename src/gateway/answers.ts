/**
 * What answers the requests for files: packages and signatures from shared fetches, databases from
 * their copies, all else from a mirror (origin) past the node. A part whose client waits, or takes
 * bytes, is given time here.
 */

import type { Clock } from "../base/clock.ts";
import { unreachable } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger, LogThrottle } from "../base/log.ts";
import type { PackageIndex } from "../base/package_index.ts";
import type { Mirrors } from "../http/mirrors.ts";
import type { StaleDatabaseReport } from "../wire/reports.ts";
import { Databases } from "./databases/databases.ts";
import { FileAnswers } from "./files/file_answers.ts";
import { FileSearch } from "./files/file_search.ts";
import { PackageSignatures, type SignatureNeed } from "./files/package_signatures.ts";
import type { FetchingNode } from "./files/shared_fetch.ts";
import { SharedFetches } from "./files/shared_fetches.ts";
import type { NodeBelief } from "./files/node_belief.ts";
import { PassThrough } from "./mirrors/pass_through.ts";
import { Bodies } from "./server/bodies.ts";
import type { Exchange } from "./server/exchange.ts";
import { notFoundAnswer } from "./server/plain_answer.ts";
import type { RequestPath } from "./server/request_path.ts";

/** What the gateway needs of the daemon that it belongs to. */
export interface GatewayHost extends FetchingNode {
  /** Whether nodes are believed what a name means, where nothing else tells. */
  readonly unproven: NodeBelief;
  readonly trust: PackageIndex | undefined;
  readonly isSignatureNeeded: SignatureNeed;
  /** The HTTP client that all of the node shares. */
  readonly mirrors: Mirrors;
  readonly log: Logger;
  /** A client got all of a package that a database names. */
  readonly took: (path: RequestPath) => void;
  /** The directory for databases of repositories; made by the gateway. */
  readonly databaseDir: string;
}

/** The answers of one gateway. */
export class Answers {
  readonly #bodies: Bodies;
  readonly #sharedFetches: SharedFetches;
  readonly #files: FileAnswers;
  readonly #databases: Databases;
  readonly #passThrough: PassThrough;

  /** @throws {EnvironmentError} with a hint when the directory for databases cannot be had. */
  constructor(
    host: GatewayHost,
    options: {
      readonly clock: Clock;
      readonly throttle: LogThrottle;
      /** How long a file that nobody seems to have is looked for. */
      readonly waitMs: number;
      /** How long peers alone are asked before a mirror is. */
      readonly mirrorDelayMs: number;
      /** How old a database may be that is given though no mirror vouches for it; 0: none is. */
      readonly staleMs: number;
    },
  ) {
    const { mirrors, trust, log } = host;
    const { clock, waitMs, mirrorDelayMs } = options;
    const bodies = this.#bodies = new Bodies(clock);
    const sharedFetches = this.#sharedFetches = new SharedFetches(host, { clock });
    const passThrough = this.#passThrough = new PassThrough(mirrors, bodies);
    const parts = { ...options, bodies, passThrough, log };
    this.#databases = new Databases(host.databaseDir, { ...parts, mirrors });
    const wait = { searchMs: waitMs, holdMs: limits.gatewayHoldMs + mirrorDelayMs };
    const search = new FileSearch({ sharedFetches, trust, wait });
    const { unproven, took, isSignatureNeeded: isNeeded } = host;
    const signatures = new PackageSignatures({ search, unproven, isNeeded });
    this.#files = new FileAnswers({ ...parts, search, signatures, unproven, took });
  }

  /** Files on their way in for clients. */
  get fetchCount(): number {
    return this.#sharedFetches.count;
  }

  /** Databases that are given though no mirror vouches for them. */
  staleDatabases(): StaleDatabaseReport[] {
    return this.#databases.reports();
  }

  /** The answer to a GET or HEAD. */
  answer(exchange: Exchange): Promise<Response> | Response {
    const { mirrors, path: { kind } } = exchange;
    switch (kind) {
      case "package":
      case "signature":
        return this.#files.answer(exchange);
      case "database":
        return mirrors.length > 0 ? this.#databases.answer(exchange) : notFoundAnswer();
      case "other":
        return mirrors.length > 0 ? this.#passThrough.answer(exchange) : notFoundAnswer();
      default:
        return unreachable(kind);
    }
  }

  tick(nowMs: number): void {
    this.#bodies.tick(nowMs);
    this.#sharedFetches.tick(nowMs);
  }

  /** Ends everything that is under way. */
  async stop(error: Error): Promise<void> {
    this.#bodies.stop(error);
    await Promise.all([this.#sharedFetches.stop(), this.#databases.stop()]);
    this.#bodies.stop(error);
  }
}
