import { assertEquals } from "@std/assert";
import { packageNameOf } from "../../../src/pacman/package_name.ts";

const CASES: readonly [string, string | undefined][] = [
  ["linux-6.9.1.arch1-1-x86_64.pkg.tar.zst", "linux"],
  ["linux-headers-6.9.1.arch1-1-x86_64.pkg.tar.zst", "linux-headers"],
  ["vi-1:070224-6-x86_64.pkg.tar.xz", "vi"],
  ["gtk-2-engine-1.0-1-any.pkg.tar", "gtk-2-engine"],
  ["linux-6.9.1.arch1-1-x86_64.pkg.tar.zst.sig", undefined],
  ["core.db", undefined],
  ["a-1-x86_64.pkg.tar.zst", undefined],
  ["-1.0-1-any.pkg.tar.zst", undefined],
];

Deno.test("packageNameOf() takes apart the names that pacman gives packages", () => {
  for (const [fileName, name] of CASES) {
    assertEquals(packageNameOf(fileName)?.package, name, fileName);
  }
  assertEquals(packageNameOf("vi-1:070224-6-x86_64.pkg.tar.xz"), {
    package: "vi",
    version: "1:070224-6",
    architecture: "x86_64",
  });
});
