/**
 * A node of the overlay network: its links and its part in the search behind one step. The daemon
 * drives it over TCP, the simulator over memory. It hands events on and has no policy.
 *
 * Its driver must answer each `dial` with `link-up` or `dial-failed`, each `look-up` with
 * `looked-up`, each `call-back` with `callback-answered`, and send `tick` about every
 * `limits.overlayTickMs`.
 */

import { type OfKind, type PeerFaultCode, unreachable } from "../../base/errors.ts";
import type { QueryId } from "../../base/ids.ts";
import type { Message, QueryOutcome } from "../../wire/messages.ts";
import type { Ban } from "./bans.ts";
import type { CloseReason, LinkId, NeighboursEffect, NeighboursEvent } from "./neighbour_events.ts";
import { Neighbours, type NeighboursOptions } from "./neighbours.ts";
import { Search } from "./search.ts";
import type { Fault, SearchCounters, SearchEffect, SearchEvent } from "./search_events.ts";

/** What the outside tells. */
export type OverlayEvent =
  | Extract<
    NeighboursEvent,
    {
      kind:
        | "add-address"
        | "unpin-address"
        | "link-up"
        | "link-down"
        | "dial-failed"
        | "in-need"
        | "misbehaved"
        | "host-faulty"
        | "network-changed"
        | "tick";
    }
  >
  | OfKind<SearchEvent, "search" | "search-ended" | "looked-up" | "callback-answered" | "hit-ready">
  /** Any message that came over a link. */
  | { readonly kind: "message"; readonly link: LinkId; readonly message: Message };

/** What the outside is to do, in order. */
export type OverlayEffect =
  | OfKind<NeighboursEffect, "dial">
  | { readonly kind: "send"; readonly link: LinkId; readonly message: Message }
  /** Tell the other end by BYE (unless it said "bye" itself) and close the connection. */
  | {
    readonly kind: "close";
    readonly link: LinkId;
    readonly reason: CloseReason | PeerFaultCode;
  }
  | Exclude<SearchEffect, { kind: "send" | "fault" }>
  /** Something that belongs into the log. */
  | {
    readonly kind: "warn";
    readonly message: string;
    readonly fields: Readonly<Record<string, string | number>>;
  };

/** One node's links and searches; `neighbours` is for reading only. */
export class Overlay {
  readonly neighbours: Neighbours;
  readonly #search: Search;

  /** @param options `seenQueriesMax`: how many query ids are remembered. */
  constructor(options: NeighboursOptions & { readonly seenQueriesMax?: number }) {
    this.neighbours = new Neighbours(options);
    this.#search = new Search(options);
  }

  /** What the search has done so far; it goes on counting. */
  get counters(): Readonly<SearchCounters> {
    return this.#search.counters;
  }

  /** As {@linkcode Search.outcomeOf}. */
  outcomeOf(id: QueryId): QueryOutcome | null {
    return this.#search.outcomeOf(id);
  }

  /** How many addresses of nodes are known. */
  get addressCount(): number {
    return this.neighbours.addressCount;
  }

  /** How many query ids are remembered. */
  get seenCount(): number {
    return this.#search.seenCount;
  }

  /** Takes one event; gives what is to be done, in order. */
  step(event: OverlayEvent, nowMs: number): OverlayEffect[] {
    const out: OverlayEffect[] = [];
    this.#apply(event, nowMs, out);
    return out;
  }

  #apply(event: OverlayEvent, nowMs: number, out: OverlayEffect[]): void {
    switch (event.kind) {
      case "message":
        return this.#onMessage(event.link, event.message, nowMs, out);
      case "link-up":
        this.#keep(event, nowMs, out);
        if (this.neighbours.has(event.link)) {
          const { link, host, saysDone = false } = event;
          this.#seek({ kind: "link-up", link, host, saysDone }, nowMs, out);
        }
        break;
      case "link-down":
        this.#seek({ kind: "link-down", link: event.link }, nowMs, out);
        return this.#keep(event, nowMs, out);
      case "tick":
        this.#keep(event, nowMs, out);
        return this.#seek(event, nowMs, out);
      case "add-address":
      case "unpin-address":
      case "dial-failed":
      case "in-need":
      case "misbehaved":
      case "host-faulty":
      case "network-changed":
        return this.#keep(event, nowMs, out);
      case "search":
      case "search-ended":
      case "looked-up":
      case "callback-answered":
      case "hit-ready":
        return this.#seek(event, nowMs, out);
      default:
        return unreachable(event);
    }
  }

  #onMessage(link: LinkId, message: Message, nowMs: number, out: OverlayEffect[]): void {
    // What was under way when a link was closed still comes in, and no longer counts.
    if (!this.neighbours.has(link)) return;
    switch (message.kind) {
      case "ping":
      case "pong":
      case "bye":
      case "peers":
        this.#keep({ kind: "message", link, message }, nowMs, out);
        break;
      case "query":
        this.#keep({ kind: "heard", link }, nowMs, out);
        this.#seek({ kind: "query", link, query: message }, nowMs, out);
        break;
      case "query-done":
        this.#keep({ kind: "heard", link }, nowMs, out);
        this.#seek({ kind: "query-done", link, done: message }, nowMs, out);
        break;
      case "hit":
        this.#keep({ kind: "heard", link }, nowMs, out);
        this.#seek({ kind: "hit", link, hit: message }, nowMs, out);
        break;
      default:
        this.#fault(
          {
            link,
            code: "unexpected",
            message: `Cannot read message: ${message.kind} is not for a link`,
          },
          nowMs,
          out,
        );
    }
  }

  #keep(event: NeighboursEvent, nowMs: number, out: OverlayEffect[]): void {
    for (const effect of this.neighbours.step(event, nowMs)) {
      if (effect.kind === "banned") {
        out.push(banWarning(effect.ban));
        continue;
      }
      out.push(effect);
      if (effect.kind === "close") {
        this.#seek({ kind: "link-down", link: effect.link }, nowMs, out);
      }
    }
  }

  #seek(event: SearchEvent, nowMs: number, out: OverlayEffect[]): void {
    for (const effect of this.#search.step(event, nowMs)) {
      if (effect.kind !== "fault") out.push(effect);
      else this.#fault(effect, nowMs, out);
    }
  }

  #fault(
    { link, code, message, misdeed }: Omit<Fault, "kind">,
    nowMs: number,
    out: OverlayEffect[],
  ): void {
    out.push({ kind: "warn", message, fields: { link, code } });
    out.push({ kind: "close", link, reason: code });
    this.#seek({ kind: "link-down", link }, nowMs, out);
    const counted = misdeed === undefined ? {} : { misdeed };
    this.#keep({ kind: "link-down", link, faulty: true, ...counted }, nowMs, out);
  }
}

function banWarning({ nodeId, host, reason }: Ban): OverlayEffect {
  const who = nodeId === null ? "every node at a host" : "a node";
  return {
    kind: "warn",
    message: `banned ${who}`,
    fields: { host, ...(nodeId === null ? {} : { nodeId }), reason },
  };
}
