/**
 * The last good copies of repositories' databases on the disk, by the path under which clients ask
 * for them: each a file of bytes, and a small one beside it that says what they are. Asks nobody.
 */

import { createHash } from "node:crypto";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Validators } from "./preconditions.ts";

/** A good copy. */
export interface CachedDatabase extends Validators {
  readonly path: string;
  readonly sizeBytes: number;
  /** When a mirror last said that it is the newest, in ms since 1970. */
  readonly checkedMs: number;
  /** The file with its bytes, within the directory. */
  readonly file: string;
}

/** How the small files and those with bytes are called: nothing else is touched. */
const NAME = /^([0-9a-f]{64})(?:\.json|-[0-9a-f]{16}\.bin|-[0-9a-f]{16}\.tmp)$/;
/** The bytes of a small file: a path, two headers, numbers. */
const FACTS_BYTES_MAX = 2 * limits.urlBytesMax + 4_096;

/** All copies; those asked for last stand last. */
export class DatabaseCache {
  readonly #directory: string;
  readonly #log: Logger;
  readonly #copies = new Map<string, CachedDatabase>();

  /** Reads what is there; what is no whole copy is removed. */
  constructor(directory: string, { log }: { readonly log: Logger }) {
    this.#directory = directory;
    this.#log = log;
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#load();
  }

  /** The copy of what clients know by `path`. */
  get(path: string): CachedDatabase | undefined {
    const copy = this.#copies.get(path);
    if (copy === undefined) return undefined;
    this.#copies.delete(path);
    this.#copies.set(path, copy);
    return copy;
  }

  /** Opens a copy for reading; undefined, and the copy forgotten, when it is gone or not whole. */
  open(copy: CachedDatabase): Deno.FsFile | undefined {
    try {
      const file = Deno.openSync(this.#at(copy.file), { read: true });
      if (file.statSync().size === copy.sizeBytes) return file;
      file.close();
    } catch (error) {
      this.#log.warn("cannot read a kept database", { path: copy.path, error: messageOf(error) });
    }
    this.#drop(copy);
    return undefined;
  }

  /** The path of a new file to write a database into, which {@linkcode keep} takes over. */
  newFile(path: string): string {
    const random = crypto.getRandomValues(new Uint8Array(8)).toHex();
    return this.#at(`${hashOf(path)}-${random}.tmp`);
  }

  /**
   * Takes a whole file over as the new copy; the old one goes. Atomic: after a crash there is the
   * one or the other.
   */
  keep(
    temporary: string,
    facts: Validators & { readonly path: string; readonly sizeBytes: number },
  ): CachedDatabase {
    const name = temporary.slice(this.#directory.length + 1).replace(/\.tmp$/, ".bin");
    const { path, sizeBytes, etag, lastModified } = facts;
    const copy = { path, sizeBytes, etag, lastModified, checkedMs: Date.now(), file: name };
    const old = this.#copies.get(path);
    Deno.renameSync(temporary, this.#at(name));
    this.#write(copy);
    if (old !== undefined) this.#remove(old.file);
    this.#copies.delete(path);
    this.#copies.set(path, copy);
    this.#makeRoom();
    return copy;
  }

  /** A mirror said that the copy is still the newest. */
  checked(copy: CachedDatabase): void {
    if (this.#copies.get(copy.path)?.file !== copy.file) return;
    const now = { ...copy, checkedMs: Date.now() };
    this.#copies.set(copy.path, now);
    try {
      this.#write(now);
    } catch (error) {
      // The copy itself is as good as before.
      this.#log.debug("cannot note that a database is the newest", { error: messageOf(error) });
    }
  }

  #at(name: string): string {
    return `${this.#directory}/${name}`;
  }

  #write(copy: CachedDatabase): void {
    const facts = this.#at(`${hashOf(copy.path)}.json`);
    const temporary = this.newFile(copy.path);
    Deno.writeTextFileSync(temporary, JSON.stringify(copy), { mode: 0o600 });
    Deno.renameSync(temporary, facts);
  }

  #makeRoom(): void {
    let bytes = 0;
    for (const { sizeBytes } of this.#copies.values()) bytes += sizeBytes;
    for (const copy of this.#copies.values()) {
      const isOver = bytes > limits.databaseBytesMax || this.#copies.size > limits.databasesMax;
      if (!isOver || this.#copies.size === 1) return;
      bytes -= copy.sizeBytes;
      this.#drop(copy);
    }
  }

  #drop(copy: CachedDatabase): void {
    if (this.#copies.get(copy.path)?.file === copy.file) this.#copies.delete(copy.path);
    this.#remove(`${hashOf(copy.path)}.json`);
    this.#remove(copy.file);
  }

  #remove(name: string): void {
    try {
      Deno.removeSync(this.#at(name));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      this.#log.warn("cannot remove a kept database", { file: name, error: messageOf(error) });
    }
  }

  #load(): void {
    const copies: CachedDatabase[] = [];
    const names: string[] = [];
    for (const { name, isFile } of Deno.readDirSync(this.#directory)) {
      if (!isFile || !NAME.test(name)) continue;
      names.push(name);
      const copy = name.endsWith(".json") ? this.#read(name) : undefined;
      if (copy !== undefined) copies.push(copy);
    }
    copies.sort((a, b) => a.checkedMs - b.checkedMs);
    const good = new Set<string>();
    for (const copy of copies) {
      this.#copies.set(copy.path, copy);
      good.add(copy.file).add(`${hashOf(copy.path)}.json`);
    }
    for (const name of names) if (!good.has(name)) this.#remove(name);
    this.#makeRoom();
  }

  /** What a small file says, if it is true. */
  #read(name: string): CachedDatabase | undefined {
    try {
      if (Deno.statSync(this.#at(name)).size > FACTS_BYTES_MAX) return undefined;
      const copy: unknown = JSON.parse(Deno.readTextFileSync(this.#at(name)));
      if (!isCopy(copy) || name !== `${hashOf(copy.path)}.json`) return undefined;
      return Deno.statSync(this.#at(copy.file)).size === copy.sizeBytes ? copy : undefined;
    } catch {
      return undefined;
    }
  }
}

function hashOf(path: string): string {
  return createHash("sha256").update(path).digest("hex");
}

function isCopy(value: unknown): value is CachedDatabase {
  if (typeof value !== "object" || value === null) return false;
  const { path, sizeBytes, checkedMs, file, etag, lastModified } = value as Record<string, unknown>;
  return typeof path === "string" && typeof file === "string" && NAME.test(file) &&
    Number.isSafeInteger(sizeBytes) && typeof checkedMs === "number" &&
    isTextOrNull(etag) && isTextOrNull(lastModified);
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}
