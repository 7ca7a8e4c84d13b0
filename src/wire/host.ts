/**
 * Hosts on the wire are IP addresses as text: a node never looks a name up for a stranger.
 *
 * An address has many notations (`::1`, `0:0:0:0:0:0:0:1`, `::ffff:127.0.0.1`, `::ffff:7f00:1`), so
 * what an address means is decided on its bytes, never on its text.
 */

import {
  isInNetwork as isIn,
  isZero,
  networkAround,
  parseHost,
  parsePlain,
} from "../base/address.ts";

/** Why `host` is not an IP address that may travel, or undefined when it is one. */
export function hostProblem(host: string): string | undefined {
  return parseHost(host) === undefined ? "it is not an IP address" : undefined;
}

/** Whether `host` is an IP address. */
export function isIp(host: string): boolean {
  return parseHost(host) !== undefined;
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether `host` is this machine's own loopback address, whatever its notation. */
export function isLoopback(host: string): boolean {
  if (!host.includes(":")) return host.startsWith("127.");
  const bytes = parsePlain(host);
  if (bytes === undefined) return false;
  return bytes.length === 4 ? bytes[0] === 127 : bytes[15] === 1 && isZero(bytes, 0, 15);
}

/** First bytes of addresses that mean something else in each network, or nothing; RFC 6890. */
const NOT_PUBLIC_V4: readonly (readonly number[])[] = [
  [0],
  [10],
  [127],
  [169, 254],
  [192, 168],
  [192, 0, 0],
];

/** Whether `host` is an address that means the same machine everywhere; false for names. */
export function isPublic(host: string): boolean {
  const bytes = parsePlain(host);
  if (bytes === undefined) return false;
  const [first = 0, second = 0] = bytes;
  if (bytes.length === 4) {
    if (NOT_PUBLIC_V4.some((prefix) => prefix.every((byte, i) => bytes[i] === byte))) return false;
    const isShared = first === 100 && second >= 64 && second < 128;
    const isPrivate = first === 172 && second >= 16 && second < 32;
    const isTesting = first === 198 && (second === 18 || second === 19);
    return first < 224 && !isShared && !isPrivate && !isTesting;
  }
  // An IPv4 address by way of a translator (64:ff9b::/96), or of 6to4.
  if (first === 0 && second === 0x64 && bytes[2] === 0xff && bytes[3] === 0x9b) {
    return isPublic(bytes.slice(12).join("."));
  }
  if (first === 0x20 && second === 2) return isPublic(bytes.slice(2, 6).join("."));
  // What is given out to the world is 2000::/3.
  return first >> 5 === 1;
}

/**
 * Whether nobody can be dialled at `host`: it is no address, unspecified (which a system takes for
 * its own loopback), multicast, or reserved.
 */
export function isNowhere(host: string): boolean {
  const bytes = parsePlain(host);
  if (bytes === undefined) return true;
  const first = bytes[0]!;
  if (bytes.length === 4) return first === 0 || first >= 224;
  // ::/96 holds the unspecified address and the long withdrawn IPv4-compatible ones.
  return first === 0xff || (isZero(bytes, 0, 12) && !isLoopback(host));
}

/** `host` without the IPv4-in-IPv6 wrapping that a dual-stack listener reports. */
export function plainHost(host: string): string {
  if (!host.includes(":")) return host;
  const bytes = parsePlain(host);
  return bytes?.length === 4 ? bytes.join(".") : host;
}

/** Whether two texts are the same address, whatever their notation and zone (`%eth0`). */
export function isSameHost(one: string, other: string): boolean {
  return one === other || bytesOf(one) !== undefined && bytesOf(one) === bytesOf(other);
}

function bytesOf(host: string): string | undefined {
  return parsePlain(host.replace(/%.*$/, ""))?.join(".");
}

/** Who named an address on a LAN: the host that has it, or another. */
export type LanNaming = "itself" | "other";

/** An address of a machine, and how many of its bits, from the first on, are those of its subnet. */
export interface OwnAddress {
  readonly host: string;
  readonly bits: number;
}

/**
 * Whether `host` is in the network of `bits` bits to which `address` belongs, or is an address of an
 * IPv6 link (fe80::/10), as every one on it has.
 */
export function isInNetwork(host: string, address: string, bits: number): boolean {
  const [one, other] = [parsePlain(host), parsePlain(address)];
  if (one === undefined || other === undefined || one.length !== other.length) return false;
  return isLinkLocal(host) || isIn(one, networkAround(other, bits));
}

/** Whether `host` stands for a whole IPv4 subnet, that of `address`: its first or its last address. */
export function isWholeSubnet(host: string, address: string, bits: number): boolean {
  const [one, other] = [parsePlain(host), parsePlain(address)];
  // RFC 3021: in a subnet of two addresses both are hosts.
  if (one?.length !== 4 || other?.length !== 4 || bits > 30) return false;
  if (!isIn(one, networkAround(other, bits))) return false;
  // The bits of each byte that tell hosts of the subnet apart.
  const masks = one.map((_, i) => 0xff >> Math.min(8, Math.max(0, bits - 8 * i)));
  return one.every((byte, i) => (byte & masks[i]!) === 0) ||
    one.every((byte, i) => (byte & masks[i]!) === masks[i]);
}

/** Whether `host` is an IPv6 address that means something on one link only (fe80::/10). */
export function isLinkLocal(host: string): boolean {
  const bytes = parsePlain(host);
  return bytes?.length === 16 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

/**
 * Whether `host` means another machine elsewhere: a loopback address, and one of an IPv6 link, which
 * only those on that link can dial.
 */
export function isOnlyHere(host: string): boolean {
  return isLoopback(host) || isLinkLocal(host);
}

/**
 * Whether `host` names the same machine at both ends of a link whose far end is at `linkHost`.
 *
 * A loopback address does so only when both ends are on one machine, one of an IPv6 link only when both
 * are seen to be on one. So it is not passed on over other links, and one that comes over them is not
 * used: it would make this node dial itself, or nobody.
 */
export function isSharedMeaning(host: string, linkHost: string): boolean {
  if (isNowhere(host)) return false;
  return isLoopback(host) ? isLoopback(linkHost) : !isLinkLocal(host) || isLinkLocal(linkHost);
}

/**
 * Whether a host and a port as they travel go together: both, or neither ("" and 0: nobody can be
 * dialled).
 */
export function isWholeAddress(host: string, port: number): boolean {
  return (host === "") === (port === 0);
}
