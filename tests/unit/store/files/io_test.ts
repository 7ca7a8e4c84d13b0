import { assertEquals, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import {
  environmentError,
  readAt,
  removeIfThere,
  writeAt,
} from "../../../../src/store/files/io.ts";
import { TempDir } from "../store_fixture.ts";

Deno.test("writeAt() and readAt() work at positions above 4 GiB and stop at the end", () => {
  using dir = new TempDir();
  const fd = openSync(dir.join("f"), "w+");
  try {
    const position = 2 ** 32 + 5;
    writeAt(fd, new Uint8Array([1, 2, 3]), position);
    const read = new Uint8Array(10);
    assertEquals(readAt(fd, read, { offset: 2, length: 8, position: position + 1 }), 2);
    assertEquals([...read.subarray(0, 5)], [0, 0, 2, 3, 0]);
    assertEquals(readAt(fd, read, { offset: 0, length: 1, position: 5 }), 1);
    assertEquals(read[0], 0);
  } finally {
    closeSync(fd);
  }
});

Deno.test("writeAt() and readAt() refuse a position that the system would ignore", () => {
  using dir = new TempDir();
  const path = dir.write("f", new Uint8Array([7]));
  const fd = openSync(path, "r+");
  try {
    for (const position of [-1, 0.5, NaN, 2 ** 53, 5n as unknown as number]) {
      assertThrows(() => writeAt(fd, new Uint8Array(1), position), RangeError);
      assertThrows(
        () => readAt(fd, new Uint8Array(1), { offset: 0, length: 1, position }),
        RangeError,
      );
    }
  } finally {
    closeSync(fd);
  }
  assertEquals(Deno.readFileSync(path), new Uint8Array([7]));
});

Deno.test("environmentError() says what failed, of which kind, and what to do", () => {
  using dir = new TempDir();
  const cases: [() => void, string][] = [
    [() => Deno.openSync(dir.join("none")), "not-found"],
    [() => openSync(dir.join("none"), "r"), "not-found"],
    [() => Deno.readFileSync(`${dir.write("f", new Uint8Array(1))}/x`), "not-found"],
    [() => {
      throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
    }, "no-permission"],
    [() => Deno.readFileSync(dir.path), "other"],
  ];
  for (const [fail, code] of cases) {
    let caught: unknown;
    try {
      fail();
    } catch (error) {
      caught = error;
    }
    const error = environmentError(caught, "do this");
    assertEquals([error.code, error.cause], [code, caught] as never, String(caught));
    assertEquals(error.message.startsWith("Cannot do this: "), true);
  }
  const own = new EnvironmentError("changed", "mine");
  assertEquals(environmentError(own, "do this"), own);
});

Deno.test("removeIfThere() removes a file, and is content when there is none", () => {
  using dir = new TempDir();
  const path = dir.write("f", new Uint8Array(1));
  removeIfThere(path);
  removeIfThere(path);
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  assertThrows(
    () => removeIfThere(dir.write("d/f", new Uint8Array(1)).slice(0, -2)),
    EnvironmentError,
  );
});
