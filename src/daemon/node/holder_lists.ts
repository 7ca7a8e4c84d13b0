/**
 * The lists of holders that had no room for all that matches a search: in a HIT, or in a callback of
 * an old version. Each is asked once for all that it offers, a few at a time, and what matches counts.
 */

import { messageOf } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { matchesGlob } from "../../base/names.ts";
import { formatAddress } from "../../wire/host.ts";
import type { NameQuery } from "../discovery/name_query.ts";
import { FLOOD } from "../discovery/network_query.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import type { OfferingHolder } from "../discovery/searches.ts";
import { peerFiles } from "../push/peer_questions.ts";

/** The lists that one search asks for. */
export class HolderLists {
  readonly #context: NodeContext;
  readonly #glob: string;
  readonly #asked = new Set<string>();
  readonly #ended = new AbortController();
  #underWay = 0;

  constructor(context: NodeContext, glob: string) {
    this.#context = context;
    this.#glob = glob;
  }

  /** Asks a holder, if it was not asked before; past the bounds nobody is. */
  ask(holder: OfferingHolder, query: NameQuery): void {
    const { host, port } = holder.address;
    const peer = formatAddress(host, port);
    const { searchListsMax, searchListsAtOnceMax } = limits;
    const isEnough = this.#asked.size >= searchListsMax || this.#underWay >= searchListsAtOnceMax;
    if (isEnough || this.#asked.has(peer) || this.#ended.signal.aborted) return;
    this.#asked.add(peer);
    this.#hear(holder, query).catch((error) =>
      this.#context.log.debug("cannot list a holder", { peer, error: messageOf(error) })
    );
  }

  /** Asks nobody any more, and hangs up. */
  end(): void {
    this.#ended.abort();
  }

  async #hear(holder: OfferingHolder, query: NameQuery): Promise<void> {
    this.#underWay++;
    using cleanup = new DisposableStack();
    cleanup.defer(() => this.#underWay--);
    cleanup.use(query.begun());
    const { signal } = this.#ended;
    let count = 0;
    for await (const file of peerFiles(this.#context, { peer: holder.address, signal })) {
      count++;
      const { chunks, chunksHave, sha256: _, ...rest } = file;
      const isPossible = file.sizeBytes <= limits.fetchBytesMax && chunksHave <= chunks &&
        chunks === chunkCount(file.sizeBytes);
      if (!isPossible || !matchesGlob(this.#glob, file.name)) continue;
      const whole = chunksHave === chunks;
      query.offer({ ...rest, chunksHave, whole }, holder, { from: FLOOD });
      if (query.isFull) return;
    }
    // Who lists as many as it may can have more still.
    if (count < limits.listingsPerClientMax) query.short(holder, 0);
  }
}
