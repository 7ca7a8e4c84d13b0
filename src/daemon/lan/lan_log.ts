/**
 * What the log says of the interfaces on which nodes are looked for. Each thing is said once, whatever
 * comes and goes, and only once a packet was sent everywhere, or could not be: one after the other they
 * show whether an interface is of use.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";

/** Where nodes are looked for, and where they are not. */
export interface LanState {
  /** The segments that are used. */
  readonly open: readonly string[];
  /** Whether something was sent on each of them. */
  readonly isTried: boolean;
  /** Why this node is announced on none of them; undefined when it is. */
  readonly hidden: string | undefined;
  /** Why others are not used, by their ids. */
  readonly problems: ReadonlyMap<string, string>;
  /** Interfaces that a person named, and that are of no use. */
  readonly missing: readonly string[];
  /** Those that could be used. */
  readonly interfaces: readonly string[];
}

/** The log of one node. */
export class LanLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #state: () => LanState;
  readonly #said = new BoundedMap<string, true>(limits.lanSaidMax);
  #waiting: Timer | undefined;

  constructor(
    { clock, log, state }: {
      readonly clock: Clock;
      readonly log: Logger;
      readonly state: () => LanState;
    },
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#state = state;
  }

  /** Something may be different: says so, as soon as all is tried. */
  changed(): void {
    if (this.#state().isTried) return this.#say();
    this.#waiting ??= this.#clock.after(limits.lanSayMs, () => this.#say());
  }

  /** Says nothing for now. */
  stop(): void {
    this.#waiting?.cancel();
    this.#waiting = undefined;
  }

  #say(): void {
    this.stop();
    const { open, hidden, problems, missing, interfaces } = this.#state();
    for (const name of missing.filter((one) => this.#isNews(`missing ${one}`))) {
      this.#log.warn(
        "an interface to look for nodes on is not there, or has no address for others",
        {
          interface: name,
          there: interfaces.join(", ") || "none",
        },
      );
    }
    const on = open.toSorted().join(", ");
    if (on !== "" && this.#isNews(`on ${on}`)) {
      this.#log.info("looks for nodes of its network on the LAN (multicast DNS)", {
        on,
        ...(hidden === undefined ? {} : { announces: `nothing: ${hidden}` }),
      });
    }
    const not = Array.from(problems, ([id, reason]) => `${id}: ${reason}`)
      .filter((one) => this.#isNews(`not ${one}`));
    const isAlone = on === "" && problems.size === 0 && missing.length === 0;
    if (isAlone && this.#isNews("alone")) not.push("no interface with others on it");
    if (not.length > 0) {
      const reason = not.toSorted().join("; ");
      this.#log.info("cannot look for nodes on the LAN; all else goes on", { reason });
    }
  }

  #isNews(text: string): boolean {
    const isNews = !this.#said.has(text);
    this.#said.set(text, true);
    return isNews;
  }
}
