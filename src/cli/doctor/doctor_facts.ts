/** What `pacsrv doctor` knows before it judges. No code here. */

import type { PeerReport, StatusReport } from "../../client/types.ts";
import type { PacmanConf } from "../../pacman/pacman_conf.ts";

/** What was asked, or why there is no answer. */
export type Asked<T> =
  | { readonly kind: "known"; readonly value: T }
  | { readonly kind: "unknown"; readonly reason: string };

/** What the daemon says of itself. */
export interface DaemonFacts extends Pick<StatusReport, StatusFact> {
  readonly peers: readonly PeerReport[];
  /** Directories in which files are shared. */
  readonly sharedDirs: readonly string[];
}

type StatusFact =
  | "version"
  | "node"
  | "client"
  | "gateway"
  | "dataDir"
  | "directories"
  | "syncDatabases";

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
  /** Why changes below it cannot be watched; null when they can. */
  readonly watchProblem: string | null;
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
}

/** What a mirror of the configuration says: the status of its answer. */
export interface MirrorFacts {
  readonly host: string;
  readonly status: Asked<number>;
}

/** How far a mirror's clock is ahead of this machine's. */
export interface ClockFacts {
  readonly host: string;
  readonly aheadMs: number;
}
