/**
 * One look at the mirrors for a database: whether the copy that is here is still the newest, and if
 * not, the new one on its way to the disk. Clients read it while it grows; it becomes the good copy
 * only when it is whole.
 *
 * Before anybody is told that it comes, it begins as a database does, and the disk has taken as many
 * bytes as it will have: what turns out not to be kept later would break off at its readers.
 */

import { crc32 } from "node:zlib";
import { Changes } from "../../base/changes.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type MirrorBody, MirrorError, type MirrorFile } from "../../http/mirrors.ts";
import { knowsNoHead } from "../../http/mirror_file.ts";
import { ResumableRead } from "../../http/resumable_read.ts";
import type { CachedDatabase, DatabaseCache } from "./database_cache.ts";
import { hasArchiveMagic, MAGIC_BYTES } from "./archive_magic.ts";
import type { Validators } from "../server/preconditions.ts";

/** Why a file can only pass through: there is no room, the disk refuses, or it is no database. */
type NotKeptReason = "no-room" | "disk" | "no-database";

/** It cannot be kept: it can only pass through. */
export class NotKept extends Error {
  override readonly name = "NotKept";
  readonly reason: NotKeptReason;

  constructor(reason: NotKeptReason, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.reason = reason;
  }
}

/** How far it is. */
type UpdateState =
  | { readonly kind: "asking" }
  /** The copy that is here is the newest, or there is a whole new one. */
  | { readonly kind: "good"; readonly copy: CachedDatabase }
  /** A new one comes, `sizeBytes` long if the mirror said so. */
  | { readonly kind: "coming"; readonly sizeBytes: number | null; readonly validators: Validators }
  | { readonly kind: "failed"; readonly error: unknown };

interface UpdateOptions {
  readonly cache: DatabaseCache;
  readonly file: MirrorFile;
  /** By what the cache knows it. */
  readonly key: string;
  /** Whether all of it is to be sent by the mirror, whatever is here. */
  readonly isUncached: boolean;
  /** Whether it is the signature of a database. */
  readonly isSignature: boolean;
  readonly signal: AbortSignal;
}

/** A check of one database, and the download that may follow from it. */
export class DatabaseUpdate {
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<void>;
  readonly changes = new Changes();
  readonly #options: UpdateOptions;
  #state: UpdateState = { kind: "asking" };
  #temporary: string | null = null;
  #bytes = 0;
  /** CRC-32 of what came. */
  #sum = 0;
  /** The first of them, as far as they are looked at. */
  readonly #first = new Uint8Array(MAGIC_BYTES);

  /** Begins at once. */
  constructor(options: UpdateOptions) {
    this.#options = options;
    this.ended = this.#run();
  }

  get state(): UpdateState {
    return this.#state;
  }

  get isUncached(): boolean {
    return this.#options.isUncached;
  }

  /** Bytes from the first one on that can be read from {@linkcode open}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it failed for more than that all mirrors refuse it (4xx). */
  get isDown(): boolean {
    if (this.#state.kind !== "failed") return false;
    const { error } = this.#state;
    return !(error instanceof MirrorError) || error.status >= 500 || this.#options.file.hasFailed;
  }

  /** What has come of it; only while it is "coming". */
  open(): Deno.FsFile {
    if (this.#temporary === null) throw new RangeError("Cannot read: nothing is coming");
    return Deno.openSync(this.#temporary, { read: true });
  }

  async #run(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      this.#become({ kind: "failed", error });
    } finally {
      this.#options.cache.release(this.#options.key);
      if (this.#temporary !== null) removeQuietly(this.#temporary);
      this.#temporary = null;
    }
  }

  async #look(): Promise<void> {
    const { cache, file, key, isUncached, signal } = this.#options;
    const copy = cache.get(key);
    // Whatever the mirror says: it is what clients are given when there is no mirror.
    const isSound = copy !== undefined && await cache.isSound(copy);
    const body = isSound && !isUncached
      ? await this.#changed(copy)
      : await file.open({ offset: 0 }, { signal });
    if (body !== null) await this.#take(body);
    else {
      cache.checked(copy!);
      this.#become({ kind: "good", copy: cache.get(key) ?? copy! });
    }
  }

  /**
   * What the mirror has instead of the copy that is here; null when it has the same. A date alone tells
   * that a file became newer, but not that an older one was put in its place: then the mirror is asked
   * for what it says of its file, and any other date or length is another file.
   */
  async #changed(copy: CachedDatabase): Promise<MirrorBody | null> {
    const { file, signal } = this.#options;
    const { etag, lastModified, sizeBytes } = copy;
    if (etag !== null) {
      const isSame = (now: Validators) => now.etag === null || now.etag === etag;
      return await file.revalidate({ etag, lastModified: null }, { signal, isSame });
    }
    if (lastModified === null) return await file.open({ offset: 0 }, { signal });
    try {
      const facts = await file.head({ signal });
      if (facts.lastModified === lastModified && facts.sizeBytes === sizeBytes) return null;
    } catch (error) {
      if (!(error instanceof MirrorError && knowsNoHead(error))) throw error;
      return await file.revalidate({ etag, lastModified }, { signal });
    }
    return await file.open({ offset: 0 }, { signal });
  }

