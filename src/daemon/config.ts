/** What a daemon is started with, once flags and configuration file are read and checked. */

import type { HostPort } from "../base/address.ts";
import type { NodeOptions } from "./node/node.ts";

/** How a daemon speaks HTTP. */
export interface GatewayConfig {
  readonly listen: HostPort;
  /** URLs as in a mirrorlist, the first is asked first; may be empty. */
  readonly mirrors: readonly string[];
  /** How long a file that nobody seems to have is looked for. */
  readonly waitMs: number;
}

/** A daemon's settings; defaults are the CLI's. Names of nodes are looked up by the system. */
export interface DaemonConfig extends Required<GivenNodeOptions> {
  /** Directory for downloads, catalogue, token; made when missing. */
  readonly dataDir: string;
  readonly node: HostPort;
  readonly client: HostPort;
  /** Absolute paths of files and directories to share in place. */
  readonly shares: readonly string[];
  /** Undefined: no gateway. */
  readonly gateway: GatewayConfig | undefined;
  /** Directory with the databases of pacman's repositories, absolute; undefined: none is read. */
  readonly syncDbDir: string | undefined;
}

type GivenNodeOptions = Omit<
  NodeOptions,
  "clock" | "isAlone" | "listen" | "nodeId" | "store" | "transport" | "trust"
>;
