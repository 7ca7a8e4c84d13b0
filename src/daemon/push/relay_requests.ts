/**
 * Asking linked nodes to fetch a file for this node, which cannot connect to those that have it: a
 * request to take a file that the asker does not give itself. They take it only if a person allowed
 * that (`push_receiver.ts`). When to ask is decided in `core/fetch/relays.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { messageOf } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { RelayAnswer } from "../../core/fetch/fetch_failures.ts";
import type { LinkReport } from "../../core/overlay/neighbour_events.ts";
import { formatAddress } from "../../wire/host.ts";
import type { FileOffer } from "../../wire/structures.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { askUpload } from "./peer_questions.ts";

/** A node that has a link with this one. */
type LinkedNode = Pick<LinkReport, "nodeId" | "host" | "listenPort" | "inbound" | "sinceMs">;

/** That a node passes nothing on: when it said so, and since when there was the link. */
interface Unwilling {
  readonly saidMs: number;
  /** A node that is started again, maybe with other settings, has another link. */
  readonly linkSinceMs: number;
}

/** How relays are asked for one file. */
export interface RelayAsking {
  readonly signal: AbortSignal;
  readonly answered: (answer: RelayAnswer) => void;
}

/** The relay requests of one node. */
export class RelayRequests {
  readonly #context: NodeContext;
  readonly #links: () => readonly LinkedNode[];
  readonly #unwilling = new BoundedMap<NodeId, Unwilling>(limits.linksCeiling);

  constructor(context: NodeContext, links: () => readonly LinkedNode[]) {
    this.#context = context;
    this.#links = links;
  }

  /** Asks one after the other until one takes the file. Never rejects. */
  async ask(file: FileOffer, { signal, answered }: RelayAsking): Promise<void> {
    // Those that this node dialled itself can be dialled.
    const links = [...this.#links()]
      .filter(({ listenPort }) => listenPort !== 0)
      .sort((a, b) => Number(a.inbound) - Number(b.inbound));
    const { clock } = this.#context;
    for (const link of links.slice(0, limits.relaysAskedMax)) {
      const { nodeId, host, listenPort: port, sinceMs: linkSinceMs } = link;
      const address = { host, port };
      const agoMs = this.#unwillingForMs(link);
      if (agoMs !== null) {
        answered({ nodeId, address, answer: "unwilling", agoMs });
        continue;
      }
      const answer = await this.#askOne(address, file, signal);
      if (signal.aborted) return;
      if (answer === "unwilling") {
        this.#unwilling.set(nodeId, { saidMs: clock.nowMs(), linkSinceMs });
      }
      answered({ nodeId, address, answer, agoMs: null });
      if (answer === "accepted" || answer === "have") return;
    }
  }

  /** How long ago a node said on this very link that it passes nothing on; null: it is to be asked. */
  #unwillingForMs({ nodeId, sinceMs }: LinkedNode): number | null {
    const said = this.#unwilling.get(nodeId);
    if (said === undefined || said.linkSinceMs !== sinceMs) return null;
    const agoMs = this.#context.clock.nowMs() - said.saidMs;
    return agoMs < limits.relayUnwillingMs ? agoMs : null;
  }

  async #askOne(
    address: HostPort,
    file: FileOffer,
    signal: AbortSignal,
  ): Promise<RelayAnswer["answer"]> {
    try {
      const request = { file: { file, sha256: null }, serves: false, signal };
      using asked = await askUpload(this.#context, address, request);
      return asked.answer;
    } catch (error) {
      const peer = formatAddress(address.host, address.port);
      this.#context.log.debug("cannot ask a relay", { peer, error: messageOf(error) });
      return "failed";
    }
  }
}
