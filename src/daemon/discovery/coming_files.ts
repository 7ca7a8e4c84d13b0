/**
 * Files that this node cannot offer yet, and will in a moment: shared ones that are just being hashed,
 * and those that are still compared with the repositories' databases. Requesters are told of them as of
 * files in flight, so that they wait, and are called once more when there is something to offer.
 */

import { createHash } from "node:crypto";
import type { HostPort } from "../../base/address.ts";
import { TimedMap } from "../../base/bounded_map.ts";
import { utf8 } from "../../base/bytes.ts";
import { CHUNK_BYTES, chunkCount } from "../../base/geometry.ts";
import type { FlightId, NodeId, QueryId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { nameType } from "../../base/names.ts";
import { splitPath } from "../../store/files/stored_file.ts";
import { formatAddress } from "../../wire/host.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type { NodeContext } from "./node_context.ts";

/** From what is told which files come. */
type ComingSource = Pick<NodeContext, "identity" | "store" | "offerPolicy">;

/**
 * What comes of a name, up to `limits.flightsOfferedMax` files. A root is not known before, and a glob
 * lists what there is.
 */
export function comingFiles(
  { identity: { nodeId }, store, offerPolicy }: ComingSource,
  { by, value: name }: Sought,
): MessageOf<"in-flight">[] {
  if (by !== "name") return [];
  const coming: MessageOf<"in-flight">[] = [];
  for (const { path, bytesHashed } of store.shares.unhashed(name)) {
    const sizeBytes = sizeOf(path);
    if (sizeBytes === null || sizeBytes > limits.fetchBytesMax) continue;
    const chunksHave = Math.floor(Math.min(bytesHashed, sizeBytes) / CHUNK_BYTES);
    coming.push(comingFile({ path, sizeBytes, chunksHave }, nodeId));
  }
  for (const file of store.definitionsByName(name)) {
    if (file.origin !== "partial" && offerPolicy.isUnchecked(file)) {
      coming.push(comingFile({ ...file, chunksHave: file.chunks }, nodeId));
    }
  }
  return coming.slice(0, limits.flightsOfferedMax);
}

function comingFile(
  file: { readonly path: string; readonly sizeBytes: number; readonly chunksHave: number },
  nodeId: NodeId,
): MessageOf<"in-flight"> {
  const { path, sizeBytes } = file;
  const { file: name } = splitPath(path);
  const chunksHave = Math.min(file.chunksHave, chunkCount(sizeBytes));
  const type = nameType(name);
  return {
    kind: "in-flight",
    flight: idOf(path, nodeId),
    name,
    type,
    sizeBytes,
    sha256: null,
    chunksHave,
  };
}

/** Nobody else has the same: there is nothing to share before it has a root. */
function idOf(path: string, nodeId: NodeId): FlightId {
  return createHash("sha256").update(utf8(`pacsrv coming ${nodeId} ${path}`))
    .digest("hex") as FlightId;
}

/** Bytes of the file at a path; null when there is none. */
function sizeOf(path: string): number | null {
  try {
    const { isFile, size } = Deno.lstatSync(path);
    return isFile ? size : null;
  } catch {
    return null;
  }
}

/** Who was told that a file comes. */
export interface Asker {
  /** The last query in which it asked. */
  readonly id: QueryId;
  readonly address: HostPort;
  readonly sought: Sought;
}

/** The requesters that wait for files of this node; who asks no more is forgotten. */
export class Askers {
  readonly #askers = new TimedMap<Asker>({
    forMs: limits.comingHeardMs,
    max: limits.callbacksMax,
  });

  add(asker: Asker, nowMs: number): void {
    const { address: { host, port }, sought: { value } } = asker;
    this.#askers.set(`${formatAddress(host, port)}/${value}`, asker, nowMs);
  }

  /** Those that wait for a name, or a root. */
  of(value: string, nowMs: number): Asker[] {
    const askers = [...this.#askers.entries(nowMs)].map(([, asker]) => asker);
    return askers.filter(({ sought }) => sought.value === value);
  }

  /** Gives those that wait for a name, or a root, and forgets them. */
  take(value: string, nowMs: number): Asker[] {
    const taken: Asker[] = [];
    for (const [key, asker] of this.#askers.entries(nowMs)) {
      if (asker.sought.value !== value) continue;
      this.#askers.delete(key);
      taken.push(asker);
    }
    return taken;
  }
}
