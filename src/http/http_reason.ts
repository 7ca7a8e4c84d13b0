/** Why an HTTP server gave no answer, in words for people: the client's own are for programmers. */

import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

/** What the message of the client has in it, and what that means. The first that fits counts. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/connection refused/i, "connection refused"],
  [/dns error|failed to lookup address/i, "its name is not known"],
  [/no route to host|network is unreachable|host is unreachable/i, "there is no way to it"],
  [/timed out/i, "no connection in time"],
  [/certificate|UnknownIssuer|NotValidForName/i, "its certificate is not valid"],
  [/corrupt message|handshake/i, "its answer is not TLS"],
  [/connection reset|broken pipe|closed before message|unexpected eof/i, "it broke off"],
  [/parsed|invalid HTTP|message head is too large/i, "its answer is not HTTP"],
];

/**
 * The reason for `error`, which an HTTP client threw; without the addresses that its message is full
 * of, since a URL may hold a password.
 */
export function httpReason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = messageOf(cause);
  const known = REASONS.find(([pattern]) => pattern.test(text));
  if (known !== undefined) return known[1];
  return text
    .replace(/^.*?client error (?:\(\w+\): )?/, "")
    .replace(/ \(os error \d+\)/g, "")
    .replace(/ ?\(?\S*:\/\/\S*/g, "")
    .slice(0, limits.httpReasonCharsMax);
}
