import { crc32 } from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { DatabaseCache, databaseKey } from "../../../../src/gateway/databases/database_cache.ts";
import { TempDir } from "../../store/store_fixture.ts";

function open(directory: TempDir): DatabaseCache {
  return new DatabaseCache(directory.path, { clock: systemClock, log: silentLogger });
}

/** What a database at this path of a mirror is known by. */
function keyOf(path: string): string {
  return databaseKey([`http://h${path}`]);
}

/** A client asks for one, and it is kept if there is room. */
function ask(cache: DatabaseCache, path: string, text = "content"): void {
  cache.asked(keyOf(path));
  if (cache.reserve(keyOf(path), text.length)) keep(cache, path, text);
  cache.release(keyOf(path));
}

function keep(cache: DatabaseCache, path: string, text: string, etag = `"${text}"`): void {
  const key = keyOf(path);
  const file = cache.newFile(key);
  Deno.writeTextFileSync(file, text);
  const facts = { key, sizeBytes: text.length, crc32: crc32(text) };
  cache.keep(file, { ...facts, etag, lastModified: null });
}

function isKept(cache: DatabaseCache, path: string): boolean {
  return cache.get(keyOf(path)) !== undefined;
}

function read(cache: DatabaseCache, path: string): string | undefined {
  const copy = cache.get(keyOf(path));
  const file = copy && cache.open(copy);
  if (file === undefined) return undefined;
  using _ = file;
  const bytes = new Uint8Array(100);
  return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
}

Deno.test("DatabaseCache.keep() replaces a copy, and finds it again when opened again", () => {
  using directory = new TempDir();
  const cache = open(directory);
  keep(cache, "/core/core.db", "one");
  keep(cache, "/core/core.db", "two");
  keep(cache, "/extra/extra.db", "three");
  assertEquals([...Deno.readDirSync(directory.path)].length, 4);
  const again = open(directory);
  assertEquals([read(again, "/core/core.db"), read(again, "/extra/extra.db")], ["two", "three"]);
  assertEquals(again.get(keyOf("/core/core.db"))?.etag, '"two"');
  assertEquals(read(again, "/core/other.db"), undefined);
});

Deno.test("DatabaseCache.isSound() forgets a copy that is not what it was, also when opened again", async () => {
  using directory = new TempDir();
  const cache = open(directory);
  keep(cache, "/good", "x".repeat(3_000_000), '"x"');
  keep(cache, "/rotten", "content");
  const rotten = cache.get(keyOf("/rotten"))!;
  assertEquals(await cache.isSound(rotten), true);
  Deno.writeTextFileSync(`${directory.path}/${rotten.file}`, "cOntent");
  const again = open(directory);
  for (const which of [cache, again]) {
    assertEquals(await which.isSound(which.get(keyOf("/good"))!), true);
    assertEquals(await which.isSound(rotten), false);
    assertEquals([isKept(which, "/good"), isKept(which, "/rotten")], [true, false]);
  }
});

Deno.test("DatabaseCache() removes what is no whole copy, and nothing that is not its own", () => {
  using directory = new TempDir();
  const cache = open(directory);
  for (const path of ["/short", "/gone", "/false"]) keep(cache, path, "content");
  const fileOf = (path: string) => directory.join(cache.get(keyOf(path))!.file);
  Deno.writeTextFileSync(fileOf("/short"), "con");
  Deno.removeSync(fileOf("/gone"));
  const facts = fileOf("/false").replace(/-[0-9a-f]{16}\.bin$/, ".json");
  const json = JSON.parse(Deno.readTextFileSync(facts));
  Deno.writeTextFileSync(facts, JSON.stringify({ ...json, file: "../../etc/passwd" }));
  Deno.writeTextFileSync(cache.newFile(keyOf("/new")), "half");
  directory.write("notes.txt", new Uint8Array(1));
  const again = open(directory);
  for (const path of ["/short", "/gone", "/false", "/new"]) {
    assertEquals(again.get(keyOf(path)), undefined, path);
  }
  assertEquals([...Deno.readDirSync(directory.path)].map(({ name }) => name), ["notes.txt"]);
});

