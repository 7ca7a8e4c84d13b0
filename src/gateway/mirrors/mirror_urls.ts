/** From a mirror as a person wrote it, as in pacman's mirrorlist, to the URL of one file there. */

import type { RequestPath } from "../server/request_path.ts";

/**
 * The URLs of a requested file at the mirrors, in their order.
 *
 * `$repo` and `$arch` of a mirror are replaced by what the request's path has for them, and the
 * name follows; a mirror with neither is followed by the whole path. A mirror that needs what the
 * path does not have is left out, and so is one where the path would lead out of what was named.
 */
export function mirrorUrls(mirrors: readonly string[], request: RequestPath): string[] {
  const urls: string[] = [];
  for (const mirror of mirrors) {
    const base = mirror.replace(/\/+$/, "");
    const url = mirrorUrl(base, request);
    if (url !== undefined && isWithin(base, url)) urls.push(url);
  }
  return urls;
}

function mirrorUrl(mirror: string, request: RequestPath): string | undefined {
  const { repository, architecture, name, segments } = request;
  const needsRepository = mirror.includes("$repo");
  const needsArchitecture = mirror.includes("$arch");
  // Encoded again: what the client sent could mean something else to who reads this URL.
  if (!needsRepository && !needsArchitecture) {
    return `${mirror}/${segments.map(encodeURIComponent).join("/")}`;
  }
  if (needsRepository && repository === null) return undefined;
  if (needsArchitecture && architecture === null) return undefined;
  const directory = mirror
    .replaceAll("$repo", () => encodeURIComponent(repository ?? ""))
    .replaceAll("$arch", () => encodeURIComponent(architecture ?? ""));
  return `${directory}/${encodeURIComponent(name)}`;
}

/** Whether a URL, as everybody reads it, begins with what of the mirror no request can change. */
function isWithin(mirror: string, url: string): boolean {
  const variable = mirror.search(/\$(repo|arch)/);
  const fixed = variable < 0 ? `${mirror}/` : mirror.slice(0, variable);
  // A request never chooses the host.
  if (!/^[a-z]+:\/\/[^/]+\//i.test(fixed)) return false;
  return URL.canParse(fixed) && URL.canParse(url) &&
    new URL(url).href.startsWith(new URL(fixed).href);
}
