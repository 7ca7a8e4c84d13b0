/** Chunks that fellows say are wrong. */

import { assert, assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Accusations } from "../../../../src/daemon/crowd/accusations.ts";

function node(number: number): NodeId {
  return number.toString(16).padStart(32, "0") as NodeId;
}

function taken(accusations: Accusations): number[] {
  const chunks: number[] = [];
  for (let next = accusations.take(); next !== undefined; next = accusations.take()) {
    chunks.push(next);
  }
  return chunks;
}

Deno.test("Accusations.take() gives each chunk once, in the order in which they came", () => {
  const accusations = new Accusations();
  assert(accusations.isEmpty);
  accusations.add(node(1), { first: 5, count: 2 });
  accusations.add(node(2), { first: 6, count: 2 });
  assertEquals(taken(accusations), [5, 6, 7]);
  accusations.add(node(3), { first: 5, count: 1 });
  assert(accusations.isEmpty);
  assert(accusations.has(5));
});

Deno.test("Accusations.add() keeps so many of each fellow, and of all", () => {
  const accusations = new Accusations();
  const each = limits.accusationsPerFellowMax;
  accusations.add(node(1), { first: 0, count: 32 });
  accusations.add(node(1), { first: 100, count: 1 });
  assertEquals(taken(accusations).length, each);
  for (let i = 2; i < 100; i++) accusations.add(node(i), { first: 100 * i, count: 32 });
  assertEquals(taken(accusations).length, limits.accusationsMax - each);
});

Deno.test("Accusations.came resolves when there is one, also when there was one before", async () => {
  const accusations = new Accusations();
  for (const chunk of [1, 2]) {
    const { came } = accusations;
    let hasCome = false;
    came.then(() => hasCome = true);
    await Promise.resolve();
    assert(!hasCome);
    accusations.add(node(1), { first: chunk, count: 1 });
    await came;
    assertEquals(accusations.take(), chunk);
  }
});
