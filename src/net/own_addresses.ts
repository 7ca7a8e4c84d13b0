/** The addresses of this machine: when they change, the network did; and the subnets that they are in. */

import { type OwnNetwork, parsePlain } from "../base/address.ts";
import { limits } from "../base/limits.ts";
import { isLinkLocal, isLoopback, type OwnAddress } from "../wire/host.ts";

/** What this machine says of its interfaces; nothing where that cannot be found out. */
export function networkInterfaces(): readonly Deno.NetworkInterfaceInfo[] {
  try {
    return Deno.networkInterfaces();
  } catch {
    return [];
  }
}

/** The networks that this machine is attached to; none where that cannot be found out. */
export function ownNetworks(): readonly OwnNetwork[] {
  return networkInterfaces().flatMap(({ address: text, cidr, mac }) => {
    const address = parsePlain(text);
    const prefixBits = Number(cidr.split("/")[1]);
    if (address === undefined || !Number.isInteger(prefixBits)) return [];
    return [{ address, prefixBits, hasHardware: !/^[0:]*$/.test(mac) }];
  });
}

/** The IPv6 links that this machine is on, as an address of one names them behind its `%`. */
export function linkZones(): string[] {
  const zones = networkInterfaces()
    .filter(({ address, scopeid }) => scopeid && isLinkLocal(address.replace(/%.*$/, "")))
    .map(({ scopeid }) => String(scopeid));
  return [...new Set(zones)].slice(0, limits.linkZonesMax);
}

/**
 * One text for all addresses that other machines may know this one by; equal while they are.
 *
 * Addresses of a link (fe80::) are left out: each container that comes and goes has one.
 */
export function ownAddresses(): string {
  return networkInterfaces().map(({ address }) => address)
    .filter((one) => !isLoopback(one) && !/^fe80:/i.test(one)).sort().join(" ");
}

/**
 * The addresses of this machine, loopback included, each with how many of its bits are those of its
 * subnet.
 */
export function ownSubnets(): readonly OwnAddress[] {
  return networkInterfaces().map(({ address, cidr }) => ({
    host: address.replace(/%.*$/, ""),
    bits: Number(cidr.split("/")[1] ?? NaN) || 0,
  }));
}
