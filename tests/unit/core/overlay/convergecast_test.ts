import { assertEquals } from "@std/assert";
import type { QueryId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Convergecast } from "../../../../src/core/overlay/convergecast.ts";

const ID = "1".repeat(32) as QueryId;

function idOf(number: number): QueryId {
  return number.toString(16).padStart(32, "0") as QueryId;
}

/** A query that came over link 1, was looked for in vain, and was sent over these links. */
function passedOn(...links: number[]): Convergecast {
  const cast = new Convergecast();
  cast.begin(ID, 1, 0);
  for (const link of links) cast.sent(ID, link);
  cast.looked(ID, "nothing");
  return cast;
}

Deno.test("Convergecast.through() says so once, when every link has answered", () => {
  const cast = passedOn(2, 3);
  assertEquals(cast.through(ID), null);
  cast.answered(ID, 2, "nothing");
  cast.answered(ID, 2, "nothing");
  assertEquals(cast.through(ID), null);
  assertEquals(cast.copied(ID, 3), "is-answer");
  assertEquals(cast.through(ID), { parent: 1, outcome: "nothing" });
  assertEquals(cast.through(ID), null);
});

Deno.test("Convergecast.through() tells the most that anybody told", () => {
  const cast = passedOn(2, 3, 4);
  cast.answered(ID, 2, "coming");
  cast.answered(ID, 3, "answered");
  cast.answered(ID, 4, "nothing");
  assertEquals(cast.through(ID)?.outcome, "answered");
});

Deno.test("Convergecast.through() waits for what this node itself has to tell", () => {
  const cast = new Convergecast();
  cast.begin(ID, 1, 0);
  assertEquals(cast.through(ID), null);
  cast.looked(ID, "answered");
  assertEquals(cast.through(ID)?.outcome, "answered");
});

Deno.test("Convergecast.copied() tells an answer from a copy that needs one", () => {
  const cast = passedOn(2);
  assertEquals(cast.copied(ID, 1), "nothing");
  assertEquals(cast.copied(ID, 3), "owes-one");
  assertEquals(cast.copied(ID, 3), "nothing");
  assertEquals([3, 4].map((link) => cast.isKnownAt(ID, link)), [true, false]);
  assertEquals(cast.copied(ID, 2), "is-answer");
  cast.through(ID);
  assertEquals(cast.copied(ID, 5), "owes-one");
});

Deno.test("Convergecast.through() says nothing when a link is lost that had not answered", () => {
  const cast = passedOn(2, 3);
  cast.answered(ID, 2, "nothing");
  cast.linkDown(2);
  cast.answered(ID, 3, "nothing");
  assertEquals(cast.through(ID)?.outcome, "nothing");
  const other = passedOn(2, 3);
  other.linkDown(2);
  other.answered(ID, 2, "nothing");
  other.answered(ID, 3, "nothing");
  assertEquals(other.through(ID), null);
});

Deno.test("Convergecast forgets what takes too long, the oldest of too many, and what cannot be told", () => {
  const late = passedOn(2);
  late.tick(limits.queryThroughMs);
  late.answered(ID, 2, "nothing");
  assertEquals(late.through(ID), null);
  const crowded = passedOn(2);
  for (let i = 0; i < limits.queriesUnderWayMax; i++) crowded.begin(idOf(i), 1, 0);
  crowded.answered(ID, 2, "nothing");
  assertEquals(crowded.through(ID), null);
  const cutOff = passedOn(2);
  cutOff.linkDown(1);
  cutOff.answered(ID, 2, "nothing");
  assertEquals(cutOff.through(ID), null);
});

Deno.test("Convergecast.outcomeOf() is that of an own query, until a link comes up and when it has answered", () => {
  const cast = new Convergecast();
  cast.beginOwn(ID, 0);
  cast.sent(ID, 1);
  assertEquals(cast.outcomeOf(ID), null);
  cast.answered(ID, 1, "nothing");
  assertEquals(cast.outcomeOf(ID), "nothing");
  assertEquals(cast.through(ID), { parent: null, outcome: "nothing" });
  cast.sent(ID, 2);
  assertEquals(cast.outcomeOf(ID), null);
  cast.answered(ID, 2, "coming");
  assertEquals(cast.outcomeOf(ID), "coming");
  cast.tick(1e9);
  assertEquals(cast.outcomeOf(ID), "coming");
  cast.endOwn(ID);
  assertEquals(cast.outcomeOf(ID), null);
});
