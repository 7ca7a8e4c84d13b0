/**
 * The rest of a file from its mirrors (origins), for a client that has its beginning from elsewhere.
 * It must be the same file: the mirror gives the bytes just before once more, and they are compared.
 */

import type { MirrorFile } from "../../http/mirrors.ts";
import { ResumableRead } from "../../http/resumable_read.ts";
import type { RestBody } from "../server/file_body.ts";

/** Which bytes are wanted, and what was given just before them. */
interface RestRange {
  readonly offset: number;
  readonly end: number;
  readonly before: Uint8Array;
}

/** The rest of one file. */
export class MirrorRest implements RestBody {
  readonly #read: ResumableRead;
  #position: number;
  /** What was read and not given yet. */
  #ahead: Uint8Array | null = null;

  private constructor(file: MirrorFile, { offset, end, before }: RestRange, signal: AbortSignal) {
    this.#position = offset - before.length;
    this.#read = new ResumableRead(file, {
      next: () => this.#position < end ? { offset: this.#position, end } : null,
      mayReread: true,
      signal,
    });
  }

  /**
   * Begins to read; `signal` ends it.
   *
   * @throws {MirrorError} when no mirror gives it.
   * @throws {Error} when the file there is another one.
   */
  static async open(file: MirrorFile, range: RestRange, signal: AbortSignal): Promise<MirrorRest> {
    const rest = new MirrorRest(file, range, signal);
    try {
      await rest.#compare(range.before);
      return rest;
    } catch (error) {
      rest.#read[Symbol.dispose]();
      throw error;
    }
  }

  async read(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = this.#ahead ?? await this.#next();
    this.#ahead = null;
    return bytes.slice();
  }

  async #compare(before: Uint8Array): Promise<void> {
    for (let left = before; left.length > 0;) {
      const bytes = await this.#next();
      const count = Math.min(bytes.length, left.length);
      for (let i = 0; i < count; i++) {
        if (bytes[i] !== left[i]) throw new Error("the file at the mirror is another one");
      }
      left = left.subarray(count);
      if (bytes.length > count) this.#ahead = bytes.slice(count);
    }
  }

  async #next(): Promise<Uint8Array> {
    const piece = await this.#read.read();
    if (piece === null) throw new Error("the mirror gave less than it has to");
    this.#position += piece.bytes.length;
    return piece.bytes;
  }
}
