/**
 * The dials of a fetch: to holders that answered by HIT, and apart from them to those that a
 * directory names. Which one is worth dialling is decided in `core/fetch/holders.ts`; here the dials
 * are bounded.
 *
 * Of those that directories name a few are dialled at a time, and none twice in a short while. So a
 * directory full of addresses that are out of date costs a fetch nothing else.
 */

import type { HostPort } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Searcher } from "./searches.ts";

/** What the dials need of their fetch and its node. */
interface HolderDialsHost {
  readonly clock: Clock;
  readonly log: Logger;
  /** Dials a holder of `root` and has the searcher hear its offer, as if it had called back. */
  dialHolder(
    address: HostPort,
    root: Root,
    searcher: Pick<Searcher, "offered">,
  ): Promise<void>;
  /** Why nothing came of a dial, for a person. */
  dialProblem(error: unknown): string;
  readonly offered: Searcher["offered"];
  readonly notReached: NotReached;
}

/** Is told of a holder that was dialled in vain. */
export type NotReached = (
  dial: { readonly nodeId: NodeId; readonly address: HostPort; readonly reason: string },
) => void;

/** Where one holder is, and the file that is wanted of it. */
interface HolderDial {
  /** Who is said to be there. */
  readonly nodeId: NodeId;
  readonly address: HostPort;
  readonly root: Root;
}

/** The dials of one fetch. */
export class HolderDials {
  readonly #host: HolderDialsHost;
  /** Those under way, by address and root. */
  readonly #answered = new Set<string>();
  readonly #listed = new Set<string>();
  /** When each of those that a directory named was dialled last. */
  readonly #triedMs = new BoundedMap<string, number>(limits.listedTriedMax);

  constructor(host: HolderDialsHost) {
    this.#host = host;
  }

  /** Dials under way to holders that a directory named. */
  get listedCount(): number {
    return this.#listed.size;
  }

  /** Dials one that answered, unless that is under way; together with `sourceCount` bounded. */
  answered(dial: HolderDial, options: { readonly sourceCount: number }): void {
    const key = keyOf(dial);
    const isUnderWay = this.#answered.has(key) || this.#listed.has(key);
    if (isUnderWay || this.#answered.size + options.sourceCount >= limits.sourcesMax) return;
    this.#answered.add(key);
    this.#dial(dial, { done: () => this.#answered.delete(key) });
  }

  /** Dials one that a directory named, unless that was done lately. */
  listed(dial: HolderDial): void {
    const key = keyOf(dial);
    const nowMs = this.#host.clock.nowMs();
    const wasLately = nowMs - (this.#triedMs.get(key) ?? -Infinity) < limits.listedRedialMs;
    const isUnderWay = this.#answered.has(key) || this.#listed.has(key);
    if (wasLately || isUnderWay || this.#listed.size >= limits.listedDialsMax) return;
    this.#triedMs.set(key, nowMs);
    this.#listed.add(key);
    this.#dial(dial, { done: () => this.#listed.delete(key) });
  }

  /** `done` is called when the holder has answered, or cannot be had. */
  #dial(
    { nodeId, address, root }: HolderDial,
    { done }: { readonly done: () => void },
  ): void {
    const { dialProblem, log, notReached } = this.#host;
    const peer = formatAddress(address.host, address.port);
    let isReached = false;
    this.#host.dialHolder(address, root, {
      offered: (holder, offers) => {
        isReached = true;
        done();
        return this.#host.offered(holder, offers);
      },
    })
      .catch((error) => {
        log.debug("cannot fetch from holder", { peer, error: messageOf(error) });
        // A transfer that broke later is the swarm's to tell.
        if (!isReached) notReached({ nodeId, address, reason: dialProblem(error) });
      })
      .finally(done);
  }
}

function keyOf({ address, root }: HolderDial): string {
  return `${formatAddress(address.host, address.port)}/${root}`;
}
