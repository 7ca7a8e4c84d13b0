/**
 * Which names an HTTP server of this machine answers to. A page in a browser can have its own name lead to this machine
 * (DNS rebinding), and read what it is answered, for it has the same origin; its requests then have
 * that name as their `Host`. So only these are answered: addresses, which no such page has,
 * `localhost`, the name of this machine, and those that a person gave.
 */

import { isIp } from "../wire/host.ts";

/** Why a request is not answered: status and one line for its client. */
interface HostProblem {
  readonly status: 400 | 421;
  readonly text: string;
}

/**
 * What is wrong with the `Host` of a request; undefined when it is answered. RFC 9112 section 3.2 has a
 * request of HTTP/1.1 name one host, and none name two.
 *
 * @param header `a, b` when it names two, as no host is written.
 * @param names In lower case.
 * @param server What serves it, and the flag that gives it names, for a person.
 */
export function hostProblem(
  header: string | null,
  names: readonly string[],
  server: { readonly what: string; readonly flag: string },
): HostProblem | undefined {
  if (header === null) return { status: 400, text: "Cannot serve it: the request names no host" };
  if (header.includes(",")) {
    return { status: 400, text: "Cannot serve it: the request names more than one host" };
  }
  const host = header.trim().toLowerCase().replace(/:\d*$/, "");
  const address = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (isIp(address) || name === "localhost" || names.includes(name)) return undefined;
  const said = JSON.stringify(header.slice(0, 255));
  return {
    status: 421,
    text: `Cannot serve it: ${said} is no name of ${server.what} (see ${server.flag})`,
  };
}

/** What this machine is called, in lower case; nothing where that is not to be had. */
export function machineNames(): string[] {
  try {
    const name = Deno.hostname().toLowerCase();
    return [name, `${name}.local`];
  } catch {
    return [];
  }
}
