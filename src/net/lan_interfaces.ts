/** The interfaces of this machine that have others on them, and who is on them. */

import {
  isInNetwork,
  isLinkLocal,
  isLoopback,
  isWholeSubnet,
  type OwnAddress,
} from "../wire/host.ts";
import { networkInterfaces } from "./own_addresses.ts";

/** A family of addresses. */
export type Family = 4 | 6;

/** One interface and its addresses. */
export interface LanInterface {
  readonly name: string;
  readonly addresses: Readonly<Record<Family, readonly OwnAddress[]>>;
}

/** All interfaces but the one of this machine alone; none where they cannot be listed. */
export function lanInterfaces(): LanInterface[] {
  const found = new Map<string, Record<Family, OwnAddress[]>>();
  for (const { name, address: host, cidr, family } of networkInterfaces()) {
    if (isLoopback(host)) continue;
    const addresses = found.get(name) ?? { 4: [], 6: [] };
    found.set(name, addresses);
    addresses[family === "IPv4" ? 4 : 6].push({ host, bits: bitsOf(cidr) });
  }
  return Array.from(found, ([name, addresses]) => ({ name, addresses }));
}

/** Whether an address is of one host on the same link, rather than behind a router or of all hosts. */
export function isOnLink({ addresses }: LanInterface, host: string): boolean {
  const family = host.includes(":") ? 6 : 4;
  if (isLinkLocal(host)) return addresses[6].length > 0;
  return addresses[family].some((own) =>
    isInNetwork(host, own.host, own.bits) && !isWholeSubnet(host, own.host, own.bits)
  );
}

function bitsOf(cidr: string): number {
  const bits = Number(cidr.slice(cidr.indexOf("/") + 1));
  // What is not known to be on the link is not.
  return Number.isInteger(bits) && bits > 0 ? bits : 128;
}
