/**
 * The three families of errors; the family decides what happens.
 *
 * - {@linkcode UsageError}: the caller's misuse. Told to the person with a hint; exit code 2.
 * - {@linkcode PeerFault}: a peer broke the protocol. The peer is dropped, the daemon goes on.
 * - {@linkcode EnvironmentError}: the disk, the network or the system. Retried or reported.
 *
 * {@linkcode FetchFailure} is how a fetch ends when it cannot be done; its code is the exit code.
 */

/** Options that every error here takes. */
interface ErrorExtras {
  /** What the person can do about it, as a full sentence. */
  readonly hint?: string | undefined;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/** An error that may say what the person can do about it. */
class HintedError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, { hint, cause }: ErrorExtras = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.hint = hint;
  }
}

/** A person or a program called pacsrv wrongly. */
export class UsageError extends HintedError {
  override readonly name = "UsageError";
}

/** Why a peer is dropped. The code may be told to the peer; the message stays here. */
export type PeerFaultCode =
  | "malformed"
  | "oversized"
  | "unexpected"
  | "wrong-magic"
  | "wrong-version"
  | "wrong-network"
  | "wrong-key"
  | "self"
  | "banned"
  | "busy"
  | "silent"
  | "slow-reader"
  | "bad-data"
  | "flooding";

/** A peer did what the protocol does not allow. */
export class PeerFault extends Error {
  override readonly name = "PeerFault";
  readonly code: PeerFaultCode;

  constructor(code: PeerFaultCode, message: string, extras: { readonly cause?: unknown } = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
  }
}

/** What in the surroundings failed. */
export type EnvironmentCode =
  | "no-space"
  | "read-only"
  | "not-found"
  | "no-permission"
  | "changed"
  | "in-use"
  | "unreachable"
  | "corrupt"
  | "other";

/** The disk, the network or the system refused. */
export class EnvironmentError extends HintedError {
  override readonly name = "EnvironmentError";
  readonly code: EnvironmentCode;

  constructor(code: EnvironmentCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras);
    this.code = code;
  }
}

/** Exit codes of the command line; `src/cli/help.ts` says what they mean. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  checkFailed: 4,
  noDaemon: 5,
  timedOut: 6,
} as const;

/** How a fetch, or another command, can end. */
export type ExitName = keyof typeof EXIT;

/** How the last mirror that was asked refused a file. */
export interface UpstreamRefusal {
  /** Its HTTP status, 400 to 599; 502 when it answered nothing that can be used, 504 nothing at all. */
  readonly status: number;
  /** Its Retry-After as it gave it; null without one. */
  readonly retryAfter: string | null;
}

/** A fetch that ended without its file. */
export class FetchFailure extends HintedError {
  override readonly name = "FetchFailure";
  readonly exit: Exclude<ExitName, "done">;
  /** Where mirrors were asked as well, and nobody had the file. */
  readonly upstream: UpstreamRefusal | undefined;

  constructor(
    exit: Exclude<ExitName, "done">,
    message: string,
    extras: ErrorExtras & { readonly upstream?: UpstreamRefusal } = {},
  ) {
    super(message, extras);
    this.exit = exit;
    this.upstream = extras.upstream;
  }
}

/** The message of anything thrown, for a log line or a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Anything thrown, as an error. */
export function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Marks a case that the types rule out; reaching it is a bug in this program. */
export function unreachable(value: never): never {
  throw new TypeError(`Unhandled case: ${JSON.stringify(value)}`);
}
