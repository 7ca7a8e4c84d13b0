/** The settings that a daemon and a fetch with a node of its own share. */

import type { HostPort } from "../base/address.ts";
import { parseAddress } from "./address.ts";
import type { Arguments } from "./arguments.ts";
import { readKeyFile } from "./key_file.ts";
import { anyHost } from "./listen_host.ts";
import { parseNetwork, parseTtl } from "./values.ts";

/** Port on which nodes listen for each other. */
export const NODE_PORT = 8048;
/** Port on which a daemon serves its clients. */
export const CLIENT_PORT = 8049;

/** How a node takes part in a network. */
export interface NetworkSettings {
  readonly node: HostPort;
  readonly peers: readonly HostPort[];
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
  readonly ttl: number;
  /** False: nobody can dial this node. */
  readonly isReachable: boolean;
}

/**
 * Reads `--node`, `--peer`, `--network`, `--network-key-file`, `--ttl` and
 * `--no-callback`.
 *
 * @throws {UsageError} when one of them cannot be read.
 */
export async function readNetworkSettings(
  args: Arguments,
  options: { readonly nodePort: number },
): Promise<NetworkSettings> {
  const text = args.text("node");
  const defaults = { host: text?.startsWith(":") === false ? "" : anyHost(), port: NODE_PORT };
  const keyFile = args.text("network-key-file");
  return {
    node: text === undefined
      ? { ...defaults, port: options.nodePort }
      : parseAddress(text, { what: args.origin("node"), defaults }),
    peers: readPeers(args),
    network: parseNetwork(args.text("network") ?? "", args.origin("network")),
    networkKey: keyFile === undefined ? undefined : await readKeyFile(keyFile),
    ttl: parseTtl(args.text("ttl") ?? "", args.origin("ttl")),
    isReachable: !args.has("no-callback"),
  };
}

/** Reads `--peer`. */
export function readPeers(args: Arguments): readonly HostPort[] {
  const defaults = { host: "127.0.0.1", port: NODE_PORT };
  const what = args.origin("peer");
  return args.list("peer").map((text) => parseAddress(text, { what, defaults, isDialled: true }));
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
