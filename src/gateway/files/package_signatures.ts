/**
 * The signature that belongs to a package. pacman asks for it only after it has the package, only
 * where it got that, and a 404 then fails the whole transaction. So the two are looked for together,
 * and a package goes to pacman only where its signature can be had as well.
 */

import { limits } from "../../base/limits.ts";
import { FetchFailure } from "../../base/errors.ts";
import type { Exchange } from "../server/exchange.ts";
import {
  answerFailure,
  busyAnswer,
  isPassedOn,
  lateAnswer,
  notFoundAnswer,
} from "../server/plain_answer.ts";
import type { FileSearch } from "./file_search.ts";
import type { NodeBelief } from "./node_belief.ts";
import type { SharedFetch } from "./shared_fetch.ts";

const SUFFIX = ".sig";
/** As what pacman, and what else is built on its library, present themselves. */
const PACMAN = /\b(pacman|libalpm)\//i;
/** A mirror that says so has none: the package is not signed. */
const GONE: readonly number[] = [404, 410];

/** Whether pacman wants a signature of each package of a repository. */
export type SignatureNeed = (repository: string | null) => Promise<boolean>;

/** What the answer to a request for a package has to wait for. */
export interface SignatureWait {
  /** Why the package cannot be given, as the answer; undefined when it can. */
  refusal(): Promise<Response | undefined>;
}

const NOTHING: SignatureWait = { refusal: () => Promise.resolve(undefined) };

interface PackageSignaturesOptions {
  readonly search: FileSearch;
  readonly unproven: NodeBelief;
  readonly isNeeded: SignatureNeed;
}

/** Looks for the signatures of packages. */
export class PackageSignatures {
  readonly #search: FileSearch;
  readonly #unproven: NodeBelief;
  readonly #isNeeded: SignatureNeed;

  constructor(options: PackageSignaturesOptions) {
    this.#search = options.search;
    this.#unproven = options.unproven;
    this.#isNeeded = options.isNeeded;
  }

  /**
   * Looks for the signature of the package of this request as soon as anybody has the package: what
   * nobody has costs no second search.
   */
  async begin(exchange: Exchange, fetched: SharedFetch): Promise<SignatureWait> {
    const { path: { kind, repository }, headers } = exchange;
    if (kind !== "package" || !PACMAN.test(headers.get("user-agent") ?? "")) return NOTHING;
    if (!await this.#isNeeded(repository)) return NOTHING;
    const refusal = this.#refusal(exchange, fetched);
    // Who does not come to ask has an answer already, and the gateway may stop.
    refusal.catch(() => {});
    return {
      // A mirror that gives the package gives its signature, too.
      refusal: () => fetched.source === "mirror" ? Promise.resolve(undefined) : refusal,
    };
  }

  async #refusal(exchange: Exchange, fetched: SharedFetch): Promise<Response | undefined> {
    const { clock, signal, beganMs } = exchange;
    while (!(fetched.hasFound || fetched.mayBeHere || fetched.isOver)) {
      await fetched.changes.next(clock, { waitMs: limits.gatewayWaitMsMax, signal });
      signal.throwIfAborted();
      // Its client is gone.
      if (fetched.aloneSinceMs !== null) return undefined;
    }
    if (fetched.failure !== null) return undefined;
    return await this.#refusalOf({ ...signatureOf(exchange), beganMs });
  }

  /** Whether nodes are believed what it is: who comes back for a package comes back for both. */
  #mayBeOfNodes({ client, headers, path: { name } }: Exchange): boolean {
    return this.#unproven.mayGive(client, name, { isFromFirst: !headers.has("range") });
  }

  /** Gets a signature; why it cannot be had. */
  async #refusalOf(exchange: Exchange): Promise<Response | undefined> {
    const hasMirrors = exchange.mirrors.length > 0;
    const trusted = this.#search.trusted(exchange);
    // The database holds it.
    if (trusted?.bytes !== undefined) return undefined;
    const mirrorsAlone = trusted === undefined && !this.#mayBeOfNodes(exchange);
    if (mirrorsAlone && !hasMirrors) return notFoundAnswer();
    const joined = await this.#search.join(exchange, { trusted, from: 0, mirrorsAlone });
    if (typeof joined === "string") {
      // A moment ago its mirrors said that they have none.
      if (hasMirrors) return undefined;
      return joined === "missing" ? notFoundAnswer() : busyAnswer();
    }
    const { sharedFetch } = joined;
    const wait = this.#search.waitOf(exchange);
    try {
      while (!sharedFetch.isOver) {
        if (await wait.next(sharedFetch)) continue;
        if (hasMirrors) return lateAnswer(exchange.path.name);
        this.#search.giveUp(exchange, trusted, joined);
        return notFoundAnswer();
      }
      const { failure, sizeBytes } = sharedFetch;
      if (failure !== null) return refusalFor(failure, { hasMirrors });
      return (sizeBytes ?? 0) > limits.signatureBytesMax ? notFoundAnswer() : undefined;
    } finally {
      joined.leave();
    }
  }
}

/** The request for the signature of the package that is asked for. */
function signatureOf(exchange: Exchange): Exchange {
  const { path, mirrors } = exchange;
  return {
    ...exchange,
    path: { ...path, kind: "signature", name: `${path.name}${SUFFIX}` },
    mirrors: mirrors.map((url) => `${url}${SUFFIX}`),
  };
}

function refusalFor(
  failure: Error,
  { hasMirrors }: { readonly hasMirrors: boolean },
): Response | undefined {
  if (hasMirrors) {
    const { upstream } = failure instanceof FetchFailure ? failure : {};
    const isUnsigned = upstream !== undefined && GONE.includes(upstream.status);
    if (isUnsigned || isPassedOn(failure)) return undefined;
  }
  return answerFailure(failure, { hasMirrors });
}
