/**
 * One request to a mirror, up to the head of its answer: redirects, how long it may take, and which
 * bytes of the file the answer holds, against what was asked. Does not choose mirrors, and reads no
 * body.
 */

import type { Clock } from "../base/clock.ts";
import { httpReason } from "./http_reason.ts";
import { authorizationOf, parseUrl } from "../base/mirror_url.ts";
import { limits } from "../base/limits.ts";
import { VERSION } from "../base/version.ts";
import { MirrorError } from "./mirror_error.ts";
import type { NamedMirrors } from "./named_mirrors.ts";
import { leadsInside } from "./public_proxy.ts";
import type { ByteRange } from "./resumable_read.ts";

/** Where a mirror has a file. */
export interface MirrorAddress {
  /** Without user, password and fragment. */
  readonly url: URL;
  /** The Authorization that its user and password make; null without. Told to this origin only. */
  readonly authorization: string | null;
  /** HOST or HOST:PORT: what a person may be told of it. */
  readonly label: string;
}

/** By what a mirror's file is known again. */
export interface MirrorValidators {
  readonly etag: string | null;
  readonly lastModified: string | null;
}

/** How mirrors are reached. */
interface MirrorClients {
  readonly client: Deno.HttpClient;
  /** Reaches no address inside this machine's network. */
  readonly publicClient: Deno.HttpClient;
}

