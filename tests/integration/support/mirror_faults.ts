// How a mirror of the tests misbehaves, and for whom. What it does then is in `mirrors.ts`.

import type { HttpRequest } from "./http_request.ts";

/** What a mirror does wrong; several of these can be said at once. */
export interface MirrorFault {
  /** All connections together get no more than so much; not counted as a fault. */
  readonly bytesPerSecond?: number;
  /** Closes the connection after so many bytes of a body. */
  readonly breakOffAfterBytes?: number;
  /** Says nothing more after so many bytes of a body, and keeps the connection. */
  readonly silentAfterBytes?: number;
  /** Takes the request and says nothing at all. */
  readonly isSilent?: boolean;
  /** Sends the complement of the bytes at these offsets of the file. */
  readonly flippedBytes?: readonly number[];
  /** Answers with this status instead of the file. */
  readonly status?: number;
  /** The Retry-After that goes with the status. */
  readonly retryAfter?: string;
  /** Answers 302 to there; `{path}` stands for the path of the request. */
  readonly redirectTo?: string;
  /** Content-Length is wrong by so much. */
  readonly lengthOff?: number;
  /** Knows nothing of ranges: the whole, with 200, whatever was asked. */
  readonly ranges?: "none";
}

/** For which requests a fault counts. */
export interface FaultRule {
  /** Only for paths that match. */
  readonly path?: RegExp;
  /** Only for so many requests. */
  readonly times?: number;
}

/** The faults that are in force. */
export class Faults {
  readonly #rules = new Set<{ fault: MirrorFault; path: RegExp | undefined; left: number }>();

  /** Puts a fault in force; returns what ends it. */
  add(fault: MirrorFault, rule: FaultRule): () => void {
    const entry = { fault, path: rule.path, left: rule.times ?? Infinity };
    this.#rules.add(entry);
    return () => this.#rules.delete(entry);
  }

  /** Ends all. */
  clear(): void {
    this.#rules.clear();
  }

  /** All that counts for this request, which uses up one of its `times`. */
  of(request: HttpRequest): MirrorFault {
    let all: MirrorFault = {};
    for (const rule of this.#rules) {
      if (rule.left <= 0 || rule.path?.test(request.path) === false) continue;
      rule.left--;
      all = { ...all, ...rule.fault };
    }
    return all;
  }
}
