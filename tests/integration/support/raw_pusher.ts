// A node that a test plays which asks another one to take a file, and gives it: honestly, or not.

import { EnvironmentError } from "../../../src/base/errors.ts";
import { chunkCount } from "../../../src/base/geometry.ts";
import type { UploadAnswer } from "../../../src/wire/directory_messages.ts";
import type { FileOffer, ListedFile } from "../../../src/wire/structures.ts";
import { chunksFrame, type HeldFile } from "./raw_holder.ts";
import type { RawNode, RawPeer } from "./raw_node.ts";

/** A file as its holder lists it; `fields` say otherwise. */
export function listed(file: HeldFile, fields: Partial<FileOffer> = {}): ListedFile {
  const { name, root, data } = file;
  const described = { root, name, type: "", sizeBytes: data.length, whole: true, ...fields };
  return { file: { chunksHave: chunkCount(described.sizeBytes), ...described }, sha256: null };
}

/** Asks the node at `address` to take a file; the connection goes on. */
export async function askToTake(
  node: RawNode,
  address: string,
  options: { readonly file: ListedFile; readonly serves: boolean },
): Promise<{ readonly peer: RawPeer; readonly answer: UploadAnswer }> {
  const { file, serves } = options;
  const peer = await node.dial(address, "directory", {
    first: () => [{ kind: "upload-request", file, serves }],
  });
  return { peer, answer: (await peer.next("upload-answer")).answer };
}

/**
 * Serves leaves and chunks of `file` until the other side has enough; after `requestsMax` requests
 * the connection is closed instead.
 */
export async function giveFile(
  peer: RawPeer,
  file: HeldFile,
  options: { readonly requestsMax?: number } = {},
): Promise<void> {
  const { requestsMax = Infinity } = options;
  let requests = 0;
  try {
    for (;;) {
      const message = await peer.receive();
      if (message.kind === "leaves-request") {
        const { first, count } = message;
        const hashes = file.leaves.slice(first * 32, (first + count) * 32);
        peer.send({ kind: "leaves", first, hashes });
      } else if (message.kind === "request") {
        if (requests++ >= requestsMax) return peer.close();
        peer.sendFrame(chunksFrame(file, message));
      }
    }
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
  }
}
