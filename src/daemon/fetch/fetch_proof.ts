/**
 * When what peers give of a file may be given away, before the SHA-256 of the whole is checked. No
 * I/O here.
 *
 * What a mirror gives may be given away at once: whoever names a mirror trusts it as much. What
 * peers give is proved when the root was given; when this root is known to have the SHA-256 that is
 * wanted; when the SHA-256 of the whole was checked; or, where nothing of that is given, when it is
 * settled what most peers offer, and size and first chunks are those of the mirror, if one answers
 * soon.
 */

import type { Candidate, Candidates } from "../../core/fetch/candidates.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";

/** What a mirror says of the candidate that is followed. */
export interface MirrorOpinion {
  /** Whether a mirror may still give the file. */
  readonly isAlive: boolean;
  /** Whether one is waited for: false when it has said nothing for long, or all failed lately. */
  readonly isAnswering: boolean;
  /** Whether a mirror's first bytes can be read while peers write. */
  readonly canCompare: boolean;
  /** Whether the mirror's size and first chunks are those of the candidate. */
  readonly isAgreed: boolean;
  /** What the mirror gave. */
  readonly track: { readonly isWhole: boolean };
}

/** Whether nothing but a mirror can say if what peers give is meant, and it may still do so. */
export function needsMirror(
  { root, sha256 }: FetchRequest,
  mirror: MirrorOpinion | null,
): boolean {
  if (root !== null || sha256 !== null || mirror === null) return false;
  return mirror.isAlive && mirror.isAnswering && mirror.canCompare && !mirror.isAgreed &&
    !mirror.track.isWhole;
}

/** Whether what is given of a candidate is known to be the file that is meant. */
export function isProved(
  request: FetchRequest,
  found: {
    readonly candidate: Candidate;
    readonly candidates: Candidates;
    /** The SHA-256 that its root is known to have. */
    readonly sha256: string | undefined;
    readonly hedging: MirrorOpinion | null;
  },
): boolean {
  const { candidate, candidates, sha256, hedging } = found;
  if (request.root === null && request.sha256 !== null) return sha256 === request.sha256;
  if (request.root !== null && candidates.isCertain(candidate)) return true;
  return candidates.unsettledMs(performance.now()) <= 0 && !needsMirror(request, hedging);
}
