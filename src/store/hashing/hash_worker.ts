/** The worker that hashes files, so that the thread that serves is not held up. See `hasher.ts`. */

import { type EnvironmentCode, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import {
  type FileToHash,
  type HashedFile,
  hashFile,
  type HashRequest,
  type Sha256File,
  sha256File,
} from "./hash_file.ts";
import { environmentError } from "../files/io.ts";

/** One file to hash, with a number that comes back in the answer. */
export type HashJob =
  | HashRequest & { readonly kind: "root"; readonly id: number }
  | FileToHash & { readonly kind: "sha256"; readonly id: number };

/** What hashing gave. */
export type FileHash = HashedFile | Sha256File;

/** What became of it. */
export type HashAnswer =
  /** So much of it was hashed; not said of short files. */
  | { readonly kind: "progressed"; readonly id: number; readonly bytes: number }
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

/** Up to here in a file nothing is said of how far it is. */
let saidBytes = 0;

const scope = self as unknown as HashWorkerScope;

scope.onmessage = ({ data: job }) => {
  const { id, path } = job;
  saidBytes = 0;
  try {
    const file = job.kind === "root"
      ? hashFile(job, (bytes) => progressed(id, bytes))
      : sha256File(job);
    scope.postMessage({ kind: "hashed", id, file });
  } catch (error) {
    const { code, hint } = environmentError(error, `hash ${path}`);
    scope.postMessage({ kind: "failed", id, code, message: messageOf(error), hint });
  }
};

function progressed(id: number, bytes: number): void {
  if (bytes - saidBytes < limits.hashProgressBytes) return;
  saidBytes = bytes;
  scope.postMessage({ kind: "progressed", id, bytes });
}
