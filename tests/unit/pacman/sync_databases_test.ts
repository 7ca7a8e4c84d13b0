/** The package index that the databases of a directory make, and how it follows them. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createZstdCompress, gzipSync, zstdCompressSync } from "node:zlib";
import { limits } from "../../../src/base/limits.ts";
import { type Logger, silentLogger } from "../../../src/base/log.ts";
import { SyncDatabases } from "../../../src/pacman/sync_databases.ts";
import { tool } from "../../integration/support/tool.ts";
import { WAIT_MS, waitUntil, within } from "../../integration/support/wait.ts";
import { TempDir } from "../store/store_fixture.ts";
import { database, desc, type PackageEntry, PACKERS, tar, tarEntry } from "./database_fixture.ts";

function sha(digit: number): string {
  return digit.toString(16).repeat(64);
}

function entry(fileName: string, number: number): PackageEntry {
  return { fileName, sizeBytes: 100 + number, sha256: sha(number) };
}

/** Writes as pacman does: beside it, then in its place. */
function put(dir: TempDir, name: string, bytes: Uint8Array): void {
  Deno.writeFileSync(dir.join(`${name}.part`), bytes);
  Deno.renameSync(dir.join(`${name}.part`), dir.join(name));
}

/** Warnings that were logged. */
function recorder(): { readonly log: Logger; readonly warnings: unknown[] } {
  const warnings: unknown[] = [];
  const log = {
    ...silentLogger,
    warn: (_message: string, fields: unknown) => void warnings.push(fields),
  };
  return { log, warnings };
}

/** The index of a directory whose databases were all read, however busy this machine is. */
function opened(path: string, log: Logger = silentLogger): Promise<SyncDatabases> {
  return SyncDatabases.open(path, { log, settleMs: WAIT_MS });
}

/** Resolves once the book says something new. */
async function changed(databases: SyncDatabases, change: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = databases.onChange(resolve);
  change();
  await within(promise, { what: "the databases to be read again" });
  end();
}

Deno.test("SyncDatabases reads databases plain, gzipped and as zstd", async () => {
  for (const [how, pack] of Object.entries(PACKERS)) {
    using dir = new TempDir();
    put(dir, "core.db", pack(database([entry("a-1.pkg", 1), entry("b-1.pkg", 2)])));
    await using databases = await opened(dir.path);
    assertEquals(
      databases.find("b-1.pkg"),
      { name: "b-1.pkg", repository: "core", sizeBytes: 102, sha256: sha(2) },
      how,
    );
    assertEquals(databases.find("c-1.pkg"), undefined);
    const [report] = databases.reports();
    assertEquals([report?.repository, report?.packages, report?.problem], ["core", 2, null]);
    assert(report?.writtenAt !== null);
  }
});

Deno.test("SyncDatabases reads what repo-add makes", async () => {
  using dir = new TempDir();
  const info = "pkgname = made\npkgver = 1-1\narch = any\nsize = 1\n";
  dir.write("build/.PKGINFO", new TextEncoder().encode(info));
  const path = dir.join("made-1-1-any.pkg.tar.zst");
  await tool("bsdtar", ["--zstd", "-cf", path, "-C", dir.join("build"), ".PKGINFO"]);
  await tool("repo-add", ["-q", dir.join("mine.db.tar.gz"), path]);
  await using databases = await opened(dir.path);
  const bytes = Deno.readFileSync(path);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  assertEquals(databases.find("made-1-1-any.pkg.tar.zst"), {
    name: "made-1-1-any.pkg.tar.zst",
    // repo-add puts a symbolic link beside the archive, as pacman asks for it.
    repository: "mine",
    sizeBytes: bytes.length,
    sha256: hash.toHex(),
  });
});

Deno.test("SyncDatabases.all() names a file once for each repository, find() that of one", async () => {
  using dir = new TempDir();
  put(dir, "core.db", database([entry("a", 1)]));
  put(dir, "extra.db", database([entry("a", 2), entry("b", 3)]));
  put(dir, "extra.files", database([entry("f", 4)]));
  await using databases = await opened(dir.path);
  assertEquals(databases.all("a").map(({ sha256 }) => sha256), [sha(1), sha(2)]);
  assertEquals(databases.find("a")?.repository, "core");
  assertEquals(databases.find("a", "extra")?.sha256, sha(2));
  assertEquals(databases.find("b", "core")?.sha256, sha(3));
  assertEquals(databases.find("f"), undefined);
});

