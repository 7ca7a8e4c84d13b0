/** From a mirror as a person wrote it, as in pacman's mirrorlist, to the URL of one file there. */

import type { RequestPath } from "./request_path.ts";

/**
 * The URLs of a requested file at the mirrors, in their order.
 *
 * `$repo` and `$arch` of a mirror are replaced by what the request's path has for them, and the
 * name follows; a mirror with neither is followed by the whole path. A mirror that needs what the
 * path does not have is left out.
 */
export function mirrorUrls(mirrors: readonly string[], request: RequestPath): string[] {
  const urls: string[] = [];
  for (const mirror of mirrors) {
    const url = mirrorUrl(mirror.replace(/\/+$/, ""), request);
    if (url !== undefined) urls.push(url);
  }
  return urls;
}

function mirrorUrl(mirror: string, request: RequestPath): string | undefined {
  const { repository, architecture, name, path } = request;
  const needsRepository = mirror.includes("$repo");
  const needsArchitecture = mirror.includes("$arch");
  if (!needsRepository && !needsArchitecture) return mirror + path;
  if (needsRepository && repository === null) return undefined;
  if (needsArchitecture && architecture === null) return undefined;
  const directory = mirror
    .replaceAll("$repo", () => encodeURIComponent(repository ?? ""))
    .replaceAll("$arch", () => encodeURIComponent(architecture ?? ""));
  return `${directory}/${encodeURIComponent(name)}`;
}
