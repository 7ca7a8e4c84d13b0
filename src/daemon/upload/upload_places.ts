/**
 * Who is served when more requesters want to be than may. The rules:
 *
 *  1. While there is room for all, and for those of this host, everybody is served.
 *  2. Who has asked for nothing for `limits.uploadEvictMs` goes first.
 *  3. Else the host with the most gives its slowest, if the newcomer's would still have fewer; and
 *     then the network with the most (an IPv4 /24, an IPv6 /48). So who holds many places gives to
 *     those who have none, and machines of one network are only told apart where places run short.
 *  4. Else the slowest goes, if it has had `limits.uploadTrialMs` and takes less than
 *     `limits.uploadSlowBytesPerSecond`: a place held for a chunk now and then serves nobody. In that
 *     time every newcomer has its place for sure. Whom this node's own rate holds back is not slow.
 */

import { groupToGive } from "../../base/counts.ts";
import { limits } from "../../base/limits.ts";
import { networkOf, widerNetworkOf } from "../../base/rate_limit.ts";

/** What is known of one that is served. */
interface Placed {
  readonly host: string;
  readonly bytesSent: number;
  readonly beganMs: number;
  readonly isHeld: boolean;
  idleMs(nowMs: number): number;
}

type UploadPlace<U> = { readonly kind: "free" | "none" } | {
  readonly kind: "instead";
  readonly of: U;
  /** Why that one goes, as it is told. */
  readonly reason: "idle" | "others wait";
};

/** The place for a requester at `host`. */
export function uploadPlace<U extends Placed>(
  host: string,
  uploads: Iterable<U>,
  nowMs: number,
): UploadPlace<U> {
  const all = [...uploads];
  const ofHost = all.filter((upload) => networkOf(upload.host) === networkOf(host));
  const isHostFull = ofHost.length >= limits.uploadsPerHostMax;
  if (!isHostFull && all.length < limits.uploadsMax) return { kind: "free" };
  const rivals = isHostFull ? ofHost : all;
  const idle = longestIdle(rivals, nowMs);
  if (idle !== undefined) return { kind: "instead", of: idle, reason: "idle" };
  const of = slowestOfMost(rivals, host, networkOf, nowMs) ??
    slowestOfMost(rivals, host, widerNetworkOf, nowMs) ??
    slowest(rivals.filter((one) => isSlow(one, nowMs)), nowMs);
  return of === undefined ? { kind: "none" } : { kind: "instead", of, reason: "others wait" };
}

function longestIdle<U extends Placed>(uploads: readonly U[], nowMs: number): U | undefined {
  let longest: U | undefined;
  let longestMs: number = limits.uploadEvictMs;
  for (const upload of uploads) {
    const idleMs = upload.idleMs(nowMs);
    if (idleMs > longestMs) [longest, longestMs] = [upload, idleMs];
  }
  return longest;
}

function slowestOfMost<U extends Placed>(
  uploads: readonly U[],
  host: string,
  groupOf: (host: string) => string,
  nowMs: number,
): U | undefined {
  const group = groupToGive(uploads.map((one) => groupOf(one.host)), groupOf(host));
  return slowest(uploads.filter((one) => groupOf(one.host) === group), nowMs);
}

function slowest<U extends Placed>(uploads: readonly U[], nowMs: number): U | undefined {
  let found: U | undefined;
  for (const upload of uploads) {
    if (found === undefined || rateOf(upload, nowMs) < rateOf(found, nowMs)) found = upload;
  }
  return found;
}

function isSlow(upload: Placed, nowMs: number): boolean {
  return !upload.isHeld && nowMs - upload.beganMs >= limits.uploadTrialMs &&
    rateOf(upload, nowMs) < limits.uploadSlowBytesPerSecond;
}

/** Bytes a second since it began. */
function rateOf({ bytesSent, beganMs }: Placed, nowMs: number): number {
  return bytesSent * 1000 / Math.max(1, nowMs - beganMs);
}
