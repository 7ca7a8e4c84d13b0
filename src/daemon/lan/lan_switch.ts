/** Finding nodes on the LAN, switched on and off. What does it is loaded only when it is on. */

import { messageOf } from "../../base/errors.ts";
import type { LanReport } from "../../wire/reports.ts";
import type { LanDiscovery, LanDiscoveryOptions } from "./lan_discovery.ts";
import type { Discover } from "./lan_segments.ts";

/** The switch of one daemon. */
export class LanSwitch {
  readonly #options: LanDiscoveryOptions;
  #discovery: LanDiscovery | undefined;
  /** One change after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: LanDiscoveryOptions) {
    this.#options = options;
  }

  /** What was found; null while nobody looks. */
  report(): LanReport | null {
    return this.#discovery?.report() ?? null;
  }

  /** Looks for nodes on these interfaces from now on; resolves when it does, and never rejects. */
  async set(discover: Discover): Promise<void> {
    this.#work = this.#work.then(() => this.#set(discover)).catch((error) => {
      this.#options.log.warn("cannot look for nodes on the LAN", { error: messageOf(error) });
    });
    await this.#work;
  }

  /** Says goodbye; resolves soon. */
  async stop(): Promise<void> {
    await this.set([]);
  }

  async #set(discover: Discover): Promise<void> {
    if (discover.length === 0) {
      await this.#discovery?.stop();
      this.#discovery = undefined;
      return;
    }
    if (this.#discovery === undefined) {
      const { LanDiscovery } = await import("./lan_discovery.ts");
      this.#discovery = new LanDiscovery(this.#options);
    }
    await this.#discovery.set(discover);
  }
}
