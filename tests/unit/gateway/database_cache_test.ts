import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { DatabaseCache } from "../../../src/gateway/database_cache.ts";
import { TempDir } from "../store/store_fixture.ts";

function open(directory: TempDir): DatabaseCache {
  return new DatabaseCache(directory.path, { log: silentLogger });
}

function keep(cache: DatabaseCache, path: string, text: string): void {
  const file = cache.newFile(path);
  Deno.writeTextFileSync(file, text);
  cache.keep(file, { path, sizeBytes: text.length, etag: `"${text}"`, lastModified: null });
}

function read(cache: DatabaseCache, path: string): string | undefined {
  const copy = cache.get(path);
  const file = copy && cache.open(copy);
  if (file === undefined) return undefined;
  using _ = file;
  const bytes = new Uint8Array(100);
  return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
}

Deno.test("DatabaseCache.keep() replaces a copy, and finds it again when opened anew", () => {
  using directory = new TempDir();
  const cache = open(directory);
  keep(cache, "/core/core.db", "one");
  keep(cache, "/core/core.db", "two");
  keep(cache, "/extra/extra.db", "three");
  assertEquals([...Deno.readDirSync(directory.path)].length, 4);
  const again = open(directory);
  assertEquals([read(again, "/core/core.db"), read(again, "/extra/extra.db")], ["two", "three"]);
  assertEquals(again.get("/core/core.db")?.etag, '"two"');
  assertEquals(read(again, "/core/other.db"), undefined);
});

Deno.test("DatabaseCache() removes what is no whole copy, and nothing that is not its own", () => {
  using directory = new TempDir();
  const cache = open(directory);
  for (const path of ["/short", "/gone", "/false"]) keep(cache, path, "content");
  const fileOf = (path: string) => directory.join(cache.get(path)!.file);
  Deno.writeTextFileSync(fileOf("/short"), "con");
  Deno.removeSync(fileOf("/gone"));
  const facts = fileOf("/false").replace(/-[0-9a-f]{16}\.bin$/, ".json");
  Deno.writeTextFileSync(facts, '{"path":"/false","file":"../../etc/passwd"}');
  Deno.writeTextFileSync(cache.newFile("/new"), "half");
  directory.write("notes.txt", new Uint8Array(1));
  const again = open(directory);
  for (const path of ["/short", "/gone", "/false", "/new"]) {
    assertEquals(again.get(path), undefined, path);
  }
  assertEquals([...Deno.readDirSync(directory.path)].map(({ name }) => name), ["notes.txt"]);
});

Deno.test("DatabaseCache.open() forgets a copy that was tampered with", () => {
  using directory = new TempDir();
  const cache = open(directory);
  keep(cache, "/core", "content");
  Deno.writeTextFileSync(directory.join(cache.get("/core")!.file), "");
  assertEquals(read(cache, "/core"), undefined);
  assertEquals(cache.get("/core"), undefined);
});

Deno.test("DatabaseCache.keep() lets the one go that was not asked for longest", () => {
  using directory = new TempDir();
  const cache = open(directory);
  for (let i = 0; i < limits.databasesMax; i++) keep(cache, `/${i}`, "content");
  assert(cache.get("/0") !== undefined);
  keep(cache, "/more", "content");
  assertEquals(cache.get("/1"), undefined);
  assert(cache.get("/0") !== undefined && cache.get("/2") !== undefined);
  assertEquals([...Deno.readDirSync(directory.path)].length, 2 * limits.databasesMax);
});
