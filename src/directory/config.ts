/** What a directory server is started with, once flags and configuration file are read and checked. */

import type { HostPort } from "../base/address.ts";
import type { Logger } from "../base/log.ts";

/** A directory's settings; defaults are the CLI's. */
export interface DirectoryConfig {
  readonly listen: HostPort;
  readonly network: string;
  /** Secret of the network; undefined for an open one. */
  readonly networkKey: Uint8Array | undefined;
  /** Whole copies of a popular file below which more are made; 0: no balancing at all. */
  readonly replicas: number;
  /** How often clients shall say that they are there. */
  readonly refreshMs: number;
  /** Questions a second that one host may ask. */
  readonly queriesPerSecond: number;
  readonly log: Logger;
}
