/**
 * What is asked of whom, block by block, and what is still missing. A missing chunk is either open
 * (in {@linkcode Blocks}) or in the `left` mask of at least one request here. Decides nothing.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import { CHUNK_BYTES, chunkLength, rangeBytes } from "../../base/geometry.ts";
import type { Request, Source } from "./source.ts";
import { chunksIn } from "./block_mask.ts";
import type { Blocks } from "./blocks.ts";

/** The outstanding requests of all sources of one download. */
export class RequestTable {
  readonly #blocks: Blocks;
  readonly #have: Bitfield;
  readonly #sizeBytes: number;
  readonly #byBlock = new Map<number, Request[]>();
  #missingChunks: number;
  #inflightBytes = 0;

  constructor(blocks: Blocks, options: { readonly have: Bitfield; readonly sizeBytes: number }) {
    this.#blocks = blocks;
    this.#have = options.have;
    this.#sizeBytes = options.sizeBytes;
    this.#missingChunks = blocks.openChunks;
  }

  /** Wanted chunks that are not there yet. */
  get missingChunks(): number {
    return this.#missingChunks;
  }

  /** Bytes of all requests outstanding. */
  get inflightBytes(): number {
    return this.#inflightBytes;
  }

  /** The requests that are to bring chunks of a block. */
  in(block: number): readonly Request[] {
    return this.#byBlock.get(block) ?? [];
  }

  /** The blocks in which something is asked. */
  blocks(): IterableIterator<number> {
    return this.#byBlock.keys();
  }

  /** Bytes of the chunks that a mask names. */
  bytesOf(block: number, mask: number): number {
    if (mask === 0) return 0;
    // The lowest bit is the last chunk, and only that one can be short.
    const last = this.#blocks.rangeOf(block, mask & -mask).first;
    return (chunksIn(mask) - 1) * CHUNK_BYTES + chunkLength(this.#sizeBytes, last);
  }

  /** Enters a request for the run of chunks that `run` names. */
  ask(
    source: Source,
    block: number,
    options: { readonly run: number; readonly isDuplicate: boolean; readonly nowMs: number },
  ): Request {
    const range = this.#blocks.rangeOf(block, options.run);
    const bytes = rangeBytes(this.#sizeBytes, range).length;
    const { run: left, isDuplicate } = options;
    const unreported = left;
    const request: Request = { source, range, bytes, block, left, unreported, isDuplicate };
    const others = this.#byBlock.get(block);
    if (others === undefined) this.#byBlock.set(block, [request]);
    else others.push(request);
    this.#inflightBytes += bytes;
    this.#blocks.close(block, left);
    source.ask(request, options.nowMs);
    return request;
  }

  /** Strikes a request out; what only it was to bring is open again. */
  strike(request: Request): void {
    const others = this.#byBlock.get(request.block)!;
    others.splice(others.indexOf(request), 1);
    if (others.length === 0) this.#byBlock.delete(request.block);
    this.#inflightBytes -= request.bytes;
    for (const other of others) {
      // Where the first of two goes, the second is no longer a duplicate.
      if ((other.left & request.left) !== 0) other.isDuplicate = false;
    }
    this.reopen(request.block, request.left);
  }

  /** Opens those of the chunks again that are neither there nor asked for. */
  reopen(block: number, mask: number): void {
    if (mask === 0) return;
    const there = this.#blocks.inField(this.#have, block);
    this.#blocks.reopen(block, mask & ~there & ~this.#asked(block));
  }

  /**
   * Takes those of the chunks as got that are there now, from any source, and returns which
   * of them were missing until now. Requests that bring nothing more keep an empty `left`: the
   * caller strikes them out.
   */
  gain(block: number, mask: number): number {
    const there = mask & this.#blocks.inField(this.#have, block);
    const gained = there & (this.#blocks.open(block) | this.#asked(block));
    if (gained === 0) return 0;
    this.#missingChunks -= chunksIn(gained);
    this.#blocks.close(block, gained);
    for (const request of this.in(block)) request.left &= ~gained;
    return gained;
  }

  /** Takes chunks in as missing that were there before and are no longer. */
  lose(block: number): void {
    const there = this.#blocks.inField(this.#have, block);
    const lost = this.#blocks.wanted(block) &
      ~(there | this.#blocks.open(block) | this.#asked(block));
    this.#missingChunks += chunksIn(lost);
    this.#blocks.reopen(block, lost);
  }

  #asked(block: number): number {
    let mask = 0;
    for (const request of this.in(block)) mask |= request.left;
    return mask;
  }
}