Deno.test("DatabaseCache.open() forgets a copy that was tampered with", () => {
  using directory = new TempDir();
  const cache = open(directory);
  keep(cache, "/core", "content");
  Deno.writeTextFileSync(directory.join(cache.get(keyOf("/core"))!.file), "");
  assertEquals(read(cache, "/core"), undefined);
  assertEquals(cache.get(keyOf("/core")), undefined);
});

Deno.test("databaseKey() is of where a database is, not of who asks", () => {
  assertEquals(databaseKey(["http://u:p@h/core.db"]), databaseKey(["http://h/core.db"]));
  assert(databaseKey(["http://h/core.db"]) !== databaseKey(["http://h/extra.db"]));
  assert(databaseKey(["http://a/x", "http://b/x"]) !== databaseKey(["http://b/x", "http://a/x"]));
});

Deno.test("DatabaseCache.reserve() lets nothing in use go for what is asked for the first time", () => {
  using directory = new TempDir();
  const cache = open(directory);
  ask(cache, "/good");
  ask(cache, "/good");
  for (let i = 1; i < limits.databasesMax; i++) ask(cache, `/${i}`);
  for (let i = 0; i < 10; i++) ask(cache, `/made-up/${i}`);
  assertEquals(isKept(cache, "/made-up/0"), false);
  // Asked for again: the place is that of the first one that nobody asked for again.
  ask(cache, "/made-up/0");
  assertEquals([isKept(cache, "/made-up/0"), isKept(cache, "/1")], [true, false]);
  assert(isKept(cache, "/good") && isKept(cache, "/2"));
  for (let i = 0; i < 2 * limits.databasesMax; i++) {
    ask(cache, `/twice/${i}`);
    ask(cache, `/twice/${i}`);
  }
  assert(isKept(cache, "/good"));
  assertEquals([...Deno.readDirSync(directory.path)].length, 2 * limits.databasesMax);
});

Deno.test("DatabaseCache.reserve() lets what nobody wants any more go, also after a new start", () => {
  using directory = new TempDir();
  const before = open(directory);
  for (let i = 0; i < limits.databasesMax; i++) ask(before, `/${i}`);
  for (const [path, uses] of [["/5", 9], ["/6", 1]] as const) {
    const facts = directory.join(`${keyOf(path)}.json`);
    const json = JSON.parse(Deno.readTextFileSync(facts));
    const usedMs = json.usedMs - limits.databaseInUseMs;
    Deno.writeTextFileSync(facts, JSON.stringify({ ...json, usedMs, uses }));
  }
  const cache = open(directory);
  ask(cache, "/more");
  assertEquals([isKept(cache, "/more"), isKept(cache, "/6"), isKept(cache, "/5")], [
    true,
    false,
    true,
  ]);
  ask(cache, "/even/more");
  assertEquals([isKept(cache, "/even/more"), isKept(cache, "/5")], [true, false]);
  ask(cache, "/too/much");
  assertEquals(isKept(cache, "/too/much"), false);
});

Deno.test("DatabaseCache.reserve() counts what is on its way, one and all of them", () => {
  using directory = new TempDir();
  const cache = open(directory);
  const reserve = (path: string, bytes: number) => cache.reserve(keyOf(path), bytes);
  assert(reserve("/1", 0));
  assertEquals(reserve("/1", limits.databaseBytesMax + 1), false);
  const count = limits.databasesBytesMax / limits.databaseBytesMax;
  for (let i = 2; i <= count; i++) assert(reserve(`/${i}`, 0));
  for (let i = 1; i <= count; i++) assert(reserve(`/${i}`, limits.databaseBytesMax));
  assert(reserve("/late", 0));
  assertEquals(reserve("/late", 1), false);
  cache.release(keyOf(`/${count}`));
  assert(reserve("/late", 1));
});
