/** What is known of the files that are here: whether anything but what nodes say proves them. */

import type { Root } from "../../base/ids.ts";
import type { FileTrust } from "../../base/package_index.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { OfferPolicy } from "./offer_policy.ts";

/** By what a file is known to be what its name means. */
const PROVING: readonly FileTrust[] = ["sync-db", "sha256", "root", "mirror", "local"];

interface FileProofsOptions {
  readonly store: Pick<ChunkStore, "definitionNamed" | "remove">;
  readonly offerPolicy: Pick<OfferPolicy, "trustOf">;
}

/** What the gateway asks of files that it gave. */
export function fileProofs({ store, offerPolicy }: FileProofsOptions) {
  const isProven = (root: Root, name: string): boolean => {
    const file = store.definitionNamed(root, name);
    // What is not here any more is nothing to go by.
    return file !== undefined && PROVING.includes(offerPolicy.trustOf(file));
  };
  return {
    isProven,
    contradicted(root: Root, name: string): void {
      // Under another name it may be proved.
      if (!isProven(root, name)) store.remove(root);
    },
  };
}
