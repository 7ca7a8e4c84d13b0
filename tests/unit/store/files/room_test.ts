// Whether a disk has room for what is to be written there.

import { assertEquals, assertThrows } from "@std/assert";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { checkRoom } from "../../../../src/store/files/room.ts";
import { TempDir } from "../store_fixture.ts";

const MORE_THAN_ANY = 2 ** 52;

Deno.test("checkRoom() refuses what no disk holds, and says how much is missing", () => {
  using dir = new TempDir();
  const file = { name: "a.iso", path: dir.join("a"), sizeBytes: MORE_THAN_ANY };
  const error = assertThrows(
    () => checkRoom({ ...file, bytesMissing: MORE_THAN_ANY }),
    EnvironmentError,
    "4.5 PB are needed, ",
  );
  assertEquals(error.code, "no-space");
  checkRoom({ ...file, bytesMissing: 1 });
});

Deno.test("checkRoom() takes a hole in a file for room that is missing", () => {
  using dir = new TempDir();
  const path = dir.write("a", new Uint8Array());
  Deno.truncateSync(path, 2 ** 40);
  const file = { name: "a.iso", path, sizeBytes: MORE_THAN_ANY, bytesMissing: MORE_THAN_ANY };
  assertThrows(() => checkRoom(file), EnvironmentError, "4.5 PB are needed, ");
});

Deno.test("checkRoom() leaves to whoever writes what cannot be looked at", () => {
  using dir = new TempDir();
  const file = dir.write("a", new Uint8Array(1));
  checkRoom({ name: "a", path: `${file}/below`, sizeBytes: 5, bytesMissing: 5 });
});
