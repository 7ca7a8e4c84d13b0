// What this project relies on in @std, from whichever of its two sources it comes: run where the
// registry can be reached and where it cannot, this holds the two to the same results and types.

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { ensureDir, ensureDirSync, exists, existsSync, move, walk } from "@std/fs";
import { join, relative, resolve } from "@std/path";

/** Runs a test in a folder of its own, which is gone afterwards. */
async function inFolder(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("ensureDir() makes all folders, accepts what is there, refuses a file", async () => {
  await inFolder(async (dir) => {
    await ensureDir(join(dir, "a", "b"));
    await ensureDir(join(dir, "a", "b"));
    ensureDirSync(join(dir, "c", "d"));
    assert((await Deno.stat(join(dir, "c", "d"))).isDirectory);
    await Deno.writeTextFile(join(dir, "file"), "");
    await assertRejects(() => ensureDir(join(dir, "file")), Error, "expected 'dir', got 'file'");
    assertThrows(() => ensureDirSync(join(dir, "file")), Error, "expected 'dir', got 'file'");
  });
});

Deno.test("exists() tells by kind, and follows links", async () => {
  await inFolder(async (dir) => {
    const file = join(dir, "file");
    await Deno.writeTextFile(file, "");
    await Deno.symlink(join(dir, "nowhere"), join(dir, "dangling"));
    assert(await exists(file));
    assert(await exists(file, { isFile: true, isReadable: true }));
    assertFalse(await exists(file, { isDirectory: true }));
    assert(existsSync(dir, { isDirectory: true }));
    assertFalse(existsSync(join(dir, "nowhere")));
    assertFalse(await exists(join(dir, "dangling")));
    await assertRejects(() => exists(file, { isFile: true, isDirectory: true }), TypeError);
  });
});

Deno.test("walk() gives what the options ask for", async () => {
  await inFolder(async (dir) => {
    await ensureDir(join(dir, "a", "b"));
    for (const name of ["one.ts", "a/two.js", "a/b/three.ts"]) {
      await Deno.writeTextFile(join(dir, name), "");
    }
    await Deno.symlink(join(dir, "one.ts"), join(dir, "link"));
    const walked = async (options?: Parameters<typeof walk>[1]) => {
      const paths = await Array.fromAsync(walk(dir, options), (entry) => relative(dir, entry.path));
      return paths.sort();
    };
    assertEquals(await walked(), ["", "a", "a/b", "a/b/three.ts", "a/two.js", "link", "one.ts"]);
    assertEquals(await walked({ maxDepth: 1 }), ["", "a", "link", "one.ts"]);
    assertEquals(await walked({ includeFiles: false, includeSymlinks: false }), ["", "a", "a/b"]);
    assertEquals(await walked({ includeDirs: false, followSymlinks: true, exts: ["ts"] }), [
      "a/b/three.ts",
      "one.ts",
      "one.ts",
    ]);
    assertEquals(await walked({ skip: [/\/a$/], includeDirs: false }), ["link", "one.ts"]);
    assertEquals(await walked({ match: [/two/] }), ["a/two.js"]);
    await assertRejects(() => Array.fromAsync(walk(join(dir, "gone"))), Deno.errors.NotFound);
  });
});

Deno.test("move() renames, replaces only when told, and not into itself", async () => {
  await inFolder(async (dir) => {
    const [from, to] = [join(dir, "from"), join(dir, "to")];
    await Deno.writeTextFile(from, "new");
    await Deno.writeTextFile(to, "old");
    await assertRejects(() => move(from, to), Deno.errors.AlreadyExists);
    assertEquals(await Deno.readTextFile(to), "old");
    await move(from, to, { overwrite: true });
    assertEquals(await Deno.readTextFile(to), "new");
    assertFalse(await exists(from));
    await assertRejects(() => move(dir, join(dir, "below")), Deno.errors.NotSupported);
    assertEquals(resolve(dir, "to"), to);
  });
});
