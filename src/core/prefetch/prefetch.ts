/**
 * Which new versions of packages are fetched before anybody asks for them. Pure: what happened and the
 * time come in, what is to be fetched or dropped goes out.
 *
 * Rules
 *  1. A package is in use for `prefetchUsedMs` after a client took a version of it whole.
 *  2. Of a package in use the version that its repository's database names is wanted, unless a client
 *     took that one, or it was fetched in advance already. What was taken last is fetched first.
 *  3. One is fetched at a time. One that could not be had is not tried again before `prefetchAgainMs`,
 *     or before there is another version.
 *  4. Nothing is fetched that does not fit beside what is kept: nothing else gives way for it.
 *  5. What was fetched in advance and is taken was saved, once. What nobody took within `prefetchKeptMs` is
 *     dropped, and was wasted.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { limits } from "../../base/limits.ts";
import type { PackageFile } from "../../base/package_index.ts";

/** A package that clients take. Times are milliseconds since 1970. */
export interface UsedPackage {
  /** The directory of its repository in the gateway's URLs, with a slash at both ends. */
  readonly directory: string;
  /** The package, as pacman calls it. */
  readonly package: string;
  /** The file that was taken last. */
  readonly fileName: string;
  readonly takenUnixMs: number;
}

/** A file that was fetched in advance. Times are milliseconds since 1970. */
export interface PrefetchedFile {
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly fetchedUnixMs: number;
  readonly isTaken: boolean;
}

/** What was kept of it over a restart; what changed last comes last. */
interface PrefetchRecord {
  readonly used: Iterable<UsedPackage>;
  readonly files: Iterable<PrefetchedFile>;
}

/** Hears what is to be kept. */
export interface PrefetchKeeper {
  putUsed(used: UsedPackage): void;
  removeUsed(used: UsedPackage): void;
  putFile(file: PrefetchedFile): void;
  removeFile(fileName: string): void;
  /** Bytes that were fetched in advance were taken, or dropped. */
  count(what: "saved" | "wasted", bytes: number): void;
}

/** A file that is to be fetched. */
export interface PrefetchWish {
  /** Its path in the gateway's URLs. */
  readonly path: string;
  readonly file: PackageFile;
}

/** The version of a package that its repository has now; undefined where no database says so. */
type VersionOf = (used: UsedPackage) => PackageFile | undefined;

/** What is fetched in advance at one gateway. */
export class Prefetch {
  readonly #keeper: PrefetchKeeper;
  /** By directory and package; what was taken longest ago is the oldest. */
  readonly #used = new BoundedMap<string, UsedPackage>(limits.prefetchPackagesMax, {
    onEvict: (_key, used) => this.#keeper.removeUsed(used),
  });
  readonly #files = new BoundedMap<string, PrefetchedFile>(limits.prefetchPackagesMax, {
    onEvict: (_key, file) => this.#evicted(file),
  });
  /** When files that could not be had were tried last. */
  readonly #failed = new BoundedMap<string, number>(limits.prefetchPackagesMax);
  /** Files that went to make room, and are to be dropped. */
  #evictions: string[] = [];

  constructor({ used, files }: PrefetchRecord, keeper: PrefetchKeeper) {
    this.#keeper = keeper;
    for (const one of used) this.#used.set(keyOf(one), one);
    for (const file of files) this.#files.set(file.fileName, file);
  }

  /** How many packages are in use, as far as is remembered. */
  get packages(): number {
    return this.#used.size;
  }

  /** A client took a package whole. */
  taken(package_: Omit<UsedPackage, "takenUnixMs">, nowUnixMs: number): void {
    const { fileName } = package_;
    const used = { ...package_, takenUnixMs: nowUnixMs };
    this.#used.set(keyOf(used), used);
    this.#keeper.putUsed(used);
    const file = this.#files.get(fileName);
    if (file === undefined || file.isTaken) return;
    this.#put({ ...file, isTaken: true });
    this.#keeper.count("saved", file.sizeBytes);
  }

  /** Rules 2 to 4: what is to be fetched next; undefined when nothing is. `roomBytes`: what fits. */
  next(
    versionOf: VersionOf,
    { nowUnixMs, roomBytes }: { readonly nowUnixMs: number; readonly roomBytes: number },
  ): PrefetchWish | undefined {
    for (const [, used] of [...this.#used].reverse()) {
      if (nowUnixMs - used.takenUnixMs >= limits.prefetchUsedMs) return undefined;
      const file = versionOf(used);
      if (file === undefined || file.name === used.fileName) continue;
      if (this.#files.has(file.name) || file.sizeBytes > roomBytes) continue;
      const failedMs = this.#failed.get(file.name);
      if (failedMs !== undefined && nowUnixMs - failedMs < limits.prefetchAgainMs) continue;
      return { path: used.directory + file.name, file };
    }
    return undefined;
  }

  /** A file came; or it was here, and nothing was fetched in advance. */
  fetched(
    { name, sizeBytes }: Pick<PackageFile, "name" | "sizeBytes">,
    { nowUnixMs, isBought }: { readonly nowUnixMs: number; readonly isBought: boolean },
  ): void {
    this.#failed.delete(name);
    this.#put({ fileName: name, sizeBytes, fetchedUnixMs: nowUnixMs, isTaken: !isBought });
  }

  /** Rule 3. */
  failed(fileName: string, nowUnixMs: number): void {
    this.#failed.set(fileName, nowUnixMs);
  }

  /** Rule 5: files that are to be removed, where they are still here. */
  drop(nowUnixMs: number): string[] {
    const dropped = this.#evictions;
    this.#evictions = [];
    for (const [fileName, file] of [...this.#files]) {
      if (nowUnixMs - file.fetchedUnixMs < limits.prefetchKeptMs) continue;
      this.#files.delete(fileName);
      this.#keeper.removeFile(fileName);
      if (file.isTaken) continue;
      this.#keeper.count("wasted", file.sizeBytes);
      dropped.push(fileName);
    }
    for (const [key, used] of [...this.#used]) {
      if (nowUnixMs - used.takenUnixMs < limits.prefetchUsedMs) break;
      this.#used.delete(key);
      this.#keeper.removeUsed(used);
    }
    return dropped;
  }

  #put(file: PrefetchedFile): void {
    this.#files.set(file.fileName, file);
    this.#keeper.putFile(file);
  }

  #evicted(file: PrefetchedFile): void {
    this.#keeper.removeFile(file.fileName);
    if (file.isTaken) return;
    this.#keeper.count("wasted", file.sizeBytes);
    this.#evictions.push(file.fileName);
  }
}

function keyOf(used: Pick<UsedPackage, "directory" | "package">): string {
  return used.directory + used.package;
}
