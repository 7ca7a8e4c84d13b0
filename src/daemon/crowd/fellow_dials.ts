/**
 * The dials to fellows that others told of: a few at a time, those of each file in turn, the rest
 * waits. None is dialled twice in a short while for the same file, few for one file, and one at which no
 * node was for no file for minutes: so whoever names addresses that are no fellows has them dialled
 * rarely. What is said on a connection is not known here.
 */

import type { HostPort } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { RefusedError } from "../../net/handshake.ts";
import { formatAddress } from "../../wire/host.ts";

/** A fellow, and where it is said to listen. */
export interface FellowDial {
  readonly nodeId: NodeId;
  readonly address: HostPort;
}

/** What the dials work with; `F` is a file in flight. */
interface FellowDialsOptions<F> {
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether one more fellow would be of use, and this one is none yet. */
  readonly isWanted: (flight: F, dial: FellowDial) => boolean;
  /** Resolves when the dial is over, whatever comes of the connection. */
  readonly reach: (flight: F, address: HostPort) => Promise<void>;
}

/** The dials of one file. */
interface Line {
  readonly waiting: FellowDial[];
  active: number;
  /** How many were dialled at all. */
  dialled: number;
  /** When each address was dialled last. */
  readonly triedMs: BoundedMap<string, number>;
}

/** The dials of a node to fellows. */
export class FellowDials<F> {
  readonly #options: FellowDialsOptions<F>;
  /** The next to have its turn first. */
  readonly #lines = new Map<F, Line>();
  /** When there was no node at an address, whatever the file. */
  readonly #nowhereMs = new BoundedMap<string, number>(limits.fellowNowheresMax);
  #active = 0;

  constructor(options: FellowDialsOptions<F>) {
    this.#options = options;
  }

  /** Has a fellow dialled when its turn comes, unless that was done lately or too many wait. */
  add(flight: F, dial: FellowDial): void {
    const line = this.#lines.get(flight) ??
      newLine();
    this.#lines.set(flight, line);
    const label = labelOf(dial);
    const sinceMs = this.#options.clock.nowMs() - (line.triedMs.get(label) ?? -Infinity);
    if (sinceMs < limits.fellowRedialMs || this.#isNowhere(label)) return;
    if (line.dialled >= limits.fellowDialsPerFlightMax) return;
    if (line.waiting.length >= limits.fellowDialsWaitingMax) return;
    if (line.waiting.some((other) => labelOf(other) === label)) return;
    line.waiting.push(dial);
    this.#pump();
  }

  /** Whether any fellow of this file is being dialled, or waits for that. */
  isUnderWay(flight: F): boolean {
    const line = this.#lines.get(flight);
    return line !== undefined && line.active + line.waiting.length > 0;
  }

  /** Forgets a file; what is being dialled ends by itself. */
  drop(flight: F): void {
    this.#lines.delete(flight);
  }

  #isNowhere(label: string): boolean {
    const sinceMs = this.#options.clock.nowMs() - (this.#nowhereMs.get(label) ?? -Infinity);
    return sinceMs < limits.fellowNowhereMs;
  }

  #pump(): void {
    while (this.#active < limits.fellowDialsMax) {
      const next = this.#next();
      if (next === undefined) return;
      this.#dial(...next);
    }
  }

  #next(): [flight: F, line: Line, dial: FellowDial] | undefined {
    for (const [flight, line] of [...this.#lines]) {
      for (let dial = line.waiting.shift(); dial !== undefined; dial = line.waiting.shift()) {
        if (!this.#options.isWanted(flight, dial)) continue;
        line.triedMs.set(labelOf(dial), this.#options.clock.nowMs());
        // The others come first now.
        this.#lines.delete(flight);
        this.#lines.set(flight, line);
        return [flight, line, dial];
      }
    }
    return undefined;
  }

  #dial(flight: F, line: Line, dial: FellowDial): void {
    this.#active++;
    line.active++;
    line.dialled++;
    this.#options.reach(flight, dial.address)
      .catch((error) => {
        const { clock, log } = this.#options;
        // One that refuses is a node, and may be a fellow for another file.
        if (!(error instanceof RefusedError)) this.#nowhereMs.set(labelOf(dial), clock.nowMs());
        log.debug("cannot reach a fellow", { peer: labelOf(dial), error: messageOf(error) });
      })
      .finally(() => {
        this.#active--;
        line.active--;
        this.#pump();
      });
  }
}

function newLine(): Line {
  return { waiting: [], active: 0, dialled: 0, triedMs: new BoundedMap(limits.fellowTriedMax) };
}

function labelOf({ address: { host, port } }: FellowDial): string {
  return formatAddress(host, port);
}