  async #take(first: MirrorBody): Promise<void> {
    const { cache, key, isSignature } = this.#options;
    using body = first;
    const { sizeBytes, validators } = body;
    if (isSignature && (sizeBytes ?? 0) > limits.signatureBytesMax) throw tooBigSignature();
    if (!cache.reserve(key, sizeBytes ?? 0)) {
      throw new NotKept("no-room", "there is no room for it");
    }
    using target = this.#openFile();
    if (sizeBytes !== null) await reserve(target, sizeBytes);
    await this.#download(body, {
      target,
      begun: () => this.#become({ kind: "coming", sizeBytes, validators }),
    });
    if (sizeBytes !== null && this.#bytes !== sizeBytes) {
      throw new Error(`${this.#bytes} bytes came of ${sizeBytes}`);
    }
    const copy = await this.#keep(target, validators);
    this.#become({ kind: "good", copy });
  }

  #openFile(): Deno.FsFile {
    const { cache, key } = this.#options;
    const path = cache.newFile(key);
    try {
      const file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
      this.#temporary = path;
      return file;
    } catch (cause) {
      throw diskFailed(cause);
    }
  }

  async #keep(target: Deno.FsFile, validators: Validators): Promise<CachedDatabase> {
    const { cache, key } = this.#options;
    try {
      // Gives back what was reserved for the small file beside it.
      await target.truncate(this.#bytes);
      await target.syncData();
      const copy = cache.keep(this.#temporary!, {
        key,
        sizeBytes: this.#bytes,
        crc32: this.#sum,
        ...validators,
      });
      this.#temporary = null;
      return copy;
    } catch (cause) {
      throw diskFailed(cause);
    }
  }

  /**
   * Writes all that comes; where the mirror breaks off, the rest is asked for again. Calls `begun`
   * when what came is known to be a database.
   */
  async #download(
    first: MirrorBody,
    { target, begun }: { readonly target: Deno.FsFile; begun(): void },
  ): Promise<void> {
    const { cache, key, file, signal } = this.#options;
    using read = new ResumableRead(file, {
      body: first,
      next: () => ({ offset: this.#bytes }),
      signal,
      // Without a size nobody could say whether what comes next is the rest of the same file.
      ...(first.sizeBytes === null ? { retriesMax: 0 } : {}),
    });
    let hasBegun = false;
    for (;;) {
      const data = (await read.read())?.bytes;
      if (data !== undefined) {
        if (!cache.reserve(key, this.#bytes + data.length)) {
          throw new NotKept("no-room", "it is too big to be kept");
        }
        this.#write(target, data);
      }
      if (!hasBegun && (data === undefined || this.#bytes >= MAGIC_BYTES)) {
        this.#checkShape();
        hasBegun = true;
        begun();
      }
      if (data === undefined) return;
    }
  }

  /** What is no database must not take the place of one. */
  #checkShape(): void {
    if (this.#options.isSignature) return;
    if (hasArchiveMagic(this.#first.subarray(0, this.#bytes))) return;
    throw new NotKept("no-database", "it does not begin as a database does");
  }

  #write(target: Deno.FsFile, data: Uint8Array): void {
    if (this.#options.isSignature && this.#bytes + data.length > limits.signatureBytesMax) {
      throw tooBigSignature();
    }
    if (this.#bytes < MAGIC_BYTES) {
      this.#first.set(data.subarray(0, MAGIC_BYTES - this.#bytes), this.#bytes);
    }
    try {
      for (let done = 0; done < data.length;) done += target.writeSync(data.subarray(done));
    } catch (cause) {
      throw diskFailed(cause);
    }
    this.#bytes += data.length;
    this.#sum = crc32(data, this.#sum);
    this.changes.tell();
  }

  #become(state: UpdateState): void {
    this.#state = state;
    this.changes.tell();
  }
}

/** Has the disk take as many bytes as a database and its small file will have. */
async function reserve(target: Deno.FsFile, sizeBytes: number): Promise<void> {
  const zeros = new Uint8Array(limits.databaseReserveBytes);
  try {
    for (let left = sizeBytes + limits.databaseFactsBytesMax; left > 0;) {
      left -= await target.write(zeros.subarray(0, Math.min(left, zeros.length)));
    }
    await target.seek(0, Deno.SeekMode.Start);
  } catch (cause) {
    throw diskFailed(cause);
  }
}

function diskFailed(cause: unknown): NotKept {
  return new NotKept("disk", messageOf(cause), { cause });
}

function tooBigSignature(): NotKept {
  return new NotKept("no-database", `it is longer than ${limits.signatureBytesMax} bytes`);
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // What is left over goes when the cache is opened again.
  }
}
