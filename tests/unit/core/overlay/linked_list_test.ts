import { assert, assertEquals, assertFalse } from "@std/assert";
import { randomBelow, seededRandom } from "../../../../src/base/random.ts";
import { LinkedList, type ListNode } from "../../../../src/core/overlay/linked_list.ts";

Deno.test("LinkedList.remove() takes out first, middle and last when asked by node", () => {
  const list = new LinkedList<string>();
  const [a, b, c, d] = ["a", "b", "c", "d"].map((value) => list.push(value));
  assert(list.remove(b!));
  assertEquals([...list], ["a", "c", "d"]);
  assert(list.remove(a!));
  assert(list.remove(d!));
  assertEquals([...list], ["c"]);
  assert(list.remove(c!));
  assertEquals([[...list], list.size], [[], 0]);
  list.push("e");
  assertEquals([...list], ["e"]);
});

Deno.test("LinkedList.remove() gives false when the node is out or of another list", () => {
  const list = new LinkedList<number>();
  const node = list.push(1);
  assertFalse(new LinkedList<number>().remove(node));
  assert(list.remove(node));
  assertFalse(list.remove(node));
  assertEquals(list.size, 0);
});

Deno.test("LinkedList goes on behind what is left when values are taken out during a walk", () => {
  const list = new LinkedList<number>();
  const nodes = [0, 1, 2, 3, 4, 5].map((value) => list.push(value));
  const seen: number[] = [];
  for (const value of list) {
    seen.push(value);
    if (value === 1) { for (const index of [1, 2, 3]) list.remove(nodes[index]!); }
    if (value === 4) list.push(6);
  }
  assertEquals(seen, [0, 1, 4, 5, 6]);
});

Deno.test("LinkedList holds what an array holds when 10,000 random changes are made", () => {
  const random = seededRandom(1);
  const list = new LinkedList<number>();
  const model: ListNode<number>[] = [];
  for (let i = 0; i < 10_000; i++) {
    if (model.length === 0 || random.unit() < 0.5) model.push(list.push(i));
    else list.remove(model.splice(randomBelow(random, model.length), 1)[0]!);
  }
  assertEquals([...list], model.map((node) => node.value));
  assertEquals(list.size, model.length);
});
