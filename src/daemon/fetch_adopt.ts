/** Makes what a mirror gave a file of the store, if it has the root that is wanted. */

import { FetchFailure } from "../base/errors.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { Intake } from "../store/intake.ts";
import type { FileDefinition } from "../store/place.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";

/**
 * Adopts a whole intake.
 *
 * @throws {FetchFailure} when it has another root than was asked for; nothing is kept then.
 * @throws {EnvironmentError} when the disk refuses.
 */
export async function adopt(
  store: ChunkStore,
  intake: Intake,
  { request: { root, name }, signal }: {
    readonly request: FetchRequest;
    readonly signal: AbortSignal;
  },
): Promise<FileDefinition> {
  const before = new Set(store.definitionsByName(name).map((file) => file.root));
  const file = await intake.adopt({ signal });
  if (root === null || file.root === root) return file;
  // What was here before, under this name or another, stays.
  if (file.name === name && !before.has(file.root)) store.remove(file.root);
  throw new FetchFailure(
    "checkFailed",
    `Cannot fetch ${name || root}: what the mirror gave has root ${file.root}`,
  );
}
