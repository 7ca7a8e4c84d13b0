/** Answers that are not a file: one line of text, or nothing at all. */

import type { UpstreamRefusal } from "../../base/errors.ts";

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

/** The answer to a range that begins at the end of the file or after it. */
export function unsatisfiableAnswer(sizeBytes: number): Response {
  return plainAnswer(416, `The file has ${sizeBytes} bytes`, {
    headers: { "content-range": `bytes */${sizeBytes}`, "accept-ranges": "bytes" },
  });
}

/** A mirror's refusal, passed on. */
export function refusalAnswer(
  refusal: UpstreamRefusal,
  text: string,
  options: { readonly isHead?: boolean } = {},
): Response {
  const status = refusal.status >= 400 && refusal.status <= 599 ? refusal.status : 502;
  const { retryAfter } = refusal;
  return plainAnswer(status, text, {
    ...options,
    headers: retryAfter !== null && isFieldValue(retryAfter) ? { "retry-after": retryAfter } : {},
  });
}

/** Whether a text from elsewhere may stand in a header. */
export function isFieldValue(text: string): boolean {
  return text.length <= 256 && /^[\x20-\x7e]*$/.test(text);
}
