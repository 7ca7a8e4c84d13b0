/**
 * The databases of pacman's repositories as a package index: which files there are, how big, and
 * with which SHA-256. Reads what pacman keeps in a directory (`/var/lib/pacman/sync`), and reads it
 * again when it changes. It neither fetches databases nor checks their signatures: pacman does.
 *
 * A database that is damaged, or being replaced, costs a line in the log; what was read of that
 * repository before stays until it can be read again.
 */

import { stat } from "node:fs/promises";
import { Changes } from "../base/changes.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { isName } from "../base/names.ts";
import {
  NEVER_SYNCED,
  type PackageFile,
  type PackageIndex,
  type SyncDatabaseReport,
} from "../base/package_index.ts";
import { stampOf } from "./database_file.ts";
import { DatabaseReader } from "./database_reader.ts";
import { packageNameOf } from "./package_name.ts";
import { PackageTable } from "./package_table.ts";

const SUFFIX = ".db";

/** What is known of one database. */
class Database {
  readonly repository: string;
  readonly path: string;
  /** Of the file that was read, or found to be no database; see {@linkcode stampOf}. */
  stamp: string | undefined;
  /** What was read last without a problem. */
  table: PackageTable | undefined;
  writtenMs = 0;
  /** Why what is in the file cannot be read: as long as it is the same file. */
  readProblem: string | null = null;
  /** Why the file cannot even be found: until it can. */
  statProblem: string | null = null;
  /** Whether it was there at the last look. */
  isThere = true;

  constructor(directory: string, repository: string) {
    this.repository = repository;
    this.path = `${directory}/${repository}${SUFFIX}`;
  }

  get problem(): string | null {
    return this.statProblem ?? this.readProblem;
  }

  find(name: string): PackageFile | undefined {
    const file = this.table?.find(name);
    if (file === undefined) return undefined;
    const { repository } = this;
    const { sizeBytes, sha256, bytes } = file;
    const known = { name, repository, sizeBytes, sha256: sha256.toHex() };
    return bytes === undefined ? known : { ...known, bytes };
  }

  /** The file of a package, whatever its version. */
  versionOf(packageName: string): PackageFile | undefined {
    for (const fileName of this.table?.namesFrom(`${packageName}-`) ?? []) {
      if (packageNameOf(fileName)?.package === packageName) return this.find(fileName);
    }
    return undefined;
  }
}

/** The databases of one directory. */
export class SyncDatabases implements PackageIndex, AsyncDisposable {
  readonly #directory: string;
  readonly #log: Logger;
  readonly #changes = new Changes();
  /** By repository, in the order of their names. */
  #databases = new Map<string, Database>();
  /** Why the directory itself cannot be read. */
  #problem: string | null = null;
  readonly #reader = new DatabaseReader();
  readonly #timer: ReturnType<typeof setInterval>;
  #checking: Promise<void> | undefined;
  #isWanted = false;
  #isClosed = false;

