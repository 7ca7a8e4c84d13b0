/**
 * How near another node is, by its address, by the site that a person named for it, and by the round
 * trip. Decides nothing else; the order in which holders are asked follows from it.
 *
 * Rules
 *  1. The addresses of this machine are the host.
 *  2. Sites that were named, and differ, are far from each other, whatever the addresses are: a tunnel
 *     may put two of them into one subnet.
 *  3. An address in the subnet of an interface of this machine is of the subnet, unless that is so wide
 *     (`subnetBitsMin`) that it says nothing.
 *  4. Who names the same site is of the site. All else is far.
 *  5. Of those that are far, a shorter round trip is nearer, in steps of four times: one that was
 *     measured while a machine was busy must not change the order.
 */

import { limits } from "../../base/limits.ts";
import {
  isInNetwork,
  isLinkLocal,
  isLoopback,
  type OwnAddress,
  plainHost,
} from "../../wire/host.ts";
import { type Nearness, NEARNESSES } from "../../wire/nearness.ts";

/** Where this machine is. */
export interface MachinePlace {
  readonly addresses: readonly OwnAddress[];
  /** As a person named it; "": nobody did. */
  readonly site: string;
}

/** Rules 1 to 4. `site` is "" where none is known. */
export function nearnessOf(
  { host, site }: { readonly host: string; readonly site: string },
  own: MachinePlace,
): Nearness {
  const plain = plainHost(host);
  const bits = plain.includes(":") ? 128 : 32;
  const isOwn = !isLinkLocal(plain) &&
    own.addresses.some((address) => isInNetwork(plain, address.host, bits));
  if (isOwn || isLoopback(host)) return "host";
  if (site !== "" && own.site !== "" && site !== own.site) return "far";
  if (own.addresses.some((address) => isInSubnet(plain, address))) return "subnet";
  return site !== "" && site === own.site ? "site" : "far";
}

/** The place of a holder in the order in which holders are asked: lower ones first. */
export function rankOf(nearness: Nearness, roundTripMs: number | null): number {
  const rank = NEARNESSES.indexOf(nearness);
  if (nearness !== "far" || roundTripMs === null) return rank;
  // Rule 5.
  const steps = Math.floor(Math.log2(Math.max(1, roundTripMs / limits.roundTripStepMs)) / 2);
  return rank + Math.min(steps, limits.roundTripStepsMax);
}

/** Whether what goes to and fro between the two crosses a line that may be thin. */
export function isFar(nearness: Nearness): boolean {
  return nearness === "far";
}

function isInSubnet(host: string, { host: own, bits }: OwnAddress): boolean {
  const min = host.includes(":") ? limits.subnetBitsMinV6 : limits.subnetBitsMinV4;
  return bits >= min && isInNetwork(host, own, bits);
}
