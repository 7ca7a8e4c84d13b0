/** A database on the disk, whole or growing, as the body of an answer reads it. */

import type { DatabaseUpdate } from "./database_update.ts";
import type { FileSupply } from "../server/file_body.ts";
import { messageOf } from "../../base/errors.ts";

/** Reads one open file for one client. */
export class DatabaseSupply implements FileSupply {
  readonly round = 0;
  readonly #file: Deno.FsFile;
  readonly #sizeBytes: number;
  /** What makes it grow; null for a file that is whole. */
  readonly #update: DatabaseUpdate | null;

  /** Takes `file` over: it is closed when the ride ends. */
  constructor(
    file: Deno.FsFile,
    options: { readonly sizeBytes: number; readonly update: DatabaseUpdate | null },
  ) {
    this.#file = file;
    this.#sizeBytes = options.sizeBytes;
    this.#update = options.update;
  }

  get failure(): Error | null {
    const state = this.#update?.state;
    if (state?.kind !== "failed") return null;
    return state.error instanceof Error ? state.error : new Error(messageOf(state.error));
  }

  get isOver(): boolean {
    const kind = this.#update?.state.kind;
    return kind === undefined || kind === "good" || kind === "failed";
  }

  listen(listener: () => void): () => void {
    return this.#update?.listen(listener) ?? (() => {});
  }

  ride(): () => void {
    return () => this.#file.close();
  }

  releasedEnd(offset: number, { max }: { readonly max: number }): number {
    // The last byte waits until all of it is kept: nobody has a database whole that failed.
    const here = this.#update === null || this.isOver
      ? this.#sizeBytes
      : Math.min(this.#update.bytes, this.#sizeBytes - 1);
    return Math.max(offset, Math.min(here, offset + max));
  }

  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const buffer = new Uint8Array(length);
    // Both in one turn: no other reader has this file.
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    return buffer.subarray(0, this.#file.readSync(buffer) ?? 0);
  }
}
