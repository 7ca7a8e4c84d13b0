/**
 * What is asked of whom, unit by unit, and what is still missing. A missing chunk is either open
 * (in {@linkcode Units}) or in the `left` mask of at least one request here. Decides nothing.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import { CHUNK_BYTES, chunkLength, rangeBytes } from "../../base/geometry.ts";
import type { Request, Source } from "./source.ts";
import { chunksIn } from "./block_mask.ts";
import type { Units } from "./blocks.ts";

/** The outstanding requests of all sources of one download. */
export class RequestBook {
  readonly #units: Units;
  readonly #have: Bitfield;
  readonly #sizeBytes: number;
  readonly #byUnit = new Map<number, Request[]>();
  #missingChunks: number;
  #inflightBytes = 0;

  constructor(units: Units, options: { readonly have: Bitfield; readonly sizeBytes: number }) {
    this.#units = units;
    this.#have = options.have;
    this.#sizeBytes = options.sizeBytes;
    this.#missingChunks = units.openChunks;
  }

  /** Wanted chunks that are not there yet. */
  get missingChunks(): number {
    return this.#missingChunks;
  }

  /** Bytes of all requests outstanding. */
  get inflightBytes(): number {
    return this.#inflightBytes;
  }

  /** The requests that are to bring chunks of a unit. */
  in(unit: number): readonly Request[] {
    return this.#byUnit.get(unit) ?? [];
  }

  /** The units in which something is asked. */
  units(): IterableIterator<number> {
    return this.#byUnit.keys();
  }

  /** Bytes of the chunks that a mask names. */
  bytesOf(unit: number, mask: number): number {
    if (mask === 0) return 0;
    // The lowest bit is the last chunk, and only that one can be short.
    const last = this.#units.rangeOf(unit, mask & -mask).first;
    return (chunksIn(mask) - 1) * CHUNK_BYTES + chunkLength(this.#sizeBytes, last);
  }

  /** Enters a request for the run of chunks that `run` names. */
  ask(
    source: Source,
    unit: number,
    options: { readonly run: number; readonly isDuplicate: boolean; readonly nowMs: number },
  ): Request {
    const range = this.#units.rangeOf(unit, options.run);
    const bytes = rangeBytes(this.#sizeBytes, range).length;
    const { run: left, isDuplicate } = options;
    const unreported = left;
    const request: Request = { source, range, bytes, unit, left, unreported, isDuplicate };
    const others = this.#byUnit.get(unit);
    if (others === undefined) this.#byUnit.set(unit, [request]);
    else others.push(request);
    this.#inflightBytes += bytes;
    this.#units.close(unit, left);
    source.ask(request, options.nowMs);
    return request;
  }

  /** Strikes a request out; what only it was to bring is open again. */
  strike(request: Request): void {
    const others = this.#byUnit.get(request.unit)!;
    others.splice(others.indexOf(request), 1);
    if (others.length === 0) this.#byUnit.delete(request.unit);
    this.#inflightBytes -= request.bytes;
    for (const other of others) {
      // Where the first of two goes, the second is no longer a spare.
      if ((other.left & request.left) !== 0) other.isDuplicate = false;
    }
    this.reopen(request.unit, request.left);
  }

  /** Opens those of the chunks again that are neither there nor asked for. */
  reopen(unit: number, mask: number): void {
    if (mask === 0) return;
    const there = this.#units.inField(this.#have, unit);
    this.#units.reopen(unit, mask & ~there & ~this.#asked(unit));
  }

  /**
   * Takes those of the chunks as got that are there now, whoever brought them, and returns which
   * of them were missing until now. Requests that bring nothing more keep an empty `left`: the
   * caller strikes them out.
   */
  gain(unit: number, mask: number): number {
    const there = mask & this.#units.inField(this.#have, unit);
    const gained = there & (this.#units.open(unit) | this.#asked(unit));
    if (gained === 0) return 0;
    this.#missingChunks -= chunksIn(gained);
    this.#units.close(unit, gained);
    for (const request of this.in(unit)) request.left &= ~gained;
    return gained;
  }

  /** Takes chunks in as missing that were there before and are no longer. */
  lose(unit: number): void {
    const there = this.#units.inField(this.#have, unit);
    const lost = this.#units.wanted(unit) &
      ~(there | this.#units.open(unit) | this.#asked(unit));
    this.#missingChunks += chunksIn(lost);
    this.#units.reopen(unit, lost);
  }

  #asked(unit: number): number {
    let mask = 0;
    for (const request of this.in(unit)) mask |= request.left;
    return mask;
  }
}
