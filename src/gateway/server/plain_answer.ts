/**
 * Answers that are not a file: one line of text, or nothing at all. And how the failure of a fetch,
 * or the refusal of mirrors, is told to an HTTP client.
 */

import {
  FetchFailure,
  messageOf,
  unreachable,
  type UpstreamRefusal,
  UsageError,
} from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { MirrorError } from "../../http/mirrors.ts";

/** Statuses by which a mirror says that it does not have a file. */
const GONE: readonly number[] = [404, 410];
/** That of a range which begins at the end of the file or after it. */
const UNSATISFIABLE = 416;

/**
 * One line of text with a status. A 404 has no body, since pacman asks for many files that nobody
 * has; nor has the answer to a HEAD.
 */
export function plainAnswer(
  status: number,
  text: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly isHead?: boolean } = {},
): Response {
  const hasBody = status !== 404 && status !== 304 && !options.isHead;
  const headers = new Headers(options.headers);
  if (hasBody) headers.set("content-type", "text/plain; charset=utf-8");
  else if (status === 404) headers.set("content-length", "0");
  return new Response(hasBody ? `${text.replaceAll(/[\r\n]+/g, " ")}\n` : null, {
    status,
    headers,
  });
}

/** The answer to a file that nobody has. */
export function notFoundAnswer(): Response {
  return plainAnswer(404, "");
}

/** The answer where more is asked for than can be looked for at a time. */
export function busyAnswer(): Response {
  const text = "Cannot serve it now: too many files are being looked for";
  return plainAnswer(503, text, { headers: { "retry-after": "1" } });
}

/** The answer where no mirror gave a file in the time that a client waits. */
export function lateAnswer(name: string): Response {
  return plainAnswer(504, `Cannot get ${name}: no mirror has answered yet`);
}

/** The answer to a client that wants nothing but the file that it knows, where this is another one. */
export function preconditionFailedAnswer({ isHead }: { readonly isHead: boolean }): Response {
  return plainAnswer(412, "The file is not the one that is asked for", { isHead });
}

/** The answer to a range that begins at the end of the file or after it. */
export function unsatisfiableAnswer(sizeBytes: number): Response {
  return plainAnswer(UNSATISFIABLE, `The file has ${sizeBytes} bytes`, {
    headers: { "content-range": `bytes */${sizeBytes}`, "accept-ranges": "bytes" },
  });
}

/** What mirrors that refused are told as. Anything else that fails here is this program's fault. */
export function answerRefusal(error: unknown, { isHead }: { readonly isHead: boolean }): Response {
  if (error instanceof MirrorError) return passedRefusal(error, error.message, { isHead });
  return plainAnswer(error instanceof UsageError ? 400 : 500, messageOf(error), { isHead });
}

/**
 * Whether a mirror may have what the node cannot get: the disk is full, there are too many fetches,
 * or only the mirror can say how long the file is that a client has whole already.
 */
export function isPassedOn(error: Error): boolean {
  if (!(error instanceof FetchFailure)) return true;
  if (error.upstream !== undefined) return error.upstream.status === UNSATISFIABLE;
  return error.exit === "failed";
}

/** The answer to a request whose fetch failed. Without mirrors, what is wrong is as good as nothing. */
export function answerFailure(
  error: Error,
  { hasMirrors }: { readonly hasMirrors: boolean },
): Response {
  const text = error.message;
  if (!(error instanceof FetchFailure)) return plainAnswer(500, text);
  if (error.upstream !== undefined) return passedRefusal(error.upstream, text);
  switch (error.exit) {
    case "notFound":
      return notFoundAnswer();
    case "checkFailed":
      return hasMirrors ? plainAnswer(502, text) : notFoundAnswer();
    case "timedOut":
      return plainAnswer(504, text);
    case "failed":
    case "usage":
    case "noDaemon":
      return plainAnswer(500, text);
    default:
      return unreachable(error.exit);
  }
}

function passedRefusal(
  { status, retryAfter }: UpstreamRefusal,
  text: string,
  options: { readonly isHead?: boolean } = {},
): Response {
  if (GONE.includes(status)) return notFoundAnswer();
  return plainAnswer(status >= 400 && status <= 599 ? status : 502, text, {
    ...options,
    headers: retryAfter !== null && isFieldValue(retryAfter) ? { "retry-after": retryAfter } : {},
  });
}

/** Whether a text from elsewhere may stand in a header. */
export function isFieldValue(text: string): boolean {
  return text.length <= limits.gatewayFieldBytesMax && /^[\x20-\x7e]*$/.test(text);
}
