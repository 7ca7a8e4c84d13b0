/** What a person reads when a fetch ended without its file. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  nobodyLeft,
  outOfTime,
  type Surroundings,
} from "../../../../src/core/fetch/fetch_failures.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const REQUEST = requestFor("a.bin", { deliver: true, timeoutMs: 700 });
const NOTHING = {
  anyFalse: false,
  isMirrorFalse: false,
  hasWrongCopy: false,
  unfit: 0,
  here: undefined,
  refusal: null,
  isHidden: false,
};
const DEAD = { directory: "d:8047", reason: "Connection refused", isFailed: true };
const STRANGE = { directory: "e:8047", reason: "it is of another network", isFailed: true };

function alone(seen: Partial<Surroundings> = {}): Surroundings {
  return {
    isAlone: true,
    linkCount: 0,
    linksDialling: 0,
    addressCount: 0,
    directories: { size: 2, faults: [DEAD, STRANGE] },
    ...seen,
  };
}

Deno.test("nobodyLeft() names each directory with its error when none answers", () => {
  const { message, exit } = nobodyLeft(REQUEST, { ...NOTHING, ...alone() });
  assertEquals(exit, "notFound");
  assertEquals(
    message,
    "Cannot fetch a.bin: there is no link to any other node, and no directory answers: " +
      "d:8047 (Connection refused), e:8047 (it is of another network)",
  );
});

Deno.test("nobodyLeft() speaks of a daemon or its log only when there is one", () => {
  const cases = [
    NOTHING,
    { ...NOTHING, anyFalse: true },
    { ...NOTHING, isMirrorFalse: true },
    { ...NOTHING, here: { bytesDone: 1, bytesTotal: 2 } },
  ];
  for (const seen of cases) {
    for (const directories of [alone().directories, { size: 0, faults: [] }]) {
      const { hint = "" } = nobodyLeft(REQUEST, { ...seen, ...alone({ directories }) });
      assert(hint !== "" && !/daemon|log|status/.test(hint), hint);
      const daemons = alone({ directories, isAlone: false });
      assertMatch(nobodyLeft(REQUEST, { ...seen, ...daemons }).hint!, /daemon|log/);
    }
  }
});

Deno.test("nobodyLeft() names the directories that did not answer when another did", () => {
  const directories = { size: 2, faults: [DEAD] };
  const { message } = nobodyLeft(REQUEST, { ...NOTHING, ...alone({ directories }) });
  assertEquals(
    message,
    "Cannot fetch a.bin: nobody has it; without an answer of d:8047 (Connection refused)",
  );
});

Deno.test("nobodyLeft() says when the only holders known cannot be connected to", () => {
  const directories = { size: 1, faults: [] };
  const { message, exit, hint } = nobodyLeft(REQUEST, {
    ...NOTHING,
    ...alone({ directories }),
    isHidden: true,
  });
  assertEquals(exit, "notFound");
  assertStringIncludes(message, "a directory knows a holder that nobody can connect to");
  assertStringIncludes(hint!, "--peer");
});

Deno.test("outOfTime() names the directories that did not answer", () => {
  assertEquals(
    outOfTime(REQUEST, undefined, alone()).message,
    "Cannot fetch a.bin: out of time after 700 ms; nobody had offered it yet; without an answer " +
      "of d:8047 (Connection refused), e:8047 (it is of another network)",
  );
  const none = alone({ directories: { size: 0, faults: [] } });
  assertStringIncludes(outOfTime(REQUEST, undefined, none).message, "nobody had offered it yet");
});

Deno.test("nobodyLeft() blames those whose bytes failed the check", () => {
  const cases: readonly [boolean, boolean, string][] = [
    [true, false, "what peers offer failed its check"],
    [false, true, "what the mirror gives failed its check"],
    [true, true, "what peers offer and what the mirror gives failed its check"],
  ];
  for (const [anyFalse, isMirrorFalse, words] of cases) {
    const failure = nobodyLeft(REQUEST, { ...NOTHING, ...alone(), anyFalse, isMirrorFalse });
    assertEquals([failure.exit, failure.message], ["checkFailed", `Cannot fetch a.bin: ${words}`]);
    assertEquals(failure.hint?.includes("peers"), anyFalse, failure.hint);
  }
});
