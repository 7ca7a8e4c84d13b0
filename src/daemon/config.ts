/** What a daemon is started with, once flags and configuration file are read and checked. */

import type { HostPort } from "../base/address.ts";
import type { Logger } from "../base/log.ts";

/** How a daemon speaks HTTP. */
export interface GatewayConfig {
  readonly listen: HostPort;
  /** URLs as in a mirrorlist, the first is asked first; may be empty. */
  readonly mirrors: readonly string[];
  /** How long a file that nobody seems to have is looked for. */
  readonly waitMs: number;
}

/** A daemon's settings; defaults are the CLI's. */
export interface DaemonConfig {
  /** Directory for downloads, catalogue, token; made when missing. */
  readonly dataDir: string;
  readonly node: HostPort;
  readonly client: HostPort;
  /** Nodes to keep links with. Names are looked up by the system. */
  readonly peers: readonly HostPort[];
  /** Directories to use. Names are looked up by the system. */
  readonly directories: readonly HostPort[];
  /** Absolute paths of files and directories to share in place. */
  readonly shares: readonly string[];
  readonly network: string;
  /** Secret of the network; undefined for an open one. */
  readonly networkKey: Uint8Array | undefined;
  readonly ttl: number;
  /** False: nobody can dial this node. */
  readonly isReachable: boolean;
  readonly linksMin: number;
  readonly linksMax: number;
  /** Bytes that all downloads may come to with files that others ask this node to take; 0: none. */
  readonly acceptBytes: number;
  /** Uploads at once with which this node counts as fully loaded. */
  readonly uploadsLoaded: number;
  /** Undefined: no gateway. */
  readonly gateway: GatewayConfig | undefined;
  /** Directory with the databases of pacman's repositories, absolute; undefined: none is read. */
  readonly syncDbDir: string | undefined;
  readonly log: Logger;
}
