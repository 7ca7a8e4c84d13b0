/** Which mirror gave which bytes of what is taken in from mirrors, in order. Asks nobody. */

import { CHUNK_BYTES } from "../../base/geometry.ts";

/** Who brought the bytes of one unverified download. */
export class MirrorProviders {
  /** Up to which byte each gave, in order; null is an earlier fetch, which is first if at all. */
  readonly #runs: { readonly mirror: string | null; end: number }[] = [];

  /** Those to blame if it is not the file: nobody, while an earlier fetch brought some of it. */
  get culprits(): string[] {
    const mirrors = new Set<string>();
    for (const { mirror } of this.#runs) {
      if (mirror === null) return [];
      mirrors.add(mirror);
    }
    return [...mirrors];
  }

  /** What comes before byte `end` was brought by a mirror, or, for null, by an earlier fetch. */
  gave(mirror: string | null, end: number): void {
    const last = this.#runs.at(-1);
    if (last?.mirror === mirror) last.end = end;
    else this.#runs.push({ mirror, end });
  }

  has(mirror: string): boolean {
    return this.#runs.some((run) => run.mirror === mirror);
  }

  /** The mirror that all of a chunk of a file came from; null when there is no one such. */
  of(index: number, sizeBytes: number): string | null {
    const start = index * CHUNK_BYTES;
    const run = this.#runs.find(({ end }) => end > start);
    return run === undefined || run.end < Math.min(start + CHUNK_BYTES, sizeBytes)
      ? null
      : run.mirror;
  }

  clear(): void {
    this.#runs.length = 0;
  }
}
