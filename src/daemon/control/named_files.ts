/** Which of the daemon's files a client means. */

import { type FetchFailure, notHere, onlyWithheld } from "../../base/errors.ts";
import { isHash } from "../../base/ids.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";

/** The files that go by a name or a root, or lie at a path. */
export function filesOf(store: ChunkStore, target: string): FileDefinition[] {
  return store.fileDefinitions().filter((file) => isNamedBy(file, target));
}

/** Why no file of the daemon is meant: it is withheld, or there is none. */
export function noFile(store: ChunkStore, target: string): FetchFailure {
  const withheld = withheldFile(store, target);
  return withheld === undefined ? notHere(target) : onlyWithheld(target, withheld.path);
}

/** A shared file that is meant and withheld. */
export function withheldFile(store: ChunkStore, target: string): FileDefinition | undefined {
  return store.shares.damaged().find((file) => isNamedBy(file, target));
}

export function isNamedBy({ root, name, path }: FileDefinition, target: string): boolean {
  return isHash(target) ? root === target.toLowerCase() : name === target || path === target;
}
