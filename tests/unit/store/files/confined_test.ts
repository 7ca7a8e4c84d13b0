import { assertEquals, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { checkConfined, checkOpened } from "../../../../src/store/files/confined.ts";
import { content, TempDir } from "../store_fixture.ts";

/** A share `shared` with the file `sub/f`, and `private` with a file of that name. */
function setUp() {
  const dir = new TempDir();
  dir.write("shared/sub/f", content(5));
  dir.write("private/f", content(6));
  return { dir, root: dir.join("shared"), path: dir.join("shared/sub/f") };
}

/** Puts a link to `private` where `shared/sub` is, and takes it away again. */
function swap(dir: TempDir, way: "in" | "out"): void {
  if (way === "in") {
    Deno.renameSync(dir.join("shared/sub"), dir.join("shared/gone"));
    Deno.symlinkSync(dir.join("private"), dir.join("shared/sub"));
  } else {
    Deno.removeSync(dir.join("shared/sub"));
    Deno.renameSync(dir.join("shared/gone"), dir.join("shared/sub"));
  }
}

function codeOf(check: () => void): string {
  return assertThrows(check, EnvironmentError).code;
}

/** With all permissions, and with those that pacsrv is installed with: then the system tells less. */
function testBoth(name: string, fn: () => void): void {
  Deno.test(`${name}, as the system says`, fn);
  const permissions = { read: true, write: true, run: false } as const;
  Deno.test({ name: `${name}, as looks say`, permissions, fn });
}

testBoth("checkOpened() lets pass what lies in the share, also through links above it", () => {
  const { dir, path, root } = setUp();
  using _ = dir;
  Deno.symlinkSync(root, dir.join("link"));
  for (const at of [root, dir.join("link")]) {
    const fd = openSync(`${at}/sub/f`, "r");
    assertEquals(checkOpened(fd, `${at}/sub/f`, at), path);
    closeSync(fd);
  }
});

testBoth("checkOpened() refuses what was opened through a link that is still there", () => {
  const { dir, path, root } = setUp();
  using _ = dir;
  swap(dir, "in");
  const fd = openSync(path, "r");
  assertEquals(codeOf(() => checkOpened(fd, path, root)), "other");
  assertEquals(codeOf(() => checkConfined(path, root)), "other");
  closeSync(fd);
});

testBoth("checkOpened() refuses what was opened through a link that is gone by then", () => {
  const { dir, path, root } = setUp();
  using _ = dir;
  swap(dir, "in");
  const fd = openSync(path, "r");
  swap(dir, "out");
  checkConfined(path, root);
  assertEquals(codeOf(() => checkOpened(fd, path, root)), "changed");
  closeSync(fd);
});

testBoth(
  "checkOpened() refuses a file that was moved out of the share, and one that was removed",
  () => {
    const { dir, path, root } = setUp();
    using _ = dir;
    const fd = openSync(path, "r");
    Deno.renameSync(path, dir.join("elsewhere"));
    assertEquals(codeOf(() => checkOpened(fd, path, root)), "not-found");
    dir.write("shared/sub/f", content(5));
    assertEquals(codeOf(() => checkOpened(fd, path, root)), "changed");
    closeSync(fd);
  },
);
