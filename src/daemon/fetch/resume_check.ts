/**
 * Going on with what an earlier fetch took in from mirrors: under which name it is found, and
 * whether what comes next is of the same file. Parts of two files must not become one.
 */

import { nameOfUrl } from "../../base/mirror_url.ts";
import { isStrong } from "../../http/mirror_request.ts";
import type { MirrorBody } from "../../http/mirrors.ts";
import type { ResumeValidators } from "../../store/downloads/unverified_download.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";

/** The name of what a request's mirrors give: where it names only a root, that in their URL. */
export function unverifiedName({ name, root, mirrors }: FetchRequest): string {
  if (name !== "") return name;
  try {
    return nameOfUrl(new URL(mirrors[0]!));
  } catch {
    return root ?? "file";
  }
}

/** Whether all of it is wanted, and checked at its end, so that a wrong beginning would be seen. */
export function isWholeChecked({ sha256, root, chunks }: FetchRequest): boolean {
  return chunks === null && (sha256 !== null || root !== null);
}

/** Whether a file can be known again by these at all. */
export function canTell(known: ResumeValidators | null): known is ResumeValidators {
  return known !== null && (known.lastModified !== null || isStrong(known.etag));
}

/** Whether an answer is certainly of the file that `earlier` tells of. */
export function goesOnWith(
  earlier: ResumeValidators,
  { mirror, etag, lastModified }: Pick<MirrorBody, "mirror" | "etag" | "lastModified">,
): boolean {
  if (earlier.lastModified !== null && lastModified === earlier.lastModified) return true;
  return mirror === earlier.mirror && isStrong(etag) && etag === earlier.etag;
}
