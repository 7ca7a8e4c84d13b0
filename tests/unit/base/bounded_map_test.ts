import { assertEquals } from "@std/assert";
import { BoundedMap, TimedMap } from "../../../src/base/bounded_map.ts";

Deno.test("set() evicts the oldest entry when there is one too many, and tells of it", () => {
  const evicted: [string, number][] = [];
  const map = new BoundedMap<string, number>(2, {
    onEvict: (key, value) => evicted.push([key, value]),
  });
  for (const [key, value] of [["a", 1], ["b", 2], ["c", 3]] as const) map.set(key, value);
  assertEquals([...map], [["b", 2], ["c", 3]]);
  assertEquals(evicted, [["a", 1]]);
});

Deno.test("set() makes an entry the newest and evicts nothing when its key is known", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  assertEquals([...map], [["b", 2], ["a", 3]]);
  map.set("c", 4);
  assertEquals([...map.keys()], ["a", "c"]);
});

Deno.test("touch() makes an entry the newest, get() does not", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  assertEquals(map.get("a"), 1);
  assertEquals([...map.keys()], ["a", "b"]);
  assertEquals(map.touch("a"), 1);
  assertEquals([...map.keys()], ["b", "a"]);
  assertEquals(map.touch("none"), undefined);
  assertEquals(map.size, 2);
});

Deno.test("delete() and clear() remove entries without telling of it", () => {
  const evicted: string[] = [];
  const map = new BoundedMap<string, number>(3, { onEvict: (key) => evicted.push(key) });
  for (const key of ["a", "b", "c"]) map.set(key, key.charCodeAt(0));
  assertEquals([map.delete("b"), map.delete("b"), map.has("b")], [true, false, false]);
  assertEquals([...map.values()], [97, 99]);
  map.clear();
  assertEquals([map.size, evicted], [0, []]);
});

Deno.test("TimedMap gives what it was given for so long, from the last time on", () => {
  const over: string[] = [];
  const map = new TimedMap<number>({ forMs: 100, max: 9, onOver: (key) => over.push(key) });
  map.set("a", 1, 0);
  map.set("b", 2, 50);
  assertEquals([map.get("a", 99), map.get("a", 100), map.get("b", 100)], [1, undefined, 2]);
  map.set("b", 3, 60);
  assertEquals([...map.entries(159)], [["b", 3]]);
  assertEquals(over, ["a"]);
  map.set("b", 4, 200);
  map.set("c", 5, 250);
  assertEquals(over, ["a", "b"]);
  map.delete("b");
  map.tick(400);
  assertEquals(over, ["a", "b", "c"]);
});

Deno.test("TimedMap drops the oldest when there is too much, and lets entries be deleted meanwhile", () => {
  const over: string[] = [];
  const map = new TimedMap<number>({ forMs: 100, max: 2, onOver: (key) => over.push(key) });
  for (const [index, key] of ["a", "b", "a", "c"].entries()) map.set(key, index, index);
  assertEquals(over, ["b"]);
  for (const [key] of map.entries(5)) map.delete(key);
  assertEquals([...map.entries(5)], []);
});
