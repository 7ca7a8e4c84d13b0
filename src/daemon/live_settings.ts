/**
 * The settings of a daemon that can be changed while it runs, one method each. A method is given all
 * that shall hold from now on, and changes what differs; what is in flight goes on. It throws nothing.
 */

import type { HostPort } from "../base/address.ts";
import { messageOf } from "../base/errors.ts";
import type { RateSettings } from "../base/rates/rate_settings.ts";
import type { Logger } from "../base/log.ts";
import type { KeepingSettings } from "../core/keeping/disk_marks.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { machineNames } from "../net/known_hosts.ts";
import type { Accepting } from "./push/push_receiver.ts";
import type { Discover } from "./lan/lan_segments.ts";
import type { LanSwitch } from "./lan/lan_switch.ts";
import type { Node } from "./node/node.ts";
import type { NamedPeers, SrvPeers } from "./node/srv_peers.ts";
import type { Prefetcher } from "./prefetch/prefetcher.ts";

interface LiveSettingsOptions {
  readonly node: Node;
  readonly srvPeers: SrvPeers;
  readonly lan: LanSwitch;
  /** Undefined: there is none, and nothing of it can be changed. */
  readonly gateway: Gateway | undefined;
  /** Undefined without gateway or databases. */
  readonly prefetcher: Prefetcher | undefined;
  readonly log: Logger;
}

/** Settings of one daemon. */
export class LiveSettings {
  readonly #options: LiveSettingsOptions;
  /** What was shared for it; what a person shared otherwise is not touched. */
  readonly #shared = new Set<string>();
  #shares: readonly string[] = [];

  constructor(options: LiveSettingsOptions) {
    this.#options = options;
  }

  /** New nodes are dialled; a link with one that is gone from the list may stay. */
  setPeers(named: NamedPeers): void {
    this.#options.srvPeers.set(named);
  }

  /** Nodes that were found stay linked. */
  setDiscover(discover: Discover): void {
    void this.#options.lan.set(discover);
  }

  /** Counts for connections that come about from now on. */
  setSite(site: string): void {
    this.#options.node.place.site = site;
  }

  /** New directories are told what is here, the others are told goodbye. */
  setDirectories(addresses: readonly HostPort[]): void {
    this.#options.node.discovery.directories.setAddresses(addresses);
  }

  setShares(paths: readonly string[]): void {
    const { shares } = this.#options.node.store;
    this.#shares = paths;
    for (const path of this.#shared) {
      if (paths.includes(path)) continue;
      this.#shared.delete(path);
      shares.forget(path);
    }
    this.shareAll();
  }

  /** Shares what could not be shared before. */
  shareAll(): void {
    const { log, node: { store: { shares } } } = this.#options;
    for (const path of this.#shares) {
      if (this.#shared.has(path)) continue;
      try {
        shares.add(path, { persist: false });
        this.#shared.add(path);
      } catch (error) {
        log.error("cannot share", { path, error: messageOf(error) });
      }
    }
  }

  /** What is on its way into the data directory comes all the same. */
  setAccepting(accepting: Accepting): void {
    this.#options.node.transfers.pushReceiver.accepting = accepting;
  }

  /** What is over it goes in the background; what is on its way comes all the same. */
  setKeeping(keeping: KeepingSettings): void {
    this.#options.node.keeper.settings = keeping;
  }

  /** How fast files may go, those that are on their way too. */
  setRates(rates: RateSettings): void {
    this.#options.node.rates.apply(rates);
  }

  /** Mirrors for the requests that come from now on. */
  setMirrors(mirrors: readonly string[]): void {
    if (this.#options.gateway !== undefined) this.#options.gateway.mirrors = mirrors;
  }

  /** What is being fetched in advance is given up when it is not wanted any more. */
  setPrefetch(isOn: boolean): void {
    if (this.#options.prefetcher !== undefined) this.#options.prefetcher.isOn = isOn;
  }

  setGatewayNames(names: readonly string[]): void {
    if (this.#options.gateway !== undefined) {
      this.#options.gateway.names = [...names, ...machineNames()];
    }
  }
}
