/** Which bytes of a file are there, as runs in order and apart. No I/O. */

/** Bytes from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The bytes of a file that are there, kept as the fewest spans; mostly one. */
export class Spans {
  #sizeBytes: number | null;
  #spans: { start: number; end: number }[] = [];
  #bytes = 0;

  /** @param sizeBytes Of the file; null while it is not known. */
  constructor(sizeBytes: number | null) {
    this.#sizeBytes = sizeBytes;
  }

  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  /** Bytes past it are forgotten. */
  set sizeBytes(sizeBytes: number | null) {
    this.#sizeBytes = sizeBytes;
    if (sizeBytes !== null) this.cut(sizeBytes);
  }

  /** Whether every byte is there; false while the size is not known. */
  get isWhole(): boolean {
    return this.#sizeBytes !== null && this.has(0, this.#sizeBytes);
  }

  /** How many bytes are in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The spans, in order; not to be kept. */
  list(): readonly Span[] {
    return this.#spans;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    const last = this.#spans.at(-1);
    // What comes in order makes the last span longer: no search, nothing new.
    if (last !== undefined && start >= last.start && start <= last.end) {
      if (end <= last.end) return;
      this.#bytes += end - last.end;
      last.end = end;
      return;
    }
    const before = this.#spans.filter((span) => span.end < start);
    const after = this.#spans.filter((span) => span.start > end);
    const touched = this.#spans.slice(before.length, this.#spans.length - after.length);
    const joined = {
      start: Math.min(start, touched[0]?.start ?? start),
      end: Math.max(end, touched.at(-1)?.end ?? end),
    };
    this.#spans = [...before, joined, ...after];
    this.#count();
  }

  /** Removes all bytes from `end` on. */
  cut(end: number): void {
    this.#spans = this.#spans.filter((span) => span.start < end);
    const last = this.#spans.at(-1);
    if (last !== undefined) last.end = Math.min(last.end, end);
    this.#count();
  }

  /** Removes the bytes from `start` to before `end`. */
  remove(start: number, end: number): void {
    this.#spans = this.#spans.flatMap((span) => {
      if (span.end <= start || end <= span.start) return [span];
      return [{ start: span.start, end: start }, { start: end, end: span.end }]
        .filter((left) => left.start < left.end);
    });
    this.#count();
  }

  /** Whether all bytes from `start` to before `end` are in it. */
  has(start: number, end: number): boolean {
    return end <= start || this.#spans.some((span) => span.start <= start && end <= span.end);
  }

  #count(): void {
    this.#bytes = this.#spans.reduce((sum, span) => sum + span.end - span.start, 0);
  }
}
