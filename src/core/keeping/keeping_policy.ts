/**
 * What of the downloads of a node goes when room is needed, and in which order. Pure: what is here is
 * an argument, and so is the time.
 *
 * The rules:
 *
 * 1. What is shared in place is none of this policy's: it is never among the files. What is pinned, is
 *    in use (somebody reads it, or it is given to somebody), or is on its way stays, whatever else holds.
 * 2. Of a package, versions beyond the newest `versions` go, room or not; what a database of this
 *    machine names is current, and stays as far as this rule goes.
 * 3. A part that nobody has gone on with for `partialKeptMs` goes, room or not.
 * 4. For room, what other nodes are known to have goes before what nobody else is known to have.
 * 5. Where all holders of a file followed rule 4 at the same moment, all copies would go. So of those that
 *    a node knows of, itself included, one is its keeper, the same for all (`holder_book.ts`), and has it
 *    go after all that it is not the keeper of.
 * 6. Within these, what was used longest ago goes first: fetched, given to others or read. What was used
 *    at the same time goes by size, the biggest first, so that few have to go.
 */

import { limits } from "../../base/limits.ts";

/** One download of the data directory, as the policy sees it. */
export interface KeptFile {
  /** What tells it from the others. */
  readonly key: string;
  readonly bytes: number;
  /** When it was used last, in milliseconds since 1970. */
  readonly usedUnixMs: number;
  /** Why it has to stay; null when it may go. */
  readonly hold: "pinned" | "in-use" | null;
  /** Whether it is here only in part. */
  readonly isPartial: boolean;
  /** How many other nodes are known to have all of it. */
  readonly others: number;
  /** Whether of all that are known to have it this node keeps it longest. */
  readonly isKeeper: boolean;
  /** How many newer versions of the package are here; 0 for what is no package. */
  readonly newerVersions: number;
  /** Whether a package database of this machine names it. */
  readonly isCurrent: boolean;
}

/** Why a file goes. */
export type RemovalReason = "old-version" | "old-part" | "held-by-others" | "least-used";

/** A file that goes. */
export interface Removal<F extends KeptFile = KeptFile> {
  readonly file: F;
  readonly why: RemovalReason;
}

/** What goes although there is room: rules 2 and 3. */
export function outdated<F extends KeptFile>(
  files: Iterable<F>,
  { versions, nowUnixMs }: {
    /** How many versions of a package are kept; null: all. */
    readonly versions: number | null;
    readonly nowUnixMs: number;
  },
): Removal<F>[] {
  const removals: Removal<F>[] = [];
  for (const file of files) {
    if (file.hold !== null) continue;
    const { newerVersions, isCurrent, isPartial, usedUnixMs } = file;
    if (versions !== null && newerVersions >= versions && !isCurrent) {
      removals.push({ file, why: "old-version" });
    } else if (isPartial && nowUnixMs - usedUnixMs >= limits.partialKeptMs) {
      removals.push({ file, why: "old-part" });
    }
  }
  return removals;
}

/**
 * The files that go so that `bytes` are free, the first to go first: no more than it takes, and all that
 * may go where that is not enough.
 */
export function roomPlan<F extends KeptFile>(files: Iterable<F>, bytes: number): Removal<F>[] {
  if (bytes <= 0) return [];
  const ranks: [F[], F[], F[]] = [[], [], []];
  for (const file of files) {
    // What has no bytes makes no room.
    if (file.hold === null && file.bytes > 0) ranks[rankOf(file)].push(file);
  }
  const removals: Removal<F>[] = [];
  let left = bytes;
  for (const rank of ranks) {
    rank.sort(byLastUse);
    for (const file of rank) {
      if (left <= 0) return removals;
      removals.push({ file, why: file.others > 0 ? "held-by-others" : "least-used" });
      left -= file.bytes;
    }
  }
  return removals;
}

/** Rules 4 and 5. */
function rankOf({ others, isKeeper }: KeptFile): 0 | 1 | 2 {
  if (others === 0) return 2;
  return isKeeper ? 1 : 0;
}

/** Rule 6; keys make the order one and the same wherever it is worked out. */
function byLastUse(a: KeptFile, b: KeptFile): number {
  return a.usedUnixMs - b.usedUnixMs || b.bytes - a.bytes || (a.key < b.key ? -1 : 1);
}
