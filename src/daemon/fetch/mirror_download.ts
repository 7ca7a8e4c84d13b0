/**
 * What came from the mirrors of one fetch: in an unverified download of the store, with who gave
 * which bytes of it. An earlier fetch may have left its beginning there; parts of two files must not
 * become one, so that is gone on with only where the next answer shows that it is of the same file,
 * or where the whole is checked at its end.
 */

import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import { nameOfUrl } from "../../base/mirror_url.ts";
import type { MirrorAnswer } from "../../http/coalesced_reads.ts";
import { isStrong } from "../../http/mirror_request.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type {
  ResumeValidators,
  UnverifiedDownload,
} from "../../store/downloads/unverified_download.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import { HERE, mirrorProvider, type Provider } from "../swarm/provider.ts";
import { StreamLedger } from "../swarm/transfer_ledger.ts";

/** Where an opened download goes on. */
interface Opening {
  /** The next byte to write. */
  readonly position: number;
  /** For a person, what became of what an earlier fetch left; null where it left nothing. */
  readonly note: string | null;
  /** What the mirrors' file must be to go on; null where it may be any. */
  readonly expected: Parameters<MirrorFile["expect"]>[0] | null;
}

/** The unverified download of one fetch. */
export class MirrorDownload {
  /** Who gave what is in it. */
  readonly received = new StreamLedger();
  readonly #store: Pick<ChunkStore, "openUnverified">;
  readonly #request: FetchRequest;
  readonly #path: string | undefined;
  #unverified: UnverifiedDownload | null = null;
  /** The mirror that gives what is written now. */
  #provider: Provider = HERE;
  /** The chunk of which the beginning was written, and the rest is still to come. */
  readonly #begun = new BegunChunk();
  /** By what the next answer has to show that it goes on with what an earlier fetch brought. */
  #earlier: ResumeValidators | null = null;

  /** Bytes are written at `path`, or, without one, inside the store. */
  constructor(
    store: Pick<ChunkStore, "openUnverified">,
    request: FetchRequest,
    path: string | undefined,
  ) {
    this.#store = store;
    this.#request = request;
    this.#path = path;
  }

  /** Null while it is not opened. */
  get unverified(): UnverifiedDownload | null {
    return this.#unverified;
  }

  get provider(): Provider {
    return this.#provider;
  }

  /** Opens it, to be written from byte `start` on, or from where an earlier fetch got to. */
  open(start: number): Opening {
    const { sizeBytes, mirrors } = this.#request;
    const unverified = this.#unverified = this.#store.openUnverified({
      name: unverifiedName(this.#request),
      sizeBytes,
      key: mirrors[0]!,
      ...(this.#path === undefined ? {} : { path: this.#path }),
    });
    const position = this.#wholeChunks(unverified, unverified.nextMissing(start));
    if (position <= start) return { position: start, note: null, expected: null };
    const { validators } = unverified;
    const isChecked = start === 0 && isWholeChecked(this.#request);
    if (!isChecked && !canTell(validators)) {
      const what = `Nothing tells of which file the ${position} bytes are that are here`;
      unverified.restart();
      unverified.sizeBytes = sizeBytes;
      return { position: start, note: `${what}: begins again`, expected: null };
    }
    this.#provider = HERE;
    this.received.received(HERE, position);
    this.#earlier = isChecked ? null : validators;
    const mirror = validators === null ? {} : { mirror: validators.mirror };
    return {
      position,
      note: `Goes on at byte ${position} of an earlier fetch`,
      expected: { ...mirror, sizeBytes: unverified.sizeBytes, validators },
    };
  }

  /** Fellows may write whole chunks there: the mirror gives all of each that it gives any of. */
  #wholeChunks({ isWhole }: UnverifiedDownload, position: number): number {
    const isShared = this.#path === undefined && !isWhole;
    return isShared ? position - position % CHUNK_BYTES : position;
  }

  /** Whether an answer may be of the file of which an earlier fetch brought the beginning. */
  goesOnWith(body: MirrorAnswer): boolean {
    return this.#earlier === null || isSameFile(this.#earlier, body);
  }

