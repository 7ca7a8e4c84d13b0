/** What the repositories' databases say of the file that a request names. Asks nobody else. */

import type { TrustBook } from "../base/trust.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";

/**
 * The request with size and SHA-256 as a database has them, where it says nothing itself: what a
 * person says counts more. `isOfDatabase` is whether its SHA-256 stands in a database.
 */
export function vouchedRequest(
  request: FetchRequest,
  trust: TrustBook | undefined,
): { readonly request: FetchRequest; readonly isOfDatabase: boolean } {
  const { name, root, sha256, sizeBytes } = request;
  if (sha256 !== null) {
    const isOfDatabase = trust?.all(name).some((known) => known.sha256 === sha256) ?? false;
    return { request, isOfDatabase };
  }
  const known = root === null && sizeBytes === null ? trust?.find(name) : undefined;
  if (known === undefined) return { request, isOfDatabase: false };
  return {
    request: { ...request, sha256: known.sha256, sizeBytes: known.sizeBytes },
    isOfDatabase: true,
  };
}
