/** Completes a request with what the repositories' databases say of the file that it names. */

import type { PackageIndex } from "../../base/package_index.ts";
import type { FetchRequest } from "../../wire/fetching.ts";

/** Where a mirror has the packages of a repository: REPOSITORY/os/ARCHITECTURE/NAME. */
const REPOSITORY = /\/([^/]+)\/os\/[^/]+\/[^/]+$/;

/**
 * The request with size and SHA-256 as a database has them, where it says nothing itself: what a
 * person says counts more. Where several repositories have a file of that name, that one counts which
 * stands in the URL of a mirror, else any of them is right: the first. `isOfDatabase` is whether its
 * SHA-256 stands in a database.
 */
export function applySyncDb(
  request: FetchRequest,
  trust: PackageIndex | undefined,
): { readonly request: FetchRequest; readonly isOfDatabase: boolean } {
  const { name, root, sha256, sizeBytes, mirrors } = request;
  if (sha256 !== null) {
    const isOfDatabase = trust?.all(name).some((known) => known.sha256 === sha256) ?? false;
    return { request, isOfDatabase };
  }
  if (trust === undefined || root !== null || sizeBytes !== null) {
    return { request, isOfDatabase: false };
  }
  const known = trust.find(name, repositoryOf(mirrors, trust.all(name)));
  if (known === undefined) return { request, isOfDatabase: false };
  return {
    request: { ...request, sha256: known.sha256, sizeBytes: known.sizeBytes },
    isOfDatabase: true,
  };
}

/** The repository, of those that have the file, that the URL of a mirror names. */
function repositoryOf(
  mirrors: readonly string[],
  known: readonly { readonly repository: string }[],
): string | undefined {
  if (known.length < 2) return undefined;
  for (const url of mirrors) {
    const named = REPOSITORY.exec(pathOf(url))?.[1];
    if (known.some(({ repository }) => repository === named)) return named;
  }
  return undefined;
}

function pathOf(url: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname);
  } catch {
    return "";
  }
}
