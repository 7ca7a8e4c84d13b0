/** A file at a mirror, as an `http:` or `https:` URL names it, as the origin of a fetch. */

import { FetchFailure } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { hostOfUrl } from "../base/mirror_url.ts";
import { Mirrors } from "./mirrors.ts";
import { MirrorError } from "./mirror_error.ts";
import { type Origin, type OriginBody, OriginError } from "./direct_fetch.ts";

/** The origin of a URL; its connections end when it is disposed of. */
export function mirrorOrigin(
  url: URL,
  { name, log }: { readonly name: string; readonly log: Logger },
): Origin & Disposable {
  const mirrors = new Mirrors({ log });
  const label = hostOfUrl(url);
  let file = mirrors.file([url.href]);
  return {
    label,
    async open({ offset, end }, { signal }): Promise<OriginBody> {
      try {
        const body = await file.open(end === undefined ? { offset } : { offset, end }, { signal });
        return {
          get sizeBytes() {
            return body.sizeBytes;
          },
          async read() {
            try {
              return await body.read();
            } catch (error) {
              throw originError(error, { name, label, isOpen: true });
            }
          },
          [Symbol.dispose]: () => body.cancel(),
        };
      } catch (error) {
        // Whoever begins anew is to get the file as it is now.
        if (error instanceof MirrorError) file = mirrors.file([url.href]);
        throw originError(error, { name, label, isOpen: false });
      }
    },
    [Symbol.dispose]: () => mirrors.close(),
  };
}

function originError(
  error: unknown,
  { name, label, isOpen }: { name: string; label: string; isOpen: boolean },
): unknown {
  if (!(error instanceof MirrorError)) return error;
  const failure = failureOf(error, { name, label });
  if (isOpen) return new OriginError("broke-off", failure);
  const isRange = error.code === "no-range" || error.code === "changed" || error.status === 416;
  return new OriginError(isRange ? "no-such-range" : "refused", failure);
}

function failureOf(
  error: MirrorError,
  { name, label }: { name: string; label: string },
): FetchFailure {
  const { code, status, retryAfter } = error;
  if (code !== "refused") return new FetchFailure("failed", error.message, { cause: error });
  const upstream = { status, retryAfter };
  if (status === 404 || status === 410) {
    return new FetchFailure("notFound", `${label} has no ${name} (${status})`, { upstream });
  }
  const later = retryAfter === null ? "" : `; it says to try again after ${retryAfter}`;
  const message = `Cannot get ${name} from ${label}: it answers ${status}${later}`;
  return new FetchFailure("failed", message, { upstream });
}
