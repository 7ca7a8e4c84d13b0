/** How a mirror fails: in which way, and what may be told of it. */

import type { UpstreamRefusal } from "../base/errors.ts";

/**
 * What went wrong at a mirror.
 *
 * - "refused": it answered with a status that says no.
 * - "unreachable": there was no connection, or it ended before an answer.
 * - "silent": it sent nothing for too long.
 * - "broken": the file ended too early, or went on too long.
 * - "unusable": it answered what is no HTTP, no such range, or a redirect to nowhere.
 * - "changed": its file is not the one that was begun with.
 * - "other-size": its file is not as long as that which is wanted: it does not have that one.
 * - "no-range": it can only give the file from its first byte.
 */
export type MirrorErrorCode =
  | "refused"
  | "unreachable"
  | "silent"
  | "broken"
  | "unusable"
  | "changed"
  | "other-size"
  | "no-range";

/** What a failure without a status of its own is like. */
const STATUSES: Partial<Record<MirrorErrorCode, number>> = { silent: 504, "other-size": 404 };

/** A mirror did not give what was asked of it. */
export class MirrorError extends Error implements UpstreamRefusal {
  override readonly name = "MirrorError";
  readonly code: MirrorErrorCode;
  /** Its HTTP status, 400 to 599; 504 when it was silent, 404 for another size, 502 for all else. */
  readonly status: number;
  readonly retryAfter: string | null;
  /** Its label, HOST or HOST:PORT. */
  readonly mirror: string;

  constructor(
    code: MirrorErrorCode,
    message: string,
    extras: {
      readonly mirror: string;
      readonly status?: number;
      readonly retryAfter?: string | null;
      readonly cause?: unknown;
    },
  ) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.mirror = extras.mirror;
    this.status = extras.status ?? STATUSES[code] ?? 502;
    this.retryAfter = extras.retryAfter ?? null;
  }

  /** Whether the mirror itself fails, not only this file there. */
  get isMirrorBad(): boolean {
    return this.code === "unreachable" || this.code === "silent" || this.code === "broken" ||
      this.code === "refused" && (this.status >= 500 || this.status === 408 || this.status === 429);
  }
}

/**
 * The error that tells most of several: from the first byte it would go; another file is there;
 * the mirrors fail; they do not want to; and only if all say so, that nobody has it.
 */
export function mostTelling(errors: readonly MirrorError[]): MirrorError | undefined {
  let best: MirrorError | undefined;
  for (const error of errors) {
    if (best === undefined || weightOf(error) >= weightOf(best)) best = error;
  }
  return best;
}

function weightOf({ code, status, retryAfter }: MirrorError): number {
  if (code === "no-range") return 7;
  if (code === "changed") return 6;
  if (code === "other-size") return 1;
  if (code !== "refused") return 2;
  if (status >= 500 || status === 429) return retryAfter === null ? 4 : 5;
  if (status === 404 || status === 410) return 1;
  return 3;
}
