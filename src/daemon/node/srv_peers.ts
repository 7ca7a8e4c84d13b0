/**
 * The peers that a person named, and those that names of his stand for in DNS (`--peer srv:NAME`), looked
 * up again and again. While nobody answers, those of the last answer stay.
 */

import type { HostPort } from "../../base/address.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { type Random, systemRandom } from "../../base/random.ts";
import { chooseSrv } from "../../core/overlay/srv_choice.ts";
import { lookUpSrv, type SrvLookup } from "../../net/srv_lookup.ts";
import { formatAddress } from "../../wire/host.ts";

/** What a person named. */
export interface NamedPeers {
  readonly peers: readonly HostPort[];
  /** Whole names of SRV records. */
  readonly srvNames: readonly string[];
}

interface SrvPeersOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** These are the peers from now on. */
  readonly changed: (peers: readonly HostPort[]) => void;
  readonly lookUp?: SrvLookup;
  readonly random?: Random;
}

/** One name. */
interface Watched {
  chosen: readonly HostPort[];
  failures: number;
  /** Why the last look-up failed; undefined after one that did not. */
  problem: string | undefined;
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
      const watched = { chosen: [], failures: 0, problem: undefined, next: undefined, ended };
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
    this.#options.changed([...this.#peers, ...found]);
  }

  /** Looks a name up now, and again later; never rejects. */
  async #lookUp(name: string, watched: Watched): Promise<void> {
    const { clock, log, lookUp = lookUpSrv, random = systemRandom } = this.#options;
    const { signal } = watched.ended;
    const late = new AbortController();
    using _ = clock.after(
      limits.srvLookUpMs,
      () => late.abort(new Error("nobody answers in time")),
    );
    let waitMs: number = limits.srvRenewMs;
    try {
      const listed = await lookUp(name, { signal: AbortSignal.any([signal, late.signal]) });
      if (signal.aborted) return;
      const { chosen: before } = watched;
      watched.chosen = chooseSrv(listed, { before, random });
      watched.failures = 0;
      watched.problem = undefined;
      const texts = watched.chosen.map(({ host, port }) => formatAddress(host, port)).join(", ");
      if (texts !== before.map(({ host, port }) => formatAddress(host, port)).join(", ")) {
        log.info("DNS names peers", { name, peers: texts || "none" });
        this.#tell();
      }
    } catch (error) {
      if (signal.aborted) return;
      const reason = messageOf(late.signal.aborted ? late.signal.reason : error);
      if (reason !== watched.problem) log.warn("cannot look up peers in DNS", { name, reason });
      watched.problem = reason;
      waitMs = Math.min(
        limits.srvRenewMs,
        limits.srvRetryMs * 2 ** Math.min(10, watched.failures++),
      );
    }
    // Not all machines of a fleet at once.
    const atMs = waitMs * (1 - limits.srvSpreadPercent / 100 * random.unit());
    watched.next = clock.after(atMs, () => void this.#lookUp(name, watched));
  }
}
