/** The worker that hashes files, so that the thread that serves is not held up. See `hasher.ts`. */

import { type EnvironmentCode, messageOf } from "../base/errors.ts";
import { type HashedFile, hashFile, type HashRequest } from "./hash_file.ts";
import { environmentError } from "./io.ts";

/** One file to hash, with a number that comes back in the answer. */
export interface HashJob extends HashRequest {
  readonly id: number;
}

/** What became of it. */
export type HashAnswer =
  | { readonly kind: "hashed"; readonly id: number; readonly file: HashedFile }
  | {
    readonly kind: "failed";
    readonly id: number;
    readonly code: EnvironmentCode;
    readonly message: string;
    readonly hint: string | undefined;
  };

/** The part of a worker's global scope that is used here; the default types lack it. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<HashJob>) => void) | null;
  postMessage(answer: HashAnswer): void;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data: { id, ...request } }) => {
  try {
    scope.postMessage({ kind: "hashed", id, file: hashFile(request) });
  } catch (error) {
    const { code, hint } = environmentError(error, `hash ${request.path}`);
    scope.postMessage({ kind: "failed", id, code, message: messageOf(error), hint });
  }
};
