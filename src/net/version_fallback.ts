/**
 * Dials nodes in a version of the protocol that they may not know. One that does not know it refuses,
 * or, in a network with a key, closes without a byte: it is dialled again in the version before, if
 * there is something to say in that. Its address is remembered for a time.
 */

import type { HostPort } from "../base/address.ts";
import { BoundedMap } from "../base/bounded_map.ts";
import { limits } from "../base/limits.ts";
import { formatAddress, type LanNaming } from "../wire/host.ts";
import {
  type Message,
  NODE_VERSION_NEWEST,
  NODE_VERSION_OLDEST,
  NODE_VERSIONS,
  type NodeVersion,
  type Purpose,
} from "../wire/messages.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { closeOnAbort } from "./deadline.ts";
import { initiate, type LocalIdentity, RefusedError, type RemoteIdentity } from "./handshake.ts";

/** The addresses that did not know some version, each for `limits.oldVersionMs`. */
export class OldVersions {
  /** The newest version that each may know, and when it showed, by address. */
  readonly #byAddress = new BoundedMap<
    string,
    { readonly newest: NodeVersion; readonly sinceMs: number }
  >(limits.oldVersionsMax);

  /** The newest version that this address may know. */
  newest({ host, port }: HostPort, nowMs: number): NodeVersion {
    const key = formatAddress(host, port);
    const known = this.#byAddress.get(key);
    if (known === undefined) return NODE_VERSION_NEWEST;
    if (nowMs - known.sinceMs < limits.oldVersionMs) return known.newest;
    this.#byAddress.delete(key);
    return NODE_VERSION_NEWEST;
  }

  /** Says that this address knew no newer version than `newest`. */
  add({ host, port }: HostPort, newest: NodeVersion, nowMs: number): void {
    this.#byAddress.set(formatAddress(host, port), { newest, sinceMs: nowMs });
  }
}

/** A connection after its handshake. */
interface DialledNode {
  readonly connection: Connection;
  /** Its `version` says what is spoken. */
  readonly remote: RemoteIdentity;
}

/** How a node is dialled. */
interface DialOptions {
  readonly identity: LocalIdentity;
  readonly purpose: Purpose;
  /** What is to be spoken, if the node knows it. */
  readonly version: NodeVersion;
  /** Whether there is something to say in older versions as well; never for a `fellow`. */
  readonly fallback: boolean;
  /**
   * A version in which there is as much to say, but for where this node is: it is spoken where `version`
   * is not known. By default there is none.
   */
  readonly below?: NodeVersion;
  readonly oldVersions: OldVersions;
  readonly nowMs: number;
  /** Messages that travel with the proof; `remote.version` says in which version. */
  readonly first?: (remote: RemoteIdentity) => readonly Message[];
  /** Whether the address is not one that some other node named. */
  readonly isGiven?: boolean;
  /** Who named the address, where only the LAN did. */
  readonly namedOnLan?: LanNaming | undefined;
  /** Ends the dial, and the handshake. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a connection to a node in `version`, or in `below`, or with `fallback` in the newest below
 * those that the node knows.
 *
 * @throws {RefusedError} when the node says no. Where none of these is left this is "wrong-version" for an
 * address that is known to say that, and nobody is dialled.
 * @throws {EnvironmentError | PeerFault} as `Connections.dial` and `initiate` do.
 */
export async function dialNode(
  connections: Connections,
  address: HostPort,
  options: DialOptions,
): Promise<DialledNode> {
  const { fallback, below, oldVersions, nowMs } = options;
  const newest = oldVersions.newest(address, nowMs);
  const least = fallback ? NODE_VERSION_OLDEST : below ?? options.version;
  if (newest < least) throw new RefusedError("wrong-version");
  let version = newest < options.version ? belowOf(options, newest) : options.version;
  let connection = await connections.dial(address, options);
  for (;;) {
    let older: NodeVersion | undefined;
    try {
      return await shakeHands(connection, { ...options, version });
    } catch (error) {
      older = olderThan(version);
      if (older === undefined) throw error;
      // Without a key in common no version is spoken.
      if (options.identity.networkKey !== undefined && connection.networkKey === undefined) {
        throw error;
      }
      const isRefused = error instanceof RefusedError && error.refusal === "wrong-version";
      if (isRefused) oldVersions.add(address, older, nowMs);
      if (older < least || !isRefused && !closedWithoutByte(connection)) throw error;
      version = belowOf(options, older);
    }
    // A node that stops closes without a byte as well: only who is still there did not know it.
    connection = await connections.dial(address, options);
    oldVersions.add(address, older, nowMs);
  }
}

/** What is spoken where `newest` is the newest that may be known: a link has no versions in between. */
function belowOf(
  { purpose, below = NODE_VERSION_NEWEST }: Pick<DialOptions, "purpose" | "below">,
  newest: NodeVersion,
): NodeVersion {
  if (purpose === "link") return NODE_VERSION_OLDEST;
  return below < newest ? below : newest;
}

/** The version before; undefined for the first. */
function olderThan(version: NodeVersion): NodeVersion | undefined {
  return NODE_VERSIONS[NODE_VERSIONS.indexOf(version) - 1];
}

async function shakeHands(connection: Connection, options: DialOptions): Promise<DialledNode> {
  const { signal } = options;
  using _ = signal === undefined ? undefined : closeOnAbort(connection, signal);
  return { connection, remote: await initiate(connection, options) };
}

/** Whether the other side read what came, and left: one that is silent or breaks off did not. */
function closedWithoutByte({ hasEnded, bytesIn }: Connection): boolean {
  return hasEnded && bytesIn === 0;
}
