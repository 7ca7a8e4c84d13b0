/** The settings that say which network, and where its nodes and directories are. */

import { type HostPort, SRV_PEER } from "../../base/address.ts";
import { UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { addressParser, formatAddress, parseAddress, parseHostName } from "../arguments/address.ts";
import type { Arguments, Parser } from "../arguments/arguments.ts";
import { about, blaming } from "../arguments/setting_faults.ts";
import { parseNetwork, parseSite, parseTtl } from "../arguments/values.ts";
import { pathWord } from "../terminal/command_words.ts";
import { warn } from "../terminal/terminal.ts";
import { readBounded } from "./bounded_file.ts";

/** Port on which a directory serves nodes. */
const DIRECTORY_PORT = 8047;
/** Port on which nodes listen for each other. */
const NODE_PORT = 8048;
/** Port on which a daemon serves its clients. */
const CLIENT_PORT = 8049;

/** Where a daemon serves its clients when nobody says where. */
export const CLIENT_DEFAULT: HostPort = { host: "127.0.0.1", port: CLIENT_PORT };

/** A daemon's address for clients: to listen on, or to dial. */
export const parseClient = addressParser(CLIENT_PORT);
export const parseDialledClient = addressParser(CLIENT_PORT, { isDialled: true });
/** A node that is dialled; a name whose records list nodes is for {@linkcode readPeers}. */
export const parsePeer: Parser<HostPort> = (text, what) => {
  if (!SRV_PEER.test(text)) return parseNode(text, what);
  const said = JSON.stringify(text.slice(0, 300));
  throw new UsageError(`Cannot use ${what} ${said}: only \`pacsrv daemon\` looks nodes up in DNS`, {
    hint: `Write HOST:PORT, for instance 10.0.0.2:${NODE_PORT}.`,
  });
};
const parseNode = addressParser(NODE_PORT, { isDialled: true });
/** Where the nodes of a domain are listed: RFC 2782. */
const SRV_SERVICE = "_pacsrv._tcp";

/** A directory that is dialled. */
export const parseDirectory = addressParser(DIRECTORY_PORT, { isDialled: true });

/**
 * The peers of a daemon: nodes, and names whose SRV records in DNS list nodes (`srv:NAME`).
 *
 * @throws {UsageError} when one cannot be read, or there are too many names.
 */
export function readPeers(
  args: Arguments,
): { readonly peers: readonly HostPort[]; readonly srvNames: readonly string[] } {
  const peers: HostPort[] = [], srvNames = new Set<string>();
  args.values("peer", (text, what) => {
    if (!SRV_PEER.test(text)) peers.push(parsePeer(text, what));
    else srvNames.add(parseSrvName(text, what));
  });
  if (srvNames.size > limits.srvNamesMax) {
    const reason = `Cannot look up ${srvNames.size} names: at most ${limits.srvNamesMax}`;
    throw about({ key: "peer" }, new UsageError(reason));
  }
  return { peers, srvNames: [...srvNames] };
}

/** A whole name as it is; of a domain, where its nodes are listed. */
function parseSrvName(text: string, what: string): string {
  const name = parseHostName(text, what, { prefix: SRV_PEER, example: "srv:dc.example.org" });
  return name.startsWith("_") ? name : `${SRV_SERVICE}.${name}`;
}

/** How a node takes part in a network. */
interface NetworkSettings {
  readonly node: HostPort;
  readonly peers: readonly HostPort[];
  readonly directories: readonly HostPort[];
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
  /** Keys that others may use as well. */
  readonly otherKeys: readonly Uint8Array[];
  readonly ttl: number;
  /** False: nobody can dial this node. */
  readonly isReachable: boolean;
  /** Where it is; "": nobody said. */
  readonly site: string;
}

/**
 * Reads `--node`, `--peer`, `--directory`, `--network`, `--network-key-file`, `--ttl`,
 * `--no-callback` and `--site`.
 *
 * @param options.nodePort The port to listen on when `--node` is not given.
 * @throws {UsageError} when one of them cannot be read.
 */
export async function readNetworkSettings(
  args: Arguments,
  options: {
    readonly nodePort?: number;
    /** The peers where they are read already. */
    readonly peers?: readonly HostPort[];
  } = {},
): Promise<NetworkSettings> {
  const { nodePort = NODE_PORT } = options;
  return {
    node: readListenAddress(args, { flag: "node", port: NODE_PORT, portUnset: nodePort }),
    peers: options.peers ?? args.values("peer", parsePeer),
    directories: readDirectories(args),
    ...await readNetwork(args),
    ttl: args.value("ttl", parseTtl),
    isReachable: !args.has("no-callback"),
    site: args.optional("site", parseSite) ?? "",
  };
}

/**
 * Reads `--network` and `--network-key-file`: the first key is the one that this node dials with.
 *
 * @throws {UsageError} when one of them cannot be read, or there are too many keys.
 */
export async function readNetwork(
  args: Arguments,
): Promise<Pick<NetworkSettings, "network" | "networkKey" | "otherKeys">> {
  const paths = args.list("network-key-file");
  if (paths.length > limits.networkKeysMax) {
    throw about(
      { key: "network-key-file" },
      new UsageError(
        `Cannot use ${paths.length} network keys: at most ${limits.networkKeysMax}, the one in ` +
          "use and the one before or after it",
      ),
    );
  }
  const keys: Uint8Array[] = [];
  for (const path of paths) {
    const key = await readKeyFile(path).catch((error) => {
      throw about({ key: "network-key-file", text: path }, error);
    });
    keys.push(key);
  }
  const [networkKey, ...otherKeys] = keys;
  return { network: args.value("network", parseNetwork), networkKey, otherKeys };
}

/** Reads `--listen` of a directory, as {@linkcode readNetworkSettings} reads `--node`. */
export function readDirectoryListen(args: Arguments): HostPort {
  const port = DIRECTORY_PORT;
  return readListenAddress(args, { flag: "listen", port, portUnset: port });
}

/**
 * Reads where to listen: on all addresses unless a host is named, at `port` unless a port is named,
 * at `portUnset` when the flag is not given at all.
 */
function readListenAddress(
  args: Arguments,
  options: { readonly flag: string; readonly port: number; readonly portUnset: number },
): HostPort {
  const { flag, port, portUnset } = options;
  const text = args.text(flag);
  if (text === undefined) return { host: anyHost(), port: portUnset };
  const defaults = { host: text.startsWith(":") ? anyHost() : "", port };
  return blaming(
    { key: flag, text },
    () => parseAddress(text, { what: args.origin(flag), defaults }),
  );
}

/**
 * The host that stands for all addresses of this machine: `::` where a socket on it takes IPv4
 * connections too, else `0.0.0.0`. It is tried out, because a machine may have IPv6 switched off;
 * on Windows such a socket takes IPv6 connections only.
 */
export function anyHost(): string {
  if (Deno.build.os === "windows") return "0.0.0.0";
  try {
    Deno.listen({ hostname: "::", port: 0 }).close();
    return "::";
  } catch {
    return "0.0.0.0";
  }
}

/**
 * Reads `--directory`, each once.
 *
 * @throws {UsageError} when one cannot be read, or there are too many.
 */
export function readDirectories(args: Arguments): readonly HostPort[] {
  const given = args.values("directory", parseDirectory);
  const directories = new Map(given.map((address) => [formatAddress(address), address]));
  if (directories.size > limits.directoriesMax) {
    throw about(
      { key: "directory" },
      new UsageError(
        `Cannot use ${directories.size} directories: at most ${limits.directoriesMax} are asked`,
      ),
    );
  }
  return [...directories.values()];
}

/**
 * The secret of a network: all bytes of the file, but for one newline at its end, which editors
 * put there. It never appears in a message.
 *
 * @throws {UsageError} when it is too short to be a secret, or too long to be one.
 * @throws {EnvironmentError} when it cannot be read.
 */
export async function readKeyFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const what = "network key file";
  const bytesMax = limits.networkKeyBytesMax;
  // Two more, so that a newline does not count against a key of the greatest length.
  const bytes = await readBounded(path, { what, bytesMax: bytesMax + 2 });
  let length = bytes.length;
  if (bytes[length - 1] === 0x0a) length--;
  if (bytes[length - 1] === 0x0d && length < bytes.length) length--;
  if (length < limits.networkKeyBytesMin || length > bytesMax) {
    throw new UsageError(
      `Cannot use ${what} ${path}: it has ${length} bytes, not ${limits.networkKeyBytesMin} to ` +
        `${bytesMax}`,
      {
        // Not this path: the file is there, and may be another one than was meant.
        hint: "Make a new file with: (umask 077; head -c 32 /dev/urandom | base64 > NEWFILE)",
      },
    );
  }
  const { mode } = await Deno.stat(path);
  if (mode !== null && (mode & 0o004) !== 0 && Deno.build.os !== "windows") {
    warn(`every user of this machine can read the ${what} ${path}: chmod 600 ${pathWord(path)}`);
  }
  return bytes.slice(0, length);
}
