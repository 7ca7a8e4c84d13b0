/**
 * The last good copies of repositories' databases on the disk, by where mirrors have them: each a
 * file of bytes, and a small one beside it that says what they are. Asks nobody.
 *
 * A client that makes up names must not drive out what is in use. So where room is needed:
 *
 * 1. What is on its way has its room from the beginning.
 * 2. What was asked for once goes before what was asked for again, then what was not asked for
 *    longest.
 * 3. For one that is asked for the first time, nothing goes that was asked for within
 *    `databaseInUseMs`; for any other, nothing that was also asked for more than once.
 * 4. Where nothing may go, the new one is not kept.
 */

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { BoundedMap } from "../../base/bounded_map.ts";
import { type Clock, nextTurn } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { Validators } from "../server/preconditions.ts";

/** A good copy. */
export interface CachedDatabase extends Validators {
  /** See {@linkcode databaseKey}. */
  readonly key: string;
  readonly sizeBytes: number;
  /** When a mirror last said that it is the newest, in ms since 1970. */
  readonly checkedMs: number;
  /** When a client last asked for it, in ms since 1970, and how often clients did. */
  readonly usedMs: number;
  readonly uses: number;
  /** The file with its bytes, within the directory. */
  readonly file: string;
  /** CRC-32 of its bytes as they came: against rot, for mirrors are trusted. */
  readonly crc32: number;
}

/** How the small files and those with bytes are called: nothing else is touched. */
const NAME = /^([0-9a-f]{64})(?:\.json|-[0-9a-f]{16}\.bin|-[0-9a-f]{16}\.tmp)$/;

/**
 * By what a database is known: the URLs that it is had from, not the path that a client asked for,
 * since many paths may mean the same file. Users and passwords are no part of it.
 */
export function databaseKey(urls: readonly string[]): string {
  const parts = urls.map((text) => {
    // Who asks there finds out.
    if (!URL.canParse(text)) return text;
    const url = new URL(text);
    url.username = url.password = url.hash = "";
    return url.href;
  });
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}

/** All copies; those asked for last stand last. */
export class DatabaseCache {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #copies = new Map<string, CachedDatabase>();
  #keptBytes = 0;
  /** How often what is not kept was asked for; the one asked for last stands last. */
  readonly #seen = new BoundedMap<string, number>(limits.databasesSeenMax);
  /** Bytes for which there is room, of each that is on its way. */
  readonly #reserved = new Map<string, number>();

  /** Reads what is there; what is no whole copy is removed. */
  constructor(
    directory: string,
    { clock, log }: { readonly clock: Clock; readonly log: Logger },
  ) {
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#load();
  }

  /** The copy of what is known by `key`. */
  get(key: string): CachedDatabase | undefined {
    return this.#copies.get(key);
  }

