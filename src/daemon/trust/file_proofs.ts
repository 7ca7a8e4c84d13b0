/** What is known of the files that are here: whether anything but what nodes say proves them. */

import type { Root } from "../../base/ids.ts";
import type { FileTrust } from "../../base/package_index.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { OfferPolicy } from "./offer_policy.ts";

/** By what a file is known to be what its name means. */
const PROVING: readonly FileTrust[] = ["sync-db", "sha256", "root", "mirror", "local"];

interface FileProofsOptions {
  readonly store: Pick<ChunkStore, "definitionNamed" | "definitionsByName" | "remove">;
  readonly offerPolicy: Pick<OfferPolicy, "trustOf">;
}

/** What is asked of files that were given, or may be. */
export interface FileProofs {
  /** Whether a file that is here is known to be what its name means, by more than what nodes say. */
  isProven(root: Root, name: string): boolean;
  /** Whether any file of this name that is here is. */
  hasProven(name: string): boolean;
  /** Removes the copy of a file that was fetched, where nothing proves it; what is shared stays. */
  contradicted(root: Root, name: string): void;
}

/** The proofs of the files of one node. */
export function fileProofs({ store, offerPolicy }: FileProofsOptions): FileProofs {
  const isProving = (file: FileDefinition) => PROVING.includes(offerPolicy.trustOf(file));
  const isProven = (root: Root, name: string): boolean => {
    const file = store.definitionNamed(root, name);
    // What is not here any more is nothing to go by.
    return file !== undefined && isProving(file);
  };
  return {
    isProven,
    hasProven: (name) => store.definitionsByName(name).some(isProving),
    contradicted(root: Root, name: string): void {
      // Under another name it may be proved.
      if (!isProven(root, name)) store.remove(root);
    },
  };
}

/** Whether a complete file was fetched, and only nodes say that it is what its name means. */
export function isUnproven(
  offerPolicy: Pick<OfferPolicy, "trustOf">,
  file: FileDefinition,
): boolean {
  return file.origin === "downloaded" && offerPolicy.trustOf(file) === "peers";
}
