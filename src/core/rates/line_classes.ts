/**
 * Whether a host is reached over the line, which is what rates are for. Pure.
 *
 * Rules
 *  1. What a person said of a network holds in it; of networks that lie in each other, the smallest.
 *  2. This machine itself, and addresses of a link (fe80::/10, 169.254/16), are not the line.
 *  3. Nor is a network that this machine is attached to by an interface with a hardware address: the
 *     LAN, be its addresses private or public. Tunnels (WireGuard, tun, PPP) have none: what is
 *     behind them goes over the line, whatever its addresses.
 *  4. All else is: private addresses behind a router too, for nothing says where they are.
 */

import {
  type IpNetwork,
  isInNetwork,
  networkAround,
  type OwnNetwork,
  parsePlain,
} from "../../base/address.ts";
import type { RateNetwork } from "../../base/rates/rate_settings.ts";
import { isLoopback } from "../../wire/host.ts";

/** How a host is reached. */
type LineClass =
  /** At no cost. */
  | { readonly kind: "free" }
  | { readonly kind: "line" }
  /** In a network with a rate of its own. */
  | { readonly kind: "network"; readonly network: RateNetwork };

const LINK_NETWORKS: readonly IpNetwork[] = [
  { bytes: [169, 254, 0, 0], prefixBits: 16 },
  { bytes: [0xfe, 0x80, ...new Array<number>(14).fill(0)], prefixBits: 10 },
];

/** Tells hosts apart. */
export class LineClasses {
  /** The smallest first. */
  readonly #given: readonly RateNetwork[];
  readonly #free: readonly IpNetwork[];

  constructor(given: readonly RateNetwork[], own: readonly OwnNetwork[]) {
    this.#given = given.toSorted((a, b) => b.network.prefixBits - a.network.prefixBits);
    this.#free = [
      ...LINK_NETWORKS,
      ...own.map(({ address, prefixBits, hasHardware }) =>
        networkAround(address, hasHardware ? prefixBits : 8 * address.length)
      ),
    ];
  }

  /** @param host An IP address; what is none is taken for the line. */
  classOf(host: string): LineClass {
    const address = parsePlain(host.split("%", 1)[0]!);
    if (address === undefined) return { kind: "line" };
    const given = this.#given.find(({ network }) => isInNetwork(address, network));
    if (given !== undefined) {
      if (given.rule === "line") return { kind: "line" };
      return given.rule === null ? { kind: "free" } : { kind: "network", network: given };
    }
    const isFree = isLoopback(host) || this.#free.some((one) => isInNetwork(address, one));
    return { kind: isFree ? "free" : "line" };
  }
}
