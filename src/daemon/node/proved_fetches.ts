/**
 * Fetches of what only nodes may say to be the file that is meant: rules 4 and 6 of
 * `daemon/trust/unproven_files.ts`. Says whether mirrors (origins) alone are asked, and what follows from
 * what they give.
 */

import { FetchFailure } from "../../base/errors.ts";
import { UNKNOWN_ROOT } from "../../base/ids.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import type { FetchOptions } from "../fetch/fetch.ts";
import { fileProofs, isUnproven } from "../trust/file_proofs.ts";
import { LOCAL_CLIENT, UnprovenFiles } from "../trust/unproven_files.ts";

/** How a fetch goes about what nothing proves. */
export interface ProvingOptions {
  readonly signal: AbortSignal;
  /**
   * Whether a file of which only nodes say that it is what is at the URL is had from there: rule 6. By
   * default it is compared with the mirrors in its first bytes.
   */
  readonly provesCopies?: boolean;
}

/** What the fetches of one node are asked for through this. */
type ProvedOptions = FetchOptions & ProvingOptions;

/** Asks nodes, or mirrors alone. */
export class ProvedFetches<How extends ProvedOptions> {
  /** Who was given what nothing proves. */
  readonly unproven: UnprovenFiles;
  readonly #context: Pick<NodeContext, "store" | "offerPolicy" | "log">;
  readonly #fetch: (asked: FetchRequest, how: How) => Promise<Done>;

  /** @param fetch Gets a file, from mirrors alone where it is told so. */
  constructor(
    context: Pick<NodeContext, "store" | "offerPolicy" | "log" | "clock">,
    fetch: (asked: FetchRequest, how: How) => Promise<Done>,
  ) {
    this.#context = context;
    this.#fetch = fetch;
    const { clock, log, store: { givenFiles } } = context;
    this.unproven = new UnprovenFiles({ proofs: fileProofs(context), givenFiles, clock, log });
  }

  /**
   * Gets a file.
   *
   * @throws {FetchFailure} as the fetch does; also where no mirror gives again what nodes gave.
   */
  async fetch(asked: FetchRequest, how: How): Promise<Done> {
    if (how.mirrorsAlone === true) return await this.#fromMirrorsAlone(asked, how);
    if (!this.#isDoubtful(asked, how)) return await this.#fetch(asked, how);
    const { name } = asked;
    const mayGiveCopy = !this.unproven.wasGiven(LOCAL_CLIENT, name) && this.#areNodesBelieved(name);
    try {
      return await this.#fromMirrorsAlone(asked, how);
    } catch (error) {
      const isRefused = error instanceof FetchFailure && !how.signal.aborted &&
        (error.exit === "failed" || error.exit === "notFound");
      if (!isRefused) throw error;
      if (!mayGiveCopy) throw notProved(error);
      // What mirrors gave may have been shown.
      how.observer.event({ kind: "restarted", reason: error.message });
    }
    return await this.#fetch(asked, how);
  }

  /** Whether only nodes may say that what would be given is what is at the URL. */
  #isDoubtful(
    { name, root, sha256, mirrors }: FetchRequest,
    { provesCopies = false, again }: How,
  ): boolean {
    if (!provesCopies || again !== undefined || mirrors.length === 0) return false;
    if (root !== null || sha256 !== null) return false;
    const { store, offerPolicy } = this.#context;
    return this.unproven.wasGiven(LOCAL_CLIENT, name) || !this.#areNodesBelieved(name) ||
      store.definitionsByName(name).some((file) => isUnproven(offerPolicy, file));
  }

  #areNodesBelieved(name: string): boolean {
    return this.unproven.mayGive(LOCAL_CLIENT, name, { isFromFirst: false });
  }

  /** Gets a file of which nodes are not believed what it is; copies that turn out to be another go. */
  async #fromMirrorsAlone(asked: FetchRequest, how: How): Promise<Done> {
    const done = await this.#fetch(asked, { ...how, mirrorsAlone: true });
    if (done.root === UNKNOWN_ROOT) return done;
    const { store, offerPolicy, log } = this.#context;
    for (const file of store.definitionsByName(asked.name)) {
      const { name, root } = file;
      if (root === done.root || !isUnproven(offerPolicy, file)) continue;
      log.warn("removed what nodes gave: the mirror has another file", { name, root });
      store.remove(root);
    }
    return done;
  }
}

/** No mirror gives what nodes gave before. */
function notProved({ exit, message, cause }: FetchFailure): FetchFailure {
  const why = "what nodes gave before is not given again without a mirror that has the same";
  return new FetchFailure(exit, `${message}; ${why}`, {
    hint: "To get it from nodes nonetheless, fetch it by its name or root, without a URL.",
    cause,
  });
}
