/** The transcript of a simulated network: one line an event, with its virtual time and plain names. */

import type { QueryId } from "../../src/base/ids.ts";
import { formatAddress } from "../../src/wire/host.ts";
import type { Message } from "../../src/wire/messages.ts";
import type { SimNode } from "./sim_node.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** What a transcript shows: searches, links that come and go, addresses told. */
export type Topic = "search" | "links" | "peers";

/** Lines about the topics that a test wants to see. */
export class SimLog {
  readonly lines: string[] = [];
  readonly #time: VirtualTime;
  readonly #topics: ReadonlySet<Topic>;
  readonly #queryNames = new Map<string, string>();

  constructor(time: VirtualTime, topics: readonly Topic[]) {
    this.#time = time;
    this.#topics = new Set(topics);
  }

  /** Adds a line, which is only made if its topic is shown. */
  note(topic: Topic, text: () => string): void {
    if (!this.#topics.has(topic)) return;
    this.lines.push(`${this.#time.nowMs.toFixed(0).padStart(6)}  ${text()}`);
  }

  /** Adds a line for a message that arrived; those that only keep a link are left out. */
  noteMessage(from: SimNode, to: SimNode, message: Message): void {
    const way = `${from.name} > ${to.name}`;
    if (message.kind === "query") {
      this.note("search", () => {
        const { ttl, hops, callbackHost, callbackPort } = message;
        const call = callbackPort === 0 ? "nobody" : place(callbackHost, callbackPort);
        return `${way}  QUERY ${this.queryName(message.id)} ttl=${ttl} hops=${hops} call=${call}`;
      });
    } else if (message.kind === "hit") {
      this.note("search", () => {
        const { hops, holderHost, holderPort } = message;
        const holder = holderPort === 0 ? "nowhere" : place(holderHost, holderPort);
        return `${way}  HIT ${this.queryName(message.id)} hops=${hops} holder=${holder}`;
      });
    } else if (message.kind === "query-done") {
      const { id, outcome } = message;
      this.note("search", () => `${way}  QUERY-DONE ${this.queryName(id)} ${outcome}`);
    } else if (message.kind === "peers") {
      this.note("peers", () => {
        const addresses = message.addresses.map(({ host, port }) => formatAddress(host, port));
        return `${way}  PEERS ${addresses.join(" ")}`;
      });
    }
  }

  /** A short name for a query id: q1, q2, ... in the order in which they are met. */
  queryName(id: QueryId): string {
    const known = this.#queryNames.get(id);
    if (known !== undefined) return known;
    const name = `q${this.#queryNames.size + 1}`;
    this.#queryNames.set(id, name);
    return name;
  }

  /** A text of a node with its query ids in short. */
  shorten(text: string): string {
    return text.replace(/[0-9a-f]{32}/g, (id) => this.queryName(id as QueryId));
  }
}

/** Where a host is not filled in yet, the port stands alone. */
function place(host: string, port: number): string {
  return host === "" ? `:${port}` : formatAddress(host, port);
}