Deno.test("SyncDatabases.versionOf() names the file of a package, whatever its version", async () => {
  using dir = new TempDir();
  const names = [
    "linux-headers-6.1-1-x86_64.pkg.tar.zst",
    "linux-6.1-1-x86_64.pkg.tar.zst",
    "linux-6.1-1-x86_64.pkg.tar.zst.sig",
    "linux-lts-6.0-1-x86_64.pkg.tar.zst",
    "linux.txt",
  ];
  put(dir, "core.db", gzipSync(database(names.map(entry))));
  put(dir, "testing.db", gzipSync(database([entry("linux-6.2-1-x86_64.pkg.tar.zst", 9)])));
  await using databases = await opened(dir.path);
  const version = (name: string, repository: string | null) =>
    databases.versionOf(name, repository)?.name;
  assertEquals(version("linux", "core"), names[1]);
  assertEquals(version("linux", "testing"), "linux-6.2-1-x86_64.pkg.tar.zst");
  assertEquals(version("linux", null), names[1]);
  assertEquals(version("linux-headers", "core"), names[0]);
  for (const name of ["", "linu", "linux-6.1", "other"]) {
    assertEquals(version(name, null), undefined);
  }
  assertEquals(version("linux", "extra"), undefined);
});

Deno.test("SyncDatabases follows databases that come, change and go, and their directory", async () => {
  using dir = new TempDir();
  const sync = dir.join("sync");
  const { log, warnings } = recorder();
  await using databases = await opened(sync, log);
  assertEquals(databases.reports().map(({ repository, path }) => [repository, path]), [["", sync]]);
  await changed(databases, () => {
    Deno.mkdirSync(sync);
    put(dir, "sync/core.db", database([entry("a", 1)]));
  });
  assertEquals(databases.reports().map(({ repository }) => repository), ["core"]);
  await changed(databases, () => put(dir, "sync/core.db", gzipSync(database([entry("a", 2)]))));
  assertEquals(databases.find("a")?.sha256, sha(2));
  await changed(databases, () => put(dir, "sync/extra.db", database([entry("b", 3)])));
  assertEquals(databases.find("b")?.sha256, sha(3));
  await changed(databases, () => Deno.removeSync(`${sync}/core.db`));
  assertEquals([databases.find("a"), databases.find("b")?.repository], [undefined, "extra"]);
  assertEquals(warnings.length, 1);
});

Deno.test("SyncDatabases.settle() resolves when what is written now was read", async () => {
  using dir = new TempDir();
  await using databases = await opened(dir.path);
  for (const number of [1, 2, 3]) {
    put(dir, "core.db", database([entry("a", number)]));
    await databases.settle(WAIT_MS);
    assertEquals(databases.find("a")?.sha256, sha(number));
  }
});

Deno.test("SyncDatabases keeps what it read last while a database is no good, and says so once", async () => {
  const good = database([entry("a", 1)]);
  const packed = gzipSync(good);
  const flipped = packed.slice();
  flipped[packed.length >> 1]! ^= 0xff;
  const zstd = zstdCompressSync(good);
  const bad: Record<string, Uint8Array> = {
    "is empty": new Uint8Array(),
    "is cut off: the archive": good.subarray(0, good.length - 1_024),
    "cannot be unpacked": packed.subarray(0, packed.length - 20),
    "it ": flipped,
    "it is": zstd.subarray(0, zstd.length >> 1),
    "no tar archive": new TextEncoder().encode("<!DOCTYPE html>".repeat(100)),
    "packed with xz": Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0),
    "packed with bzip2": new TextEncoder().encode("BZh91AY&SY"),
    [`at most ${limits.syncDescBytesMax}`]: tarEntry({
      name: "a/desc",
      data: "",
      sizeBytes: limits.syncDescBytesMax + 1,
    }),
  };
  using dir = new TempDir();
  const { log, warnings } = recorder();
  put(dir, "core.db", good);
  await using databases = await opened(dir.path, log);
  for (const [problem, bytes] of Object.entries(bad)) {
    warnings.length = 0;
    put(dir, "core.db", bytes);
    const report = await waitUntil(
      async () => {
        await databases.settle(WAIT_MS);
        return databases.reports().find((report) => report.problem?.includes(problem));
      },
      { what: `the problem "${problem}"` },
    );
    assertEquals([report.packages, databases.find("a")?.sha256], [1, sha(1)]);
    await databases.settle(WAIT_MS);
    assertEquals(warnings.length, 1, problem);
    put(dir, "core.db", good);
    await databases.settle(WAIT_MS);
    assertEquals(databases.reports()[0]?.problem, null);
  }
});

Deno.test("SyncDatabases reads neither pipes nor directories, and waits for none", async () => {
  using dir = new TempDir();
  await tool("mkfifo", [dir.join("pipe.db")]);
  Deno.mkdirSync(dir.join("folder.db"));
  Deno.symlinkSync(dir.join("nothing"), dir.join("link.db"));
  put(dir, "core.db", database([entry("a", 1)]));
  await using databases = await opened(dir.path);
  const problems = databases.reports().map(({ repository, problem }) => [repository, problem]);
  assertEquals(problems.map(([repository]) => repository), ["core", "folder", "link", "pipe"]);
  assertStringIncludes(problems[1]?.[1] ?? "", "not a regular file");
  assertStringIncludes(problems[2]?.[1] ?? "", "no such file");
  assertStringIncludes(problems[3]?.[1] ?? "", "not a regular file");
  assertEquals(databases.find("a")?.sha256, sha(1));
});

