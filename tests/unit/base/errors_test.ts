import { assertEquals, assertThrows } from "@std/assert";
import {
  EnvironmentError,
  EXIT,
  FetchFailure,
  messageOf,
  PeerFault,
  unreachable,
  UsageError,
} from "../../../src/base/errors.ts";

Deno.test("every family keeps its name, its code, its hint and its cause", () => {
  const cause = new Error("below");
  const errors = [
    new UsageError("m", { hint: "h", cause }),
    new PeerFault("malformed", "m", { cause }),
    new EnvironmentError("no-space", "m", { hint: "h", cause }),
    new FetchFailure("notFound", "m", { hint: "h", cause }),
  ];
  assertEquals(errors.map(({ name }) => name), [
    "UsageError",
    "PeerFault",
    "EnvironmentError",
    "FetchFailure",
  ]);
  for (const error of errors) assertEquals([error.message, error.cause], ["m", cause]);
  assertEquals("cause" in new PeerFault("silent", "m"), false);
});

Deno.test("EXIT has a code of its own for each way to end", () => {
  assertEquals(Object.values(EXIT).sort(), [0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("messageOf() has words for anything that is thrown", () => {
  assertEquals([messageOf(new Error("a")), messageOf("b"), messageOf(undefined)], [
    "a",
    "b",
    "undefined",
  ]);
});

Deno.test("unreachable() throws and shows the value", () => {
  assertThrows(() => unreachable("new kind" as never), TypeError, "new kind");
});
