/** The tables of the catalogue, as the steps that lead from each version to the next. */

/** Step `n` brings a database of version `n` to version `n + 1`; published ones never change. */
export const SCHEMA: readonly string[] = [
  `
  -- Complete files. Sizes in bytes, times in milliseconds since 1970. Inodes are REAL because they
  -- may exceed what an INTEGER column gives back as a number. The name is NULL when it is that of
  -- the file.
  CREATE TABLE places (
    origin TEXT NOT NULL,
    directory TEXT NOT NULL,
    file TEXT NOT NULL,
    name TEXT,
    size INTEGER NOT NULL,
    mtime REAL NOT NULL,
    ino REAL NOT NULL,
    root TEXT NOT NULL,
    PRIMARY KEY (origin, directory, file)
  ) WITHOUT ROWID;
  CREATE TABLE partials (
    root TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    have BLOB NOT NULL,
    leaves INTEGER NOT NULL
  );
  -- Paths that are shared, and (excluded = 1) paths below them that are not.
  CREATE TABLE shares (path TEXT PRIMARY KEY, excluded INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE statistics (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  -- SHA-256 of whole files, as far as somebody had it checked; hexadecimal, as the root is.
  CREATE TABLE sha256s (root TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
  `,
  `
  -- How fetches went, one JSON text each, in the order in which they ended. The root is NULL when
  -- the fetch ended before it was known. The kind is 0 when it failed, 1 when it brought the file,
  -- 2 when the file was here, 3 when it failed though bytes had come.
  CREATE TABLE stories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    root TEXT,
    ended TEXT NOT NULL,
    kind INTEGER NOT NULL,
    trust TEXT NOT NULL,
    json TEXT NOT NULL
  );
  CREATE INDEX stories_by_name ON stories (name);
  CREATE INDEX stories_by_kind ON stories (kind);
  `,
  `
  -- What the data of a partial download was like when it was put away in order; NULL while it is
  -- written. Times in milliseconds since 1970.
  ALTER TABLE partials ADD COLUMN mtime REAL;
  ALTER TABLE partials ADD COLUMN ctime REAL;
  ALTER TABLE partials ADD COLUMN ino REAL;
  ALTER TABLE partials ADD COLUMN length INTEGER;
  `,
  `
  -- The time of change that only the system sets (ctime), of shared files; 0 when it is not known.
  ALTER TABLE places ADD COLUMN ctime REAL NOT NULL DEFAULT 0;
  -- Shared files that were withdrawn though neither size nor time changed, as they were last looked
  -- at. The root is that of before. They are hashed again (damaged = 0), or were found to be
  -- something else (damaged = 1).
  CREATE TABLE withheld (
    path TEXT PRIMARY KEY,
    root TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime REAL NOT NULL,
    ino REAL NOT NULL,
    ctime REAL NOT NULL,
    damaged INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Which client was given which file that nothing proves, in the order of the last change, and when
  -- it came back for it (milliseconds since 1970); NULL while it did not.
  CREATE TABLE given (
    id INTEGER PRIMARY KEY,
    client TEXT NOT NULL,
    name TEXT NOT NULL,
    root TEXT NOT NULL,
    doubted REAL,
    UNIQUE (client, name)
  );
  `,
  `
  -- Where the bytes of fetches came from that ended within an hour, which began so many milliseconds
  -- after the start of 1970.
  CREATE TABLE savings (
    hour REAL PRIMARY KEY,
    peers INTEGER NOT NULL,
    mirror INTEGER NOT NULL,
    saved INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Downloads, whole or in part: when each was used last (milliseconds since 1970), and whether a
  -- person wants it kept (pinned = 1).
  CREATE TABLE kept (
    root TEXT PRIMARY KEY,
    used REAL NOT NULL,
    pinned INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Bytes of files that came from each node, and went to it, and when it last gave or took any
  -- (milliseconds since 1970).
  CREATE TABLE peer_totals (
    node TEXT PRIMARY KEY,
    peer TEXT NOT NULL,
    had INTEGER NOT NULL,
    given INTEGER NOT NULL,
    last REAL NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  -- Packages that clients of the gateway took, in which version last; and files that were fetched before
  -- anybody asked for them. Times in milliseconds since 1970.
  CREATE TABLE packages (
    directory TEXT NOT NULL,
    package TEXT NOT NULL,
    file TEXT NOT NULL,
    taken REAL NOT NULL,
    PRIMARY KEY (directory, package)
  ) WITHOUT ROWID;
  CREATE TABLE advance (
    file TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    fetched REAL NOT NULL,
    isTaken INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
];

/** The version that this program reads and writes. */
export const SCHEMA_VERSION = SCHEMA.length;
