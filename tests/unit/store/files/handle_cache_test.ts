import { assert, assertEquals, assertThrows } from "@std/assert";
import { readSync } from "node:fs";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { HandleCache } from "../../../../src/store/files/handle_cache.ts";
import { TempDir } from "../store_fixture.ts";

function readByte(fd: number): number {
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, 0);
  return byte[0]!;
}

function files(dir: TempDir, count: number): string[] {
  return Array.from({ length: count }, (_, i) => dir.write(`f${i}`, new Uint8Array([i])));
}

Deno.test("open() keeps no more files open than its bound", () => {
  using dir = new TempDir();
  using cache = new HandleCache(3);
  for (const [i, path] of files(dir, 10).entries()) {
    assertEquals(readByte(cache.open(path)), i);
    assert(cache.size <= 3, `${cache.size} open`);
  }
  assertEquals(cache.size, 3);
});

Deno.test("open() closes the least recently used file to make room", () => {
  using dir = new TempDir();
  using cache = new HandleCache(2);
  const [a, b, c] = files(dir, 3) as [string, string, string];
  const opened: string[] = [];
  const open = (path: string) => cache.open(path, { onOpen: () => opened.push(path) });
  open(a);
  open(b);
  open(a);
  open(c);
  open(a);
  assertEquals(opened, [a, b, c]);
  open(b);
  assertEquals(opened, [a, b, c, b]);
});

Deno.test("pin() keeps a file open while others come and go", () => {
  using dir = new TempDir();
  using cache = new HandleCache(2);
  const [pinnedPath, ...others] = files(dir, 6) as [string, ...string[]];
  const pinned = cache.pin(pinnedPath);
  for (const path of others) cache.open(path);
  assertEquals(readByte(pinned.fd), 0);
  assert(cache.isPinned(pinnedPath));
  cache.unpin(pinned);
  assert(!cache.isPinned(pinnedPath));
});

Deno.test("open() throws in-use when all files are pinned", () => {
  using dir = new TempDir();
  using cache = new HandleCache(2);
  const [a, b, c] = files(dir, 3) as [string, string, string];
  const first = cache.pin(a);
  cache.pin(b);
  const error = assertThrows(() => cache.open(c), EnvironmentError, "2 files");
  assertEquals(error.code, "in-use");
  cache.unpin(first);
  assertEquals(readByte(cache.open(c)), 2);
});

Deno.test("forget() opens a replaced file again and leaves the pinned one readable", () => {
  using dir = new TempDir();
  using cache = new HandleCache(4);
  const path = dir.write("f", new Uint8Array([1]));
  const old = cache.pin(path);
  Deno.removeSync(path);
  dir.write("f", new Uint8Array([2]));
  cache.forget(path);
  assertEquals(readByte(cache.open(path)), 2);
  assertEquals(readByte(old.fd), 1);
  assertEquals(cache.size, 2);
  cache.unpin(old);
  assertEquals(cache.size, 1);
});

Deno.test("open() closes the file again when onOpen refuses it", () => {
  using dir = new TempDir();
  using cache = new HandleCache(4);
  const path = dir.write("f", new Uint8Array([1]));
  assertThrows(
    () => {
      cache.open(path, {
        onOpen: () => {
          throw new EnvironmentError("changed", "not this one");
        },
      });
    },
    EnvironmentError,
    "not this one",
  );
  assertEquals(cache.size, 0);
});

Deno.test("open() creates a file for writing and not for reading", () => {
  using dir = new TempDir();
  using cache = new HandleCache(4);
  const error = assertThrows(() => cache.open(dir.join("none")), EnvironmentError);
  assertEquals(error.code, "not-found");
  cache.open(dir.join("new"), { write: true });
  assertEquals(Deno.statSync(dir.join("new")).size, 0);
});
