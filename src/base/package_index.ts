/**
 * What somebody who can be trusted says about files by their names. The repositories' databases do
 * so; see `src/pacman`. No I/O here.
 */

/** A file as it has to be. */
export interface PackageFile {
  readonly name: string;
  /** The repository whose database says so. */
  readonly repository: string;
  readonly sizeBytes: number;
  /** SHA-256 of the whole file, lower-case hexadecimal. */
  readonly sha256: string;
  /** All of it, where whoever says so has it: a signature. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** Knows names, sizes and SHA-256. */
export interface PackageIndex {
  /**
   * What a file called `name` has to be; undefined when nobody says anything of it. Where several
   * repositories have a file of that name, that of `repository` counts, else the first.
   */
  find(name: string, repository?: string): PackageFile | undefined;
  /** Every file of that name: repositories may disagree, and either may be right. */
  all(name: string): readonly PackageFile[];
  /** Calls back when it may say something else than before; returns the end of it. */
  onChange(listener: () => void): () => void;
  /**
   * Resolves when it knows what stands written now, or after `timeoutMs` (by default
   * `limits.syncSettleMs`): for a name that it does not know, which may be newer than it is. Never
   * rejects.
   */
  settle?(timeoutMs?: number): Promise<void>;
}

/** The problem of a directory without any database. */
export const NEVER_SYNCED = "it holds no database: pacman has not synced yet";

/** How one repository's database is. */
export interface SyncDatabaseReport {
  /** As its file is called without `.db`; "" for the directory itself when that cannot be read. */
  readonly repository: string;
  readonly path: string;
  /** Packages in it; 0 while it could not be read. */
  readonly packages: number;
  /** When what was read of it was written, ISO 8601; null when it could not be read. */
  readonly writtenAt: string | null;
  /** Why it cannot be read; null when it can. */
  readonly problem: string | null;
}

/**
 * What a file is trusted by: its SHA-256 stands in a repository's database ("sync-db"), a person or
 * program gave its SHA-256 ("sha256") or root ("root"), a mirror gave all of it ("mirror"), most
 * peers that were asked offered it ("peers"), it lies on this machine and was shared ("local").
 * Not given to anybody: a database names it and it is not looked at yet ("unchecked"), or it is not
 * what the database says ("contradicted"), or it changed though its time did not ("damaged").
 */
export const FILE_TRUSTS = [
  "sync-db",
  "sha256",
  "root",
  "mirror",
  "peers",
  "local",
  "unchecked",
  "contradicted",
  "damaged",
] as const;
export type FileTrust = (typeof FILE_TRUSTS)[number];
