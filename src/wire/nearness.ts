/** How near another machine is, in the words of reports. */

/**
 * From the nearest on: this machine itself, the same subnet, the same site as a person named it, and
 * all else.
 */
export const NEARNESSES = ["host", "subnet", "site", "far"] as const;
export type Nearness = (typeof NEARNESSES)[number];

/** Bytes for each of them. */
export interface ByNearness {
  /** Of nodes on this machine itself. */
  readonly host: number;
  /** Of nodes in a subnet that this machine is in. */
  readonly subnet: number;
  /** Of other nodes that name the same site. */
  readonly site: number;
  /** Of all others. */
  readonly far: number;
}
