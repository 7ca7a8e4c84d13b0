import { assertEquals, assertThrows } from "@std/assert";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { DataFile } from "../../../../src/store/files/data_file.ts";
import { HandleCache } from "../../../../src/store/files/handle_cache.ts";
import { TempDir } from "../store_fixture.ts";

Deno.test("a DataFile is made at its first use, written in pieces, cut and removed", async () => {
  using dir = new TempDir();
  using handles = new HandleCache(4);
  const path = dir.join("data");
  const file = new DataFile(path, handles);
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  file.write(new Uint8Array([4, 5]), 3);
  file.write(new Uint8Array([1, 2, 3]), 0);
  await file.flush();
  const target = new Uint8Array(6);
  assertEquals(file.read(target, { offset: 1, length: 5, position: 0 }), 5);
  assertEquals(target, new Uint8Array([0, 1, 2, 3, 4, 5]));
  file.truncate(2);
  assertEquals(file.sizeBytes, 2);
  assertEquals(file.read(target, { offset: 0, length: 6, position: 1 }), 1);
  file.remove();
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  assertEquals(handles.size, 0);
});

Deno.test("close() lets the next use open what lies at the path then", () => {
  using dir = new TempDir();
  using handles = new HandleCache(4);
  const path = dir.write("data", new Uint8Array([1]));
  const file = new DataFile(path, handles);
  assertEquals(file.sizeBytes, 1);
  Deno.removeSync(path);
  dir.write("data", new Uint8Array([1, 2]));
  assertEquals(file.sizeBytes, 1);
  file.close();
  assertEquals(file.sizeBytes, 2);
});

Deno.test("a DataFile says what it cannot do, and where", () => {
  using dir = new TempDir();
  using handles = new HandleCache(4);
  const path = dir.join("missing/data");
  const file = new DataFile(path, handles);
  const error = assertThrows(() => file.write(new Uint8Array(1), 0), EnvironmentError, path);
  assertEquals(error.code, "not-found");
});
