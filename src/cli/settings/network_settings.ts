/** The settings that a daemon and a fetch with a node of its own share. */

import type { HostPort } from "../../base/address.ts";
import { UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { formatAddress, parseAddress } from "../address.ts";
import type { Arguments } from "../arguments.ts";
import { readKeyFile } from "./key_file.ts";
import { anyHost } from "./listen_host.ts";
import { parseNetwork, parseTtl } from "../values.ts";

/** Port on which nodes listen for each other. */
export const NODE_PORT = 8048;
/** Port on which a daemon serves its clients. */
export const CLIENT_PORT = 8049;

/** Port on which a directory serves nodes. */
export const DIRECTORY_PORT = 8047;

/** Port on which a daemon's gateway serves HTTP. */
export const GATEWAY_PORT = 8050;

/** How a node takes part in a network. */
export interface NetworkSettings {
  readonly node: HostPort;
  readonly peers: readonly HostPort[];
  readonly directories: readonly HostPort[];
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
  readonly ttl: number;
  /** False: nobody can dial this node. */
  readonly isReachable: boolean;
}

/**
 * Reads `--node`, `--peer`, `--directory`, `--network`, `--network-key-file`, `--ttl` and
 * `--no-callback`.
 *
 * @throws {UsageError} when one of them cannot be read.
 */
export async function readNetworkSettings(
  args: Arguments,
  options: { readonly nodePort: number },
): Promise<NetworkSettings> {
  const { nodePort } = options;
  return {
    node: readListenAddress(args, { flag: "node", port: NODE_PORT, portUnset: nodePort }),
    peers: readPeers(args),
    directories: readDirectories(args),
    ...await readNetwork(args),
    ttl: parseTtl(args.text("ttl") ?? "", args.origin("ttl")),
    isReachable: !args.has("no-callback"),
  };
}

/**
 * Reads `--network` and `--network-key-file`.
 *
 * @throws {UsageError} when one of them cannot be read.
 */
export async function readNetwork(
  args: Arguments,
): Promise<Pick<NetworkSettings, "network" | "networkKey">> {
  const keyFile = args.text("network-key-file");
  return {
    network: parseNetwork(args.text("network") ?? "", args.origin("network")),
    networkKey: keyFile === undefined ? undefined : await readKeyFile(keyFile),
  };
}

/**
 * Reads where to listen: on all addresses unless a host is named, at `port` unless a port is named,
 * at `portUnset` when the flag is not given at all.
 *
 * @throws {UsageError} when it cannot be read.
 */
export function readListenAddress(
  args: Arguments,
  options: { readonly flag: string; readonly port: number; readonly portUnset: number },
): HostPort {
  const { flag, port, portUnset } = options;
  const text = args.text(flag);
  if (text === undefined) return { host: anyHost(), port: portUnset };
  const defaults = { host: text.startsWith(":") ? anyHost() : "", port };
  return parseAddress(text, { what: args.origin(flag), defaults });
}

/** Reads `--peer`. */
export function readPeers(args: Arguments): readonly HostPort[] {
  const defaults = { host: "127.0.0.1", port: NODE_PORT };
  const what = args.origin("peer");
  return args.list("peer").map((text) => parseAddress(text, { what, defaults, isDialled: true }));
}

/**
 * Reads `--directory`, each once.
 *
 * @throws {UsageError} when one cannot be read, or there are too many.
 */
export function readDirectories(args: Arguments): readonly HostPort[] {
  const defaults = { host: "127.0.0.1", port: DIRECTORY_PORT };
  const what = args.origin("directory");
  const directories = new Map(
    args.list("directory")
      .map((text) => parseAddress(text, { what, defaults, isDialled: true }))
      .map((address) => [formatAddress(address), address]),
  );
  if (directories.size > limits.directoriesMax) {
    throw new UsageError(
      `Cannot use ${directories.size} directories: at most ${limits.directoriesMax} are asked`,
    );
  }
  return [...directories.values()];
}

/**
 * A peer that is given as an argument, as HOST:PORT.
 *
 * @throws {UsageError} when it cannot be read.
 */
export function readPeerArgument(text: string): string {
  const defaults = { host: "127.0.0.1", port: NODE_PORT };
  return formatAddress(parseAddress(text, { what: "peer", defaults, isDialled: true }));
}

/** Reads `--client`: where a daemon listens for clients, or is to be found. */
export function readClientAddress(
  args: Arguments,
  options: { readonly isDialled?: boolean } = {},
): HostPort {
  return parseAddress(args.text("client") ?? "", {
    what: args.origin("client"),
    defaults: { host: "127.0.0.1", port: CLIENT_PORT },
    ...options,
  });
}
