/**
 * A socket for multicast DNS: one interface, one family of addresses, port 5353, which it shares with
 * whoever else speaks it on this machine (avahi, systemd-resolved).
 *
 * It is bound to the group, not to all addresses. So the system gives it nothing that was sent to this
 * machine alone: those packets are for the machine's own resolver, and only one socket gets each. For
 * IPv6 the group names the interface too. An IPv4 socket hears all interfaces on which anybody here
 * joined the group: its owner tells them apart by the sender's address.
 */

import { createSocket, type Socket } from "node:dgram";
import type { HostPort } from "../base/address.ts";
import { EnvironmentError, messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Family, LanInterface } from "./lan_interfaces.ts";

/** The port of multicast DNS, and its groups. */
export const MDNS_PORT = 5353;
const GROUPS: Readonly<Record<Family, string>> = { 4: "224.0.0.251", 6: "ff02::fb" };

interface MulticastSocketOptions {
  readonly interface: LanInterface;
  readonly family: Family;
  readonly received: (bytes: Uint8Array, from: HostPort) => void;
  /** It is of no use any more. */
  readonly failed: (reason: string) => void;
}

/** An open socket. */
export class MulticastSocket {
  readonly #socket: Socket;
  readonly #group: string;

  private constructor(socket: Socket, group: string) {
    this.#socket = socket;
    this.#group = group;
  }

  /** @throws {EnvironmentError} when there is no multicast on that interface in that family. */
  static async open(options: MulticastSocketOptions): Promise<MulticastSocket> {
    const { interface: { name, addresses }, family, received, failed } = options;
    const group = GROUPS[family];
    const socket = createSocket({ type: `udp${family}`, reuseAddr: true });
    const { promise: bound, resolve, reject } = Promise.withResolvers<void>();
    socket.on("error", (error) => {
      reject(error);
      failed(reasonOf(error, "use"));
    });
    socket.on("message", (bytes, { address: host, port }) => received(bytes, { host, port }));
    const zone = `%${name}`;
    try {
      // On Windows no socket can be bound to a group.
      const own = Deno.build.os === "windows"
        ? (family === 4 ? "0.0.0.0" : "::")
        : family === 4
        ? group
        : group + zone;
      socket.bind({ port: MDNS_PORT, address: own, exclusive: false }, resolve);
      await bound;
      const on = family === 4 ? addresses[4][0]?.host : `::${zone}`;
      socket.addMembership(group, on);
      socket.setMulticastInterface(on ?? "");
      // Of the packets to all and of those to one host; whoever checks wants 255.
      socket.setMulticastTTL(limits.lanHopsMax);
      socket.setTTL(limits.lanHopsMax);
      // Others on this machine are nodes as well.
      socket.setMulticastLoopback(true);
      // It keeps nobody alive by itself.
      socket.unref();
    } catch (cause) {
      close(socket);
      throw new EnvironmentError("unreachable", reasonOf(cause, "use"), { cause });
    }
    return new MulticastSocket(socket, group);
  }

  /**
   * Sends to all on the segment, or to one host.
   *
   * @throws {EnvironmentError} when the system refuses.
   */
  async send(bytes: Uint8Array, to?: HostPort): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    const { host, port } = to ?? { host: this.#group, port: MDNS_PORT };
    try {
      this.#socket.send(bytes, port, host, resolve);
    } catch (error) {
      resolve(error as Error);
    }
    const error = await promise;
    if (error) {
      throw new EnvironmentError("unreachable", reasonOf(error, "send to"), { cause: error });
    }
  }

  close(): void {
    close(this.#socket);
  }
}

/** What went wrong, in words where the system's are known. */
function reasonOf(error: unknown, what: string): string {
  const { code, address } = error as { readonly code?: string; readonly address?: string };
  if (code === "EADDRINUSE") return `another program has UDP port ${MDNS_PORT} for itself`;
  if (address === undefined) return messageOf(error);
  // What a firewall forbids has no code here, nor has an address that is not in use yet.
  const unknown = address.includes(":")
    ? "does a firewall forbid it, or is the address here tentative (`ip -6 addr`)?"
    : "does a firewall forbid it?";
  const why = code === undefined || code === "UNKNOWN" ? unknown : code;
  return `cannot ${what} ${address}: ${why}`;
}

function close(socket: Socket): void {
  try {
    socket.close();
  } catch { /* It was closed already. */ }
}
