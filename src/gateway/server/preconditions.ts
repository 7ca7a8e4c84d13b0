/**
 * Conditional requests: RFC 9110, section 13. Whether a client has what it asks for already, and
 * whether the rest of a file still belongs to the part that it has.
 */

/** By what two versions of a file are told apart. */
export interface Validators {
  /** A strong entity tag with its quotes; null when there is none (yet). */
  readonly etag: string | null;
  /** Last-Modified as it is sent; null when nobody knows it. */
  readonly lastModified: string | null;
}

/**
 * Whether a client wants nothing but the file that it knows, and this is another one, so that 412 is the
 * answer. If-Unmodified-Since counts only without If-Match, and only where the time of the file is known.
 * These come before all other conditions.
 */
export function isPreconditionFailed(headers: Headers, validators: Validators): boolean {
  const ifMatch = headers.get("if-match");
  if (ifMatch !== null) {
    if (ifMatch.trim() === "*") return false;
    const { etag } = validators;
    // A weak tag says nothing of single bytes, on either side.
    return etag === null || !etag.startsWith('"') || !strongTagsOf(ifMatch).includes(etag);
  }
  const since = dateOf(headers.get("if-unmodified-since"));
  const modified = dateOf(validators.lastModified);
  return since !== undefined && modified !== undefined && modified > since;
}

/** Whether a request has a condition of which {@linkcode isPreconditionFailed} decides. */
export function hasPrecondition(headers: Headers): boolean {
  return headers.has("if-match") || headers.has("if-unmodified-since");
}

/**
 * Whether the client's copy is still good, so that 304 is the answer. If-Modified-Since counts only
 * without If-None-Match, and only where the time of the file is known. With `isExact` only the very
 * time of the file will do, as at nginx: a client with a newer one has another file.
 */
export function isNotModified(
  headers: Headers,
  validators: Validators,
  { isExact = false }: { readonly isExact?: boolean } = {},
): boolean {
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== null) return matchesAny(ifNoneMatch, validators.etag);
  const since = dateOf(headers.get("if-modified-since"));
  const modified = dateOf(validators.lastModified);
  if (since === undefined || modified === undefined) return false;
  return isExact ? modified === since : modified <= since;
}

/**
 * Whether a Range header counts: without If-Range it does, else only where the file is surely that
 * of which the client has a part.
 */
export function isRangeWanted(headers: Headers, validators: Validators): boolean {
  const ifRange = headers.get("if-range")?.trim();
  if (ifRange === undefined) return true;
  if (ifRange.startsWith('"')) return ifRange === validators.etag;
  // A weak tag says nothing of single bytes; a date does when it is the very one.
  if (ifRange.startsWith("W/")) return false;
  const date = dateOf(ifRange);
  return date !== undefined && date === dateOf(validators.lastModified);
}

/** Whether a list of entity tags, or `*`, names `etag`; weak and strong ones are alike here. */
function matchesAny(list: string, etag: string | null): boolean {
  if (etag === null) return false;
  if (list.trim() === "*") return true;
  for (const [tag] of list.matchAll(/"[^"]*"/g)) if (tag === opaque(etag)) return true;
  return false;
}

function strongTagsOf(list: string): string[] {
  return Array.from(list.matchAll(/(W\/)?("[^"]*")/g), ([, weak, tag]) => weak ? "" : tag!);
}

function opaque(etag: string): string {
  return etag.replace(/^W\//, "");
}

/** A date of HTTP in ms; undefined for what is none, so that it is ignored. */
function dateOf(text: string | null): number | undefined {
  if (text === null || !/^[A-Z][a-z]{2,8},? /.test(text.trim())) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