  private constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
    this.#timer = setInterval(() => void this.#check(), limits.syncCheckMs);
  }

  /**
   * Reads the databases of `directory`, which need not be there yet. Resolves when all were read, or
   * after `settleMs`, by default `limits.syncSettleMs`; the rest is read behind. Never rejects.
   */
  static async open(
    directory: string,
    options: { readonly log: Logger; readonly settleMs?: number },
  ): Promise<SyncDatabases> {
    const databases = new SyncDatabases(directory, options.log);
    await databases.settle(options.settleMs);
    return databases;
  }

  /** The file of a package, as pacman calls it, whatever its version; of any repository for null. */
  versionOf(packageName: string, repository: string | null): PackageFile | undefined {
    const databases = repository === null
      ? this.#databases.values()
      : [this.#databases.get(repository)];
    for (const database of databases) {
      const file = database?.versionOf(packageName);
      if (file !== undefined) return file;
    }
    return undefined;
  }

  find(name: string, repository?: string): PackageFile | undefined {
    const file = repository === undefined ? undefined : this.#databases.get(repository)?.find(name);
    return file ?? this.all(name)[0];
  }

  all(name: string): readonly PackageFile[] {
    const files: PackageFile[] = [];
    for (const database of this.#databases.values()) {
      const file = database.find(name);
      if (file !== undefined) files.push(file);
    }
    return files;
  }

  onChange(listener: () => void): () => void {
    return this.#changes.listen(listener);
  }

  /**
   * Looks whether anything changed, and resolves when that was read, or after `timeoutMs`. Never
   * rejects.
   */
  async settle(timeoutMs: number = limits.syncSettleMs): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#check().then(resolve);
    await promise;
    clearTimeout(timer);
  }

  /** How each database is, by repository; the directory itself first when it cannot be read. */
  reports(): SyncDatabaseReport[] {
    const states = Array.from(this.#databases.values(), (database): SyncDatabaseReport => ({
      repository: database.repository,
      path: database.path,
      packages: database.table?.size ?? 0,
      writtenAt: database.table === undefined ? null : new Date(database.writtenMs).toISOString(),
      problem: database.problem,
    }));
    const problem = this.#problem ?? (states.length === 0 ? NEVER_SYNCED : null);
    if (problem === null) return states;
    const path = this.#directory;
    return [{ repository: "", path, packages: 0, writtenAt: null, problem }, ...states];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#changes.clear();
    this.#reader[Symbol.dispose]();
    clearInterval(this.#timer);
    await this.#checking;
  }

  /** One look at a time; who asks meanwhile waits for one that began after it asked. */
  #check(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isWanted = true;
    this.#checking ??= this.#checkAll().finally(() => this.#checking = undefined);
    return this.#checking;
  }

  async #checkAll(): Promise<void> {
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      let hasChanged = false;
      try {
        hasChanged = await this.#list();
        this.#noteProblem(null);
      } catch (error) {
        this.#noteProblem(messageOf(error));
      }
      for (const database of [...this.#databases.values()]) {
        if (this.#isClosed) return;
        hasChanged = await this.#update(database) || hasChanged;
      }
      if (hasChanged && !this.#isClosed) this.#changes.tell();
    }
  }

  /**
   * Looks which databases there are; returns whether one is gone for good. One that is missing once
   * may be about to be replaced.
   */
  async #list(): Promise<boolean> {
    const repositories: string[] = [];
    for await (const { name } of Deno.readDir(this.#directory)) {
      const isDatabase = name.endsWith(SUFFIX) && name.length > SUFFIX.length && isName(name);
      if (isDatabase) repositories.push(name.slice(0, -SUFFIX.length));
    }
    repositories.sort();
    const left = new Map<string, Database>();
    for (const repository of repositories.slice(0, limits.syncDatabasesMax)) {
      const known = this.#databases.get(repository);
      left.set(repository, known ?? new Database(this.#directory, repository));
      if (known !== undefined) known.isThere = true;
    }
    let hasChanged = false;
    for (const [repository, database] of this.#databases) {
      if (left.has(repository)) continue;
      if (database.isThere && repositories.length < limits.syncDatabasesMax) {
        database.isThere = false;
        left.set(repository, database);
      } else hasChanged ||= database.table !== undefined;
    }
    this.#databases = new Map([...left].sort(([a], [b]) => a < b ? -1 : 1));
    if (repositories.length > limits.syncDatabasesMax) {
      throw new Error(
        `it has ${repositories.length} databases, of which ${limits.syncDatabasesMax} are read`,
      );
    }
    return hasChanged;
  }

  /** Reads a database if it is another one than before; returns whether that changed anything. */
  async #update(database: Database): Promise<boolean> {
    if (!database.isThere) return false;
    let stamp: string;
    try {
      stamp = stampOf(await stat(database.path));
    } catch (error) {
      this.#noteProblemOf(database, { statProblem: messageOf(error) });
      return false;
    }
    this.#noteProblemOf(database, { statProblem: null });
    if (stamp === database.stamp) return false;
    const { table: before } = database;
    const others = [...this.#databases.values()].filter((other) => other !== database);
    const taken = others.reduce((sum, { table }) => sum + (table?.size ?? 0), 0);
    try {
      const contents = await this.#reader.read(database.path, {
        packagesMax: Math.max(0, limits.syncPackagesMax - taken),
      });
      database.table = new PackageTable(contents.columns);
      database.writtenMs = contents.writtenMs;
      database.stamp = contents.stamp;
      this.#noteProblemOf(database, { readProblem: null });
      const { repository, path, table } = database;
      this.#log.info("read a repository's database", { repository, path, packages: table.size });
      return before !== database.table;
    } catch (error) {
      if (this.#isClosed) return false;
      this.#noteProblemOf(database, { readProblem: messageOf(error) });
      // Read again only when it is another file, or was changed while it was read.
      const now = await stat(database.path).then(stampOf, () => undefined);
      if (now === stamp) database.stamp = stamp;
      return false;
    }
  }

  #noteProblem(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem === null || this.#isClosed) return;
    const fields = { directory: this.#directory, problem };
    this.#log.warn("cannot read the repositories' databases", fields);
  }

  #noteProblemOf(
    database: Database,
    news: Partial<Pick<Database, "readProblem" | "statProblem">>,
  ): void {
    const before = database.problem;
    Object.assign(database, news);
    const { problem } = database;
    if (problem === null || problem === before || this.#isClosed) return;
    const { repository, path, table } = database;
    const fields = { repository, path, problem, packagesKnown: table?.size ?? 0 };
    this.#log.warn("cannot read a repository's database", fields);
  }
}
