/** Where this node is, for all that has to know how near another one is. */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import { nearnessOf } from "../../core/nearness/nearness.ts";
import type { LocalPlace } from "../../net/handshake.ts";
import { type OwnAddress, plainHost } from "../../wire/host.ts";
import type { Nearness } from "../../wire/nearness.ts";

/** The place of one node. */
export class OwnPlace implements LocalPlace {
  /** As a person named it, "": nobody did; it may be named anew while the node runs. */
  site: string;
  readonly #clock: Clock;
  readonly #subnets: () => readonly OwnAddress[];
  /** The addresses as they were when they were looked at last. */
  #addresses: readonly OwnAddress[] = [];
  #lookedMs = -Infinity;
  /** The sites of hosts, as nodes there said. */
  readonly #sites = new BoundedMap<string, string>(limits.sitesKnownMax);

  constructor(
    options: {
      readonly site: string;
      readonly clock: Clock;
      /** The addresses of this machine. */
      readonly subnets: () => readonly OwnAddress[];
    },
  ) {
    this.site = options.site;
    this.#clock = options.clock;
    this.#subnets = options.subnets;
  }

  /** Of a host whose site is not said, what was said last counts. */
  nearnessOf({ host, site }: { readonly host: string; readonly site: string }): Nearness {
    const nowMs = this.#clock.nowMs();
    const key = plainHost(host);
    if (site !== "") this.#sites.set(key, site);
    const known = site || (this.#sites.get(key) ?? "");
    if (nowMs - this.#lookedMs >= limits.ownSubnetsMs) {
      this.#addresses = this.#subnets();
      this.#lookedMs = nowMs;
    }
    return nearnessOf({ host, site: known }, { addresses: this.#addresses, site: this.site });
  }
}
