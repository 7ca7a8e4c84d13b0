/** What a daemon is started with, once flags and configuration file are read and checked. */

import type { HostPort } from "../base/address.ts";
import type { LeveledLogger } from "../base/log.ts";
import type { Discover } from "./lan/lan_segments.ts";
import type { NodeOptions } from "./node/node.ts";

/** How a daemon speaks HTTP. */
export interface GatewayConfig {
  readonly listen: HostPort;
  /** URLs as in a mirrorlist, the first is asked first; may be empty. */
  readonly mirrors: readonly string[];
  /** Names that it answers to, beside its addresses, `localhost` and the machine's own. */
  readonly names: readonly string[];
  /** How long a file that nobody seems to have is looked for. */
  readonly waitMs: number;
  /** How old a database may be that is given though no mirror vouches for it; 0: none is. */
  readonly staleMs: number;
  /** Whether new versions of packages that clients take are fetched before anybody asks for them. */
  readonly prefetch: boolean;
}

/** A daemon's settings; defaults are the CLI's. Names of nodes are looked up by the system. */
export interface DaemonConfig extends Required<GivenNodeOptions> {
  /** Directory for downloads, catalogue, token; made when missing. */
  readonly dataDir: string;
  readonly log: LeveledLogger;
  readonly node: HostPort;
  readonly client: HostPort;
  /** Names whose SRV records in DNS list nodes to keep links with, beside `peers`. */
  readonly srvNames: readonly string[];
  /** Where nodes are looked for by multicast. */
  readonly discover: Discover;
  /** Absolute paths of files and directories to share in place. */
  readonly shares: readonly string[];
  /** Undefined: no gateway. */
  readonly gateway: GatewayConfig | undefined;
  /** Directory with the databases of pacman's repositories, absolute; undefined: none is read. */
  readonly syncDbDir: string | undefined;
  /** pacman's configuration, absolute; it need not be there. */
  readonly pacmanConfPath: string;
}

type GivenNodeOptions = Omit<
  NodeOptions,
  | "clock"
  | "configuredMirrors"
  | "isAlone"
  | "knownNodes"
  | "listen"
  | "nodeId"
  | "outerClock"
  | "ownAddresses"
  | "ownSubnets"
  | "store"
  | "transport"
  | "trust"
>;
