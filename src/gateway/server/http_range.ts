/**
 * The Range header of a request: RFC 9110, section 14. A header that the RFC lets a server ignore
 * is ignored, and the whole file is the answer: other units, what is malformed, several ranges.
 */

/** What a Range header asks for, before the size of the file is known. */
export type RangeSpec =
  | { readonly kind: "whole" }
  /** From byte `first` to byte `last`, which is part of it; to the end without one. */
  | { readonly kind: "from"; readonly first: number; readonly last: number | null }
  /** The last `length` bytes. */
  | { readonly kind: "suffix"; readonly length: number };

/** What of a file of a known size is to be sent; `end` is the first byte after it. */
export type ResolvedRange =
  | { readonly kind: "whole"; readonly start: 0; readonly end: number }
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable" };

const WHOLE: RangeSpec = { kind: "whole" };

/** Reads a Range header; `null` when the request has none. */
export function parseRange(header: string | null): RangeSpec {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header?.trim() ?? "");
  if (match === null) return WHOLE;
  const [, first, last] = match;
  if (first === "" || first === undefined) {
    return last === "" || last === undefined ? WHOLE : { kind: "suffix", length: toNumber(last) };
  }
  if (last === "" || last === undefined) {
    return { kind: "from", first: toNumber(first), last: null };
  }
  const range = { first: toNumber(first), last: toNumber(last) };
  return range.first > range.last ? WHOLE : { kind: "from", ...range };
}

/** Which bytes of a file of `sizeBytes` a Range header means. */
export function resolveRange(spec: RangeSpec, sizeBytes: number): ResolvedRange {
  switch (spec.kind) {
    case "whole":
      return { kind: "whole", start: 0, end: sizeBytes };
    case "from": {
      if (spec.first >= sizeBytes) return { kind: "unsatisfiable" };
      const end = spec.last === null ? sizeBytes : Math.min(spec.last + 1, sizeBytes);
      return { kind: "part", start: spec.first, end };
    }
    case "suffix": {
      const length = Math.min(spec.length, sizeBytes);
      if (length === 0) return { kind: "unsatisfiable" };
      return { kind: "part", start: sizeBytes - length, end: sizeBytes };
    }
  }
}

/** More digits than a number holds exactly mean: past the end of any file. */
function toNumber(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);
}
