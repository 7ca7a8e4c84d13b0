/** The headers that all answers with a file share. */

import type { SharedFetchSource } from "../files/shared_fetch.ts";
import { isFieldValue } from "./plain_answer.ts";
import type { Validators } from "./preconditions.ts";

/**
 * Headers of an answer with a file, but for its length. `source` says who gave its first bytes;
 * null where no bytes go out.
 */
export function fileHeaders(validators: Validators, source: SharedFetchSource | null): Headers {
  const headers = new Headers({
    "accept-ranges": "bytes",
    // Deno would pack what its type says can be packed; a range of that is none of the file.
    "cache-control": "no-transform",
    "content-type": "application/octet-stream",
  });
  if (source !== null) headers.set("x-pacsrv-source", source);
  const { etag, lastModified } = validators;
  if (etag !== null && isFieldValue(etag)) headers.set("etag", etag);
  if (lastModified !== null && isFieldValue(lastModified)) {
    headers.set("last-modified", lastModified);
  }
  return headers;
}