/** What is asked. */
export interface MirrorQuestion {
  readonly method: "GET" | "HEAD";
  /** Beyond those that every request has. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a mirror answered, its body unread. */
export interface MirrorHead extends MirrorValidators {
  readonly status: number;
  readonly response: Response;
  /** Whether a part of the file was asked for. */
  readonly hasRange: boolean;
  /** Bytes of the body; null when it did not say. */
  readonly contentBytes: number | null;
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** An ETag or date that is worth being remembered and sent back. */
const VALIDATOR = /^[\x20-\x7e]{1,256}$/;
/** Seconds or a date: nothing else of a foreign header goes to anybody. */
const RETRY_AFTER = /^(?:\d{1,9}|[A-Za-z]{3}, [\w :-]{8,40})$/;

/**
 * Reads the URL of a file at a mirror.
 *
 * @throws {UsageError} when it is none of http or https.
 */
export function mirrorAddress(text: string): MirrorAddress {
  const url = parseUrl(text, { what: "mirror", schemes: ["http", "https"] });
  const authorization = authorizationOf(url);
  url.username = url.password = "";
  return { url, authorization, label: url.host };
}

/** The headers that ask for a part of a file, if it is still the one with these validators. */
export function rangeHeaders(
  { offset, end }: ByteRange,
  validators: MirrorValidators | null,
): Record<string, string> {
  if (offset === 0 && end === undefined) return {};
  const range = `bytes=${offset}-${end === undefined ? "" : end - 1}`;
  const etag = validators?.etag ?? null;
  const same = isStrong(etag) ? etag : validators?.lastModified ?? null;
  return same === null ? { range } : { range, "if-range": same };
}

/** Whether an ETag tells one file's bytes from another's: a weak one says nothing of them. */
export function isStrong(etag: string | null): etag is string {
  return etag?.startsWith('"') ?? false;
}

/**
 * Asks a mirror, along its redirects, and waits for the head of an answer that is none.
 *
 * @param options.abort Is aborted, with the reason, when that takes too long; aborts the body later.
 * @throws {MirrorError} when there is no answer, or none that can be used.
 * @throws the reason of the signal of `abort`, when somebody else aborts that.
 */
export async function ask(
  address: MirrorAddress,
  question: MirrorQuestion,
  { clients, insideOnly, abort, answerMs, clock }: {
    readonly clients: MirrorClients;
    /** The mirrors that may be inside this machine's network; by default this one, and its redirects. */
    readonly insideOnly?: NamedMirrors | undefined;
    readonly abort: AbortController;
    readonly answerMs: number;
    readonly clock: Clock;
  },
): Promise<MirrorHead> {
  const mirror = address.label;
  const what = `Cannot ask mirror ${mirror}`;
  const silent = new MirrorError("silent", `${what}: no answer within ${answerMs} ms`, { mirror });
  const timer = clock.after(answerMs, () => abort.abort(silent));
  try {
    let { url } = address;
    const mayBeInside = (asked: Pick<MirrorAddress, "url" | "authorization">) =>
      insideOnly?.has(asked) ?? true;
    let isGuarded = !mayBeInside(address);
    if (isGuarded) await checkOutside(url, mirror, "it is");
    for (let redirects = 0; redirects <= limits.mirrorRedirectsMax; redirects++) {
      const headers = new Headers(question.headers);
      headers.set("accept", "*/*");
      // Bytes as they are: what was packed on the way could not be asked for in ranges. A mirror that
      // says of a .gz that it is one, as Content-Encoding, means the file itself: nothing is unpacked.
      headers.set("accept-encoding", "identity");
      headers.set("user-agent", `pacsrv/${VERSION}`);
      const authorization = authorizationAt(url, address);
      if (authorization !== null) headers.set("authorization", authorization);
      const { method } = question;
      const { signal } = abort;
      const client = isGuarded ? clients.publicClient : clients.client;
      const response = await fetch(url, { client, method, headers, signal, redirect: "manual" });
      if (!REDIRECTS.includes(response.status)) return readHead(response, question);
      await response.body?.cancel();
      url = redirected(response, { url, mirror });
      // A mirror inside this network may well have others there.
      isGuarded ||= !mayBeInside({ url, authorization: authorizationAt(url, address) }) ||
        !await leadsInside(address.url.hostname);
      if (isGuarded) await checkOutside(url, mirror, "it redirects");
    }
    throw new MirrorError(
      "unusable",
      `${what}: it redirects more than ${limits.mirrorRedirectsMax} times`,
      { mirror },
    );
  } catch (error) {
    if (abort.signal.aborted) throw abort.signal.reason;
    if (error instanceof MirrorError) throw error;
    throw new MirrorError("unreachable", `${what}: ${httpReason(error)}`, { mirror, cause: error });
  } finally {
    timer.cancel();
  }
}

/** What is sent of the mirror's user and password to a URL that it redirects to. */
function authorizationAt(url: URL, address: MirrorAddress): string | null {
  return url.origin === address.url.origin ? address.authorization : null;
}

/** What an answer holds of the file. */
export interface Extent {
  /** The first byte of the file that is given: the one that was asked for, or one before it. */
  readonly offset: number;
  /** Bytes that come before that. */
  readonly skipBytes: number;
  /** Where what is wanted ends; null when that is not known. */
  readonly end: number | null;
  /** Whether the answer goes on after that. */
  readonly goesOn: boolean;
  /** Whether more than was asked for is given, as far as it may go on. */
  readonly goesFurther: boolean;
  /** Bytes of the whole file, if the answer says. */
  readonly sizeBytes: number | null;
  readonly isEmpty: boolean;
}

/** What is known when an answer comes. */
interface Known {
  /** Label of the mirror that answered. */
  readonly mirror: string;
  /** Bytes of the file; null while nobody said it. */
  readonly sizeBytes: number | null;
  /** Throws unless the answer, of a file that long, is of the file that was begun with. */
  checkSame(sizeBytes: number | null): void;
}

/**
 * Which bytes of the file an answer holds.
 *
 * @throws {MirrorError} when it is none of this file, or none to what was asked.
 */
export function extentOf(head: MirrorHead, range: ByteRange, known: Known): Extent {
  const { mirror } = known;
  const { hasRange: isPart } = head;
  const { offset } = range;
  if (isPart && head.status === 416) return nothingFrom(offset, head, known);
  checkStatus(mirror, head, [200, 206]);
  if (head.status === 206) {
    const content = contentRange(head);
    if (content !== undefined) return partFrom(content, range, { ...known, hasRange: isPart });
    // Where all of it was asked for, it is all of it. Else nobody knows where it begins.
    if (isPart) throw noRange(mirror, offset);
  }
  const sizeBytes = head.contentBytes;
  checkSize(mirror, sizeBytes ?? 0);
  // Before anything else: a request for a part of what has changed is answered with the whole.
  known.checkSame(sizeBytes);
  const fileEnd = sizeBytes ?? known.sizeBytes;
  if (fileEnd !== null && fileEnd < offset) throw tooShort(mirror, offset, fileEnd);
  const isOfNoUse = isPart && range.needsRange === true;
  const isFar = offset > limits.mirrorSkipBytes;
  if (isOfNoUse || isFar && range.mayReread !== true) throw noRange(mirror, offset);
  return {
    ...(isFar ? { offset: 0, skipBytes: 0 } : { offset, skipBytes: offset }),
    ...endOf(range, fileEnd),
    ...{ sizeBytes, isEmpty: head.response.body === null },
  };
}

/** Where what is given ends of an answer that goes up to `last`, the end of the file if that is known. */
function endOf<Last extends number | null>(
  { end, mayGoOnTo = 0 }: ByteRange,
  last: Last,
): { readonly end: Last | number } & Pick<Extent, "goesOn" | "goesFurther"> {
  const wanted = end === undefined ? Infinity : Math.max(end, mayGoOnTo);
  const goesOn = wanted < (last ?? Infinity);
  const given = goesOn ? wanted : last;
  return { end: given, goesOn, goesFurther: (given ?? Infinity) > (end ?? Infinity) };
}

/**
 * Refuses an answer whose status is none of `good`.
 *
 * @throws {MirrorError} with that status.
 */
export function checkStatus(mirror: string, head: MirrorHead, good: readonly number[]): void {
  const { status } = head;
  if (good.includes(status)) return;
  if (status < 400) throw unusable(mirror, `it answered with status ${status}`);
  throw new MirrorError("refused", `Cannot get it from mirror ${mirror}: status ${status}`, {
    mirror,
    status: Math.min(status, 599),
    retryAfter: retryAfter(head),
  });
}

/** What a part of the file holds of a range: mirrors send more than was asked for, or the whole. */
function partFrom(
  content: ContentRange,
  range: ByteRange,
  { mirror, hasRange, checkSame }: Known & Pick<MirrorHead, "hasRange">,
): Extent {
  const { offset } = range;
  const { sizeBytes } = content;
  checkSize(mirror, sizeBytes ?? content.end);
  checkSame(sizeBytes);
  if (!hasRange && (content.offset > 0 || content.end < (sizeBytes ?? 0))) {
    throw unusable(mirror, "it sent a part of the file, and that was not asked for");
  }
  const skipBytes = offset - content.offset;
  const { mayGoOnTo: _, ...exactly } = range;
  const { end, ...further } = endOf(content.end === sizeBytes ? range : exactly, content.end);
  const isMore = skipBytes > 0 || end < content.end;
  const isOfNoUse = skipBytes < 0 || end <= offset || isMore && range.needsRange === true;
  if (isOfNoUse || skipBytes > limits.mirrorSkipBytes) throw noRange(mirror, offset);
  return { offset, skipBytes, end, ...further, sizeBytes, isEmpty: false };
}

/** What it means that there is nothing from `offset` on. */
function nothingFrom(offset: number, head: MirrorHead, { mirror, checkSame }: Known): Extent {
  const sizeBytes = unsatisfiedSize(head);
  // There is something, or it does not say: from the first byte on it may give it.
  if (sizeBytes === null || sizeBytes > offset) throw noRange(mirror, offset);
  checkSame(sizeBytes);
  if (sizeBytes < offset) throw tooShort(mirror, offset, sizeBytes);
  const end = offset;
  return { offset, skipBytes: 0, end, goesOn: false, goesFurther: false, sizeBytes, isEmpty: true };
}

function checkSize(mirror: string, sizeBytes: number): void {
  if (sizeBytes <= limits.fetchBytesMax) return;
  throw unusable(mirror, `it has ${sizeBytes} bytes, at most ${limits.fetchBytesMax}`);
}

function tooShort(mirror: string, offset: number, sizeBytes: number): MirrorError {
  return new MirrorError(
    "changed",
    `Cannot go on at byte ${offset} of mirror ${mirror}: its file has ${sizeBytes} bytes`,
    { mirror, status: 416 },
  );
}

/** The error of a mirror that gives something else than the part from `offset` on. */
export function noRange(mirror: string, offset: number): MirrorError {
  return new MirrorError(
    "no-range",
    `Cannot go on at byte ${offset} of mirror ${mirror}: it gives the whole file only`,
    { mirror },
  );
}

function unusable(mirror: string, why: string): MirrorError {
  return new MirrorError("unusable", `Cannot use mirror ${mirror}: ${why}`, { mirror });
}

/** What a 206 says that it holds: from `offset` to `end`, of a file of `sizeBytes` if it knows. */
interface ContentRange {
  readonly offset: number;
  readonly end: number;
  readonly sizeBytes: number | null;
}

/** What a 206 says that it holds; undefined when it does not say, or that makes no sense. */
function contentRange(head: MirrorHead): ContentRange | undefined {
  const text = head.response.headers.get("content-range") ?? "";
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[1]), end = Number(match[2]) + 1;
  const sizeBytes = match[3] === "*" ? null : Number(match[3]);
  if (end <= offset || sizeBytes !== null && end > sizeBytes) return undefined;
  if (head.contentBytes !== null && head.contentBytes !== end - offset) return undefined;
  return { offset, end, sizeBytes };
}

function unsatisfiedSize({ response }: MirrorHead): number | null {
  const match = /^bytes \*\/(\d{1,15})$/.exec(response.headers.get("content-range") ?? "");
  return match === null ? null : Number(match[1]);
}

/** Retry-After of an answer, if it is fit to be passed on. */
function retryAfter({ response }: MirrorHead): string | null {
  const text = response.headers.get("retry-after");
  return text !== null && RETRY_AFTER.test(text) ? text : null;
}

function readHead(response: Response, question: MirrorQuestion): MirrorHead {
  const { headers, status } = response;
  const length = headers.get("content-length");
  return {
    status,
    response,
    hasRange: question.headers.range !== undefined,
    etag: validator(headers.get("etag")),
    lastModified: validator(headers.get("last-modified")),
    contentBytes: length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null,
  };
}

/** What has an address inside is refused by name: the connection itself is checked again. */
async function checkOutside({ hostname }: URL, mirror: string, what: string): Promise<void> {
  if (!await leadsInside(hostname)) return;
  throw new MirrorError("unusable", `Cannot follow mirror ${mirror}: ${what} inside this network`, {
    mirror,
  });
}

function redirected(
  response: Response,
  { url, mirror }: { readonly url: URL; readonly mirror: string },
): URL {
  const refuse = (why: string) =>
    new MirrorError("unusable", `Cannot follow mirror ${mirror}: it redirects ${why}`, { mirror });
  const location = response.headers.get("location");
  if (location === null) throw refuse("to nowhere");
  if (location.length > 2 * limits.urlBytesMax) throw refuse("to a URL that is too long");
  let next: URL;
  try {
    next = new URL(location, url);
  } catch {
    throw refuse("to what is no URL");
  }
  if (next.protocol !== "http:" && next.protocol !== "https:") {
    throw refuse(`to the scheme ${next.protocol.slice(0, 16)}`);
  }
  next.username = next.password = next.hash = "";
  return next;
}

function validator(text: string | null): string | null {
  return text !== null && VALIDATOR.test(text) ? text : null;
}
