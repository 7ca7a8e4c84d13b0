/** HOST:PORT as people write it. Whether the host exists is found out when it is used. */

import type { HostPort } from "../../base/address.ts";
import { UsageError } from "../../base/errors.ts";
import type { Parser } from "./arguments.ts";

const PORT_MAX = 65_535;

/** What a part left out stands for, and what may be said. */
interface AddressOptions {
  /** The flag or key, for messages. */
  readonly what: string;
  readonly defaults: HostPort;
  /** Whether it is dialled: port 0 then means nothing. */
  readonly isDialled?: boolean;
}

/**
 * Reads `HOST:PORT`, `HOST`, `:PORT`, `[IPV6]:PORT` or `[IPV6]`.
 *
 * @throws {UsageError} when it is none of these.
 */
export function parseAddress(text: string, options: AddressOptions): HostPort {
  const { what, defaults } = options;
  const { port } = defaults;
  const problem = (reason: string) =>
    new UsageError(`Cannot use ${what} ${JSON.stringify(text.slice(0, 300))}: ${reason}`, {
      hint: `Write HOST:PORT, for instance 10.0.0.2:${port} or [2001:db8::2]:${port}.`,
    });
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/s.exec(text);
  if (match === null) {
    const isBareIpv6 = /^[0-9a-fA-F:.]+$/.test(text) && text.split(":").length > 2;
    throw problem(
      isBareIpv6 ? `an IPv6 address stands in brackets, as in [${text}]` : "it is no HOST:PORT",
    );
  }
  const [, bracketed, plain, portText] = match;
  if (bracketed !== undefined && !isIpv6(bracketed)) {
    throw problem("what stands in brackets is no IPv6 address");
  }
  if (plain && !isHostName(plain)) {
    throw problem("the host is neither a name nor an IP address");
  }
  const host = bracketed ?? (plain || defaults.host);
  if (portText === undefined) {
    if (plain === "") throw problem("it is empty");
    return { host, port };
  }
  if (!/^[0-9]+$/.test(portText)) throw problem("the port is not a number");
  const given = Number(portText);
  if (given > PORT_MAX) throw problem(`port ${portText} is above ${PORT_MAX}`);
  if (given === 0 && options.isDialled) {
    throw problem("port 0 means a free port, so it is only to be listened on");
  }
  return { host, port: given };
}

/** A parser of addresses on this machine and at `port`, unless they name another. */
export function addressParser(
  port: number,
  options: Pick<AddressOptions, "isDialled"> = {},
): Parser<HostPort> {
  const defaults = { host: "127.0.0.1", port };
  return (text, what) => parseAddress(text, { what, defaults, ...options });
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Host and port of what {@linkcode formatAddress} gives. */
export function splitAddress(address: string): { host: string; port: string } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host, port: address.slice(colon + 1) };
}

/**
 * A name as it stands in the `Host` of a request, in lower case, without a port.
 *
 * @param options.prefix What stands before it in `text`.
 * @throws {UsageError} when no machine can have that name.
 */
export function parseHostName(
  text: string,
  what: string,
  { prefix = /^/, example = "cache.lan" }: {
    readonly prefix?: RegExp;
    readonly example?: string;
  } = {},
): string {
  const name = text.replace(prefix, "").toLowerCase().replace(/\.$/, "");
  if (isHostName(name)) return name;
  const said = JSON.stringify(text.slice(0, 300));
  throw new UsageError(`Cannot use ${what} ${said}: it is no name of a machine`, {
    hint: `Write the name alone, without a port, for instance ${example}.`,
  });
}

/** Whether only this machine reaches `host`. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function isHostName(host: string): boolean {
  if (host.length > 253) return false;
  // All digits and dots: it has to be an IPv4 address, for no name looks like that.
  if (/^[0-9.]+$/.test(host)) {
    const parts = host.split(".");
    return parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && +part < 256);
  }
  return host.replace(/\.$/, "").split(".").every((label) =>
    /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label)
  );
}

function isIpv6(host: string): boolean {
  const [address = "", zone] = host.split("%");
  if (zone !== undefined && !/^[A-Za-z0-9._-]+$/.test(zone)) return false;
  // The URL parser knows the whole grammar of RFC 4291, which no regular expression should.
  return /^[0-9a-fA-F:.]+$/.test(address) && address.includes(":") &&
    URL.canParse(`http://[${address}]/`);
}
