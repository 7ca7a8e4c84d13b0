/**
 * What the store remembers across restarts, in SQLite: shared paths, shared files, downloaded
 * files, partial downloads, SHA-256 of files, how fetches went, statistics. It keeps rows and never
 * looks at the files.
 *
 * `node:sqlite` is loaded when a catalogue is opened, so that a store without one never pays for
 * it.
 */

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { type EnvironmentCode, EnvironmentError, messageOf } from "../../base/errors.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { SCHEMA, SCHEMA_VERSION } from "./catalogue_schema.ts";
import { environmentError, isFileThere } from "../files/io.ts";
import {
  type Fingerprint,
  joinPath,
  StoredFile,
  type StoredFileOrigin,
} from "../files/stored_file.ts";

/** A shared file that is withheld, or that is being looked at again. */
export interface WithheldFile extends Fingerprint {
  readonly path: string;
  /** The root of what it was. */
  readonly root: Root;
  /** Whether it was found to be damaged; else it waits to be hashed. */
  readonly isDamaged: boolean;
}

/** A partial download as it is remembered. */
export interface PartialRow {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  /** The bitfield: chunks that are on disk and checked. */
  readonly have: Uint8Array;
  /** Whether the whole leaf layer is on disk. */
  readonly hasLeaves: boolean;
  /** What its data was like when it was put away in order; null while it is written. */
  readonly left: Fingerprint | null;
}

/** A client that was given a file that nothing proves. */
export interface GivenFile {
  /** Its host; empty for the users of this machine. */
  readonly client: string;
  readonly name: string;
  readonly root: Root;
  /** When it came back for it, in milliseconds since 1970; null while it did not. */
  readonly doubtedUnixMs: number | null;
}

/** A package that clients took; times are milliseconds since 1970. */
export interface PackageRow {
  readonly directory: string;
  readonly package: string;
  readonly fileName: string;
  readonly takenUnixMs: number;
}

/** A file that was fetched before anybody asked for it; times are milliseconds since 1970. */
export interface AdvanceRow {
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly fetchedUnixMs: number;
  readonly isTaken: boolean;
}

/** What came within some time. */
export interface SavingsSpan {
  /** When it began, in milliseconds since 1970. */
  readonly startUnixMs: number;
  readonly bytesPeers: number;
  readonly bytesMirror: number;
  readonly bytesSaved: number;
}

/** What is remembered of a download beside what it is. */
export interface KeptRow {
  readonly root: Root;
  /** When it was used last, in milliseconds since 1970. */
  readonly usedUnixMs: number;
  /** Whether a person wants it kept. */
  readonly isPinned: boolean;
}

/** What passed between this node and another one, over all runs. */
export interface PeerTotal {
  readonly nodeId: NodeId;
  /** Where it was last, as HOST:PORT. */
  readonly peer: string;
  readonly bytesHad: number;
  readonly bytesGiven: number;
  /** When it last gave or took anything, in milliseconds since 1970. */
  readonly lastUnixMs: number;
}

/** What came of a fetch, as the catalogue writes it; "in-vain": it failed after bytes had come. */
const RECORD_KINDS = { failed: 0, brought: 1, here: 2, "in-vain": 3 } as const;
export type RecordKind = keyof typeof RECORD_KINDS;

/** How a fetch went, as it is remembered. */
interface RecordRow {
  readonly name: string;
  readonly root: Root | null;
  /** Whether it brought the file, found it here, or failed, in vain or at once. */
  readonly kind: RecordKind;
  readonly trust: string;
  readonly endedAt: string;
  readonly json: string;
}

/** A path that is shared with all that is below it, or taken out of what is shared above it. */
export interface ShareRow {
  readonly path: string;
  readonly isExcluded: boolean;
}

type StoredFileColumns = [string, string, string | null, number, number, number, number, Root];
// Node's documented method, which Deno has and its types lack.
type ArrayStatement = StatementSync & { setReturnArrays(enabled: boolean): void };

/**
 * The database of one data directory. Every method that writes is one transaction; what fails
 * throws an {@linkcode EnvironmentError}.
 */
