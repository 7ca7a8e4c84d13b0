/**
 * What a directory said, as the rest of the node may use it: without what cannot be true, and with
 * addresses that mean something here.
 */

import type { HostPort } from "../../base/address.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isLinkLocal, isNowhere, isSharedMeaning, isWholeAddress } from "../../wire/host.ts";
import type { Holder, KnownFile, NamedFellow } from "../../wire/structures.ts";

/** One answer of one directory; a question may bring several. */
export interface DirectoryAnswer {
  /** HOST:PORT as it was given. */
  readonly directory: string;
  readonly files: readonly KnownFile[];
  /** The best to ask first; host "" and port 0: it cannot be dialled. */
  readonly holders: readonly Holder[];
  /** Whether it knows more than it names. */
  readonly isCut?: boolean;
}

/** The files that can be. */
export function plausibleFiles(files: readonly KnownFile[]): KnownFile[] {
  return files.filter(({ sizeBytes }) => sizeBytes <= limits.fetchBytesMax);
}

/** From where a directory is heard, and who hears it. */
interface Standpoint {
  readonly directoryHost: string;
  readonly ownId: NodeId;
}

/** The load of a node that is fully loaded. */
const PERMILLE_MAX = 1_000;

/**
 * The holders that can be, without this node itself, none more than fully loaded. One that the
 * directory sees at a loopback address is on its machine, so it is where the directory is; one at an
 * address of a link that this node is not on cannot be dialled.
 */
export function plausibleHolders(holders: readonly Holder[], seen: Standpoint): Holder[] {
  return holders
    .filter(({ nodeId, host, port, sizeBytes, chunksHave }) =>
      nodeId !== seen.ownId && isWholeAddress(host, port) && (host === "" || !isNowhere(host)) &&
      sizeBytes <= limits.fetchBytesMax && chunksHave <= chunkCount(sizeBytes)
    )
    .map((holder) => ({
      ...holder,
      ...isReached(holder.host, seen)
        ? { host: hostHere(holder.host, seen) }
        : { host: "", port: 0 },
      loadPermille: Math.min(PERMILLE_MAX, holder.loadPermille),
    }));
}

/** The fellows that can be dialled, without this node itself; where they are as holders are. */
export function plausibleFellows(fellows: readonly NamedFellow[], seen: Standpoint): NamedFellow[] {
  return fellows
    .filter(({ nodeId, host, port }) =>
      nodeId !== seen.ownId && port !== 0 && !isNowhere(host) && isReached(host, seen)
    )
    .map((fellow) => ({ ...fellow, host: hostHere(fellow.host, seen) }));
}

/** The addresses at which a node can be dialled; where they are as holders are. */
export function plausibleNeighbours(
  addresses: readonly HostPort[],
  seen: Pick<Standpoint, "directoryHost">,
): HostPort[] {
  return addresses
    .filter(({ host, port }) => port !== 0 && !isNowhere(host) && isReached(host, seen))
    .map(({ host, port }) => ({ host: hostHere(host, seen), port }));
}

/** Whether what the directory sees at `host` can be dialled from here, if from anywhere. */
function isReached(host: string, { directoryHost }: Pick<Standpoint, "directoryHost">): boolean {
  return !isLinkLocal(host) || isSharedMeaning(host, directoryHost);
}

function hostHere(host: string, { directoryHost }: Pick<Standpoint, "directoryHost">): string {
  return host === "" || isSharedMeaning(host, directoryHost) ? host : directoryHost;
}
