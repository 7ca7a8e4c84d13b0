/** The worker that hashes files, so that the thread that serves is not held up. See `hasher.ts`. */

import { type EnvironmentCode, messageOf } from "../../base/errors.ts";
import type { Fingerprint } from "../files/stored_file.ts";
import { type HashedFile, hashFile, type HashRequest, sha256File } from "./hash_file.ts";
import { environmentError } from "../files/io.ts";

/** One file to hash, with a number that comes back in the answer. */
export type HashJob =
  | HashRequest & { readonly kind: "root"; readonly id: number }
  | { readonly kind: "sha256"; readonly id: number; readonly path: string };

/** What hashing gave. */
export type FileHash = HashedFile | Fingerprint & { readonly sha256: string };

/** What became of it. */
export type HashAnswer =
  | { readonly kind: "hashed"; readonly id: number; readonly file: FileHash }
  | {
    readonly kind: "failed";
    readonly id: number;
    readonly code: EnvironmentCode;
    readonly message: string;
    readonly hint: string | undefined;
  };

/** The part of a worker's global scope that is used here; the default types lack it. */
interface HashWorkerScope {
  onmessage: ((event: MessageEvent<HashJob>) => void) | null;
  postMessage(answer: HashAnswer): void;
}

const scope = self as unknown as HashWorkerScope;

scope.onmessage = ({ data: job }) => {
  const { id, path } = job;
  try {
    const file = job.kind === "root" ? hashFile(job) : sha256File(path);
    scope.postMessage({ kind: "hashed", id, file });
  } catch (error) {
    const { code, hint } = environmentError(error, `hash ${path}`);
    scope.postMessage({ kind: "failed", id, code, message: messageOf(error), hint });
  }
};