export class Catalogue implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #filesDirectory: string;
  readonly #statements = new Map<string, StatementSync>();
  #isClosed = false;

  private constructor(db: DatabaseSync, path: string, filesDirectory: string) {
    this.#db = db;
    this.#path = path;
    this.#filesDirectory = filesDirectory;
  }

  /**
   * Opens or makes the database at `path` and brings its schema up to date.
   *
   * @param filesDirectory Where downloaded files lie. Their rows are relative to it, so that a
   * data directory can be moved.
   * @throws {EnvironmentError} "corrupt" when it is not a database that this program wrote.
   */
  static async open(path: string, filesDirectory: string): Promise<Catalogue> {
    const { DatabaseSync } = await import("node:sqlite");
    let db: DatabaseSync | undefined;
    try {
      checkFiles(path);
      db = new DatabaseSync(path);
      db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; " +
          `PRAGMA busy_timeout = ${limits.catalogueLockMs}`,
      );
      migrate(db, path);
      return new Catalogue(db, path, filesDirectory);
    } catch (error) {
      db?.close();
      throw databaseError(error, `open catalogue ${path}`);
    }
  }

  /** All files of one origin, in no particular order. */
  *storedFiles(origin: StoredFileOrigin): Generator<StoredFile> {
    const select = this.#prepare(
      "SELECT directory, file, name, size, mtime, ino, ctime, root FROM places " +
        "WHERE origin = ? AND (directory, file) > (?, ?) ORDER BY directory, file LIMIT ?",
    );
    (select as ArrayStatement).setReturnArrays(true);
    let directory = "", path = "", file = "";
    // In parts: rows as arrays are the fastest way out, but all at once would double the memory.
    let rows: StoredFileColumns[];
    do {
      rows = this.#guard(
        "read",
        () => select.all(origin, directory, file, limits.storedFilesPerRead),
      ) as unknown as StoredFileColumns[];
      for (const [rowDirectory, rowFile, name, sizeBytes, mtimeMs, ino, ctimeMs, root] of rows) {
        // One string object for all files of a directory.
        if (rowDirectory !== directory) {
          directory = rowDirectory;
          path = origin === "shared" ? directory : joinPath(this.#filesDirectory, directory);
        }
        file = rowFile;
        const where = { directory: path, file, name: name ?? file };
        yield new StoredFile(origin, where, { sizeBytes, mtimeMs, ino, ctimeMs, root });
      }
    } while (rows.length === limits.storedFilesPerRead);
  }

  /** Adds or replaces files by their paths. */
  putStoredFiles(files: readonly StoredFile[]): void {
    const rows = files.map((stored) => {
      const { origin, file, sizeBytes, mtimeMs, ino, ctimeMs, root } = stored;
      const name = stored.name === file ? null : stored.name;
      return [origin, rowDirectory(stored), file, name, sizeBytes, mtimeMs, ino, root, ctimeMs];
    });
    this.#write("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows);
  }

  /** Forgets files by their paths. */
  removeStoredFiles(files: readonly StoredFile[]): void {
    const rows = files.map((stored) => [stored.origin, rowDirectory(stored), stored.file]);
    this.#write("DELETE FROM places WHERE origin = ? AND directory = ? AND file = ?", rows);
  }

  /** All partial downloads. */
  partials(): PartialRow[] {
    const columns = "root, name, size, have, leaves, mtime, ctime, ino, length";
    return this.#rows(`SELECT ${columns} FROM partials`, (row) => ({
      root: row["root"] as Root,
      name: row["name"] as string,
      sizeBytes: row["size"] as number,
      have: row["have"] as Uint8Array,
      hasLeaves: row["leaves"] === 1,
      left: row["mtime"] === null ? null : {
        sizeBytes: row["length"] as number,
        mtimeMs: row["mtime"] as number,
        ctimeMs: row["ctime"] as number | null ?? 0,
        ino: row["ino"] as number,
      },
    }));
  }

  /** Adds a partial download, or replaces what is known of it. */
  putPartial({ root, name, sizeBytes, have, hasLeaves, left }: PartialRow): void {
    const print = [left?.mtimeMs, left?.ctimeMs, left?.ino, left?.sizeBytes];
    const values = [root, name, sizeBytes, have, hasLeaves ? 1 : 0];
    this.#write("INSERT OR REPLACE INTO partials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [
      [...values, ...print.map((value) => value ?? null)],
    ]);
  }

  removePartial(root: Root): void {
    this.#write("DELETE FROM partials WHERE root = ?", [[root]]);
  }

  /** A partial download became a complete file. */
  completePartial(file: StoredFile): void {
    this.#transaction(() => {
      this.removePartial(file.root);
      this.putStoredFiles([file]);
    });
  }

  /** A downloaded file turned out to be rotten in parts, so it is a partial download again. */
  demoteToPartial(file: StoredFile, row: PartialRow): void {
    this.#transaction(() => {
      this.removeStoredFiles([file]);
      this.putPartial(row);
    });
  }

  /** Paths that are shared, and paths below them that are not. */
  shares(): ShareRow[] {
    return this.#rows("SELECT path, excluded FROM shares ORDER BY path", (row) => ({
      path: row["path"] as string,
      isExcluded: row["excluded"] === 1,
    }));
  }

  /** Replaces all shared paths. */
  putShares(shares: readonly ShareRow[]): void {
    this.#transaction(() => {
      this.#write("DELETE FROM shares", [[]]);
      const rows = shares.map(({ path, isExcluded }) => [path, isExcluded ? 1 : 0]);
      this.#write("INSERT INTO shares VALUES (?, ?)", rows);
    });
  }

  /** Shared files that are withheld, and those that are to be hashed again before they are not. */
  withheld(): WithheldFile[] {
    return this.#rows("SELECT * FROM withheld", (row) => ({
      path: row["path"] as string,
      root: row["root"] as Root,
      sizeBytes: row["size"] as number,
      mtimeMs: row["mtime"] as number,
      ino: row["ino"] as number,
      ctimeMs: row["ctime"] as number,
      isDamaged: row["damaged"] === 1,
    }));
  }

  putWithheld(files: readonly WithheldFile[]): void {
    const rows = files.map(({ path, root, sizeBytes, mtimeMs, ino, ctimeMs, isDamaged }) => [
      ...[path, root, sizeBytes, mtimeMs, ino, ctimeMs],
      isDamaged ? 1 : 0,
    ]);
    this.#write("INSERT OR REPLACE INTO withheld VALUES (?, ?, ?, ?, ?, ?, ?)", rows);
  }

  removeWithheld(paths: readonly string[]): void {
    this.#write("DELETE FROM withheld WHERE path = ?", paths.map((path) => [path]));
  }

  /** Packages that clients took; what was taken last comes last. */
  packages(): PackageRow[] {
    return this.#rows(
      "SELECT directory, package, file, taken FROM packages ORDER BY taken",
      (row) => ({
        directory: String(row.directory),
        package: String(row.package),
        fileName: String(row.file),
        takenUnixMs: Number(row.taken),
      }),
    );
  }

  putPackage({ directory, package: name, fileName, takenUnixMs }: PackageRow): void {
    this.#write("INSERT OR REPLACE INTO packages VALUES (?, ?, ?, ?)", [
      [directory, name, fileName, takenUnixMs],
    ]);
  }

  removePackage({ directory, package: name }: Pick<PackageRow, "directory" | "package">): void {
    this.#write("DELETE FROM packages WHERE directory = ? AND package = ?", [[directory, name]]);
  }

  /** Files that were fetched in advance; what came last comes last. */
  advanceFiles(): AdvanceRow[] {
    return this.#rows(
      "SELECT file, size, fetched, isTaken FROM advance ORDER BY fetched",
      (row) => ({
        fileName: String(row.file),
        sizeBytes: Number(row.size),
        fetchedUnixMs: Number(row.fetched),
        isTaken: row.isTaken === 1,
      }),
    );
  }

  putAdvanceFile({ fileName, sizeBytes, fetchedUnixMs, isTaken }: AdvanceRow): void {
    this.#write("INSERT OR REPLACE INTO advance VALUES (?, ?, ?, ?)", [
      [fileName, sizeBytes, fetchedUnixMs, isTaken ? 1 : 0],
    ]);
  }

  removeAdvanceFile(fileName: string): void {
    this.#write("DELETE FROM advance WHERE file = ?", [[fileName]]);
  }

  /** Who was given what nothing proves; what changed last comes last. */
  givenFiles(): GivenFile[] {
    return this.#rows("SELECT client, name, root, doubted FROM given ORDER BY id", (row) => ({
      client: row["client"] as string,
      name: row["name"] as string,
      root: row["root"] as Root,
      doubtedUnixMs: row["doubted"] as number | null,
    }));
  }

  putGivenFile({ client, name, root, doubtedUnixMs }: GivenFile): void {
    this.#write("INSERT OR REPLACE INTO given (client, name, root, doubted) VALUES (?, ?, ?, ?)", [
      [client, name, root, doubtedUnixMs],
    ]);
  }

  removeGivenFile({ client, name }: Pick<GivenFile, "client" | "name">): void {
    this.#write("DELETE FROM given WHERE client = ? AND name = ?", [[client, name]]);
  }

  /** When downloads were used, and which are pinned. */
  kept(): KeptRow[] {
    return this.#rows("SELECT root, used, pinned FROM kept", (row) => ({
      root: row["root"] as Root,
      usedUnixMs: row["used"] as number,
      isPinned: row["pinned"] === 1,
    }));
  }

  putKept(files: readonly KeptRow[]): void {
    const rows = files.map((
      { root, usedUnixMs, isPinned },
    ) => [root, usedUnixMs, isPinned ? 1 : 0]);
    this.#write("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows);
  }

  removeKept(roots: readonly Root[]): void {
    this.#write("DELETE FROM kept WHERE root = ?", roots.map((root) => [root]));
  }

  /** SHA-256 of whole files, by root. */
  sha256s(): Map<Root, string> {
    return new Map(
      this.#rows(
        "SELECT root, sha256 FROM sha256s",
        (row) => [row["root"] as Root, row["sha256"] as string],
      ),
    );
  }

  putSha256(root: Root, sha256: string): void {
    this.#write("INSERT OR REPLACE INTO sha256s VALUES (?, ?)", [[root, sha256]]);
  }

  removeSha256s(roots: Iterable<Root>): void {
    this.#write("DELETE FROM sha256s WHERE root = ?", Array.from(roots, (root) => [root]));
  }

  /**
   * Adds a fetch record. Of fetches of one file that brought nothing only the last of a kind is
   * kept; the oldest go when there are too many.
   */
  putRecord({ name, root, kind, trust, endedAt, json }: RecordRow): void {
    this.#transaction(() => {
      const kindNumber = RECORD_KINDS[kind];
      if (kind !== "brought") {
        const same = [name, kindNumber, root];
        this.#write("DELETE FROM stories WHERE name = ? AND kind = ? AND root IS ?", [same]);
      }
      this.#write(
        "INSERT INTO stories (name, root, ended, kind, trust, json) VALUES (?, ?, ?, ?, ?, ?)",
        [[name, root, endedAt, kindNumber, trust, json]],
      );
      this.#write(
        "DELETE FROM stories WHERE id IN " +
          `(SELECT id FROM stories WHERE kind <> ${RECORD_KINDS.brought} ` +
          "ORDER BY id DESC LIMIT -1 OFFSET ?)",
        [[limits.idleFetchRecordsMax]],
      );
      this.#write(
        "DELETE FROM stories WHERE id IN " +
          "(SELECT id FROM stories ORDER BY id DESC LIMIT -1 OFFSET ?)",
        [[limits.fetchRecordsMax]],
      );
    });
  }

  /** Forgets fetches that ended before a moment, ISO 8601; how many. */
  removeRecordsBefore(endedAt: string): number {
    return this.#guard(
      "write",
      () => Number(this.#prepare("DELETE FROM stories WHERE ended < ?").run(endedAt).changes),
    );
  }

  /** The JSON of the fetch records of a name, or of all that name a root; the last one first. */
  recordsOf(column: "name" | "root", value: string): string[] {
    // Few enough that all of them can be looked through.
    const where = column === "name" ? "name = ?" : "instr(json, ?) > 0";
    return this.#rows(
      `SELECT json FROM stories WHERE ${where} ORDER BY id DESC`,
      (row) => row["json"] as string,
      value,
    );
  }

  /** By what fetches trusted the files that they brought, the last one of a root last. */
  recordTrusts(): { readonly root: Root; readonly trust: string }[] {
    return this.#rows(
      `SELECT root, trust FROM stories WHERE kind = ${RECORD_KINDS.brought} ` +
        "AND root IS NOT NULL ORDER BY id",
      (row) => ({ root: row["root"] as Root, trust: row["trust"] as string }),
    );
  }

  statistics(): Map<string, number> {
    return new Map(
      this.#rows(
        "SELECT name, value FROM statistics",
        (row) => [row["name"] as string, row["value"] as number],
      ),
    );
  }

  putStatistics(values: ReadonlyMap<string, number>): void {
    this.#write("INSERT OR REPLACE INTO statistics VALUES (?, ?)", values);
  }

  /** What came in the hours that are remembered, in no particular order. */
  savings(): SavingsSpan[] {
    return this.#rows("SELECT hour, peers, mirror, saved FROM savings", (row) => ({
      startUnixMs: row["hour"] as number,
      bytesPeers: row["peers"] as number,
      bytesMirror: row["mirror"] as number,
      bytesSaved: row["saved"] as number,
    }));
  }

  /** Adds or replaces hours; the oldest go when there are more than `keptMax`. */
  putSavings(spans: readonly SavingsSpan[], { keptMax }: { readonly keptMax: number }): void {
    this.#transaction(() => {
      this.#write(
        "INSERT OR REPLACE INTO savings VALUES (?, ?, ?, ?)",
        spans.map((one) => [one.startUnixMs, one.bytesPeers, one.bytesMirror, one.bytesSaved]),
      );
      this.#write(
        "DELETE FROM savings WHERE hour IN " +
          "(SELECT hour FROM savings ORDER BY hour DESC LIMIT -1 OFFSET ?)",
        [[keptMax]],
      );
    });
  }

  /** What passed between this node and others; who gave or took last comes last. */
  peerTotals(): PeerTotal[] {
    return this.#rows("SELECT * FROM peer_totals ORDER BY last", (row) => ({
      nodeId: row["node"] as NodeId,
      peer: row["peer"] as string,
      bytesHad: row["had"] as number,
      bytesGiven: row["given"] as number,
      lastUnixMs: row["last"] as number,
    }));
  }

  /** Adds or replaces totals; those go first that gave and took nothing for longest. */
  putPeerTotals(
    totals: readonly PeerTotal[],
    { keptMax }: { readonly keptMax: number },
  ): void {
    this.#transaction(() => {
      this.#write(
        "INSERT OR REPLACE INTO peer_totals VALUES (?, ?, ?, ?, ?)",
        totals.map((one) => [one.nodeId, one.peer, one.bytesHad, one.bytesGiven, one.lastUnixMs]),
      );
      this.#write(
        "DELETE FROM peer_totals WHERE node IN " +
          "(SELECT node FROM peer_totals ORDER BY last DESC LIMIT -1 OFFSET ?)",
        [[keptMax]],
      );
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#statements.clear();
    this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #rows<T>(sql: string, read: (row: Record<string, unknown>) => T, ...values: string[]): T[] {
    return this.#guard("read", () => this.#prepare(sql).all(...values).map(read));
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs one statement for each of some rows. */
  #write(sql: string, rows: Iterable<readonly SQLInputValue[]>): void {
    this.#transaction(() => {
      const statement = this.#prepare(sql);
      for (const values of rows) statement.run(...values);
    });
  }

  #transaction(write: () => void): void {
    this.#guard("write", () => {
      // A step of a bigger one.
      if (this.#db.isTransaction) return write();
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        write();
        this.#db.exec("COMMIT");
      } catch (error) {
        // A full disk may have rolled back already.
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  #guard<T>(verb: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw databaseError(error, `${verb} catalogue ${this.#path}`);
    }
  }
}