  /** A client asks for it, whether or not it is here. */
  asked(key: string): void {
    const copy = this.#copies.get(key);
    if (copy !== undefined) {
      this.#copies.delete(key);
      this.#copies.set(key, { ...copy, usedMs: this.#clock.unixMs(), uses: copy.uses + 1 });
      return;
    }
    this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1);
  }

  /**
   * Has room for a new copy that is on its way, of so many bytes in all, until {@linkcode release};
   * false when there is none, even for its name.
   */
  reserve(key: string, bytes: number): boolean {
    const before = this.#reserved.get(key);
    this.#reserved.set(key, Math.max(before ?? 0, bytes));
    if (bytes <= limits.databaseBytesMax && this.#makeRoom(key)) return true;
    if (before === undefined) this.#reserved.delete(key);
    else this.#reserved.set(key, before);
    return false;
  }

  /** Gives back the room of what is not on its way any more. */
  release(key: string): void {
    this.#reserved.delete(key);
  }

  /**
   * Whether the bytes of a copy are those that came; if not, or when it cannot be read, it is
   * forgotten. Other work goes on in between.
   */
  async isSound(copy: CachedDatabase): Promise<boolean> {
    using file = this.open(copy);
    if (file === undefined) return false;
    const buffer = new Uint8Array(limits.databaseReadBytes);
    let sum = 0;
    try {
      for (let left = copy.sizeBytes; left > 0;) {
        const read = file.readSync(buffer.subarray(0, left));
        if (read === null) break;
        sum = crc32(buffer.subarray(0, read), sum);
        left -= read;
        await nextTurn();
      }
    } catch (error) {
      this.#log.warn("cannot read a kept database", { file: copy.file, error: messageOf(error) });
      return false;
    }
    if (sum === copy.crc32) return true;
    this.#log.warn("a kept database is not what it was; it is forgotten", { file: copy.file });
    this.#drop(copy);
    return false;
  }

  /** Opens a copy for reading; undefined, and the copy forgotten, when it is gone or not whole. */
  open(copy: CachedDatabase): Deno.FsFile | undefined {
    try {
      const path = this.#at(copy.file);
      if (!Deno.statSync(path).isFile) throw new Error("it is not a regular file");
      const file = Deno.openSync(path, { read: true });
      if (file.statSync().size === copy.sizeBytes) return file;
      file.close();
    } catch (error) {
      this.#log.warn("cannot read a kept database", { file: copy.file, error: messageOf(error) });
    }
    this.#drop(copy);
    return undefined;
  }

  /** The path of a new file to write a database into, which {@linkcode keep} takes over. */
  newFile(key: string): string {
    const random = crypto.getRandomValues(new Uint8Array(8)).toHex();
    return this.#at(`${key}-${random}.tmp`);
  }

  /**
   * Takes a whole file over as the new copy, in the room that it has; the old one goes. Atomic:
   * after a crash there is the one or the other.
   */
  keep(
    temporary: string,
    facts: Validators & Pick<CachedDatabase, "key" | "sizeBytes" | "crc32">,
  ): CachedDatabase {
    const name = temporary.slice(this.#directory.length + 1).replace(/\.tmp$/, ".bin");
    const { key, sizeBytes, etag, lastModified, crc32 } = facts;
    const nowMs = this.#clock.unixMs();
    const old = this.#copies.get(key);
    const { usedMs, uses } = old ?? { usedMs: nowMs, uses: this.#seen.get(key) ?? 1 };
    const times = { checkedMs: nowMs, usedMs, uses };
    const copy = { key, sizeBytes, etag, lastModified, ...times, file: name, crc32 };
    Deno.renameSync(temporary, this.#at(name));
    this.#write(copy);
    if (old !== undefined) {
      this.#remove(old.file);
      this.#keptBytes -= old.sizeBytes;
    }
    this.#copies.delete(key);
    this.#copies.set(key, copy);
    this.#keptBytes += sizeBytes;
    this.#seen.delete(key);
    return copy;
  }

  /** A mirror said that the copy is still the newest. */
  checked(copy: CachedDatabase): void {
    const known = this.#copies.get(copy.key);
    if (known?.file !== copy.file) return;
    const now = { ...known, checkedMs: this.#clock.unixMs() };
    this.#copies.set(copy.key, now);
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
    const facts = this.#at(`${copy.key}.json`);
    const temporary = this.newFile(copy.key);
    Deno.writeTextFileSync(temporary, JSON.stringify(copy), { mode: 0o600, createNew: true });
    Deno.renameSync(temporary, facts);
  }

  /** Lets copies go, as far as they may go for `key`, until there is room; false: there is none. */
  #makeRoom(key: string): boolean {
    const going: CachedDatabase[] = [];
    let { bytes, count } = this.#taken();
    const isOver = () => bytes > limits.databasesBytesMax || count > limits.databasesMax;
    if (!isOver()) return true;
    for (const copy of this.#expendable(key)) {
      going.push(copy);
      bytes -= copy.sizeBytes;
      count--;
      if (!isOver()) {
        for (const one of going) this.#drop(one);
        return true;
      }
    }
    return false;
  }

  /** What is kept and what is on its way. A new copy of what is kept is one with it. */
  #taken(): { bytes: number; count: number } {
    let bytes = this.#keptBytes, count = this.#copies.size;
    for (const [key, reservedBytes] of this.#reserved) {
      bytes += reservedBytes;
      if (!this.#copies.has(key)) count++;
    }
    return { bytes, count };
  }

  /** Copies that may go for `key`, the first one first. */
  #expendable(key: string): CachedDatabase[] {
    const nowMs = this.#clock.unixMs();
    const isFirst = !this.#copies.has(key) && (this.#seen.get(key) ?? 0) <= 1;
    const mayGo = ({ usedMs, uses }: CachedDatabase) =>
      Math.abs(nowMs - usedMs) >= limits.databaseInUseMs || !isFirst && uses <= 1;
    const wasOnce = ({ uses }: CachedDatabase) => uses <= 1 ? 0 : 1;
    return [...this.#copies.values()]
      .filter((copy) => copy.key !== key && mayGo(copy))
      .sort((a, b) => wasOnce(a) - wasOnce(b) || a.usedMs - b.usedMs);
  }

  #drop(copy: CachedDatabase): void {
    const known = this.#copies.get(copy.key);
    if (known?.file === copy.file) {
      this.#copies.delete(copy.key);
      this.#keptBytes -= copy.sizeBytes;
      this.#remove(`${copy.key}.json`);
    }
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
    // Should there be too many of them, for another limit held when they were kept.
    copies.sort((a, b) => b.usedMs - a.usedMs);
    const good = new Set<string>();
    for (const copy of copies.slice(0, limits.databasesMax)) {
      if (this.#keptBytes + copy.sizeBytes > limits.databasesBytesMax) continue;
      this.#keptBytes += copy.sizeBytes;
      this.#copies.set(copy.key, copy);
      good.add(copy.file).add(`${copy.key}.json`);
    }
    for (const name of names) if (!good.has(name)) this.#remove(name);
  }

  #read(name: string): CachedDatabase | undefined {
    try {
      const { isFile, size } = Deno.statSync(this.#at(name));
      if (!isFile || size > limits.databaseFactsBytesMax) return undefined;
      const copy: unknown = JSON.parse(Deno.readTextFileSync(this.#at(name)));
      if (!isCopy(copy) || name !== `${copy.key}.json`) return undefined;
      const file = Deno.statSync(this.#at(copy.file));
      return file.isFile && file.size === copy.sizeBytes ? copy : undefined;
    } catch {
      return undefined;
    }
  }
}

function isCopy(value: unknown): value is CachedDatabase {
  if (typeof value !== "object" || value === null) return false;
  const { key, sizeBytes, file, checkedMs, usedMs, uses, etag, lastModified, crc32 } =
    value as Record<string, unknown>;
  return typeof key === "string" && typeof file === "string" && NAME.test(file) &&
    [sizeBytes, checkedMs, usedMs, uses, crc32].every(isCount) && isTextOrNull(etag) &&
    isTextOrNull(lastModified);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && value as number >= 0;
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}
