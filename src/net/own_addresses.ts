/** The addresses of this machine: when they change, the network did. */

import { isLoopback } from "../wire/host.ts";

/**
 * One text for all addresses that other machines may know this one by; equal while they are.
 *
 * Addresses of a link (fe80::) are left out: each container that comes and goes has one.
 */
export function ownAddresses(): string {
  try {
    const addresses = Deno.networkInterfaces().map(({ address }) => address);
    return addresses.filter((one) => !isLoopback(one) && !/^fe80:/i.test(one)).sort().join(" ");
  } catch {
    // Not to be had here: then nothing changes.
    return "";
  }
}
