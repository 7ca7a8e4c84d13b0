import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { isDownloadDirectory } from "../../../../src/store/shares/download_directory.ts";
import { LastingWarnings } from "../../../../src/store/shares/lasting_warnings.ts";

Deno.test("LastingWarnings tells each cause once, and again when it was put right meanwhile", () => {
  const told: string[] = [];
  const warnings = new LastingWarnings((message, { path }) =>
    void told.push(`${path}: ${message}`)
  );
  const warn = (path: string, message: string) => warnings.warn(path, message, { path });
  for (let i = 0; i < 3; i++) warn("/a", "no permission");
  warn("/b", "no permission");
  warn("/a", "too many links");
  assertEquals(told, ["/a: no permission", "/b: no permission", "/a: too many links"]);
  warnings.clear("/b");
  warn("/b", "no permission");
  warn("/a", "too many links");
  assertEquals(told.length, 4);
});

Deno.test("LastingWarnings tells no more than so many, and that there are more", () => {
  const told: string[] = [];
  const warnings = new LastingWarnings((message) => void told.push(message));
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < limits.lastingWarningsMax + 9; i++) warnings.warn(`${i}`, "no", {});
  }
  assertEquals(told.length, limits.lastingWarningsMax + 1);
  warnings.clear("3");
  warnings.warn("3", "no", {});
  assertEquals(told.at(-1), "no");
});

Deno.test("isDownloadDirectory() knows the directories of pacman, and leaves a person's own", () => {
  const [root, daemon, alpm] = [0, 970, 971];
  const cases: readonly [name: string, mode: number, uid: number, own: number, boolean][] = [
    ["download-Xy3zA9", 0o40700, alpm, daemon, true],
    ["download-Xy3zA9", 0o40700, alpm, root, true],
    ["download-Xy3zA9", 0o40700, root, root, true],
    ["download-videos", 0o40700, daemon, daemon, false],
    ["download-videos", 0o40755, alpm, daemon, false],
    ["download-Xy3zA", 0o40700, alpm, daemon, false],
    ["old-download-Xy3zA9", 0o40700, alpm, daemon, false],
  ];
  for (const [name, mode, uid, own, expected] of cases) {
    assertEquals(isDownloadDirectory(name, { mode, uid }, own), expected, `${name} ${mode} ${uid}`);
  }
});
