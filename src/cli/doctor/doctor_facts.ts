/** What `pacsrv doctor` knows before it judges. No code here. */

import type { GivenPeerReport, PeerReport, ReachReport, StatusReport } from "../../client/types.ts";
import type { PacmanConf } from "../../pacman/pacman_conf.ts";

/** What was asked, or why there is no answer. */
export type Asked<T> =
  | { readonly kind: "known"; readonly value: T }
  | { readonly kind: "unknown"; readonly reason: string };

/** What the daemon says of itself. */
export interface DaemonFacts extends Pick<StatusReport, StatusFact> {
  /** Its links, and the nodes that it was told to keep links with. */
  readonly peers: readonly PeerReport[];
  readonly given: readonly GivenPeerReport[];
  /** How nodes that were asked could connect to it. */
  readonly reach: readonly ReachReport[];
  /** How many shared files are withheld; `withheld` names the first ones. */
  readonly filesWithheld: number;
  /** Directories in which files are shared. */
  readonly sharedDirs: readonly string[];
}

type StatusFact =
  | "version"
  | "node"
  | "acceptsConnections"
  | "clone"
  | "client"
  | "gateway"
  | "lan"
  | "dataDir"
  | "directories"
  | "keeping"
  | "staleDatabases"
  | "syncDatabases"
  | "withheld";

/** A file or directory on the disk. */
export interface PathFacts {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** A user of the system. */
export interface UserFacts {
  readonly name: string;
  readonly uid: number;
  readonly gids: readonly number[];
}

/** The data directory. */
export interface DataFacts {
  readonly directory: PathFacts;
  /** Null when it cannot be looked at. */
  readonly token: PathFacts | null;
  /** Whose it is: the daemon runs as that user. */
  readonly user: UserFacts;
  readonly freeBytes: number;
}

/** A shared path: itself last, before it all directories on the way, from the root on. */
export interface ShareFacts {
  readonly path: string;
  readonly way: Asked<readonly PathFacts[]>;
}

/** What answered at the gateway's address. */
export interface GatewayAnswer {
  readonly status: number;
  /** The first line. */
  readonly text: string;
}

/** What pacman is set up to do. */
export interface PacmanFacts {
  readonly conf: PacmanConf;
  /** Its version as its own database says ("6.1.0-3"); null where that is not to be found. */
  readonly version: string | null;
  /** The program of XferCommand where pacman runs it as a user of its own; undefined elsewhere. */
  readonly program?: ProgramFacts;
  /** What is left of interrupted downloads, by directory of the cache. */
  readonly leftovers: readonly LeftoverFacts[];
}

/** A program, who is to run it, and the way to it as that of {@linkcode ShareFacts}. */
export interface ProgramFacts {
  readonly path: string;
  readonly user: UserFacts;
  readonly way: Asked<readonly PathFacts[]>;
}

/** Directories in which pacman was downloading when it ended. */
export interface LeftoverFacts {
  readonly cacheDir: string;
  readonly directories: number;
  /** What is in them; null where that cannot be seen. */
  readonly bytes: number | null;
}

/** What a mirror of the configuration says: the status of its answer. */
export interface AskedMirror {
  readonly host: string;
  readonly status: Asked<number>;
}

/** How far a mirror's clock is ahead of this machine's. */
export interface ClockFacts {
  readonly host: string;
  readonly aheadMs: number;
}
