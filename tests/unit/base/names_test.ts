import { assert, assertEquals, assertThrows } from "@std/assert";
import { basename, dirname, join } from "@std/path";
import fc from "fast-check";
import { UsageError } from "../../../src/base/errors.ts";
import { checkName, isName, matchesGlob, nameProblem, nameType } from "../../../src/base/names.ts";

Deno.test("nameProblem() takes what a directory can hold, and names what is wrong with the rest", () => {
  const good = [
    "a",
    "..a",
    "...",
    ".bashrc",
    "größe 1.bin",
    "日本語",
    "a\\b",
    "-rf",
    "x".repeat(255),
  ];
  for (const name of good) assertEquals(nameProblem(name), undefined, name);
  const bad: [string, string][] = [
    ["", "empty"],
    [".", "directory"],
    ["..", "directory"],
    ["a/b", "slash"],
    ["/", "slash"],
    ["../x", "slash"],
    ["a\0", "control"],
    ["a\nb", "control"],
    ["\u007f", "control"],
    ["\u009b31m", "control"],
    ["a\u2028b", "control"],
    ["\ud800", "Unicode"],
    ["x".repeat(256), "256 bytes"],
    ["ö".repeat(128), "256 bytes"],
  ];
  for (const [name, why] of bad) {
    assert(nameProblem(name)?.includes(why), `${JSON.stringify(name)}: ${nameProblem(name)}`);
  }
});

Deno.test("isName() is true only of texts that stay in the directory that they are put into", () => {
  const parts = fc.array(fc.constantFrom("..", ".", "/", "a", "é", "\0", "\n", " "), {
    maxLength: 5,
  });
  let names = 0;
  const property = fc.property(parts, (all) => {
    const text = all.join("");
    if (!isName(text)) return;
    names++;
    const path = join("/data", text);
    assertEquals([dirname(path), basename(path)], ["/data", text]);
  });
  fc.assert(property, { numRuns: 2_000 });
  assert(names > 100, `only ${names} names`);
});

Deno.test("checkName() throws the reason and a short part of the name", () => {
  assertEquals(checkName("a.txt"), "a.txt");
  const error = assertThrows(() => checkName("/".repeat(10_000)), UsageError, "Cannot use name");
  assert(error.message.length < 200);
});

Deno.test("nameType() is the last extension in lower case", () => {
  assertEquals(nameType("linux-6.1.pkg.tar.ZST"), "zst");
  for (const name of ["README", ".bashrc", "a."]) assertEquals(nameType(name), "");
  assertEquals(nameType(`a.${"x".repeat(33)}`), "");
});

/** The rule in one line for each case, with no care for time. */
function matchesNaively(glob: string, name: string): boolean {
  if (glob === "") return name === "";
  if (glob[0] === "*") {
    return matchesNaively(glob.slice(1), name) ||
      (name !== "" && matchesNaively(glob, name.slice(1)));
  }
  if (name === "") return false;
  return (glob[0] === "?" || glob[0] === name[0]) && matchesNaively(glob.slice(1), name.slice(1));
}

Deno.test("matchesGlob() agrees with the plain rule", () => {
  const glob = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 9 });
  const name = fc.array(fc.constantFrom("a", "b"), { maxLength: 10 });
  let matches = 0;
  const property = fc.property(glob, name, (globParts, nameParts) => {
    const [one, other] = [globParts.join(""), nameParts.join("")];
    const expected = matchesNaively(one, other);
    if (expected) matches++;
    assertEquals(matchesGlob(one, other), expected, `${one} ${other}`);
  });
  fc.assert(property, { numRuns: 3_000 });
  assert(matches > 100, `only ${matches} pairs matched`);
});

Deno.test("matchesGlob() takes every other character as itself", () => {
  assert(matchesGlob("a.c[1]+(x)", "a.c[1]+(x)"));
  assert(!matchesGlob("a.c", "abc"));
  assert(!matchesGlob("A", "a"));
  assert(matchesGlob("*.pkg.tar.*", "linux-6.1-x86_64.pkg.tar.zst"));
});

Deno.test("matchesGlob() takes linear steps for a glob made to be slow", () => {
  // A backtracking match would need more steps than there are atoms.
  assert(!matchesGlob("*a".repeat(127) + "b", "a".repeat(255)));
});
