import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import type { Root } from "../../../../src/base/ids.ts";
import { Catalogue } from "../../../../src/store/catalogue/catalogue.ts";
import { SCHEMA } from "../../../../src/store/catalogue/catalogue_schema.ts";
import { StoredFile } from "../../../../src/store/files/stored_file.ts";
import { TempDir } from "../store_fixture.ts";

const FILES = "/data/files";

function storedFile(
  path: [string, string],
  origin: "shared" | "downloaded" = "shared",
): StoredFile {
  const root = path[1].length.toString(16).padStart(64, "0") as Root;
  const [directory, file] = path;
  // An inode above 2^53, as some file systems give.
  const content = { root, sizeBytes: 2 ** 44, mtimeMs: -12.5, ino: 2 ** 60, ctimeMs: 3_000 };
  return new StoredFile(origin, { directory, file }, content);
}

Deno.test("storedFiles() gives back what putStoredFiles() took, after opening again", async () => {
  using dir = new TempDir();
  const path = dir.join("c.sqlite");
  const shared = [
    storedFile(["/a", "x"]),
    storedFile(["/a", "y ü"]),
    storedFile(["/b", "x"]),
    storedFile(["", "r"]),
  ];
  const root = "cd".repeat(32) as Root;
  const named = new StoredFile(
    "downloaded",
    { directory: `${FILES}/${root}`, file: "f", name: "f" },
    { root, sizeBytes: 0, mtimeMs: 1_700_000_000_123, ino: 7, ctimeMs: 0 },
  );
  {
    using catalogue = await Catalogue.open(path, FILES);
    catalogue.putStoredFiles([...shared, named]);
    catalogue.putStoredFiles([shared[0]!]);
    catalogue.removeStoredFiles([shared[2]!]);
  }
  using again = await Catalogue.open(path, FILES);
  const byPath = (a: StoredFile, b: StoredFile) => a.path < b.path ? -1 : 1;
  assertEquals(
    [...again.storedFiles("shared")].sort(byPath),
    [shared[0]!, shared[1]!, shared[3]!].sort(byPath),
  );
  assertEquals([...again.storedFiles("downloaded")], [named]);
});

Deno.test("storedFiles() finds downloaded files again when the data directory has moved", async () => {
  using dir = new TempDir();
  const root = "cd".repeat(32) as Root;
  {
    using catalogue = await Catalogue.open(dir.join("c"), "/old/files");
    catalogue.putStoredFiles([
      new StoredFile("downloaded", { directory: `/old/files/${root}`, file: "f" }, {
        root,
        sizeBytes: 1,
        mtimeMs: 1,
        ino: 1,
        ctimeMs: 0,
      }),
    ]);
  }
  using moved = await Catalogue.open(dir.join("c"), "/new/files");
  assertEquals([...moved.storedFiles("downloaded")].map((p) => p.path), [`/new/files/${root}/f`]);
});

Deno.test("storedFiles() reads more rows than one portion, each once", async () => {
  using dir = new TempDir();
  using catalogue = await Catalogue.open(dir.join("c"), FILES);
  const paths: [string, string][] = Array.from({ length: 9000 }, (_, i) => [`/d${i % 7}`, `f${i}`]);
  catalogue.putStoredFiles(paths.map((path) => storedFile(path)));
  const read = [...catalogue.storedFiles("shared")];
  assertEquals(read.length, 9000);
  assertEquals(new Set(read.map((p) => p.path)).size, 9000);
  assertEquals(new Set(read.map((p) => p.directory)).size, 7);
});

Deno.test("completePartial() turns a partial download into a file in one step", async () => {
  using dir = new TempDir();
  using catalogue = await Catalogue.open(dir.join("c"), FILES);
  const done = storedFile([`${FILES}/${"0".repeat(63)}1`, "f"], "downloaded");
  const row = {
    root: done.root,
    name: "f",
    sizeBytes: 40_000,
    have: new Uint8Array([0xe0]),
    hasLeaves: true,
    left: { sizeBytes: 40_000, mtimeMs: 1_700_000_000_123, ctimeMs: 1_700_000_001_000, ino: 7 },
  };
  catalogue.putPartial(row);
  assertEquals(catalogue.partials(), [row]);
  catalogue.completePartial(done);
  assertEquals(catalogue.partials(), []);
  assertEquals([...catalogue.storedFiles("downloaded")].length, 1);
  catalogue.demoteToPartial(done, row);
  assertEquals(catalogue.partials(), [row]);
  assertEquals([...catalogue.storedFiles("downloaded")].length, 0);
});

