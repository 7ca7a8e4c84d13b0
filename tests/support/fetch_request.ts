/** Requests for files, for tests. */

import type { FetchRequest } from "../../src/wire/fetching.ts";

/** A request for a whole file by its name, to be kept by the daemon; `fields` say otherwise. */
export function requestFor(name: string, fields: Partial<FetchRequest> = {}): FetchRequest {
  return {
    name,
    root: null,
    sha256: null,
    sizeBytes: null,
    chunks: null,
    deliver: false,
    timeoutMs: 0,
    searchMs: 0,
    mirrors: [],
    mirrorDelayMs: null,
    background: false,
    ...fields,
  };
}