  /** What is written from now on is this answer of the mirrors. */
  begin({ mirror, validators }: MirrorAnswer, file: MirrorFile): void {
    this.#earlier = null;
    this.#unverified!.validators ??= { mirror, ...validators };
    this.#provider = mirrorProvider(mirror, file);
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#begun.mend(offset, (from, beginning) => this.#unverified!.write(from, beginning));
    this.#unverified!.write(offset, bytes);
    this.#begun.written(offset, bytes);
    this.received.received(this.#provider, offset + bytes.length);
  }

  /** What comes before byte `end` is here: the same mirror gave it for others. */
  passOver(end: number): void {
    this.#begun.forget();
    this.received.received(this.#provider, end);
  }

  /** Writes chunks that fellows gave: what a mirror has begun to give it gives whole. */
  writeOthers(offset: number, bytes: Uint8Array): void {
    this.#unverified!.write(offset, bytes);
    this.#begun.overwritten(offset, bytes.length);
  }

  /** Has chunks count as missing: what a mirror has begun to give of them it gives whole. */
  drop(range: ChunkRange): void {
    this.#unverified!.drop(range);
    this.#begun.overwritten(range.first * CHUNK_BYTES, range.count * CHUNK_BYTES);
  }

  /** Throws away what is there: what comes next is another file. */
  restart(): void {
    this.received.clear();
    this.#begun.forget();
    this.#earlier = null;
    this.#unverified?.restart();
  }

  /** Leaves its place to others; it may be opened there again. */
  leave(): void {
    this.end("suspend");
    this.#unverified = null;
    this.#begun.forget();
    this.#earlier = null;
    this.received.clear();
  }

  /** Keeps what is there for a later fetch, or not; somebody may have taken it over. */
  end(how: "suspend" | "discard"): void {
    if (this.#unverified?.isEnded === false) this.#unverified[how]();
  }
}

/**
 * What a mirror gave of a chunk that is not whole yet. Others may bring all of that chunk meanwhile:
 * half of it must not stay theirs when it counts as the mirror's.
 */
class BegunChunk {
  readonly #bytes = new Uint8Array(CHUNK_BYTES);
  #offset = 0;
  #length = 0;
  #isOverwritten = false;

  /** The mirror's bytes were written, in order. */
  written(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    const from = Math.max(offset, end - end % CHUNK_BYTES);
    if (from > offset || from % CHUNK_BYTES === 0 || from !== this.#offset + this.#length) {
      this.#offset = from;
      this.#length = 0;
    }
    this.#bytes.set(bytes.subarray(from - offset), this.#length);
    this.#length += end - from;
    this.#isOverwritten = false;
  }

  /** Others wrote, or what is there counts as missing. */
  overwritten(offset: number, length: number): void {
    const isMeant = offset < this.#offset + this.#length && offset + length > this.#offset;
    this.#isOverwritten ||= isMeant;
  }

  /** Writes it once more where that is needed before the mirror goes on at `offset`. */
  mend(offset: number, write: (offset: number, bytes: Uint8Array) => void): void {
    if (!this.#isOverwritten || offset !== this.#offset + this.#length) return;
    write(this.#offset, this.#bytes.subarray(0, this.#length));
    this.#isOverwritten = false;
  }

  forget(): void {
    this.#length = 0;
    this.#isOverwritten = false;
  }
}

/** The name of what a request's mirrors give: where it names only a root, that in their URL. */
function unverifiedName({ name, root, mirrors }: FetchRequest): string {
  if (name !== "") return name;
  try {
    return nameOfUrl(new URL(mirrors[0]!));
  } catch {
    return root ?? "file";
  }
}

/** Whether all of it is wanted, and checked at its end, so that a wrong beginning would be seen. */
function isWholeChecked({ sha256, root, chunks }: FetchRequest): boolean {
  return chunks === null && (sha256 !== null || root !== null);
}

/** Whether a file can be known again by these at all. */
function canTell(known: ResumeValidators | null): known is ResumeValidators {
  return known !== null && (known.lastModified !== null || isStrong(known.etag));
}

/** Whether an answer is certainly of the file that `earlier` tells of. */
function isSameFile(
  earlier: ResumeValidators,
  { mirror, validators: { etag, lastModified } }: MirrorAnswer,
): boolean {
  if (earlier.lastModified !== null && lastModified === earlier.lastModified) return true;
  return mirror === earlier.mirror && isStrong(etag) && etag === earlier.etag;
}
