import { assertEquals } from "@std/assert";
import { randomBelow, seededRandom } from "../../../../src/base/random.ts";
import { hashNumbers, NONE, Rings, RowIndex, Rows } from "../../../../src/core/directory/rows.ts";

const VALUE = 0, NEXT = 1, PREVIOUS = 2;

function valuesOf(rows: Rows, rings: Rings, first: number): number[] {
  const values: number[] = [];
  if (first === NONE) return values;
  let row = first;
  do {
    values.push(rows.get(row, VALUE));
    row = rings.next(row);
  } while (row !== first);
  return values;
}

Deno.test("Rows.add() gives a row of zeros when it uses a removed one again", () => {
  const rows = new Rows(2);
  const row = rows.add();
  rows.set(row, 0, 7);
  rows.set(row, 1, 8);
  rows.remove(row);
  assertEquals(rows.size, 0);
  assertEquals(rows.add(), row);
  assertEquals([rows.get(row, 0), rows.get(row, 1)], [0, 0]);
});

Deno.test("Rings agree with a list when rows come and go", () => {
  const random = seededRandom(3);
  const rows = new Rows(3);
  const rings = new Rings(rows, { next: NEXT, previous: PREVIOUS });
  const model: { row: number; value: number }[] = [];
  let first = NONE;
  for (let round = 0; round < 5_000; round++) {
    const grows = randomBelow(random, 2_000) > model.length;
    if (grows) {
      const row = rows.add();
      rows.set(row, VALUE, round);
      first = rings.push(first, row);
      model.push({ row, value: round });
    } else {
      const [gone] = model.splice(randomBelow(random, model.length), 1);
      first = rings.remove(first, gone!.row);
      rows.remove(gone!.row);
    }
  }
  assertEquals(valuesOf(rows, rings, first), model.map(({ value }) => value));
  for (const { row } of model) first = rings.remove(first, row);
  assertEquals(first, NONE);
});

Deno.test("RowIndex agrees with a map when rows come and go, also when hashes collide", () => {
  for (const hashMask of [-1, 7]) {
    const random = seededRandom(5);
    const rows = new Rows(1);
    const hashOf = (value: number) => hashNumbers(1, value, 0, 0) & hashMask;
    const index = new RowIndex((row) => hashOf(rows.get(row, VALUE)));
    const find = (value: number) =>
      index.find(hashOf(value), (row) => rows.get(row, VALUE) === value);
    const model = new Map<number, number>();
    for (let round = 0; round < 4_000; round++) {
      const value = randomBelow(random, 300);
      const row = model.get(value);
      assertEquals(find(value), row ?? NONE);
      if (row === undefined) {
        const added = rows.add();
        rows.set(added, VALUE, value);
        index.add(added);
        model.set(value, added);
      } else {
        index.remove(row);
        rows.remove(row);
        model.delete(value);
      }
    }
    for (let value = 0; value < 300; value++) assertEquals(find(value), model.get(value) ?? NONE);
  }
});
