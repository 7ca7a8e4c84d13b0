/** Addresses that travel: what one means at the other end of a link, and when it means nothing. */

import { isLoopback, isNowhere } from "../../wire/host.ts";

/**
 * Whether `host` names the same machine at both ends of a link whose far end is at `linkHost`.
 *
 * A loopback address does so only when both ends are on one machine. So it is not passed on over
 * other links, and one that comes over them is not used: it would make this node dial itself.
 */
export function isSharedMeaning(host: string, linkHost: string): boolean {
  return !isNowhere(host) && (!isLoopback(host) || isLoopback(linkHost));
}

/**
 * Whether a host and a port as they travel go together: both, or neither ("" and 0: nobody can be
 * dialled).
 */
export function isWholeAddress(host: string, port: number): boolean {
  return (host === "") === (port === 0);
}
