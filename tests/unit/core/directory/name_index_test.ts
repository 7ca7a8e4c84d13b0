import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { matchesGlob } from "../../../../src/base/names.ts";
import { randomBelow, seededRandom } from "../../../../src/base/random.ts";
import { NameIndex } from "../../../../src/core/directory/name_index.ts";
import { NONE } from "../../../../src/core/directory/rows.ts";

function indexOf(names: readonly string[]): NameIndex {
  const index = new NameIndex();
  for (const name of names) index.add(name);
  return index;
}

function found(index: NameIndex, glob: string, max = Infinity): string[] {
  const names: string[] = [];
  index.each(glob, (slot) => {
    names.push(index.nameOf(slot));
    return names.length < max;
  });
  return names.sort();
}

Deno.test("NameIndex.each() finds beginnings, endings, middles and single letters", () => {
  const index = indexOf(["linux-6.1.zst", "linux-6.2.zst", "a", "ab", "grüße.txt", "zlib.sig"]);
  assertEquals(found(index, "linux-*"), ["linux-6.1.zst", "linux-6.2.zst"]);
  assertEquals(found(index, "*.sig"), ["zlib.sig"]);
  assertEquals(found(index, "*x-6*2*"), ["linux-6.2.zst"]);
  assertEquals(found(index, "?"), ["a"]);
  assertEquals(found(index, "?b"), ["ab"]);
  assertEquals(found(index, "a*"), ["a", "ab"]);
  assertEquals(found(index, "*ü*"), ["grüße.txt"]);
  assertEquals(found(index, "*q*"), []);
  assertEquals(found(index, "ab"), ["ab"]);
  assertEquals(found(index, "b"), []);
  assertEquals(found(index, ""), []);
  assertEquals(found(index, "*").length, 6);
});

Deno.test("NameIndex.each() stops when its visitor has enough", () => {
  const index = indexOf(Array.from({ length: 5_000 }, (_, i) => `n${i}`));
  assertEquals(found(index, "*", 10).length, 10);
  assertEquals(found(index, "n*", 10).length, 10);
  assertEquals(found(index, "??", 10).length, 10);
});

Deno.test("NameIndex.each() stops at the bound of comparisons when nothing is enough", () => {
  const glob = "a".repeat(50).padStart(70, "*");
  const nameLength = 200;
  const compared = Math.floor(limits.directoryCompareSteps / (glob.length + 51 * (nameLength + 1)));
  const names = Array.from(
    { length: compared + 10 },
    (_, i) => `${i}`.padStart(8, "b").padEnd(nameLength, "a"),
  );
  const index = indexOf(names);
  assertEquals(found(index, glob).length, compared, "they all match");
  assertEquals(found(index, "*a").length, names.length);
});

Deno.test("NameIndex.each() gives what it compared, and counts no more than the glob can take", () => {
  const index = indexOf(["first.iso", "second.iso"]);
  const steps = (glob: string) => index.each(glob, () => true).steps;
  assertEquals(steps("*.zip"), 0, "none has a z");
  assertEquals(steps("first.iso"), "first.iso".length + 1);
  assertEquals(steps("?????.iso"), 2 * "?????.iso".length + 2, "without a star each letter once");
  assertEquals(
    steps("*.iso"),
    2 * "*.iso".length + 5 * ("first.iso".length + "second.iso".length + 2),
  );
});

Deno.test("NameIndex.each() goes on where it stopped, and shows each name once", () => {
  const index = indexOf(Array.from({ length: 5_000 }, (_, i) => `n${i}`));
  for (const removed of [0, 31, 32, 2_047, 2_048, 4_999]) index.remove(index.find(`n${removed}`));
  for (const glob of ["*", "n*", "n4*9"]) {
    const all = found(index, glob);
    const paged: string[] = [];
    for (let from: number | null = 0; from !== null;) {
      let count = 0;
      const { next }: { next: number | null } = index.each(glob, (slot) => {
        if (++count > 37) return false;
        paged.push(index.nameOf(slot));
        return true;
      }, from);
      from = next;
    }
    assertEquals(paged.sort(), all, glob);
  }
  assertEquals(index.each("n7", () => true, index.find("n7") + 1).steps, 0);
});

Deno.test("NameIndex.remove() frees the number of a name, and its bits", () => {
  const index = indexOf(["first.iso", "second.iso"]);
  const slot = index.find("first.iso");
  index.remove(slot);
  assertEquals(index.find("first.iso"), NONE);
  assertEquals(index.size, 1);
  assertEquals(found(index, "*.iso"), ["second.iso"]);
  assertEquals(index.add("third.img"), slot);
  assertEquals(found(index, "first*"), []);
  assertEquals(found(index, "*.i*"), ["second.iso", "third.img"]);
});

Deno.test("NameIndex agrees with a walk over all names when names come and go", () => {
  const random = seededRandom(11);
  // Few letters, so that globs meet names, and runs meet each other.
  const letters = ["a", "b", "c", "-", "ä", "🐟"];
  const text = (length: number, from: readonly string[]) =>
    Array.from({ length }, () => from[randomBelow(random, from.length)]!).join("");
  const index = new NameIndex();
  const model = new Set<string>();
  for (let round = 0; round < 3_000; round++) {
    const name = text(1 + randomBelow(random, 7), letters);
    if (model.delete(name)) index.remove(index.find(name));
    else {
      model.add(name);
      index.add(name);
    }
    if (round % 10 !== 0) continue;
    const glob = text(randomBelow(random, 6), [...letters, "*", "?", "*"]);
    const expected = [...model].filter((one) => matchesGlob(glob, one)).sort();
    assertEquals(found(index, glob), expected, `glob ${JSON.stringify(glob)}, round ${round}`);
  }
  for (const name of model) index.remove(index.find(name));
  assertEquals(found(index, "*"), []);
  assertEquals(index.size, 0);
});