Deno.test("open() brings a catalogue of version 1 up to date, with all that it holds", async () => {
  using dir = new TempDir();
  const path = dir.join("c");
  const { DatabaseSync } = await import("node:sqlite");
  const root = "cd".repeat(32) as Root;
  const db = new DatabaseSync(path);
  db.exec(SCHEMA[0]!);
  db.prepare("INSERT INTO places VALUES ('shared', '/a', 'x', NULL, 5, 1.5, 7, ?)").run(root);
  db.exec("INSERT INTO statistics VALUES ('bytesIn', 12); PRAGMA user_version = 1");
  db.close();
  {
    using catalogue = await Catalogue.open(path, FILES);
    assertEquals([...catalogue.storedFiles("shared")].map((one) => [one.path, one.root]), [[
      "/a/x",
      root,
    ]]);
    assertEquals(catalogue.statistics(), new Map([["bytesIn", 12]]));
    assertEquals(catalogue.sha256s(), new Map());
    catalogue.putSha256(root, "ef".repeat(32));
  }
  using again = await Catalogue.open(path, FILES);
  assertEquals(again.sha256s(), new Map([[root, "ef".repeat(32)]]));
  again.removeSha256s([root]);
  assertEquals(again.sha256s(), new Map());
});

Deno.test("shares() and statistics() give back what was put", async () => {
  using dir = new TempDir();
  using catalogue = await Catalogue.open(dir.join("c"), FILES);
  const rows = [{ path: "/a", isExcluded: false }, { path: "/a/b", isExcluded: true }];
  catalogue.putShares([{ path: "/z", isExcluded: false }]);
  catalogue.putShares(rows);
  assertEquals(catalogue.shares(), rows);
  catalogue.putStatistics(new Map([["bytesIn", 2 ** 50], ["queries", 3]]));
  catalogue.putStatistics(new Map([["queries", 4]]));
  assertEquals(catalogue.statistics(), new Map([["bytesIn", 2 ** 50], ["queries", 4]]));
});

Deno.test("open() throws corrupt when the file is not a database", async () => {
  using dir = new TempDir();
  const path = dir.write("c", new TextEncoder().encode("no database ".repeat(500)));
  const error = await assertRejects(() => Catalogue.open(path, FILES), EnvironmentError);
  assertEquals(error.code, "corrupt");
});

Deno.test("open() refuses a catalogue of a newer version and leaves it as it is", async () => {
  using dir = new TempDir();
  const path = dir.join("c");
  (await Catalogue.open(path, FILES)).close();
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(path);
  db.exec("PRAGMA user_version = 99");
  db.close();
  const error = await assertRejects(() => Catalogue.open(path, FILES), EnvironmentError, "99");
  assertEquals(error.code, "other");
  assert(error.hint?.includes("newer"));
});

Deno.test("putStoredFiles() writes all files or none", async () => {
  using dir = new TempDir();
  using catalogue = await Catalogue.open(dir.join("c"), FILES);
  const bad = new StoredFile("shared", { directory: "/a", file: "bad" }, {
    root: null as unknown as Root,
    sizeBytes: 1,
    mtimeMs: 1,
    ino: 1,
    ctimeMs: 0,
  });
  assertThrows(() => catalogue.putStoredFiles([storedFile(["/a", "good"]), bad]), EnvironmentError);
  assertEquals([...catalogue.storedFiles("shared")], []);
  catalogue.putStoredFiles([storedFile(["/a", "good"])]);
  assertEquals([...catalogue.storedFiles("shared")].length, 1);
});
