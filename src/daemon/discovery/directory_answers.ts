/**
 * What a directory said, as the rest of the node may use it: without what cannot be true, and with
 * addresses that mean something here.
 */

import { chunkCount } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isNowhere, isSharedMeaning, isWholeAddress } from "../../wire/host.ts";
import type { Holder, KnownFile } from "../../wire/structures.ts";

/** One answer of one directory; a question may bring several. */
export interface DirectoryAnswer {
  /** HOST:PORT as it was given. */
  readonly directory: string;
  readonly files: readonly KnownFile[];
  /** The best to ask first; host "" and port 0: it cannot be dialled. */
  readonly holders: readonly Holder[];
}

/** The files that can be. */
export function plausibleFiles(files: readonly KnownFile[]): KnownFile[] {
  return files.filter(({ sizeBytes }) => sizeBytes <= limits.fetchBytesMax);
}

/** The load of a node that is fully loaded. */
const PERMILLE_MAX = 1_000;

/**
 * The holders that can be, without this node itself, none more than fully loaded. One that the
 * directory sees at a loopback address is on its machine, so it is where the directory is.
 */
export function plausibleHolders(
  holders: readonly Holder[],
  seen: { readonly directoryHost: string; readonly ownId: NodeId },
): Holder[] {
  return holders
    .filter(({ nodeId, host, port, sizeBytes, chunksHave }) =>
      nodeId !== seen.ownId && isWholeAddress(host, port) && (host === "" || !isNowhere(host)) &&
      sizeBytes <= limits.fetchBytesMax && chunksHave <= chunkCount(sizeBytes)
    )
    .map((holder) => {
      const isHere = holder.host === "" || isSharedMeaning(holder.host, seen.directoryHost);
      return {
        ...holder,
        host: isHere ? holder.host : seen.directoryHost,
        loadPermille: Math.min(PERMILLE_MAX, holder.loadPermille),
      };
    });
}
