/** Addresses to listen on or to dial, IP addresses as bytes, and networks of them. */

const DOT = 0x2e;
const DIGIT_0 = 0x30;

/** Host and port to listen on or to dial; port 0 lets the system choose. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What begins a peer that is a name in DNS, and not a port of a machine called "srv". */
export const SRV_PEER = /^srv:(?![0-9]+$)/i;

/** All addresses with the same first bits. */
export interface IpNetwork {
  /** Its first address, 4 or 16 bytes; the bits behind the prefix are 0. */
  readonly bytes: readonly number[];
  readonly prefixBits: number;
}

/** An address of this machine, 4 or 16 bytes, and the network around it. */
export interface OwnNetwork {
  readonly address: readonly number[];
  readonly prefixBits: number;
  /** Whether its interface has a hardware address, as those of tunnels have not. */
  readonly hasHardware: boolean;
}

/** Whether an address, 4 or 16 bytes, is in a network. */
export function isInNetwork(address: readonly number[], network: IpNetwork): boolean {
  const { bytes, prefixBits } = network;
  if (address.length !== bytes.length) return false;
  return bytes.every((byte, i) => (address[i]! & maskOf(prefixBits, i)) === byte);
}

/** The network of so many first bits that an address is in. */
export function networkAround(address: readonly number[], prefixBits: number): IpNetwork {
  return { bytes: address.map((byte, i) => byte & maskOf(prefixBits, i)), prefixBits };
}

/** Which bits of the byte with this index belong to the prefix. */
function maskOf(prefixBits: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefixBits - 8 * index));
  return 0xff << (8 - bits) & 0xff;
}

/** The 4 or 16 bytes of an address; undefined for anything else, a zone (`%eth0`) included. */
export function parseHost(host: string): readonly number[] | undefined {
  return host.includes(":") ? parseV6(host) : parseV4(host);
}

/** As {@linkcode parseHost}, with an IPv4 address out of its IPv6 wrapping. */
export function parsePlain(host: string): readonly number[] | undefined {
  const bytes = parseHost(host);
  const isMapped = bytes?.length === 16 && isZero(bytes, 0, 10) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  return isMapped ? bytes.slice(12) : bytes;
}

function parseV4(text: string): readonly number[] | undefined {
  const bytes: number[] = [];
  // Of the part so far; -1 before its first digit.
  let value = -1;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : DOT;
    if (code === DOT) {
      if (value < 0 || bytes.length === 4) return undefined;
      bytes.push(value);
      value = -1;
      continue;
    }
    const digit = code - DIGIT_0;
    // A leading zero is octal to some and decimal to others: refused.
    if (digit < 0 || digit > 9 || value === 0) return undefined;
    value = value < 0 ? digit : 10 * value + digit;
    if (value > 255) return undefined;
  }
  return bytes.length === 4 ? bytes : undefined;
}

function parseV6(text: string): readonly number[] | undefined {
  const halves = text.split("::", 3);
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = parseGroups(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // "::" stands for one group or more; without it all eight are written.
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** Bytes of groups between colons; the last may be an IPv4 address if `isEnd`. */
function parseGroups(text: string, isEnd: boolean): readonly number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":", 9);
  for (const [index, group] of groups.entries()) {
    if (group.includes(".")) {
      const v4 = isEnd && index === groups.length - 1 ? parseV4(group) : undefined;
      if (v4 === undefined) return undefined;
      bytes.push(...v4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >>> 8, value & 0xff);
    }
  }
  return bytes;
}

/** Whether these bytes are all zero. */
export function isZero(bytes: readonly number[], from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
