/**
 * The peers that a person named, and those that names of his stand for in DNS (`--peer srv:NAME`), looked
 * up again and again. While nobody answers, those of the last answer stay. What is wrong with a name is
 * logged once, until it changes.
 */

import type { HostPort } from "../../base/address.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { type Random, systemRandom } from "../../base/random.ts";
import { chooseSrv, isNode } from "../../core/overlay/srv_choice.ts";
import type { LinkProblem } from "../../net/link_problem.ts";
import { lookUpSrv, type SrvLookup, srvProblem } from "../../net/srv_lookup.ts";
import { formatAddress } from "../../wire/host.ts";

/** What a person named. */
export interface NamedPeers {
  readonly peers: readonly HostPort[];
  /** Whole names of SRV records. */
  readonly srvNames: readonly string[];
}

/** A name that stands for no node now. */
export interface EmptyName {
  /** As it may be given: `srv:NAME`. */
  readonly peer: string;
  /** Null while it is looked up for the first time. */
  readonly problem: LinkProblem | null;
}

interface SrvPeersOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** These are the peers from now on, and the names that give none. */
  readonly changed: (peers: readonly HostPort[], empty: readonly EmptyName[]) => void;
  readonly lookUp?: SrvLookup;
  readonly random?: Random;
}

/** One name. */
interface Watched {
  chosen: readonly HostPort[];
  failures: number;
  /** Why it stands for no node that was not known before; null where it does, or before any answer. */
  problem: LinkProblem | null;
  /** Records that are no node, as text. */
  passedOver: string;
  next: Timer | undefined;
  readonly ended: AbortController;
}

/** The named peers of one node. */
export class SrvPeers {
  readonly #options: SrvPeersOptions;
  readonly #watched = new Map<string, Watched>();
  #peers: readonly HostPort[] = [];

  constructor(options: SrvPeersOptions) {
    this.#options = options;
  }

  /** Takes these for the named peers from now on. */
  set({ peers, srvNames }: NamedPeers): void {
    this.#peers = peers;
    for (const name of this.#watched.keys()) if (!srvNames.includes(name)) this.#end(name);
    for (const name of srvNames) {
      if (this.#watched.has(name)) continue;
      const ended = new AbortController();
      const watched: Watched = {
        chosen: [],
        failures: 0,
        problem: null,
        passedOver: "",
        next: undefined,
        ended,
      };
      this.#watched.set(name, watched);
      void this.#lookUp(name, watched);
    }
    this.#tell();
  }

  stop(): void {
    for (const name of [...this.#watched.keys()]) this.#end(name);
  }

  #end(name: string): void {
    const watched = this.#watched.get(name);
    this.#watched.delete(name);
    watched?.next?.cancel();
    watched?.ended.abort();
  }

  #tell(): void {
    const found = [...this.#watched.values()].flatMap(({ chosen }) => chosen);
    const empty = [...this.#watched].flatMap(([name, { chosen, problem }]) =>
      chosen.length > 0 ? [] : [{ peer: `srv:${name}`, problem }]
    );
    this.#options.changed([...this.#peers, ...found], empty);
  }

  /** Looks a name up now, and again later; never rejects. */
  async #lookUp(name: string, watched: Watched): Promise<void> {
    const { clock, lookUp = lookUpSrv, random = systemRandom } = this.#options;
    const { signal } = watched.ended;
    const late = new AbortController();
    using _ = clock.after(
      limits.srvLookUpMs,
      () => late.abort(new Deno.errors.TimedOut("nobody answers in time")),
    );
    let waitMs: number = limits.srvRenewMs;
    try {
      const listed = await lookUp(name, { signal: AbortSignal.any([signal, late.signal]) });
      if (signal.aborted) return;
      watched.failures = 0;
      this.#listed(name, watched, listed);
    } catch (error) {
      if (signal.aborted) return;
      const problem = srvProblem(late.signal.aborted ? late.signal.reason : error, name);
      if (problem.text !== watched.problem?.text) {
        this.#options.log.warn("cannot look up peers in DNS", { name, reason: problem.text });
        watched.problem = problem;
        this.#tell();
      }
      waitMs = Math.min(
        limits.srvRenewMs,
        limits.srvRetryMs * 2 ** Math.min(10, watched.failures++),
      );
    }
    // Not all machines of a fleet at once.
    const atMs = waitMs * (1 - limits.srvSpreadPercent / 100 * random.unit());
    watched.next = clock.after(atMs, () => void this.#lookUp(name, watched));
  }

  /** DNS answered. */
  #listed(name: string, watched: Watched, listed: Awaited<ReturnType<SrvLookup>>): void {
    const { log, random = systemRandom } = this.#options;
    const { chosen: before, passedOver, problem } = watched;
    watched.chosen = chooseSrv(listed, { before, random });
    watched.passedOver = listed.filter((one) => !isNode(one)).slice(0, limits.srvPeersMax)
      .map(({ host, port }) => `${host || "."} port ${port}`).sort().join(", ");
    if (watched.passedOver !== passedOver && watched.passedOver !== "") {
      const reason = 'a target of "." means that there is no such service, and port 0 is none';
      log.warn("DNS lists what is no node", { name, records: watched.passedOver, reason });
    }
    watched.problem = watched.chosen.length > 0 ? null : {
      code: "no-service",
      text: `DNS lists no node there, only ${watched.passedOver || "nothing"}: correct its records`,
    };
    const texts = textOf(watched.chosen);
    const isOther = texts !== textOf(before);
    if (isOther) log.info("DNS names peers", { name, peers: texts || "none" });
    if (isOther || watched.problem?.text !== problem?.text) this.#tell();
  }
}

function textOf(nodes: readonly HostPort[]): string {
  return nodes.map(({ host, port }) => formatAddress(host, port)).join(", ");
}
