// How a mirror of the tests misbehaves, and for whom. What it does then is in `mirror.ts`.

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
  /** Says 206 to a range and sends the whole; or does not say, or says wrongly, which part it is. */
  readonly part?: "whole" | "unsaid" | "malformed";
  /** Says that the file is packed like this. */
  readonly contentEncoding?: string;
  /** Says neither ETag nor Last-Modified, and knows of no condition; or knows no ETag. */
  readonly validators?: "none" | "date";
  /** Answers 503 to a machine to which it is already giving so many answers. */
  readonly answersMax?: number;
}

/** For which requests a fault counts. */
export interface FaultRule {
  /** Only for paths that match. */
  readonly path?: RegExp;
  /** Only for these machines, by their names in the URLs. */
  readonly machines?: readonly string[];
  /** Only for so many requests. */
  readonly times?: number;
}

/** What a rule looks at. */
export interface FaultedRequest {
  readonly path: string;
  readonly machine: string;
}

/** The faults that are in force. */
export class Faults {
  readonly #entries = new Set<
    { readonly fault: MirrorFault; readonly rule: FaultRule; left: number }
  >();

  /** Puts a fault in force; returns what ends it. */
  add(fault: MirrorFault, rule: FaultRule): () => void {
    const entry = { fault, rule, left: rule.times ?? Infinity };
    this.#entries.add(entry);
    return () => this.#entries.delete(entry);
  }

  /** Ends all. */
  clear(): void {
    this.#entries.clear();
  }

  /** All that counts for this request, which uses up one of its `times`. */
  of(request: FaultedRequest): MirrorFault {
    let all: MirrorFault = {};
    for (const entry of this.#entries) {
      const { path, machines } = entry.rule;
      if (entry.left <= 0 || path?.test(request.path) === false) continue;
      if (machines?.includes(request.machine) === false) continue;
      entry.left--;
      all = { ...all, ...entry.fault };
    }
    return all;
  }
}
