/**
 * One look at the mirrors for a database: whether the copy that is here is still the newest, and if
 * not, the new one on its way to the disk. Clients read it while it grows; it becomes the good copy
 * only when it is whole.
 */

import { limits } from "../base/limits.ts";
import { type MirrorBody, MirrorError, type MirrorFile } from "../net/mirror.ts";
import type { CachedDatabase, DatabaseCache } from "./database_cache.ts";
import type { Validators } from "./preconditions.ts";

/** How far it is. */
export type UpdateState =
  | { readonly kind: "asking" }
  /** The copy that is here is the newest, or there is a whole new one. */
  | { readonly kind: "good"; readonly copy: CachedDatabase; readonly isNew: boolean }
  /** A new one comes, `sizeBytes` long if the mirror said so. */
  | { readonly kind: "coming"; readonly sizeBytes: number | null; readonly validators: Validators }
  | { readonly kind: "failed"; readonly error: unknown };

/** What an update needs. */
export interface UpdateOptions {
  readonly cache: DatabaseCache;
  readonly file: MirrorFile;
  /** The path under which clients ask for it. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/** A check of one database, and the download that may follow from it. */
export class DatabaseUpdate {
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<void>;
  readonly beganMs = performance.now();
  readonly #options: UpdateOptions;
  readonly #listeners = new Set<() => void>();
  #state: UpdateState = { kind: "asking" };
  #temporary: string | null = null;
  #bytes = 0;

  /** Begins at once. */
  constructor(options: UpdateOptions) {
    this.#options = options;
    this.ended = this.#run();
  }

  get state(): UpdateState {
    return this.#state;
  }

  /** Bytes from the first one on that can be read from {@linkcode open}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Calls back whenever something changed; returns the end of it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
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
      if (this.#temporary !== null) removeQuietly(this.#temporary);
      this.#temporary = null;
    }
  }

  async #look(): Promise<void> {
    const { cache, file, path, signal } = this.#options;
    const copy = cache.get(path);
    const isAsked = copy !== undefined && (copy.etag ?? copy.lastModified) !== null &&
      isThere(cache, copy);
    const body = isAsked
      ? await file.revalidate(copy, { signal })
      : await file.open({ offset: 0 }, { signal });
    if (body !== null) await this.#take(body);
    else {
      cache.checked(copy!);
      this.#become({ kind: "good", copy: cache.get(path) ?? copy!, isNew: false });
    }
  }

  async #take(first: MirrorBody): Promise<void> {
    const { cache, path } = this.#options;
    using body = first;
    checkSize(body.sizeBytes ?? 0);
    this.#temporary = cache.newFile(path);
    using target = Deno.openSync(this.#temporary, { write: true, createNew: true, mode: 0o600 });
    const { sizeBytes, etag, lastModified } = body;
    const validators = { etag, lastModified };
    this.#become({ kind: "coming", sizeBytes, validators });
    await this.#download(body, target);
    if (sizeBytes !== null && this.#bytes !== sizeBytes) {
      throw new Error(`${this.#bytes} bytes came of ${sizeBytes}`);
    }
    await target.syncData();
    const copy = cache.keep(this.#temporary, { path, sizeBytes: this.#bytes, ...validators });
    this.#temporary = null;
    this.#become({ kind: "good", copy, isNew: true });
  }

  /** Writes all that comes; where the mirror breaks off, the rest is asked for anew. */
  async #download(first: MirrorBody, target: Deno.FsFile): Promise<void> {
    let body = first;
    let breaks = 0;
    try {
      for (;;) {
        try {
          const data = await body.read();
          if (data === null) return;
          this.#write(target, data);
          breaks = 0;
        } catch (error) {
          const canResume = error instanceof MirrorError && first.sizeBytes !== null;
          if (!canResume || ++breaks > limits.mirrorRetriesMax) throw error;
          const { file, signal } = this.#options;
          body = await file.open({ offset: this.#bytes }, { signal });
        }
      }
    } finally {
      body.cancel();
    }
  }

  #write(target: Deno.FsFile, data: Uint8Array): void {
    checkSize(this.#bytes + data.length);
    for (let done = 0; done < data.length;) done += target.writeSync(data.subarray(done));
    this.#bytes += data.length;
    this.#changed();
  }

  #become(state: UpdateState): void {
    this.#state = state;
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function isThere(cache: DatabaseCache, copy: CachedDatabase): boolean {
  const file = cache.open(copy);
  file?.close();
  return file !== undefined;
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes <= limits.databaseBytesMax) return;
  throw new Error(
    `Cannot keep a database of ${sizeBytes} bytes: at most ${limits.databaseBytesMax}`,
  );
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // What is left over goes when the cache is opened again.
  }
}