function rowDirectory({ origin, directory, root }: StoredFile): string {
  return origin === "shared" ? directory : root;
}

function migrate(db: DatabaseSync, path: string): void {
  const version = db.prepare("PRAGMA user_version").get()?.["user_version"] as number;
  if (version > SCHEMA_VERSION) {
    throw new EnvironmentError(
      "other",
      `Cannot open catalogue ${path}: its version ${version} is newer than ${SCHEMA_VERSION}`,
      { hint: "A newer pacsrv wrote it. Use that one, or another data directory." },
    );
  }
  if (version === SCHEMA_VERSION) return;
  db.exec("BEGIN IMMEDIATE");
  for (const step of SCHEMA.slice(version)) db.exec(step);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

// SQLite's own words (sqlite3ErrStr); its number is not passed on.
const MESSAGES: ReadonlyArray<readonly [string, EnvironmentCode]> = [
  ["file is not a database", "corrupt"],
  ["disk image is malformed", "corrupt"],
  ["no such table", "corrupt"],
  ["no such column", "corrupt"],
  ["already exists", "corrupt"],
  ["disk is full", "no-space"],
  ["readonly database", "read-only"],
  ["database is locked", "in-use"],
  ["unable to open", "no-permission"],
];

/** What is no file is damage like any other; SQLite would open it first. */
function checkFiles(path: string): void {
  try {
    for (const suffix of ["", "-wal", "-shm"]) isFileThere(path + suffix);
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    throw new EnvironmentError("corrupt", error.message, { cause: error });
  }
}

function databaseError(error: unknown, action: string): EnvironmentError {
  const message = messageOf(error);
  const code = MESSAGES.find(([words]) => message.includes(words))?.[1] ?? "other";
  return environmentError(error, action, code);
}