Deno.test("SyncDatabases forgets that a database could not be found when it is there again", async () => {
  using dir = new TempDir();
  dir.write("elsewhere", database([entry("a", 1)]));
  Deno.symlinkSync(dir.join("elsewhere"), dir.join("core.db"));
  await using databases = await opened(dir.path);
  const problem = () => databases.reports()[0]?.problem;
  assertEquals(problem(), null);
  Deno.symlinkSync("loop", dir.join("loop"));
  Deno.renameSync(dir.join("core.db"), dir.join("away"));
  Deno.symlinkSync(dir.join("loop"), dir.join("core.db"));
  await databases.settle(WAIT_MS);
  assert(problem() !== null);
  assertEquals(databases.find("a")?.sha256, sha(1));
  Deno.removeSync(dir.join("core.db"));
  // The very same file: nothing of it has to be read again.
  Deno.renameSync(dir.join("away"), dir.join("core.db"));
  await databases.settle(WAIT_MS);
  assertEquals(problem(), null);
});

Deno.test("SyncDatabases gives up a database that unpacks to more than it may, and goes on", async () => {
  using dir = new TempDir();
  const hole = new Uint8Array(64 * 1_024 * 1_024);
  const sizeBytes = 2 * limits.syncUnpackedBytesMax;
  const pieces = [tarEntry({ name: "big", data: "", sizeBytes })];
  while (pieces.length * hole.length <= limits.syncUnpackedBytesMax + hole.length) {
    pieces.push(hole);
  }
  put(dir, "bomb.db", await buffer(Readable.from(pieces).pipe(createZstdCompress())));
  put(dir, "core.db", database([entry("a", 1)]));
  await using databases = await opened(dir.path);
  const problem = await waitUntil(
    () => databases.reports().find(({ repository }) => repository === "bomb")?.problem,
    { what: "the bomb to be given up" },
  );
  assertEquals(problem, `unpacked it has more than ${limits.syncUnpackedBytesMax} bytes`);
  await databases.settle(WAIT_MS);
  assertEquals(databases.find("a")?.sha256, sha(1));
});

Deno.test("SyncDatabases reads at most so many databases", async () => {
  using dir = new TempDir();
  for (let i = 0; i <= limits.syncDatabasesMax; i++) {
    put(dir, `r${String(i).padStart(3, "0")}.db`, database([entry(`p${i}`, 1)]));
  }
  await using databases = await opened(dir.path);
  const reports = await waitUntil(
    async () => {
      await databases.settle(WAIT_MS);
      const reports = databases.reports();
      return reports.filter(({ packages }) => packages === 1).length === limits.syncDatabasesMax &&
        reports;
    },
    { what: "the databases to be read" },
  );
  assertStringIncludes(reports[0]?.problem ?? "", `of which ${limits.syncDatabasesMax} are read`);
  assertEquals(databases.find(`p${limits.syncDatabasesMax}`), undefined);
});

Deno.test("SyncDatabases takes fifteen thousand packages", async () => {
  using dir = new TempDir();
  const packages = Array.from(
    { length: 15_000 },
    (_, i) => entry(`package-${i}-1-1-x86_64`, i % 16),
  );
  put(dir, "extra.db", gzipSync(database(packages)));
  await using databases = await opened(dir.path);
  await waitUntil(() => databases.find("package-14999-1-1-x86_64"), { what: "the last package" });
  for (const index of [0, 1, 7_000, 14_999]) {
    const { fileName, sizeBytes, sha256 } = packages[index]!;
    assertEquals(
      databases.find(fileName),
      { name: fileName, repository: "extra", sizeBytes, sha256: sha256! },
    );
  }
});

Deno.test("SyncDatabases skips packages that cannot be trusted, not the others", async () => {
  using dir = new TempDir();
  const files = [entry("good", 1), { fileName: "unsigned", sizeBytes: 5 }, entry("../evil", 2)];
  const other = { name: "other/depends", data: desc(entry("depends", 3)) };
  const archive = tar([
    ...files.map((file, i) => ({ name: `${i}/desc`, data: desc(file) })),
    other,
  ]);
  put(dir, "core.db", archive);
  await using databases = await opened(dir.path);
  const names = ["good", "unsigned", "../evil", "evil", "depends"];
  assertEquals(names.filter((name) => databases.all(name).length > 0), ["good"]);
});
