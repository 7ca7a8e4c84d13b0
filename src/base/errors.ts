/**
 * The three families of errors; the family decides what happens.
 *
 * - {@linkcode UsageError}: the caller's misuse. Told to the person with a hint; exit code 2.
 * - {@linkcode PeerFault}: a peer broke the protocol. The peer is dropped, the daemon goes on.
 * - {@linkcode EnvironmentError}: the disk, the network or the system. Retried or reported.
 *
 * {@linkcode FetchFailure} is how a fetch ends when it cannot be done; its code is the exit code.
 *
 * At the end stands what the types of unions need, which turn a forgotten case into an error.
 */

/** Options that every error here takes. */
interface ErrorExtras {
  /** What the person can do about it, as a full sentence. */
  readonly hint?: string | undefined;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/** An error that may say what the person can do about it. */
export class HintedError extends Error {
  /** Who tells it may word it for the person who called. */
  hint: string | undefined;

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
  /** It came for something that is over, or that nobody asked for: of many holders some are late. */
  | "unasked"
  | "wrong-magic"
  | "wrong-version"
  | "wrong-network"
  | "wrong-key"
  | "self"
  | "banned"
  | "busy"
  | "silent"
  | "slow-reader"
  | "tampered"
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

/**
 * Whether a fault is the peer's own doing, and ill: it may be slow or silent for want of time, and what
 * somebody on the way changed is not its fault.
 */
export function isMisdeed({ code }: PeerFault): boolean {
  return code !== "silent" && code !== "slow-reader" && code !== "tampered";
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

/** Whether bytes that were here are here no more, or are not what they were: others may have them. */
export function isNoLongerHere(error: unknown): error is EnvironmentError {
  return error instanceof EnvironmentError &&
    (error.code === "corrupt" || error.code === "changed" || error.code === "not-found");
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

/** What a person names is not here: no file, path or root of this daemon. */
export function notHere(target: string): FetchFailure {
  return new FetchFailure("notFound", `Cannot find ${JSON.stringify(target)}: it is not here`, {
    hint: "`pacsrv list` shows what is here.",
  });
}

/** What a person names is here only as a damaged copy. */
export function onlyWithheld(target: string, path: string): FetchFailure {
  const message = `Cannot find ${JSON.stringify(target)}: ${withheldText(path)}`;
  return new FetchFailure("notFound", message, { hint: withheldHint(path) });
}

/** That a shared file is withheld, and why. */
export function withheldText(path: string): string {
  return `a damaged copy is here, and withheld: ${path} changed though its time did not`;
}

/** What to do about a file that is withheld. */
export function withheldHint(path: string): string {
  return `Put the file right, or offer it as it is: \`pacsrv share --again ${path}\`.`;
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

/** The members of a union of events, effects or messages that are of a kind. */
export type OfKind<T extends { readonly kind: string }, K extends T["kind"]> = Extract<
  T,
  { readonly kind: K }
>;
