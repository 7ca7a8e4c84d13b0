/** What patterns mean, by glob(7). */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { expandGlob, matchesPattern } from "../../../src/pacman/glob.ts";
import { TempDir } from "../store/store_fixture.ts";

Deno.test("matchesPattern() knows runs, single characters, classes and escapes", () => {
  const cases: readonly [string, readonly string[], readonly string[]][] = [
    ["*", ["", "a", "a.b"], []],
    ["a*b?c", ["abxc", "aXbbxc"], ["abc", "abxcd"]],
    ["[abc]x", ["ax", "cx"], ["dx", "x", "aax"]],
    ["[a-c0-9]", ["b", "7"], ["d", "-"]],
    ["[!a-c]", ["d", "]"], ["b", ""]],
    ["[^a]", ["b"], ["a"]],
    ["[]-a]", ["]", "^", "a"], ["b"]],
    ["[!]a]", ["b"], ["]", "a"]],
    ["[a-]", ["a", "-"], ["b"]],
    ["[-a]", ["a", "-"], ["b"]],
    ["[[:digit:]a][[:upper:]]", ["7A", "aZ"], ["bA", "77"]],
    ["[[:nothing:]", ["[", ":", "n", "g"], ["x"]],
    ["[\\]]", ["]"], ["\\]", "a"]],
    ["[a", ["[a"], ["a"]],
    ["\\*\\[a]", ["*[a]"], ["x[a]", "*a"]],
    ["[é-ü]", ["ö"], ["o"]],
    ["?", ["😀"], ["ab"]],
  ];
  for (const [pattern, good, bad] of cases) {
    for (const name of good) assert(matchesPattern(pattern, name), `${pattern} is ${name}`);
    for (const name of bad) assertFalse(matchesPattern(pattern, name), `${pattern} is ${name}`);
  }
});

Deno.test("matchesPattern() is quick with a pattern that is made to be slow", () => {
  assertFalse(matchesPattern("*a".repeat(500) + "b", "a".repeat(2_000)));
});

Deno.test("expandGlob() stops where its budget ends, at every step", async () => {
  using dir = new TempDir();
  for (const name of ["a/1", "a/2", "b/1", "c/1"]) dir.write(name, new Uint8Array());
  const pattern = `${dir.path}/*/*`;
  const expand = async (looks: number, pathsMax: number) => {
    const { paths, isCut } = await expandGlob(pattern, { looks, pathsMax });
    return [paths.length, isCut];
  };
  assertEquals(await expand(100, 100), [4, false]);
  assertEquals(await expand(100, 4), [4, false]);
  assertEquals(await expand(100, 3), [3, true]);
  // The way there, the directory, and one of the three in it.
  assertEquals((await expand(3, 100))[1], true);
  assertEquals(await expand(0, 100), [0, true]);
  const budget = { looks: 100, pathsMax: 100 };
  assertEquals(await expandGlob(dir.join("none/x"), budget), { paths: [], isCut: false });
  assertEquals(await expandGlob(dir.join("a/1/*"), budget), { paths: [], isCut: false });
});
